//! A publication, as a frame that its recipients received.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    id::MessageId,
    message::{Message, Payload},
    stream::Stream,
    text::MessageType,
    timestamp::Timestamp,
    topic::Topic,
};

/// The frame of a publication, kept as the text that was sent.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Publication(Payload);

impl Publication {
    /// Keeps the text of a frame.
    ///
    /// # Errors
    /// `text` is not one JSON value. Its fields are not checked.
    pub fn from_text(text: String) -> Result<Self, serde_json::Error> {
        Payload::from_text(text).map(Self)
    }

    /// The text of the frame.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    fn examples() -> [Value; 3] {
        let Message { id, kind, payload, timestamp, to, .. } = Message::example();
        let live = json!({"type": kind, "payload": payload, "timestamp": timestamp, "id": id, "topic": to.topic()});
        let mut kept = live.clone();
        kept["stream"] = json!(Stream::of_audience(&to));
        kept["offset"] = json!(17);
        let mut notice = live.clone();
        notice.as_object_mut().expect("an object").remove("topic");
        notice["stream"] = json!(Stream::User);
        [live, notice, kept]
    }

    pub(crate) fn example() -> Self {
        let [.., kept] = Self::examples();
        Self::from_text(kept.to_string()).expect("JSON")
    }
}

impl fmt::Debug for Publication {
    // Written by hand, so that no log contains what was published.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Publication({} bytes)", self.as_str().len())
    }
}

impl JsonSchema for Publication {
    fn schema_name() -> Cow<'static, str> {
        "Publication".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (kind, payload) = (generator.subschema_for::<MessageType>(), generator.subschema_for::<Payload>());
        let (timestamp, id) = (generator.subschema_for::<Timestamp>(), generator.subschema_for::<MessageId>());
        let (topic, stream) = (generator.subschema_for::<Topic>(), generator.subschema_for::<Stream>());
        json_schema!({
            "title": "Publication",
            "description": "A message of the application: the only frame that has an `id`.",
            "type": "object",
            "properties": {
                "type": kind,
                "payload": payload,
                "timestamp": timestamp,
                "id": id,
                "topic": topic,
                "stream": stream,
                "offset": {"type": "integer", "minimum": 1, "description": "The position in the stream, with history."},
            },
            "required": ["type", "payload", "timestamp", "id"],
            "dependentRequired": {"offset": ["stream"]},
            "examples": Self::examples(),
        })
    }
}
