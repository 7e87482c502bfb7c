//! A publication and its recipients.

use std::{borrow::Cow, fmt, sync::Arc};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, DeserializeOwned},
};
use serde_json::value::RawValue;

use crate::{
    field_error::FieldError,
    id::{ConnectionId, MessageId},
    text::{ClientId, MessageType, Role, UserId},
    timestamp::Timestamp,
    topic::Topic,
};

/// One set of connections that a message is routed to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(example = Route::All)]
pub enum Route {
    /// Every connection.
    #[schemars(title = "ToAll")]
    All,
    /// Every connection of a user.
    #[schemars(title = "ToUser")]
    User(UserId),
    /// Every connection whose token gives a role.
    #[schemars(title = "ToRole")]
    Role(Role),
    /// One connection.
    #[schemars(title = "ToConnection")]
    Connection(ConnectionId),
    /// Every connection that is subscribed to a topic.
    #[schemars(title = "ToTopic")]
    Topic(Topic),
}

impl<'de> Deserialize<'de> for Route {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Written by hand: a derived implementation reports two routes in one object as "trailing comma".
        struct OneRoute;

        impl<'de> de::Visitor<'de> for OneRoute {
            type Value = Route;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"all\", {\"user\":…}, {\"role\":…}, {\"connection\":…} or {\"topic\":…}")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Route, E> {
                if text == "all" { Ok(Route::All) } else { Err(E::invalid_value(de::Unexpected::Str(text), &self)) }
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Route, A::Error> {
                const KINDS: &[&str] = &["user", "role", "connection", "topic"];
                let Some(kind) = map.next_key::<Cow<'de, str>>()? else {
                    return Err(de::Error::invalid_length(0, &self));
                };
                let route = match &*kind {
                    "user" => Route::User(map.next_value()?),
                    "role" => Route::Role(map.next_value()?),
                    "connection" => Route::Connection(map.next_value()?),
                    "topic" => Route::Topic(map.next_value()?),
                    other => return Err(de::Error::unknown_field(other, KINDS)),
                };
                match map.next_key::<Cow<'de, str>>()? {
                    None => Ok(route),
                    Some(second) => Err(de::Error::custom(format!(
                        "`{kind}` and `{second}` are two routes; give a list, [{{\"{kind}\":…}}, {{\"{second}\":…}}], for their union"
                    ))),
                }
            }
        }

        deserializer.deserialize_any(OneRoute)
    }
}

/// The recipients of a message: one route, or the union of several, each connection once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Audience(Vec<Route>);

impl Audience {
    /// The most routes that one message may name.
    pub const MAX_ROUTES: usize = 100;

    /// The union of `routes`.
    ///
    /// # Errors
    /// No route at all, or more than [`Self::MAX_ROUTES`].
    pub fn union(routes: Vec<Route>) -> Result<Self, FieldError> {
        match routes.len() {
            0 => Err(FieldError::new("to", "is empty; give \"all\", a route, or a list of routes")),
            1..=Self::MAX_ROUTES => Ok(Self(routes)),
            n => Err(FieldError::new("to", format!("names {n} routes; at most {} are allowed", Self::MAX_ROUTES))),
        }
    }

    /// The routes, at least one.
    pub fn routes(&self) -> &[Route] {
        &self.0
    }

    /// The topic, when the message was published to one topic and nothing else.
    pub fn topic(&self) -> Option<&Topic> {
        match self.0.as_slice() {
            [Route::Topic(topic)] => Some(topic),
            _ => None,
        }
    }
}

impl From<Route> for Audience {
    fn from(route: Route) -> Self {
        Self(vec![route])
    }
}

impl Serialize for Audience {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => one.serialize(serializer),
            many => many.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Audience {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Written by hand: with `untagged`, serde reports every error as "did not match any variant".
        struct OneOrMany;

        impl<'de> de::Visitor<'de> for OneOrMany {
            type Value = Audience;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "\"all\", {\"user\":…}, {\"role\":…}, {\"connection\":…}, {\"topic\":…}, or a list of these",
                )
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Audience, E> {
                Route::deserialize(de::value::StrDeserializer::new(text)).map(Audience::from)
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Audience, A::Error> {
                Route::deserialize(de::value::MapAccessDeserializer::new(map)).map(Audience::from)
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Audience, A::Error> {
                let mut routes = Vec::new();
                while let Some(route) = seq.next_element()? {
                    if routes.len() == Audience::MAX_ROUTES {
                        return Err(de::Error::custom(format!("at most {} routes are allowed", Audience::MAX_ROUTES)));
                    }
                    routes.push(route);
                }
                Audience::union(routes).map_err(de::Error::custom)
            }
        }

        deserializer.deserialize_any(OneOrMany)
    }
}

impl JsonSchema for Audience {
    fn schema_name() -> Cow<'static, str> {
        "Audience".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let route = generator.subschema_for::<Route>();
        json_schema!({
            "description": "One route, or a list of them: the union, each connection once.",
            "anyOf": [route, {"title": "RouteUnion", "type": "array", "items": route, "minItems": 1, "maxItems": Self::MAX_ROUTES}],
            "examples": ["all", {"topic": "order:123"}, [{"user": "alice"}, {"role": "admin"}]],
        })
    }
}

/// A JSON value that is kept as its original text.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Payload(Arc<RawValue>);

impl Payload {
    /// Checks `text` and keeps it.
    ///
    /// # Errors
    /// `text` is not one JSON value.
    pub fn from_text(text: String) -> Result<Self, serde_json::Error> {
        RawValue::from_string(text).map(|raw| Self(Arc::from(raw)))
    }

    /// Writes `value` as JSON.
    ///
    /// # Errors
    /// `value` can't be written as JSON, such as a map with keys that are not strings.
    pub fn of(value: &impl Serialize) -> Result<Self, serde_json::Error> {
        serde_json::value::to_raw_value(value).map(|raw| Self(Arc::from(raw)))
    }

    /// Reads the value as a `T`.
    ///
    /// # Errors
    /// The JSON value is not of this type.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.as_str())
    }

    /// The JSON text.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Payload {}

impl JsonSchema for Payload {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Payload".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // All types are listed, because generators treat a schema without a type as an object.
        json_schema!({
            "type": ["object", "array", "string", "number", "boolean", "null"],
            "description": "Any JSON value.",
            "examples": [{"status": "shipped"}],
        })
    }
}

/// A complete publication, with its id, recipients and timestamp.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(example = Message::example())]
pub struct Message {
    /// Unique for each publication.
    pub id: MessageId,
    /// The recipients.
    pub to: Audience,
    /// The application's type of message.
    #[serde(rename = "type")]
    pub kind: MessageType,
    /// The content: any JSON value.
    pub payload: Payload,
    /// The time of the publication.
    pub timestamp: Timestamp,
    /// The client whose connections do not receive the message, usually because it caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub except_client: Option<ClientId>,
}

impl Message {
    pub(crate) fn example() -> Self {
        Self {
            id: "019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d8f".parse().expect("an id"),
            to: Route::Topic(Topic::new("order:123").expect("a topic")).into(),
            kind: MessageType::new("order-updated").expect("a type"),
            payload: Payload::from_text(r#"{"status":"shipped"}"#.into()).expect("JSON"),
            timestamp: Timestamp::from_millis(1_795_438_800_123),
            except_client: None,
        }
    }
}
