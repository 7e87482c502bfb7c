//! Decoding of commands, and encoding of frames.

use std::{
    borrow::Cow,
    collections::{BTreeMap, btree_map::Entry},
    fmt,
};

use realtime_schema::{
    Action, Command, CommandId, Control, ErrorCode, ErrorReply, FieldError, Message, MessageId, Payload, Presence,
    Stream, StreamPosition, Timestamp, Topic, integer,
};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, DeserializeOwned},
};
use serde_json::value::RawValue;

use crate::{
    frame::{Frame, Label, PreparedFrame, PresenceMark},
    policy::Overflow,
};

/// Most fields of a command.
const MAX_FIELDS: usize = 16;

/// Why a text is not a command.
#[derive(Clone, Debug, PartialEq)]
pub enum DecodeError {
    /// Not a JSON object: the client does not use this protocol. Close with 4400.
    NotAnObject(String),
    /// An object that is not a valid command: send this reply and continue.
    Refused(ErrorReply),
}

/// Decodes a command. Fields may have any order; unknown and duplicate ones are refused by name.
///
/// # Errors
/// See [`DecodeError`].
pub fn decode(text: &str) -> Result<Command, DecodeError> {
    let mut fields: Fields<'_> =
        serde_json::from_str(text).map_err(|error| DecodeError::NotAnObject(without_position(&error)))?;
    // The id first, so that every later refusal can name it.
    let id = fields.take::<CommandId>("id").map_err(|error| refused(None, vec![error]))?;
    let Some(name) = fields.take::<String>("action").map_err(|error| refused(id.clone(), vec![error]))? else {
        return Err(refused(id, vec![FieldError::new("action", one_of_the_actions())]));
    };
    let mut errors = fields.excess.take().into_iter().collect::<Vec<_>>();
    let action = match name.as_str() {
        "subscribe" => match (fields.required("topic", &mut errors), fields.optional("since", &mut errors)) {
            (Some(topic), since) => Some(Action::Subscribe { topic, since }),
            (None, _) => None,
        },
        "unsubscribe" => fields.required("topic", &mut errors).map(|topic| Action::Unsubscribe { topic }),
        "publish" => {
            let (topic, kind) = (fields.required("topic", &mut errors), fields.required("type", &mut errors));
            let payload = fields.json("payload", &mut errors);
            let idempotency_key = fields.optional("idempotency_key", &mut errors);
            let echo = fields.optional("echo", &mut errors).unwrap_or(true);
            match (topic, kind, payload) {
                (Some(topic), Some(kind), Some(payload)) => {
                    Some(Action::Publish { topic, kind, payload, idempotency_key, echo })
                }
                (.., None) => {
                    errors.push(FieldError::new("payload", "is missing"));
                    None
                }
                _ => None,
            }
        }
        "history" => {
            let (stream, since) = (fields.required("stream", &mut errors), fields.optional("since", &mut errors));
            let limit = fields.optional("limit", &mut errors).map(|Count(limit)| limit);
            let reverse = fields.optional("reverse", &mut errors).unwrap_or_default();
            stream.map(|stream| Action::History { stream, since, limit, reverse })
        }
        "presence" => {
            let (topic, subscribe) = (fields.required("topic", &mut errors), fields.optional("subscribe", &mut errors));
            let (names, after) = (fields.optional("names", &mut errors), fields.optional("after", &mut errors));
            let limit = fields.optional("limit", &mut errors).map(|Count(limit)| limit);
            topic.map(|topic| Action::Presence { topic, subscribe, names, after, limit })
        }
        "resume" => {
            let since: Option<Positions> = fields.required("since", &mut errors);
            since.map(|Positions(since)| Action::Resume { since })
        }
        "refresh" => fields.required("token", &mut errors).map(|token| Action::Refresh { token }),
        "call" => {
            let (name, payload) = (fields.optional("name", &mut errors), fields.payload("payload", &mut errors));
            Some(Action::Call { name, payload })
        }
        "ping" => Some(Action::Ping {}),
        "pong" => {
            // A pong is a reply itself and gets none, so an id would have no use.
            errors.extend(id.is_some().then(|| FieldError::new("id", "is not a field of this action")));
            Some(Action::Pong {})
        }
        _ => {
            let message = format!("unknown action; `action` is {}", one_of_the_actions());
            return Err(DecodeError::Refused(ErrorReply::new(id, ErrorCode::UnknownAction, message)));
        }
    };
    errors.extend(fields.rest.iter().map(|(name, _)| FieldError::new(name.clone(), "is not a field of this action")));
    match action {
        Some(action) if errors.is_empty() => Ok(Command { id, action }),
        _ => Err(refused(id, errors)),
    }
}

