//! Patterns over streams, for policies in the configuration.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    field_error::FieldError,
    text::{HIDDEN, Role},
    topic::{self, Topic, TopicPattern},
};

/// The streams of a policy: `topic:PATTERN`, `role:ROLE`, `role:*`, `user` or `all`.
#[derive(Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StreamPattern {
    /// `all`: messages for every connection.
    All,
    /// `user`: messages for any user.
    User,
    /// `role:*`: messages for any role.
    AnyRole,
    /// `role:ROLE`: messages for this role.
    Role(Role),
    /// `topic:PATTERN`: messages of a topic that the pattern matches.
    Topic(TopicPattern),
}

impl fmt::Display for StreamPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::User => f.write_str("user"),
            Self::AnyRole => f.write_str("role:*"),
            Self::Role(role) => write!(f, "role:{role}"),
            Self::Topic(pattern) => write!(f, "topic:{pattern}"),
        }
    }
}

impl fmt::Debug for StreamPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

impl FromStr for StreamPattern {
    type Err = FieldError;

    fn from_str(text: &str) -> Result<Self, FieldError> {
        let wrong = |message: String| FieldError::new("pattern", message);
        match text.split_once(':') {
            None if text == "all" => Ok(Self::All),
            None if text == "user" => Ok(Self::User),
            Some(("role", "*")) => Ok(Self::AnyRole),
            Some(("role", role)) => Role::new(role).map(Self::Role).map_err(|error| wrong(error.message)),
            Some(("topic", pattern)) => TopicPattern::new(pattern).map(Self::Topic),
            _ if TopicPattern::new(text).is_ok() => Err(wrong(format!(
                "`{text}` does not name a kind of stream; for topics write `topic:{text}`, else role:ROLE, role:*, user or all"
            ))),
            _ => Err(wrong(format!("`{text}` is not topic:PATTERN, role:ROLE, role:*, user or all"))),
        }
    }
}

impl Serialize for StreamPattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StreamPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for StreamPattern {
    fn schema_name() -> Cow<'static, str> {
        "StreamPattern".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": format!("^(?:all|user|role:[\\s\\S]{{1,255}}|topic:{})$", topic::PATTERN),
            "not": {"anyOf": [{"pattern": HIDDEN}, {"pattern": "^topic:$"}]},
            "maxLength": "topic:".len() + Topic::MAX_CHARS,
            "description": "The streams that it names: `topic:PATTERN`, `role:ROLE`, `role:*`, `user` (of any user) or `all`.",
            "examples": ["topic:order:*", "role:admin", "role:*", "user", "all"],
        })
    }
}
