//! The OpenAPI document is complete: every reference resolves, every operation has a name and its refusals.

use std::collections::BTreeSet;

use realtime_schema::{ErrorCode, openapi};
use serde_json::Value;

use crate::validator;

/// Every operation: its method, its path, and its description.
fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().expect("methods");
            methods.iter().map(move |(method, operation)| (method.as_str(), path.as_str(), operation))
        })
        .collect()
}

fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str));
            fields.values().for_each(|field| references(field, found));
        }
        _ => {}
    }
}

/// The references without a target.
fn dangling(document: &Value) -> Vec<&str> {
    let mut found = BTreeSet::new();
    references(document, &mut found);
    assert!(found.len() > 20, "{found:?}");
    let resolves =
        |reference: &&str| reference.strip_prefix('#').and_then(|pointer| document.pointer(pointer)).is_some();
    found.into_iter().filter(|reference| !resolves(reference)).collect()
}

/// The target of a reference.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).expect("a target"),
        None => value,
    }
}

#[test]
fn it_is_openapi_3_1_with_the_version_of_the_server() {
    let document = openapi("1.2.3");
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["version"], "1.2.3");
}

#[test]
fn every_reference_resolves_inside_the_document() {
    let mut document = openapi("1.2.3");
    assert_eq!(dangling(&document), Vec::<&str>::new());
    document["components"]["schemas"].as_object_mut().expect("schemas").remove("Topic");
    assert_eq!(dangling(&document), ["#/components/schemas/Topic"], "a missing target is found");
}

#[test]
fn the_paths_are_those_of_the_protocol_page() {
    let document = openapi("1.2.3");
    let found: Vec<_> = operations(&document).into_iter().map(|(method, path, _)| format!("{method} {path}")).collect();
    assert_eq!(
        found,
        [
            "get /api/openapi.json",
            "get /api/v1/all/history",
            "get /api/v1/connections",
            "delete /api/v1/connections/{id}",
            "get /api/v1/connections/{id}",
            "delete /api/v1/connections/{id}/topics/{topic}",
            "put /api/v1/connections/{id}/topics/{topic}",
            "post /api/v1/explain",
            "post /api/v1/publish",
            "post /api/v1/publish/batch",
            "get /api/v1/revocations",
            "post /api/v1/revocations",
            "delete /api/v1/revocations/{id}",
            "get /api/v1/roles/{role}/history",
            "get /api/v1/stats",
            "get /api/v1/topics",
            "get /api/v1/topics/busiest",
            "get /api/v1/topics/{topic}/history",
            "get /api/v1/topics/{topic}/presence",
            "get /api/v1/topics/{topic}/subscribers",
            "post /api/v1/trace",
            "delete /api/v1/users/{id}/connections",
            "get /api/v1/users/{id}/connections",
            "get /api/v1/users/{id}/history",
            "get /api/v1/users/{id}/topics",
            "delete /api/v1/users/{id}/topics/{topic}",
            "put /api/v1/users/{id}/topics/{topic}",
            "get /healthz",
            "get /metrics",
            "get /readyz",
        ]
    );
}

#[test]
fn every_operation_has_a_unique_name_a_summary_and_a_known_tag() {
    let document = openapi("1.2.3");
    let tags = document["tags"].as_array().expect("tags").iter();
    let tags: BTreeSet<_> = tags.filter_map(|tag| tag["name"].as_str()).collect();
    let mut ids = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap_or_default();
        assert!(!id.is_empty(), "{method} {path} has no operationId");
        assert!(ids.insert(id), "{method} {path}: `{id}` is another's");
        assert!(operation["summary"].as_str().is_some_and(|summary| !summary.is_empty()), "{method} {path}");
        let [tag] = operation["tags"].as_array().expect("tags").as_slice() else { panic!("{method} {path}: one tag") };
        assert!(tags.contains(tag.as_str().unwrap_or_default()), "{method} {path}: {tag}");
    }
}

