//! The OpenAPI 3.1 document of the HTTP API, built from the same types.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::{
    api::Problem,
    code::ErrorCode,
    contract::{requires, without_null},
};

mod components;
mod operations;

use components::Components;
use operations::{Operation, PathParam, Tag, all};

/// The OpenAPI 3.1 document of the HTTP API, for a server of this `version`.
pub fn openapi(version: &str) -> Value {
    let mut components = Components::new();
    let mut paths = BTreeMap::<_, Map<_, _>>::new();
    for operation in all() {
        let described = describe(operation, &mut components);
        paths.entry(operation.path).or_default().insert(operation.method.to_owned(), described);
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Realtime",
            "version": version,
            "description": "The HTTP API for backends: publish messages to WebSocket clients, look at connections \
                            and topics. Every refusal is an `application/problem+json` with a code.",
            "license": {"name": "MIT or Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "The server that this document came from."}],
        "tags": Tag::ALL.map(|(tag, description)| json!({"name": tag.name(), "description": description})),
        "security": [{"apiKey": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"apiKey": {
                "type": "http",
                "scheme": "bearer",
                "description": "One of the server's `api.keys`. A client's token is not a key.",
            }},
            "responses": refusals(&mut components),
        },
    });
    components.finish(&mut document);
    document
}

fn describe(operation: &Operation, components: &mut Components) -> Value {
    let mut parameters: Vec<_> = operation.path_params.iter().map(|param| in_path(param, components)).collect();
    parameters.extend(operation.query.into_iter().flat_map(|fields| in_query(&fields(components))));
    let response = json!({"schema": (operation.response.schema)(components)});
    let content: Map<_, _> =
        operation.response.media.iter().map(|&media| (media.to_owned(), response.clone())).collect();
    let mut responses = json!({"200": {"description": "Done.", "content": content}});
    for code in all_refusals(operation) {
        responses[code.status().to_string()] = json!({"$ref": format!("#/components/responses/{code:?}")});
    }
    let mut described = json!({
        "operationId": operation.id,
        "tags": [operation.tag.name()],
        "summary": operation.summary,
        "responses": responses,
    });
    if !operation.description.is_empty() {
        described["description"] = operation.description.into();
    }
    if !parameters.is_empty() {
        described["parameters"] = parameters.into();
    }
    if let Some(body) = &operation.body {
        let content = json!({"application/json": {"schema": (body.schema)(components)}});
        described["requestBody"] = json!({"required": body.required, "content": content});
    }
    if !operation.keyed() {
        described["security"] = json!([]);
    }
    described
}

fn in_path(param: &PathParam, components: &mut Components) -> Value {
    json!({
        "name": param.name,
        "in": "path",
        "required": true,
        "description": param.description,
        "schema": (param.schema)(components),
    })
}

/// The parameters of a query, from the schema of the type whose fields they are.
fn in_query(fields: &Value) -> Vec<Value> {
    let parameter = |(name, schema): (&String, &Value)| {
        let mut schema = schema.clone();
        without_null(&mut schema);
        let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
        json!({
            "name": name,
            "in": "query",
            "required": requires(&fields["required"], name),
            "description": description,
            "schema": schema,
        })
    };
    fields["properties"].as_object().into_iter().flatten().map(parameter).collect()
}

fn all_refusals(operation: &Operation) -> impl Iterator<Item = &'static ErrorCode> {
    operation.refusals.iter().chain(operation.tag.refusals())
}

/// A response for each error code of the operations, with the meaning of the code and an example.
fn refusals(components: &mut Components) -> Map<String, Value> {
    let used = |code: &&ErrorCode| all().flat_map(all_refusals).any(|used| used == *code);
    let mut refusal = |code: &ErrorCode| {
        let content = json!({
            "schema": components.response::<Problem>(),
            "example": Problem::new(code.clone(), code.meaning()),
        });
        let description = format!("`{}`: {}", code.as_str(), code.meaning());
        (format!("{code:?}"), json!({"description": description, "content": {"application/problem+json": content}}))
    };
    ErrorCode::ALL.iter().filter(used).map(&mut refusal).collect()
}
