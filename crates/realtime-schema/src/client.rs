//! Client → server: commands.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Value, json};

use crate::{
    integer,
    message::Payload,
    stream::{Stream, StreamPosition},
    text::{CallName, MessageType, UserId},
    topic::Topic,
};

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

            fn visit_f64<E: de::Error>(self, n: f64) -> Result<CommandId, E> {
                integer::whole(n)
                    .and_then(|n| i64::try_from(n).ok())
                    .map(CommandId::Number)
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Float(n), &self))
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
            "description": "Chosen by the client, echoed in exactly one `ack` or `error`. A command without an id gets no reply if it succeeds.",
            "anyOf": [
                {"title": "CommandNumber", "type": "integer", "minimum": i64::MIN, "maximum": i64::MAX},
                {"title": "CommandText", "type": "string", "minLength": 1, "maxLength": Self::MAX_CHARS},
            ],
            "examples": [7, "sub-1"],
        })
    }
}

/// A command from a client. `action` names it; fields that an action does not have are refused.
///
/// It is written with serde and read by `realtime_core::codec::decode`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Command {
    /// Echoed in the one `ack` or `error`; without it a command that succeeds gets no reply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<CommandId>,
    /// The action.
    #[serde(flatten)]
    pub action: Action,
}

impl Command {
    /// A command with an `id`, so that its result is sent back.
    pub fn new(id: CommandId, action: Action) -> Self {
        Self { id: Some(id), action }
    }

    fn example() -> Self {
        let topic = Topic::new("order:123").expect("a topic");
        Self::new(CommandId::Number(7), Action::Subscribe { topic, since: None })
    }
}

/// The action of a command, with its fields.
#[derive(Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "action", rename_all = "lowercase")]
#[schemars(deny_unknown_fields)]
#[non_exhaustive]
pub enum Action {
    /// Subscribes this connection to a topic. After the `ack` it misses no later message.
    #[schemars(title = "SubscribeCommand")]
    Subscribe {
        /// The topic.
        topic: Topic,
        /// The last position that the client received: missed messages are sent first, or a `gap` if they are lost.
        #[serde(skip_serializing_if = "Option::is_none")]
        since: Option<StreamPosition>,
    },
    /// Ends a subscription. After the `ack` nothing of that topic arrives.
    #[schemars(title = "UnsubscribeCommand")]
    Unsubscribe {
        /// The topic.
        topic: Topic,
    },
    /// Publishes a message to a topic. The `ack` has the message's id, and its position if the topic has history.
    #[schemars(title = "PublishCommand")]
    Publish {
        /// The topic.
        topic: Topic,
        /// The application's type of message.
        #[serde(rename = "type")]
        kind: MessageType,
        /// The content: any JSON value.
        payload: Payload,
        /// Makes a retry safe: a repeated command with the same key is not published again. 1 to 128 characters.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(length(min = 1, max = 128))]
        idempotency_key: Option<String>,
        /// Whether the connections of this client id receive the message too, if they are subscribed: `true` unless the
        /// client says `false`, which needs a client id.
        #[serde(skip_serializing_if = "is_true")]
        #[schemars(default = "yes")]
        echo: bool,
    },
    /// Reads a page of a stream's history. The `ack` has the `publications`, and the stream's current `position`.
    #[schemars(title = "HistoryCommand")]
    History {
        /// The stream.
        stream: Stream,
        /// Where the page begins: the messages after this position, or before it with `reverse`. Without it, the oldest
        /// messages that are kept, or the newest with `reverse`.
        #[serde(skip_serializing_if = "Option::is_none")]
        since: Option<StreamPosition>,
        /// The most messages on the page: 100 by default, and never more than the server's `history.page`. 0 returns the
        /// position alone.
        #[serde(skip_serializing_if = "Option::is_none")]
        limit: Option<u32>,
        /// From the newest message to the oldest.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        #[schemars(default)]
        reverse: bool,
    },
    /// Reads the users who are on a topic. The `ack` has them as `presence`.
    #[schemars(title = "PresenceCommand")]
    Presence {
        /// The topic.
        topic: Topic,
        /// Whether later changes are sent too, as `presence` frames: `true` begins that, `false` ends it.
        #[serde(skip_serializing_if = "Option::is_none")]
        subscribe: Option<bool>,
        /// Whether to list the users, which is the default, or with `false` only to count them.
        #[serde(skip_serializing_if = "Option::is_none")]
        names: Option<bool>,
        /// Only users who sort after this one: the `next` of the previous page.
        #[serde(skip_serializing_if = "Option::is_none")]
        after: Option<UserId>,
        /// The most users on the page, and never more than the server's `presence.max_users`, which is the default.
        #[serde(skip_serializing_if = "Option::is_none")]
        limit: Option<u32>,
    },
    /// Continues streams after a reconnect: sends the messages after these positions, or a `gap` for those that are lost,
    /// and subscribes to the topics among them.
    #[schemars(title = "ResumeCommand")]
    Resume {
        /// The last position that the client received, of each stream.
        since: BTreeMap<Stream, StreamPosition>,
    },
    /// Replaces this connection's token by a new one of the same user.
    #[schemars(title = "RefreshCommand")]
    Refresh {
        /// The new token.
        token: String,
    },
    /// A command of the application's own. The reply is an `ack` with the application's `result`, or an `error`.
    #[schemars(title = "CallCommand")]
    Call {
        /// Which of the application's commands it is.
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<CallName>,
        /// What the application needs for it.
        #[serde(skip_serializing_if = "Option::is_none")]
        payload: Option<Payload>,
    },
    /// Asks for an `ack`, for clients that can't see WebSocket pings.
    #[schemars(title = "PingCommand")]
    Ping {},
    /// The reply to a `ping` text frame. It has no `id`, because it gets no reply.
    #[schemars(title = "PongCommand")]
    Pong {},
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn is_true(flag: &bool) -> bool {
    *flag
}

impl Action {
    /// Every value of `action`.
    pub const NAMES: [&str; 10] =
        ["subscribe", "unsubscribe", "publish", "history", "presence", "resume", "refresh", "call", "ping", "pong"];

