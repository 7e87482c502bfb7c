//! AsyncAPI 3.0 (<https://www.asyncapi.com/docs/reference/specification/v3.0.0>).

use std::collections::BTreeMap;

use jsonschema::Draft;
use realtime_ports::PayloadRules;
use realtime_schema::{Audience, MessageType, Payload, Route, StreamPattern};
use serde_json::{Map, Value, json};

use super::{Output, json_schema::pretty, names::pascal};
use crate::{
    binding::{Binding, UnknownTypes},
    contract::Contract,
    fault::SchemaFault,
    graph::resolve,
    schema_path::SchemaPath,
    vet::draft,
    walk::subschemas,
};

const DESCRIPTION: &str = "The messages of the application's streams. Directions are seen from the server: the server \
    performs `send`, so a client RECEIVES those messages; the server performs `receive`, so a client SENDS them, with the \
    command `publish`. A backend publishes every message over HTTP. The payload described here is the field `payload` of a \
    publication; the message's name is its field `type`.";

pub(super) fn output(contract: &Contract, title: &str, version: &str) -> Output {
    let mut document = Document {
        contract,
        keys: BTreeMap::new(),
        channels: Map::new(),
        operations: Map::new(),
        warnings: Vec::new(),
    };
    for (path, _) in contract.files().iter() {
        let key = unique(&pascal(path.as_str()), "Schema", |key| document.keys.values().any(|known| known == key));
        document.keys.insert(path.clone(), key);
    }
    for binding in contract.bindings() {
        document.channel(binding);
    }
    let schemas: Map<String, Value> = contract
        .files()
        .iter()
        .map(|(path, schema)| (document.keys[path].clone(), document.schema(path, schema)))
        .collect();
    let text = pretty(&json!({
        "asyncapi": "3.0.0",
        "info": {"title": title, "version": version, "description": DESCRIPTION},
        "defaultContentType": "application/json",
        "channels": document.channels,
        "operations": document.operations,
        "components": {"schemas": schemas},
    }));
    Output::of("asyncapi.json", text, document.warnings)
}

struct Document<'c> {
    contract: &'c Contract,
    /// The keys of the files in `components/schemas`.
    keys: BTreeMap<SchemaPath, String>,
    channels: Map<String, Value>,
    operations: Map<String, Value>,
    warnings: Vec<SchemaFault>,
}

