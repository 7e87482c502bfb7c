//! The direction of a type, and its effect on the JSON Schema.

use schemars::{
    Schema, SchemaGenerator,
    generate::SchemaSettings,
    transform::{RecursiveTransform, Transform},
};
use serde_json::{Value, json};

/// The direction of a type. Fields with defaults are optional in input and always present in output.
#[derive(Clone, Copy)]
pub(crate) enum Contract {
    In,
    Out,
}

impl Contract {
    /// A generator of draft 2020-12 whose references point into `definitions`, such as `/$defs`.
    pub(crate) fn generator(self, definitions: &'static str) -> SchemaGenerator {
        let settings = SchemaSettings::draft2020_12().with(|settings| settings.definitions_path = definitions.into());
        let settings = match self {
            Self::In => settings.for_deserialize(),
            Self::Out => settings.for_serialize().with_transform(RecursiveTransform(AbsentRatherThanNull)),
        };
        settings.with_transform(RecursiveTransform(LoneReference)).into_generator()
    }
}

/// In output, an optional field without a value is left out, so it is never `null`.
#[derive(Clone)]
struct AbsentRatherThanNull;

impl Transform for AbsentRatherThanNull {
    fn transform(&mut self, schema: &mut Schema) {
        let required = schema.get("required").cloned().unwrap_or_default();
        let Some(Value::Object(properties)) = schema.get_mut("properties") else { return };
        for (name, property) in properties {
            if !requires(&required, name) {
                without_null(property);
            }
        }
    }
}

/// Puts a reference with a description into an `allOf`: code generators treat a reference with siblings as a separate
/// type, and name it with a number.
#[derive(Clone)]
struct LoneReference;

impl Transform for LoneReference {
    fn transform(&mut self, schema: &mut Schema) {
        let Some(fields) = schema.as_object_mut().filter(|fields| fields.len() > 1) else { return };
        if let Some(reference) = fields.remove("$ref") {
            fields.insert("allOf".into(), json!([{"$ref": reference}]));
        }
    }
}

/// Whether `name` is on a schema's list of `required` fields.
pub(crate) fn requires(required: &Value, name: &str) -> bool {
    required.as_array().is_some_and(|required| required.iter().any(|field| field == name))
}

/// The number of types that JSON Schema has without `integer`, which is a `number`.
const JSON_TYPES: usize = 6;

/// Removes `null` from the types that a schema allows.
pub(crate) fn without_null(schema: &mut Value) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        // Any JSON value: there null is a value as any other.
        if types.len() == JSON_TYPES {
            return;
        }
        types.retain(|allowed| allowed != "null");
        if let [only] = types.as_slice() {
            schema["type"] = only.clone();
        }
    }
    if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        choices.retain(|choice| choice["type"] != "null");
        if let ([Value::Object(only)], Some(fields)) = (choices.clone().as_slice(), schema.as_object_mut()) {
            fields.remove("anyOf");
            for (key, value) in only {
                fields.entry(key).or_insert_with(|| value.clone());
            }
        }
    }
}
