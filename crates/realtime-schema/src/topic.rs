//! Topics, patterns of topics, and grants.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::json;

use crate::{
    field_error::FieldError,
    text::{HIDDEN, check_name, name, name_schema},
};

name! {
    /// A topic: 1 to 255 characters in segments joined by `:`, such as `order:123`.
    ///
    /// Compared character by character: no case folding, no normalization. White space is refused, and so are `*`, `{`
    /// and `}`, which belong to patterns.
    Topic, "topic", 255, "order:123", no_pattern_syntax, not [json!({"pattern": r"[\s*{}]"})],
    pattern r"^[^\s*{}]+$"
}

fn no_pattern_syntax(text: &str) -> Result<(), FieldError> {
    match text.chars().find(|c| c.is_whitespace() || matches!(c, '*' | '{' | '}')) {
        None => Ok(()),
        Some(bad) => Err(FieldError::new("topic", format!("contains {bad:?}, which is not allowed in topics"))),
    }
}

/// A topic pattern, as a JSON Schema's `pattern` (ECMA-262): segments that are `*`, `{sub}` or plain, and a last `**`.
pub(crate) const PATTERN: &str = r"(?:(?:\*|\{sub\}|[^:*{}\s]*)(?::(?:\*|\{sub\}|[^:*{}\s]*))*(?::\*\*)?|\*\*)";

/// A pattern over topics, segment by segment.
///
/// `*` stands for one segment, a last `**` for one or more, `{sub}` for the token's user as one whole segment;
/// every other segment stands for itself. `order:*` matches `order:123` and not `order:123:items`.
#[derive(Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct TopicPattern(String);

impl TopicPattern {
    /// Checks `text` and keeps it.
    ///
    /// # Errors
    /// Empty, longer than a topic may be, or with `*`, `{` or `}` elsewhere than in `*`, `{sub}` and a last `**`.
    pub fn new(text: impl Into<String>) -> Result<Self, FieldError> {
        let text = text.into();
        check_name("pattern", &text, Topic::MAX_CHARS)?;
        let last = text.split(':').count() - 1;
        for (at, segment) in text.split(':').enumerate() {
            let special = segment == "*" || segment == "{sub}" || (segment == "**" && at == last);
            if !special && segment.chars().any(|c| matches!(c, '*' | '{' | '}') || c.is_whitespace()) {
                return Err(FieldError::new(
                    "pattern",
                    format!("segment `{segment}` of `{text}` is neither plain text, `*`, `{{sub}}` nor a last `**`"),
                ));
            }
        }
        Ok(Self(text))
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TopicPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl fmt::Display for TopicPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for TopicPattern {
    type Err = FieldError;

    fn from_str(text: &str) -> Result<Self, FieldError> {
        Self::new(text)
    }
}

impl<'de> Deserialize<'de> for TopicPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for TopicPattern {
    fn schema_name() -> Cow<'static, str> {
        "TopicPattern".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let docs = "Segments joined by `:`; `*` stands for one segment, a last `**` for one or more, `{sub}` for the token's user.";
        let refused = json!({"not": {"pattern": format!("^{PATTERN}$")}});
        name_schema(&[docs], Topic::MAX_CHARS, "order:*", &[refused])
    }
}

/// The action of a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum GrantAction {
    /// To subscribe to the topic.
    Subscribe,
    /// To publish to the topic.
    Publish,
    /// To read the topic's history.
    History,
    /// To see who is subscribed.
    Presence,
}

impl GrantAction {
    /// Every action, in the order documented.
    pub const ALL: [Self; 4] = [Self::Subscribe, Self::Publish, Self::History, Self::Presence];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Subscribe => "subscribe",
            Self::Publish => "publish",
            Self::History => "history",
            Self::Presence => "presence",
        }
    }
}

/// An action on the topics that a pattern matches, written `ACTION:PATTERN`, such as `subscribe:order:*`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Grant {
    /// The allowed action.
    pub action: GrantAction,
    /// The topics.
    pub pattern: TopicPattern,
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.action.as_str(), self.pattern)
    }
}

impl FromStr for Grant {
    type Err = FieldError;

    fn from_str(text: &str) -> Result<Self, FieldError> {
        let (action, pattern) = text.split_once(':').unwrap_or((text, ""));
        let Some(action) = GrantAction::ALL.into_iter().find(|known| known.as_str() == action) else {
            return Err(FieldError::new(
                "grants",
                format!("`{text}` is not ACTION:PATTERN with one of subscribe, publish, history, presence"),
            ));
        };
        Ok(Self { action, pattern: TopicPattern::new(pattern).map_err(|e| e.under("grants"))? })
    }
}

impl Serialize for Grant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Grant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Grant {
    fn schema_name() -> Cow<'static, str> {
        "Grant".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": format!("^(?:subscribe|publish|history|presence):{PATTERN}$"),
            "not": {"anyOf": [{"pattern": HIDDEN}, {"pattern": "^[a-z]+:$"}]},
            "maxLength": "subscribe:".len() + Topic::MAX_CHARS,
            "description": "ACTION:PATTERN, an action on the topics that the pattern matches.",
            "examples": ["subscribe:order:*"],
        })
    }
}