impl Document<'_> {
    fn channel(&mut self, binding: &Binding) {
        let pattern = binding.pattern.to_string();
        let id = unique(&pascal(&pattern.replace("**", "rest").replace('*', "any")), "Channel", |id| {
            self.channels.contains_key(id)
        });
        let (address, parameters) = address(&binding.pattern);
        let mut messages = Map::new();
        for (kind, path) in &binding.messages {
            let key = unique(&pascal(kind.as_str()), "Message", |key| messages.contains_key(key));
            let mut message = json!({
                "name": kind,
                "payload": {"$ref": format!("#/components/schemas/{}", self.keys[path])},
            });
            let examples = self.examples(binding, kind, path);
            if !examples.is_empty() {
                message["examples"] = examples.into();
            }
            messages.insert(key, message);
        }
        let others = match binding.unknown_types {
            UnknownTypes::Refuse => "Messages of other types are refused.",
            UnknownTypes::Allow => "Messages of other types may have any payload.",
        };
        let references: Vec<Value> =
            messages.keys().map(|key| json!({"$ref": format!("#/channels/{id}/messages/{key}")})).collect();
        let mut operation = |name: String, action: &str, summary: &str| {
            let channel = json!({"$ref": format!("#/channels/{id}")});
            let described = json!({"action": action, "channel": channel, "summary": summary, "messages": references});
            self.operations.insert(name, described);
        };
        operation(format!("send{id}"), "send", "The server sends; clients receive.");
        if matches!(binding.pattern, StreamPattern::Topic(_)) {
            operation(format!("receive{id}"), "receive", "Clients send, where they may publish; the server receives.");
        }
        let mut channel = json!({
            "address": address,
            "title": pattern,
            "description": format!("The streams `{pattern}`. {others}"),
            "messages": messages,
        });
        if !parameters.is_empty() {
            channel["parameters"] = parameters.into();
        }
        self.channels.insert(id, channel);
    }

    /// The examples of a schema that fit it.
    fn examples(&mut self, binding: &Binding, kind: &MessageType, path: &SchemaPath) -> Vec<Value> {
        let schema = self.contract.files().get(path).expect("it was compiled");
        let given = schema.get("examples").and_then(Value::as_array).into_iter().flatten().enumerate();
        let mut fitting = Vec::new();
        for (at, example) in given {
            let payload = Payload::of(example).expect("a value is JSON");
            match self.contract.check_by_schema(path, &payload) {
                Ok(()) => fitting.push(json!({"name": format!("example{}", at + 1), "payload": example})),
                Err(faults) => {
                    let message =
                        format!("the example of `{kind}` in `{}` does not fit: {}", binding.pattern, faults[0]);
                    self.warnings.push(SchemaFault::at(path, format!("/examples/{at}"), message));
                }
            }
        }
        fitting
    }

    /// A file in the form of the document: as it is, but for its references, which lead to other places there.
    fn schema(&self, path: &SchemaPath, schema: &Value) -> Value {
        let mut rewritten = match schema {
            Value::Bool(true) => json!({}),
            Value::Bool(false) => json!({"not": {}}),
            schema => schema.clone(),
        };
        for (pointer, part) in subschemas(schema) {
            let Some(reference) = part.get("$ref").and_then(Value::as_str) else { continue };
            let (path, _) = self.contract.files().iter().find(|(known, _)| *known == path).expect("it is one of them");
            let (file, target, _) = resolve(self.contract.files(), path, reference).expect("it was resolved before");
            let place = rewritten.pointer_mut(&pointer).expect("it is the same schema");
            place["$ref"] = format!("#/components/schemas/{}/schema{}", self.keys[file], fragment(&target)).into();
        }
        if let Some(members) = rewritten.as_object_mut() {
            // References are relative to the document, not to this URI.
            members.remove("$id");
        }
        let version = if draft(schema) == Some(Draft::Draft7) { "draft-07" } else { "draft-2020-12" };
        json!({"schemaFormat": format!("application/schema+json;version={version}"), "schema": rewritten})
    }
}

impl Contract {
    /// Checks a payload with the schema of one file.
    fn check_by_schema(&self, path: &SchemaPath, payload: &Payload) -> Result<(), Vec<realtime_schema::FieldError>> {
        let kind: MessageType = "example".parse().expect("a type");
        let binding = Binding::new(StreamPattern::All).with(kind.clone(), path.clone());
        let alone = self.with_bindings(vec![binding]);
        alone.check(&Audience::from(Route::All), &kind, payload)
    }
}

/// The address of a channel, and its parameters.
fn address(pattern: &StreamPattern) -> (String, Map<String, Value>) {
    let mut parameters = Map::new();
    let address = match pattern {
        StreamPattern::AnyRole => {
            parameters.insert("role".into(), json!({"description": "A role of the user."}));
            "role:{role}".into()
        }
        StreamPattern::Topic(pattern) => {
            let mut count = 0;
            let segments = pattern.as_str().split(':').map(|segment| {
                let (name, description) = match segment {
                    "*" => {
                        count += 1;
                        (format!("p{count}"), "One segment, without `:`.")
                    }
                    "{sub}" => {
                        count += 1;
                        (format!("user{count}"), "A user, as one segment.")
                    }
                    "**" => ("rest".to_owned(), "One or more segments, joined by `:`."),
                    plain => return plain.to_owned(),
                };
                let segment = format!("{{{name}}}");
                parameters.insert(name, json!({"description": description}));
                segment
            });
            segments.collect::<Vec<_>>().join(":")
        }
        other => other.to_string(),
    };
    (address, parameters)
}

/// A JSON pointer as a part of a URI fragment (RFC 3986 section 3.5).
fn fragment(pointer: &str) -> String {
    let mut encoded = String::new();
    for byte in pointer.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b'$' => {
                encoded.push(byte.into());
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// A key that is not taken: letters and digits of ASCII.
fn unique(text: &str, otherwise: &str, taken: impl Fn(&str) -> bool) -> String {
    let base = if text.is_empty() { otherwise } else { text };
    let numbered = (2..).map(|n| format!("{base}{n}"));
    std::iter::once(base.to_owned()).chain(numbered).find(|key| !taken(key)).expect("there are more numbers than keys")
}
