//! Each schema has a description, accepts its own examples and refuses broken ones.

use std::collections::BTreeSet;

use realtime_schema::{CatalogEntry, catalog};
use serde_json::{Value, json};

use crate::{schema, validator};

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

fn examples(schema: &Value) -> &[Value] {
    schema["examples"].as_array().map(Vec::as_slice).unwrap_or_default()
}

#[test]
fn every_schema_has_an_id_a_title_a_description_and_an_example() {
    for CatalogEntry { name, schema } in catalog() {
        assert_eq!(schema["$schema"], DRAFT, "{name}");
        assert_eq!(schema["$id"], format!("urn:realtime:schema:{name}"));
        for key in ["title", "description"] {
            assert!(schema[key].as_str().is_some_and(|text| !text.trim().is_empty()), "{name} has no {key}");
        }
        let description = schema["description"].as_str().unwrap_or_default();
        assert!(description.starts_with(char::is_uppercase), "{name}: {description}");
        assert!(!examples(&schema).is_empty(), "{name} has no examples");
    }
}

#[test]
fn names_and_ids_are_unique() {
    let catalog = catalog();
    let names: BTreeSet<_> = catalog.iter().map(|entry| entry.name).collect();
    assert_eq!(names.len(), catalog.len());
}

#[test]
fn every_schema_is_valid_by_the_metaschema() {
    for CatalogEntry { name, schema } in catalog() {
        jsonschema::meta::validate(&schema).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let mut broken = schema("topic");
    broken["maxLength"] = json!("long");
    assert!(jsonschema::meta::validate(&broken).is_err(), "the metaschema is applied");
}

#[test]
fn every_example_is_valid_by_its_schema() {
    for CatalogEntry { name, schema } in catalog() {
        let validator = validator(&schema);
        for example in examples(&schema) {
            validator.validate(example).unwrap_or_else(|error| panic!("{name}: {example}: {error}"));
        }
    }
}

#[test]
fn every_part_of_a_schema_accepts_its_own_examples() {
    for CatalogEntry { name, schema } in catalog() {
        let definitions = schema["$defs"].as_object().into_iter().flatten();
        for (part, definition) in definitions {
            let mut alone = schema.clone();
            alone["$ref"] = json!(format!("#/$defs/{part}"));
            for key in ["properties", "required", "anyOf", "oneOf", "type", "additionalProperties"] {
                alone.as_object_mut().expect("an object").remove(key);
            }
            let validator = validator(&alone);
            for example in examples(definition) {
                validator.validate(example).unwrap_or_else(|error| panic!("{name}, {part}: {example}: {error}"));
            }
        }
    }
}

/// For each schema a path (RFC 6901) and a value that make its first example invalid.
fn breakages() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("welcome", "/payload/ping_ms", json!("soon")),
        ("ack", "/payload/id", json!(1.5)),
        ("error", "/payload/code", json!(400)),
        ("subscribed", "/payload/topic", json!("two words")),
        ("unsubscribed", "/payload/reason", json!(null)),
        ("gap", "/payload/from", json!(-1)),
        ("presence", "/payload/joined", json!("alice")),
        ("closing", "/payload/code", json!(70_000)),
        ("ping", "/type", json!("pong")),
        ("publication", "/type", json!("welcome")),
        ("control-frame", "/id", json!("019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d8f")),
        ("server-frame", "/timestamp", json!("yesterday")),
        ("client-command", "/action", json!("shout")),
        ("query-params", "/client", json!("x".repeat(65))),
        ("jwt-claims", "/grants", json!(["shout:order:*"])),
        ("topic", "", json!("order:*")),
        ("connection", "/id", json!("7")),
        ("subscription", "/origin", json!("chance")),
        ("message", "/to", json!("group")),
        ("envelope", "/v", json!("1")),
        ("publish-request", "/to", json!([])),
        ("receipt", "/delivered", json!(-2)),
        ("batch-request", "/publications", json!([])),
        ("batch-response", "/results", json!([{"id": 1}])),
        ("connection-info", "/subscriptions", json!({})),
        ("connection-list", "/connections", json!([{}])),
        ("disconnect-request", "/code", json!(4400)),
        ("disconnected", "/disconnected", json!(true)),
        ("connection-query", "/after", json!("7")),
        ("connection-page", "/connections/0/user", json!("")),
        ("subscriber-query", "/limit", json!(0)),
        ("subscriber-page", "/subscribers/0/origin", json!(7)),
        ("revocation-request", "/until", json!("tomorrow")),
        ("revocation", "/id", json!("1")),
        ("revoked", "/disconnected", json!(-1)),
        ("revocation-query", "/limit", json!(0)),
        ("revocation-page", "/revocations", json!([{}])),
        ("topic-query", "/limit", json!(1001)),
        ("topic-page", "/topics/0/subscribers", json!("two")),
        ("history-query", "/limit", json!(-1)),
        ("history-page", "/publications/0/offset", json!(0)),
        ("presence-query", "/limit", json!(1001)),
        ("presence-page", "/users", json!(["alice"])),
        ("subscription-change", "/changed", json!("yes")),
        ("busiest-query", "/limit", json!(101)),
        ("busiest-topics", "/topics/0/publications", json!(-1)),
        ("node-stats", "/node", json!("7")),
        ("explain-request", "/user", json!("")),
        ("explanation", "/connections/0/reason", json!(7)),
        ("trace-request", "/topic", json!("two words")),
        ("trace-event", "/delivered", json!(-1)),
        ("user-topic-change", "/connections", json!(-1)),
        ("user-topic-list", "/topics", json!(["two words"])),
        ("problem", "/errors", json!([{"path": "to"}])),
        ("hook-connect-request", "/user", json!("")),
        ("hook-connect-response", "/code", json!(4404)),
        ("hook-disconnect-request", "/connection", json!("7")),
        ("hook-access-request", "/topic", json!("two words")),
        ("hook-access-response", "/allow", json!("yes")),
        ("hook-call-request", "/name", json!("")),
        ("hook-call-response", "/error", json!({"code": "conflict"})),
    ]
}