/// The id for the reply to a text, of a refused command too.
pub(crate) fn id_of(decoded: &Result<Command, DecodeError>) -> Option<&CommandId> {
    match decoded {
        Ok(command) => command.id.as_ref(),
        Err(DecodeError::Refused(reply)) => reply.id.as_ref(),
        Err(DecodeError::NotAnObject(_)) => None,
    }
}

fn one_of_the_actions() -> String {
    format!("one of {}", Action::NAMES.join(", "))
}

fn refused(id: Option<CommandId>, errors: Vec<FieldError>) -> DecodeError {
    let message = errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    DecodeError::Refused(ErrorReply { errors, ..ErrorReply::new(id, ErrorCode::BadRequest, message) })
}

/// The text of serde_json's error, without line and column: a frame is one line.
fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}

/// The fields of a JSON object, unread.
struct Fields<'a> {
    rest: Vec<(Cow<'a, str>, &'a RawValue)>,
    excess: Option<FieldError>,
}

impl Fields<'_> {
    fn take<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>, FieldError> {
        let Some(at) = self.rest.iter().position(|(known, _)| known == name) else { return Ok(None) };
        let (_, raw) = self.rest.swap_remove(at);
        // No field but a payload is an array, but a derived `Deserialize` would accept one as an object without names.
        if raw.get().starts_with('[') {
            return Err(FieldError::new(name, "is an array, which no field of a command is"));
        }
        serde_json::from_str(raw.get())
            .map_err(|error| FieldError::parsed(format!("/{name}"), without_position(&error)))
    }

    fn optional<T: DeserializeOwned>(&mut self, name: &str, errors: &mut Vec<FieldError>) -> Option<T> {
        self.take(name).unwrap_or_else(|error| {
            errors.push(error);
            None
        })
    }

    /// Reads any JSON value except null, which is absent.
    fn payload(&mut self, name: &str, errors: &mut Vec<FieldError>) -> Option<Payload> {
        self.json(name, errors).filter(|payload| payload.as_str() != "null")
    }

    /// Reads any JSON value, arrays and null too, and keeps its text.
    fn json(&mut self, name: &str, errors: &mut Vec<FieldError>) -> Option<Payload> {
        let at = self.rest.iter().position(|(known, _)| known == name)?;
        let (_, raw) = self.rest.swap_remove(at);
        let payload = Payload::from_text(raw.get().to_owned());
        payload.map_err(|error| errors.push(FieldError::new(name, without_position(&error)))).ok()
    }

    fn required<T: DeserializeOwned>(&mut self, name: &str, errors: &mut Vec<FieldError>) -> Option<T> {
        match self.take(name) {
            Ok(Some(value)) => Some(value),
            Ok(None) => {
                errors.push(FieldError::new(name, "is missing"));
                None
            }
            Err(error) => {
                errors.push(error);
                None
            }
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> de::Visitor<'de> for Object {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object with an `action`")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Fields { rest: Vec::new(), excess: None };
                while let Some((Name(name), raw)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
                    if fields.rest.iter().any(|(known, _)| *known == name) {
                        fields.excess = Some(FieldError::new(name, "is given twice"));
                    } else if fields.rest.len() == MAX_FIELDS {
                        fields.excess = Some(FieldError::new("", format!("more than {MAX_FIELDS} fields")));
                    } else {
                        fields.rest.push((name, raw));
                    }
                }
                Ok(fields)
            }
        }

        deserializer.deserialize_map(Object)
    }
}