#[test]
fn every_part_of_a_path_is_a_required_parameter() {
    let document = openapi("1.2.3");
    for (method, path, operation) in operations(&document) {
        let parameters = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        let in_path: BTreeSet<_> =
            parameters.iter().filter(|p| p["in"] == "path").filter_map(|p| p["name"].as_str()).collect();
        let in_braces: BTreeSet<_> =
            path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        assert_eq!(in_path, in_braces, "{method} {path}");
        for parameter in parameters {
            assert_eq!(parameter["required"], parameter["in"] == "path", "{method} {path}: {parameter}");
            assert!(parameter["description"].is_string(), "{method} {path}: {parameter}");
            assert!(parameter["schema"].is_object(), "{method} {path}: {parameter}");
        }
    }
}

#[test]
fn the_query_of_topics_has_its_default_and_its_bounds() {
    let document = openapi("1.2.3");
    let parameters = document["paths"]["/api/v1/topics"]["get"]["parameters"].as_array().expect("parameters");
    let names: Vec<_> = parameters.iter().map(|parameter| &parameter["name"]).collect();
    assert_eq!(names, ["after", "limit", "prefix"]);
    let limit = &parameters[1]["schema"];
    assert_eq!((&limit["minimum"], &limit["maximum"], &limit["default"]), (&1.into(), &1000.into(), &100.into()));
}

#[test]
fn only_the_api_and_the_metrics_need_a_key() {
    let document = openapi("1.2.3");
    assert_eq!(document["components"]["securitySchemes"]["apiKey"]["scheme"], "bearer");
    for (method, path, operation) in operations(&document) {
        let open = operation["security"].as_array().is_some_and(Vec::is_empty);
        let refused = operation["responses"].get("401").is_some();
        let keyed = path.starts_with("/api/v1/") || path == "/metrics";
        assert_eq!((open, refused), (!keyed, keyed), "{method} {path}");
    }
}

#[test]
fn every_refusal_is_a_problem_with_an_example_of_its_status() {
    let document = openapi("1.2.3");
    let mut refusals = 0;
    for (method, path, operation) in operations(&document) {
        let responses = operation["responses"].as_object().expect("responses");
        assert!(responses.contains_key("200"), "{method} {path}");
        for (status, response) in responses.iter().filter(|(status, _)| *status != "200") {
            let response = resolved(&document, response);
            let problem = &response["content"]["application/problem+json"];
            assert_eq!(problem["schema"]["$ref"], "#/components/schemas/Problem", "{method} {path} {status}");
            assert_eq!(problem["example"]["status"].to_string(), *status, "{method} {path}");
            assert!(
                response["description"].as_str().is_some_and(|text| text.ends_with('.')),
                "{method} {path} {status}"
            );
            refusals += 1;
        }
    }
    assert!(refusals > 30, "only {refusals} refusals");
}

#[test]
fn every_described_refusal_belongs_to_an_operation() {
    let document = openapi("1.2.3");
    let named = document["components"]["responses"].as_object().expect("responses");
    let mut used = BTreeSet::new();
    for (_, _, operation) in operations(&document) {
        references(&operation["responses"], &mut used);
    }
    for code in ErrorCode::ALL {
        let name = format!("{code:?}");
        let reference = format!("#/components/responses/{name}");
        assert_eq!(named.contains_key(&name), used.contains(reference.as_str()), "{name}");
    }
}

#[test]
fn every_component_schema_has_a_description() {
    let document = openapi("1.2.3");
    for (name, schema) in document["components"]["schemas"].as_object().expect("schemas") {
        assert!(schema["description"].as_str().is_some_and(|text| !text.is_empty()), "{name}");
    }
}

#[test]
fn every_example_of_a_component_is_valid_by_its_schema() {
    let mut document = openapi("1.2.3");
    let schemas = document["components"]["schemas"].clone();
    let mut tried = 0;
    for (name, schema) in schemas.as_object().expect("schemas") {
        // The document itself is the schema, because its references point into it.
        document["$ref"] = format!("#/components/schemas/{name}").into();
        let validator = validator(&document);
        for example in schema["examples"].as_array().into_iter().flatten() {
            validator.validate(example).unwrap_or_else(|error| panic!("{name}: {example}: {error}"));
            tried += 1;
        }
        assert!(!validator.is_valid(&Value::Null), "{name} accepts anything");
    }
    assert!(tried > 20, "only {tried} examples");
}
