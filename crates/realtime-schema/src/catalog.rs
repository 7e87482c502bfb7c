//! Every type that travels, by name, as a JSON Schema: draft 2020-12, each complete in itself.

use schemars::JsonSchema;
use serde_json::{Value, json};

use crate::{
    Ack, BatchRequest, BatchResponse, Command, Connection, ConnectionInfo, ConnectionList, DisconnectRequest,
    Disconnected, Envelope, ErrorReply, Gap, JwtClaims, Message, MessageId, MessageType, Payload, Ping, Presence,
    Problem, PublishRequest, QueryParams, Receipt, Stream, Subscribed, Subscription, SubscriptionChange, Timestamp,
    Topic, TopicPage, TopicQuery, Unsubscribed, Welcome,
    contract::Contract,
    server::{Closing, Control},
};

mod examples;

/// A named JSON Schema.
#[derive(Clone, Debug, PartialEq)]
pub struct CatalogEntry {
    /// The name of its file, without `.schema.json`.
    pub name: &'static str,
    /// The schema: draft 2020-12, with a title, a description and examples.
    pub schema: Value,
}

/// Every schema that client teams and backends work from.
pub fn catalog() -> Vec<CatalogEntry> {
    let mut entries = frames();
    entries.push(server_frame(&entries));
    entries.extend([
        entry::<Command>("client-command", Contract::In),
        entry::<QueryParams>("query-params", Contract::In),
        entry::<JwtClaims>("jwt-claims", Contract::In),
        entry::<Topic>("topic", Contract::In),
        entry::<Connection>("connection", Contract::Out),
        entry::<Subscription>("subscription", Contract::Out),
        entry::<Message>("message", Contract::Out),
        entry::<Envelope>("envelope", Contract::Out),
        entry::<PublishRequest>("publish-request", Contract::In),
        entry::<Receipt>("receipt", Contract::Out),
        entry::<BatchRequest>("batch-request", Contract::In),
        entry::<BatchResponse>("batch-response", Contract::Out),
        entry::<ConnectionInfo>("connection-info", Contract::Out),
        entry::<ConnectionList>("connection-list", Contract::Out),
        entry::<DisconnectRequest>("disconnect-request", Contract::In),
        entry::<Disconnected>("disconnected", Contract::Out),
        entry::<TopicQuery>("topic-query", Contract::In),
        entry::<TopicPage>("topic-page", Contract::Out),
        entry::<SubscriptionChange>("subscription-change", Contract::Out),
        entry::<Problem>("problem", Contract::Out),
    ]);
    entries
}

fn entry<T: JsonSchema>(name: &'static str, contract: Contract) -> CatalogEntry {
    let mut schema: Value = contract.generator("/$defs").into_root_schema_for::<T>().into();
    schema["$id"] = id_of(name);
    CatalogEntry { name, schema }
}

fn id_of(name: &str) -> Value {
    format!("urn:realtime:schema:{name}").into()
}

/// The frames that a server sends: the control frames, and an application's publications.
fn frames() -> Vec<CatalogEntry> {
    let examples = examples::controls();
    let mut entries: Vec<_> = examples.iter().map(control_frame).collect();
    entries.push(publication());
    entries
}

/// The schema of one control frame, made of its payload's.
fn control_frame(example: &Control) -> CatalogEntry {
    let name = example.kind();
    let mut generator = Contract::Out.generator("/$defs");
    let payload = match example {
        Control::Welcome(_) => generator.subschema_for::<Welcome>(),
        Control::Ack(_) => generator.subschema_for::<Ack>(),
        Control::Error(_) => generator.subschema_for::<ErrorReply>(),
        Control::Subscribed(_) => generator.subschema_for::<Subscribed>(),
        Control::Unsubscribed(_) => generator.subschema_for::<Unsubscribed>(),
        Control::Gap(_) => generator.subschema_for::<Gap>(),
        Control::Presence(_) => generator.subschema_for::<Presence>(),
        Control::Closing(_) => generator.subschema_for::<Closing>(),
        Control::Ping(_) => generator.subschema_for::<Ping>(),
    };
    let timestamp = generator.subschema_for::<Timestamp>();
    let definitions = generator.take_definitions(true);
    let description = definitions
        .get(payload.as_value()["$ref"].as_str().unwrap_or_default().trim_start_matches("#/$defs/"))
        .and_then(|schema| schema["description"].as_str().map(str::to_owned))
        .unwrap_or_default();
    let description = sentence(description.split_once(": ").map_or(description.as_str(), |(_, rest)| rest));
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": id_of(name),
        "title": name,
        "description": description,
        "type": "object",
        "properties": {
            "type": {"const": name},
            "payload": payload,
            "timestamp": timestamp,
        },
        "required": ["type", "payload", "timestamp"],
        "examples": [{"type": name, "payload": example, "timestamp": examples::now()}],
        "$defs": definitions,
    });
    CatalogEntry { name, schema }
}

/// `text` with a capital at its start.
fn sentence(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map(|first| first.to_uppercase().chain(rest).collect()).unwrap_or_default()
}

fn publication() -> CatalogEntry {
    let name = "publication";
    let mut generator = Contract::Out.generator("/$defs");
    let (kind, payload) = (generator.subschema_for::<MessageType>(), generator.subschema_for::<Payload>());
    let (timestamp, id) = (generator.subschema_for::<Timestamp>(), generator.subschema_for::<MessageId>());
    let (topic, stream) = (generator.subschema_for::<Topic>(), generator.subschema_for::<Stream>());
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": id_of(name),
        "title": name,
        "description": "A message of the application.",
        "type": "object",
        "properties": {
            "type": kind,
            "payload": payload,
            "timestamp": timestamp,
            "id": id,
            "topic": topic,
            "stream": stream,
            "offset": {"type": "integer", "minimum": 1, "description": "The place in the stream, where history is kept."},
        },
        "required": ["type", "payload", "timestamp", "id"],
        "examples": [examples::publication()],
        "$defs": generator.take_definitions(true),
    });
    CatalogEntry { name, schema }
}

/// Any frame that a server sends.
fn server_frame(frames: &[CatalogEntry]) -> CatalogEntry {
    let name = "server-frame";
    let mut definitions = serde_json::Map::new();
    let (mut any_of, mut examples) = (Vec::new(), Vec::new());
    for CatalogEntry { name, schema } in frames {
        let mut schema = schema.clone();
        let Some(fields) = schema.as_object_mut() else { continue };
        if let Some(Value::Object(inner)) = fields.remove("$defs") {
            definitions.extend(inner);
        }
        examples.extend(fields.remove("examples").and_then(|list| list.get(0).cloned()));
        fields.remove("$schema");
        fields.remove("$id");
        definitions.insert(format!("{name}-frame"), schema);
        any_of.push(json!({"$ref": format!("#/$defs/{name}-frame")}));
    }
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": id_of(name),
        "title": name,
        "description": "Any frame that the server sends. Clients ignore `rt.*` types and fields that they don't know.",
        "anyOf": any_of,
        "examples": examples,
        "$defs": definitions,
    });
    CatalogEntry { name, schema }
}
