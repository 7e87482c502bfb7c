//! Streams and positions in them. A stream can have a history.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{
    field_error::FieldError,
    integer,
    message::{Audience, Route},
    text::{HIDDEN, Role, UserId},
    topic::Topic,
};

/// A sequence of messages, as a client sees it: every route except a single connection.
///
/// Written `all`, `user` (the client's own user), `role:ROLE` or `topic:TOPIC`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Stream {
    /// Messages for every connection.
    All,
    /// Messages for the user of the connection that receives this name.
    User,
    /// Messages for a role.
    Role(Role),
    /// Messages of a topic.
    Topic(Topic),
}

impl Stream {
    /// The stream of a route; `None` for a single connection, which has none.
    pub fn of(route: &Route) -> Option<Self> {
        match route {
            Route::All => Some(Self::All),
            Route::User(_) => Some(Self::User),
            Route::Role(role) => Some(Self::Role(role.clone())),
            Route::Topic(topic) => Some(Self::Topic(topic.clone())),
            Route::Connection(_) => None,
        }
    }

    /// The route of the stream, as `user` sees it.
    pub fn route(&self, user: &UserId) -> Route {
        match self {
            Self::All => Route::All,
            Self::User => Route::User(user.clone()),
            Self::Role(role) => Route::Role(role.clone()),
            Self::Topic(topic) => Route::Topic(topic.clone()),
        }
    }

    /// The stream of a publication; `None` for a single connection and for a union of routes.
    pub fn of_audience(to: &Audience) -> Option<Self> {
        match to.routes() {
            [route] => Self::of(route),
            _ => None,
        }
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::User => f.write_str("user"),
            Self::Role(role) => write!(f, "role:{role}"),
            Self::Topic(topic) => write!(f, "topic:{topic}"),
        }
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

impl FromStr for Stream {
    type Err = FieldError;

    fn from_str(text: &str) -> Result<Self, FieldError> {
        match text.split_once(':') {
            None if text == "all" => Ok(Self::All),
            None if text == "user" => Ok(Self::User),
            Some(("role", role)) => Role::new(role).map(Self::Role).map_err(|error| error.under("stream")),
            Some(("topic", topic)) => Topic::new(topic).map(Self::Topic).map_err(|error| error.under("stream")),
            _ => Err(FieldError::new("stream", format!("`{text}` is not topic:TOPIC, role:ROLE, user or all"))),
        }
    }
}

impl Serialize for Stream {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Stream {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Stream {
    fn schema_name() -> Cow<'static, str> {
        "Stream".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^(?:all|user|role:[\s\S]{1,255}|topic:[^\s*{}]{1,255})$",
            "not": {"pattern": HIDDEN},
            "description": "A sequence of messages: `topic:TOPIC`, `role:ROLE`, `user` (the client's own) or `all`.",
            "examples": ["topic:order:123", "user", "role:admin", "all"],
        })
    }
}

/// A position in a stream. Offsets increase within an epoch, not always by one; a new epoch means that the history was lost.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
#[schemars(example = StreamPosition { epoch: "k3f".into(), offset: 17 })]
pub struct StreamPosition {
    /// The name of the epoch.
    pub epoch: String,
    /// The offset of a message in that epoch, from 1; 0 is before the first.
    pub offset: u64,
}

impl<'de> Deserialize<'de> for StreamPosition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Written by hand: a derived implementation accepts an array as an object without names.
        struct Object;

        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Fields {
            epoch: String,
            #[serde(deserialize_with = "integer::required")]
            offset: u64,
        }

        impl<'de> de::Visitor<'de> for Object {
            type Value = StreamPosition;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with `epoch` and `offset`")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<StreamPosition, A::Error> {
                let Fields { epoch, offset } = Fields::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(StreamPosition { epoch, offset })
            }
        }

        deserializer.deserialize_map(Object)
    }
}