/// A key, borrowed unless it contains an escape.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// A count, which JSON may write with a fraction of zero.
#[derive(Deserialize)]
struct Count(#[serde(deserialize_with = "integer::required")] u32);

/// The positions of several streams, each named once.
struct Positions(BTreeMap<Stream, StreamPosition>);

impl<'de> Deserialize<'de> for Positions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> de::Visitor<'de> for Object {
            type Value = Positions;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with a position for each stream")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Positions, A::Error> {
                let mut positions = BTreeMap::new();
                while let Some(stream) = map.next_key::<Stream>()? {
                    let position = map.next_value()?;
                    match positions.entry(stream) {
                        Entry::Vacant(entry) => entry.insert(position),
                        Entry::Occupied(entry) => {
                            return Err(de::Error::custom(format!("`{}` is given twice", entry.key())));
                        }
                    };
                }
                Ok(Positions(positions))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

/// The JSON form of every server frame.
#[derive(Serialize)]
struct Shape<'a, P> {
    #[serde(rename = "type")]
    kind: &'a str,
    payload: &'a P,
    timestamp: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<MessageId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<&'a Topic>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<Stream>,
}

/// A control frame with the timestamp `now`.
pub fn encode_control(control: &Control, now: Timestamp) -> Frame {
    let shape = Shape { kind: control.kind(), payload: control, timestamp: now, id: None, topic: None, stream: None };
    Frame::encode(None, |buffer| serde_json::to_writer(buffer, &shape))
        .expect("control payloads have text keys and no failing serializer")
}

/// A `presence` frame with the timestamp `now`, which its watchers share.
///
/// `whole` says whether it replaces all that a client has of the topic: with the list, or with the count for one that
/// asked for no names.
pub fn encode_presence(presence: &Presence, whole: bool, now: Timestamp) -> Frame {
    let mark = PresenceMark { topic: presence.topic.clone(), whole };
    let shape = Shape { kind: "presence", payload: presence, timestamp: now, id: None, topic: None, stream: None };
    Frame::encode_presence(mark, |buffer| serde_json::to_writer(buffer, &shape)).expect("a payload of plain types")
}

/// A publication, with the policy of a full queue.
pub fn encode_publication(message: &Message, overflow: Overflow) -> Frame {
    let shape = shape_of(message);
    let label = label_of(message, overflow);
    Frame::encode(Some(label), |buffer| serde_json::to_writer(buffer, &shape)).expect("a payload is JSON already")
}

/// A publication of a stream with a history, encoded up to its offset, with the policy of a full queue. `None` for a
/// message to a single connection or to several routes, which belongs to no stream.
pub fn prepare_publication(message: &Message, overflow: Overflow) -> Option<PreparedFrame> {
    let stream = Stream::of_audience(&message.to)?;
    let shape = Shape { stream: Some(stream), ..shape_of(message) };
    let write = |buffer: &mut Vec<u8>| serde_json::to_writer(buffer, &shape);
    let prepared = PreparedFrame::encode(label_of(message, overflow), message.except_client.clone(), write);
    Some(prepared.expect("a payload is JSON already"))
}

/// A publication names its stream by its topic, or by the name of the stream.
fn shape_of(message: &Message) -> Shape<'_, Payload> {
    let topic = message.to.topic();
    Shape {
        kind: message.kind.as_str(),
        payload: &message.payload,
        timestamp: message.timestamp,
        id: Some(message.id),
        topic,
        stream: if topic.is_none() { Stream::of_audience(&message.to) } else { None },
    }
}

fn label_of(message: &Message, overflow: Overflow) -> Label {
    Label { overflow, kind: message.kind.clone(), to: message.to.clone(), kept: None }
}

#[cfg(test)]
mod tests;
