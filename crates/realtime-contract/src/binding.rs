//! Bindings: the message types of the streams that a pattern matches.

use std::collections::BTreeMap;

use realtime_core::topic::covers;
use realtime_schema::{MessageType, Route, StreamPattern};
use serde::{Deserialize, Serialize};

use crate::schema_path::SchemaPath;

/// What to do with a message whose type a binding does not list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnknownTypes {
    /// Refuse it, so that a misspelt type is found where it is sent.
    #[default]
    Refuse,
    /// Publish it unchecked.
    Allow,
}

/// The message types of the streams that a pattern matches, each with its schema file. As in the configuration, the
/// first binding that matches a stream decides, as for namespaces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Binding {
    /// The streams. In a topic pattern `{sub}` stands for any segment.
    pub pattern: StreamPattern,
    /// The schema file of the payload of each message type.
    #[serde(default)]
    pub messages: BTreeMap<MessageType, SchemaPath>,
    /// What to do with a message of another type.
    #[serde(default)]
    pub unknown_types: UnknownTypes,
}

impl Binding {
    /// A binding without types: as it is, it refuses every message.
    pub fn new(pattern: StreamPattern) -> Self {
        Self { pattern, messages: BTreeMap::new(), unknown_types: UnknownTypes::default() }
    }

    /// The same with a message type.
    #[must_use]
    pub fn with(mut self, kind: MessageType, schema: SchemaPath) -> Self {
        self.messages.insert(kind, schema);
        self
    }

    /// The same where messages of other types are published unchecked.
    #[must_use]
    pub fn allowing_unknown_types(self) -> Self {
        Self { unknown_types: UnknownTypes::Allow, ..self }
    }

    /// Whether the binding is one of the stream that `route` names. A single connection is no stream.
    pub fn covers(&self, route: &Route) -> bool {
        covers(&self.pattern, route)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Config {
        topics: Vec<Binding>,
    }

    fn read(text: &str) -> Result<Vec<Binding>, String> {
        toml::from_str::<Config>(text).map(|config| config.topics).map_err(|error| error.to_string())
    }

    #[test]
    fn bindings_are_read_from_a_configuration() {
        let text = r#"
            [[topics]]
            pattern = "topic:order:*"
            messages = { order-updated = "schemas/order.json", "note 2" = "./note.json" }
            [[topics]]
            pattern = "role:*"
            unknown_types = "allow"
        "#;
        let bindings = read(text).expect("two bindings");
        let order = Binding::new("topic:order:*".parse().expect("a pattern"))
            .with("order-updated".parse().expect("a type"), "schemas/order.json".parse().expect("a path"))
            .with("note 2".parse().expect("a type"), "note.json".parse().expect("a path"));
        assert_eq!(bindings, [order, Binding::new(StreamPattern::AnyRole).allowing_unknown_types()]);
    }

    #[test]
    fn a_wrong_binding_is_refused_with_what_is_wrong() {
        let wrong = |field: &str| read(&format!("[[topics]]\npattern = \"all\"\n{field}")).expect_err("refused");
        assert!(wrong(r#"messages = { a = "../a.json" }"#).contains("`../a.json` has `..`"));
        assert!(wrong(r#"messages = { "rt.a" = "a.json" }"#).contains("reserved"));
        assert!(wrong(r#"unknown_types = "ignore""#).contains("`refuse` or `allow`"));
        assert!(wrong("schema = 1").contains("unknown field"));
        assert!(read("[[topics]]\npattern = \"order:*\"").expect_err("no kind").contains("write `topic:order:*`"));
    }
}
