//! Client → server: commands.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::{position::StreamPosition, topic::Topic};

/// The name that a client gives a command, echoed in its one `ack` or `error`: an integer or a short text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(untagged)]
pub enum CommandId {
    /// An integer.
    Number(i64),
    /// A text of 1 to [`CommandId::MAX_CHARS`] characters.
    Text(String),
}

impl CommandId {
    /// The longest text that is accepted, in characters.
    pub const MAX_CHARS: usize = 64;
}

impl<'de> Deserialize<'de> for CommandId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrText;

        impl de::Visitor<'_> for NumberOrText {
            type Value = CommandId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "an integer or a string of 1 to {} characters", CommandId::MAX_CHARS)
            }

            fn visit_i64<E: de::Error>(self, n: i64) -> Result<CommandId, E> {
                Ok(CommandId::Number(n))
            }

            fn visit_u64<E: de::Error>(self, n: u64) -> Result<CommandId, E> {
                i64::try_from(n)
                    .map(CommandId::Number)
                    .map_err(|_| E::invalid_value(de::Unexpected::Unsigned(n), &self))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<CommandId, E> {
                match text.chars().count() {
                    1..=CommandId::MAX_CHARS => Ok(CommandId::Text(text.to_owned())),
                    _ => Err(E::invalid_value(de::Unexpected::Other("a text of another length"), &self)),
                }
            }
        }

        deserializer.deserialize_any(NumberOrText)
    }
}

impl JsonSchema for CommandId {
    fn schema_name() -> Cow<'static, str> {
        "CommandId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Chosen by the client, echoed in exactly one `ack` or `error`. A command without one is done without an answer.",
            "anyOf": [
                {"type": "integer", "minimum": i64::MIN, "maximum": i64::MAX},
                {"type": "string", "minLength": 1, "maxLength": Self::MAX_CHARS},
            ],
            "examples": [7, "sub-1"],
        })
    }
}

/// A command from a client. `action` names it; fields that a command does not know are refused.
#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "action", rename_all = "lowercase", deny_unknown_fields)]
#[schemars(example = ClientCommand::example())]
pub enum ClientCommand {
    /// Subscribes this connection to a topic. After the `ack` nothing published later is missed.
    Subscribe {
        /// Echoed in the answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<CommandId>,
        /// The topic.
        topic: Topic,
        /// Where the client stopped before: what it missed comes first, or a `gap` that says what is lost.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<StreamPosition>,
    },
    /// Ends a subscription. After the `ack` nothing of that topic arrives.
    Unsubscribe {
        /// Echoed in the answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<CommandId>,
        /// The topic.
        topic: Topic,
    },
    /// Replaces this connection's token by a new one of the same user.
    Refresh {
        /// Echoed in the answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<CommandId>,
        /// The new token.
        token: String,
    },
    /// Asks for an `ack`, for clients that can't see WebSocket pings.
    Ping {
        /// Echoed in the answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<CommandId>,
    },
    /// Answers a `ping` text frame.
    Pong {},
}

impl ClientCommand {
    /// Every action, as `action` names it.
    pub const ACTIONS: [&str; 5] = ["subscribe", "unsubscribe", "refresh", "ping", "pong"];

    pub(crate) fn example() -> Self {
        Self::Subscribe {
            id: Some(CommandId::Number(7)),
            topic: Topic::new("order:123").expect("a topic"),
            since: None,
        }
    }
}

impl fmt::Debug for ClientCommand {
    // By hand, so that no log ever holds the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Subscribe { id, topic, since } => {
                f.debug_struct("Subscribe").field("id", id).field("topic", topic).field("since", since).finish()
            }
            Self::Unsubscribe { id, topic } => {
                f.debug_struct("Unsubscribe").field("id", id).field("topic", topic).finish()
            }
            Self::Refresh { id, token: _ } => f.debug_struct("Refresh").field("id", id).field("token", &"…").finish(),
            Self::Ping { id } => f.debug_struct("Ping").field("id", id).finish(),
            Self::Pong {} => f.write_str("Pong"),
        }
    }
}
