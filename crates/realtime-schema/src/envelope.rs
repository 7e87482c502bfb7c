//! Node → node: events.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeMap};

use crate::{id::NodeId, message::Message};

/// An event between nodes. Unknown fields are ignored, and unknown versions and events are skipped, so that two
/// releases can share a broker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(example = Envelope::example())]
#[non_exhaustive]
pub struct Envelope {
    /// Version of the envelope: [`Envelope::VERSION`].
    pub v: u32,
    /// The node that sent it.
    pub node: NodeId,
    /// The event.
    pub event: Event,
}

impl Envelope {
    /// The version that this release writes.
    pub const VERSION: u32 = 1;

    /// An envelope of `node` with `event`. A [`Message`] becomes the event [`Event::Published`].
    pub fn new(node: NodeId, event: impl Into<Event>) -> Self {
        Self { v: Self::VERSION, node, event: event.into() }
    }

    /// The message, if the event is a publication.
    pub fn message(&self) -> Option<&Message> {
        match &self.event {
            Event::Published(message) => Some(message),
            Event::Other(_) => None,
        }
    }

    pub(crate) fn example() -> Self {
        Self::new("019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d90".parse().expect("an id"), Message::example())
    }
}

/// An event on a node that other nodes need: an object whose one known key is the name of the event.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A message was published.
    Published(Message),
    /// An event of a later release, by its name. Its content is not kept.
    Other(String),
}

impl From<Message> for Event {
    fn from(message: Message) -> Self {
        Self::Published(message)
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        match self {
            Self::Published(message) => map.serialize_entry("published", message)?,
            Self::Other(name) => map.serialize_entry(name, &())?,
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Written by hand: a derived internally tagged enum can't hold a payload that is kept as text, and a derived
        // externally tagged one refuses unknown names.
        struct ByName;

        impl<'de> de::Visitor<'de> for ByName {
            type Value = Event;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with the name of an event, such as `published`")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Event, A::Error> {
                let (mut known, mut unknown) = (None, None);
                while let Some(name) = map.next_key::<Cow<'de, str>>()? {
                    match &*name {
                        "published" if known.is_some() => return Err(de::Error::duplicate_field("published")),
                        "published" => known = Some(Event::Published(map.next_value()?)),
                        other => {
                            unknown.get_or_insert_with(|| other.to_owned());
                            map.next_value::<de::IgnoredAny>()?;
                        }
                    }
                }
                known.or(unknown.map(Event::Other)).ok_or_else(|| de::Error::invalid_length(0, &self))
            }
        }

        deserializer.deserialize_map(ByName)
    }
}

impl JsonSchema for Event {
    fn schema_name() -> Cow<'static, str> {
        "Event".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let message = generator.subschema_for::<Message>();
        json_schema!({
            "type": "object",
            "description": "The event, under its name: `published` contains a message. Ignore an event with another name.",
            "properties": {"published": message},
            "minProperties": 1,
            "examples": [{"published": Message::example()}],
        })
    }
}