    /// The value of `action`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Subscribe { .. } => "subscribe",
            Self::Unsubscribe { .. } => "unsubscribe",
            Self::Publish { .. } => "publish",
            Self::History { .. } => "history",
            Self::Presence { .. } => "presence",
            Self::Resume { .. } => "resume",
            Self::Refresh { .. } => "refresh",
            Self::Call { .. } => "call",
            Self::Ping {} => "ping",
            Self::Pong {} => "pong",
        }
    }
}

impl fmt::Debug for Action {
    // By hand, so that no log ever holds the token, or what a client sends to the application.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Subscribe { topic, since } => {
                f.debug_struct("Subscribe").field("topic", topic).field("since", since).finish()
            }
            Self::Unsubscribe { topic } => f.debug_struct("Unsubscribe").field("topic", topic).finish(),
            Self::Publish { topic, kind, payload: _, idempotency_key: _, echo: _ } => f
                .debug_struct("Publish")
                .field("topic", topic)
                .field("type", kind)
                .field("payload", &"…")
                .finish_non_exhaustive(),
            Self::History { stream, since, limit, reverse } => f
                .debug_struct("History")
                .field("stream", stream)
                .field("since", since)
                .field("limit", limit)
                .field("reverse", reverse)
                .finish(),
            Self::Presence { topic, subscribe, names, after, limit } => f
                .debug_struct("Presence")
                .field("topic", topic)
                .field("subscribe", subscribe)
                .field("names", names)
                .field("after", after)
                .field("limit", limit)
                .finish(),
            Self::Resume { since } => f.debug_struct("Resume").field("since", since).finish(),
            Self::Refresh { token: _ } => f.debug_struct("Refresh").field("token", &"…").finish(),
            Self::Call { name, payload: _ } => {
                f.debug_struct("Call").field("name", name).field("payload", &"…").finish()
            }
            Self::Ping {} => f.write_str("Ping"),
            Self::Pong {} => f.write_str("Pong"),
        }
    }
}

impl JsonSchema for Command {
    fn schema_name() -> Cow<'static, str> {
        "ClientCommand".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        // Adds the command's id to the fields of each action: they are one object on the wire.
        let mut schema = Action::json_schema(generator);
        let id = generator.subschema_for::<Option<CommandId>>();
        let variants = schema.get_mut("oneOf").and_then(Value::as_array_mut).expect("a tagged enum is a oneOf");
        for variant in variants {
            let is_pong = variant["properties"]["action"]["const"] == "pong";
            variant["properties"]["id"] = if is_pong { json!({"type": "null"}) } else { id.clone().into() };
        }
        schema.insert(
            "description".into(),
            "A command from a client. `action` names it; fields that an action does not have are refused.".into(),
        );
        schema.insert("examples".into(), json!([Self::example()]));
        schema
    }
}
