//! The promises of the JSON Schemas and the OpenAPI document to authors of clients.

mod agreement;
mod catalog;
mod openapi;

use jsonschema::Validator;
use realtime_schema::catalog;
use serde_json::Value;

/// The schema of this name.
fn schema(name: &str) -> Value {
    let entry = catalog().into_iter().find(|entry| entry.name == name);
    entry.unwrap_or_else(|| panic!("the catalog has no `{name}`")).schema
}

/// A validator that also checks formats.
fn validator(schema: &Value) -> Validator {
    jsonschema::options().should_validate_formats(true).build(schema).expect("a schema")
}
