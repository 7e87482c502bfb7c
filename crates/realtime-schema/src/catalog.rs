//! The JSON Schema of every type on the wire, by name: draft 2020-12, each complete in itself.

use schemars::JsonSchema;
use serde_json::{Value, json};

use crate::{
    api::{
        BatchRequest, BatchResponse, ConnectionInfo, ConnectionList, Problem, PublishRequest, Receipt,
        SubscriptionChange,
    },
    claims::JwtClaims,
    client::Command,
    connection::{Connection, Subscription},
    contract::Contract,
    disconnect::{DisconnectRequest, Disconnected},
    envelope::Envelope,
    explain::{ExplainRequest, Explanation},
    history::{HistoryPage, HistoryQuery},
    hooks::{AccessAnswer, AccessHook, CallAnswer, CallHook, ConnectAnswer, ConnectHook, DisconnectHook},
    listing::{ConnectionPage, ConnectionQuery, SubscriberPage, SubscriberQuery, TopicPage, TopicQuery},
    message::Message,
    presence::{Presence, PresencePage, PresenceQuery},
    publication::Publication,
    query::QueryParams,
    revocation::{Revocation, RevocationPage, RevocationQuery, RevocationRequest, Revoked},
    server::{Ack, Closing, Control, ErrorReply, Gap, Ping, Subscribed, Unsubscribed, Welcome},
    stats::{BusiestQuery, BusiestTopics, NodeStats},
    timestamp::Timestamp,
    topic::Topic,
    trace::{TraceEvent, TraceRequest},
    user_topics::{UserTopicChange, UserTopicList},
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
    let controls: Vec<_> = examples::controls().iter().map(control_frame).collect();
    let any_control = control_frames(&controls);
    let publication = entry::<Publication>("publication", Contract::Out);
    let any = server_frame(&any_control, &publication);
    let mut entries = controls;
    entries.extend([publication, any_control, any]);
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
        entry::<ConnectionQuery>("connection-query", Contract::In),
        entry::<ConnectionPage>("connection-page", Contract::Out),
        entry::<SubscriberQuery>("subscriber-query", Contract::In),
        entry::<SubscriberPage>("subscriber-page", Contract::Out),
        entry::<RevocationRequest>("revocation-request", Contract::In),
        entry::<Revocation>("revocation", Contract::Out),
        entry::<Revoked>("revoked", Contract::Out),
        entry::<RevocationQuery>("revocation-query", Contract::In),
        entry::<RevocationPage>("revocation-page", Contract::Out),
        entry::<TopicQuery>("topic-query", Contract::In),
        entry::<TopicPage>("topic-page", Contract::Out),
        entry::<BusiestQuery>("busiest-query", Contract::In),
        entry::<BusiestTopics>("busiest-topics", Contract::Out),
        entry::<NodeStats>("node-stats", Contract::Out),
        entry::<HistoryQuery>("history-query", Contract::In),
        entry::<HistoryPage>("history-page", Contract::Out),
        entry::<PresenceQuery>("presence-query", Contract::In),
        entry::<PresencePage>("presence-page", Contract::Out),
        entry::<SubscriptionChange>("subscription-change", Contract::Out),
        entry::<ExplainRequest>("explain-request", Contract::In),
        entry::<Explanation>("explanation", Contract::Out),
        entry::<TraceRequest>("trace-request", Contract::In),
        entry::<TraceEvent>("trace-event", Contract::Out),
        entry::<UserTopicChange>("user-topic-change", Contract::Out),
        entry::<UserTopicList>("user-topic-list", Contract::Out),
        entry::<Problem>("problem", Contract::Out),
        entry::<ConnectHook>("hook-connect-request", Contract::Out),
        entry::<ConnectAnswer>("hook-connect-response", Contract::In),
        entry::<DisconnectHook>("hook-disconnect-request", Contract::Out),
        entry::<AccessHook>("hook-access-request", Contract::Out),
        entry::<AccessAnswer>("hook-access-response", Contract::In),
        entry::<CallHook>("hook-call-request", Contract::Out),
        entry::<CallAnswer>("hook-call-response", Contract::In),
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

/// The schema of one control frame, built from the schema of its payload.
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
        "title": frame_title(name),
        "description": description,
        "type": "object",
        "properties": {
            "type": {"const": name},
            "payload": payload,
            "timestamp": timestamp,
            // Only a publication has an `id`, so that generated code can distinguish the two.
            "id": false,
        },
        "required": ["type", "payload", "timestamp"],
        "examples": [{"type": name, "payload": example, "timestamp": examples::now()}],
        "$defs": definitions,
    });
    CatalogEntry { name, schema }
}

/// `text` with a capital first letter.
fn sentence(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map(|first| first.to_uppercase().chain(rest).collect()).unwrap_or_default()
}

/// Any control frame: a union with the discriminator `type`.
fn control_frames(frames: &[CatalogEntry]) -> CatalogEntry {
    let frames: Vec<_> = frames.iter().collect();
    let about = "Any control frame. Its `type` names the kind; a client ignores kinds that it does not know.";
    union("control-frame", "ControlFrame", about, &frames)
}

/// Any frame that a server sends.
fn server_frame(control: &CatalogEntry, publication: &CatalogEntry) -> CatalogEntry {
    let about = "Any frame that the server sends. One with an `id` is a publication, any other a control frame. Clients ignore types and fields that they do not know.";
    union("server-frame", "ServerFrame", about, &[control, publication])
}

/// The schema of a union of `parts`, which become definitions under their titles.
fn union(name: &'static str, title: &str, about: &str, parts: &[&CatalogEntry]) -> CatalogEntry {
    let mut definitions = serde_json::Map::new();
    let (mut any_of, mut examples) = (Vec::new(), Vec::new());
    for CatalogEntry { schema, .. } in parts {
        let mut schema = schema.clone();
        let Some(fields) = schema.as_object_mut() else { continue };
        if let Some(Value::Object(inner)) = fields.remove("$defs") {
            definitions.extend(inner);
        }
        if let Some(Value::Array(list)) = fields.remove("examples") {
            examples.extend(list);
        }
        fields.remove("$schema");
        fields.remove("$id");
        let title = fields["title"].as_str().unwrap_or_default().to_owned();
        any_of.push(json!({"$ref": format!("#/$defs/{title}")}));
        definitions.insert(title, schema);
    }
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": id_of(name),
        "title": title,
        "description": about,
        "anyOf": any_of,
        "examples": examples,
        "$defs": definitions,
    });
    CatalogEntry { name, schema }
}

/// The name of a frame's type in generated code: `WelcomeFrame`, whose payload is `Welcome`.
fn frame_title(name: &str) -> String {
    format!("{}Frame", sentence(name))
}
