//! A schema without what does not decide.

use serde_json::Value;

use crate::{formats::ASSERTED_FORMATS, walk::subschemas};

/// Keywords that only describe.
const DESCRIBING: [&str; 11] = [
    "$comment",
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "contentSchema",
    "contentEncoding",
    "contentMediaType",
];

/// The keywords that decide: every other one is unknown, and says nothing.
const DECIDING: [&str; 46] = [
    "$ref",
    "$dynamicRef",
    "$defs",
    "definitions",
    "$schema",
    "$id",
    "$anchor",
    "$dynamicAnchor",
    "type",
    "enum",
    "const",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "dependentSchemas",
    "dependentRequired",
    "dependencies",
    "properties",
    "patternProperties",
    "additionalProperties",
    "unevaluatedProperties",
    "propertyNames",
    "required",
    "minProperties",
    "maxProperties",
    "prefixItems",
    "items",
    "additionalItems",
    "unevaluatedItems",
    "contains",
    "minContains",
    "maxContains",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
];

/// Whether a keyword of `schema` only describes. In draft-07 the content keywords are checked, so they are kept there.
pub(crate) fn describes(schema: &Value, keyword: &str, is_draft7: bool) -> bool {
    match keyword {
        "format" => schema["format"].as_str().is_some_and(|format| !ASSERTED_FORMATS.contains(&format)),
        "pattern" => false,
        "contentEncoding" | "contentMediaType" => !is_draft7,
        _ => DESCRIBING.contains(&keyword) || !DECIDING.contains(&keyword),
    }
}

/// The schema without its formats that are not asserted and without its identifier, which the other side may have too.
pub(crate) fn apart(schema: &Value) -> Value {
    let mut result = schema.clone();
    let mut pointers: Vec<_> = subschemas(schema).into_iter().map(|(pointer, _)| pointer).collect();
    pointers.reverse();
    for pointer in pointers {
        let Some(Value::Object(members)) = result.pointer_mut(&pointer) else { continue };
        if members.get("format").and_then(Value::as_str).is_some_and(|format| !ASSERTED_FORMATS.contains(&format)) {
            members.remove("format");
        }
    }
    result
}