#[test]
fn an_invalid_instance_of_every_schema_is_refused() {
    for (name, pointer, wrong) in breakages() {
        let schema = schema(name);
        let mut instance = examples(&schema)[0].clone();
        match (instance.pointer_mut(pointer), pointer.rsplit_once('/')) {
            (Some(field), _) => *field = wrong,
            (None, Some(("", field))) => instance[field] = wrong,
            (None, Some((parent, field))) => instance.pointer_mut(parent).expect("a parent")[field] = wrong,
            (None, None) => unreachable!("the document itself always exists"),
        }
        assert!(!validator(&schema).is_valid(&instance), "{name} accepts {instance}");
    }
}

#[test]
fn every_schema_has_an_invalid_instance() {
    let broken: BTreeSet<_> = breakages().into_iter().map(|(name, ..)| name).collect();
    let named: BTreeSet<_> = catalog().into_iter().map(|entry| entry.name).collect();
    assert_eq!(broken, named);
}

#[test]
fn a_required_field_cannot_be_left_out() {
    let mut left_out = 0;
    for CatalogEntry { name, schema } in catalog() {
        let validator = validator(&schema);
        for field in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let mut instance = examples(&schema)[0].clone();
            instance.as_object_mut().expect("an object").remove(field);
            assert!(!validator.is_valid(&instance), "{name} accepts an instance without `{field}`");
            left_out += 1;
        }
    }
    assert!(left_out > 50, "only {left_out} fields were tried");
}

#[test]
fn the_schema_of_any_frame_accepts_the_examples_of_each() {
    let any = validator(&schema("server-frame"));
    let frames =
        ["welcome", "ack", "error", "subscribed", "unsubscribed", "gap", "presence", "closing", "ping", "publication"];
    for name in frames {
        for example in examples(&schema(name)) {
            assert!(any.is_valid(example), "{name}: {example}");
        }
    }
    assert!(!any.is_valid(&json!({"type": "welcome", "payload": {}, "timestamp": "2026-11-23T13:00:00.123Z"})));
}

#[test]
fn a_field_that_the_server_leaves_out_is_never_null() {
    let ack = |position: Value| json!({"type": "ack", "payload": {"id": 7, "position": position}, "timestamp": "2026-11-23T13:00:00.123Z"});
    let validator = validator(&schema("ack"));
    assert!(validator.is_valid(&ack(json!({"epoch": "k3f", "offset": 17}))));
    assert!(!validator.is_valid(&ack(json!(null))));
}

#[test]
fn a_client_ignores_fields_that_a_later_server_adds() {
    for name in ["welcome", "closing", "publication", "receipt", "problem", "connection-info"] {
        let schema = schema(name);
        let mut later = examples(&schema)[0].clone();
        later["added_later"] = json!(1);
        assert!(validator(&schema).is_valid(&later), "{name}");
    }
}

#[test]
fn a_misspelt_field_of_a_request_is_refused() {
    for name in [
        "client-command",
        "publish-request",
        "batch-request",
        "disconnect-request",
        "topic-query",
        "history-query",
        "revocation-request",
    ] {
        let schema = schema(name);
        let mut misspelt = examples(&schema)[0].clone();
        misspelt["topik"] = json!("order:123");
        assert!(!validator(&schema).is_valid(&misspelt), "{name}");
    }
}

/// Every `format` in a schema.
fn formats<'a>(schema: &'a Value, found: &mut BTreeSet<&'a str>) {
    match schema {
        Value::Array(items) => items.iter().for_each(|item| formats(item, found)),
        Value::Object(fields) => {
            found.extend(fields.get("format").and_then(Value::as_str));
            fields.values().for_each(|field| formats(field, found));
        }
        _ => {}
    }
}

#[test]
fn every_format_is_one_that_validators_know() {
    // Those of draft 2020-12 (7.3) and of OpenAPI that are in use; `time span` is described by its pattern.
    let known = ["date-time", "uuid", "uri", "uint8", "uint16", "uint32", "uint64", "int64", "double", "time span"];
    for CatalogEntry { name, schema } in catalog() {
        let mut found = BTreeSet::new();
        formats(&schema, &mut found);
        let unknown: Vec<_> = found.into_iter().filter(|format| !known.contains(format)).collect();
        assert!(unknown.is_empty(), "{name}: {unknown:?}");
    }
}
