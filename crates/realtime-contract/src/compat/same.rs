//! Whether two schemas are the same, but for what only describes.

use std::collections::HashSet;

use jsonschema::Draft;
use serde_json::Value;

use super::{apart::describes, covers::Side};
use crate::{files::SchemaFiles, graph::resolve, schema_path::SchemaPath, vet::draft};

/// A subschema of one side.
#[derive(Clone, Copy)]
pub(crate) struct Place<'c> {
    pub(crate) files: &'c SchemaFiles,
    pub(crate) file: &'c SchemaPath,
    pub(crate) schema: &'c Value,
}

impl<'c> Place<'c> {
    pub(crate) fn root(side: Side<'c>) -> Self {
        let files = side.contract.files();
        let (file, schema) = files.iter().find(|(path, _)| *path == side.path).expect("it was compiled");
        Self { files, file, schema }
    }

    /// The schema of a reference.
    pub(crate) fn target(self, reference: &str) -> Option<Self> {
        let (file, _, schema) = resolve(self.files, self.file, reference).ok()?;
        Some(Self { file, schema, ..self })
    }

    /// A part of the schema.
    pub(crate) fn part(self, schema: &'c Value) -> Self {
        Self { schema, ..self }
    }

    pub(crate) fn is_draft7(self) -> bool {
        self.files.get(self.file).and_then(draft) == Some(Draft::Draft7)
    }

    /// Where it stands: the schemas of both sides live as long as the comparison.
    pub(crate) fn address(self) -> usize {
        std::ptr::from_ref(self.schema) as usize
    }
}

/// Whether two sides have the same schema.
pub(crate) fn same(left: Side<'_>, right: Side<'_>) -> bool {
    same_places(Place::root(left), Place::root(right))
}

/// Whether two subschemas are the same, with all that they refer to.
pub(crate) fn same_places(left: Place<'_>, right: Place<'_>) -> bool {
    left.is_draft7() == right.is_draft7() && schemas(left, right, &mut HashSet::new())
}

/// Two schemas. A pair that is being compared is the same unless a difference is found elsewhere.
fn schemas(left: Place<'_>, right: Place<'_>, seen: &mut HashSet<(usize, usize)>) -> bool {
    let (Some(before), Some(after)) = (left.schema.as_object(), right.schema.as_object()) else {
        return left.schema == right.schema;
    };
    if !seen.insert((left.address(), right.address())) {
        return true;
    }
    let is_draft7 = left.is_draft7();
    let telling = |place: Place<'_>, keyword: &str| {
        // Definitions count where they are referred to.
        !matches!(keyword, "$defs" | "definitions" | "$id" | "$schema" | "$anchor")
            && !describes(place.schema, keyword, is_draft7)
    };
    let of_left = before.iter().filter(|(keyword, _)| telling(left, keyword));
    let of_right = after.iter().filter(|(keyword, _)| telling(right, keyword)).count();
    let mut count = 0;
    for (keyword, value) in of_left {
        count += 1;
        let Some(other) = after.get(keyword) else { return false };
        if !values(keyword, left.part(value), right.part(other), seen) {
            return false;
        }
    }
    count == of_right
}

/// The values of one keyword.
fn values(keyword: &str, left: Place<'_>, right: Place<'_>, seen: &mut HashSet<(usize, usize)>) -> bool {
    match keyword {
        "$ref" => {
            let target = |place: Place<'_>| place.schema.as_str().map(str::to_owned);
            let (Some(before), Some(after)) = (target(left), target(right)) else { return false };
            match (left.target(&before), right.target(&after)) {
                (Some(left), Some(right)) => schemas(left, right, seen),
                _ => false,
            }
        }
        "properties" | "patternProperties" | "dependentSchemas" | "dependencies" => {
            let (Some(before), Some(after)) = (left.schema.as_object(), right.schema.as_object()) else { return false };
            before.len() == after.len()
                && before.iter().all(|(name, schema)| {
                    after.get(name).is_some_and(|other| schemas(left.part(schema), right.part(other), seen))
                })
        }
        "allOf" | "anyOf" | "oneOf" | "prefixItems" | "items" if left.schema.is_array() => {
            let (Some(before), Some(after)) = (left.schema.as_array(), right.schema.as_array()) else { return false };
            before.len() == after.len()
                && before.iter().zip(after).all(|(schema, other)| schemas(left.part(schema), right.part(other), seen))
        }
        "not"
        | "if"
        | "then"
        | "else"
        | "items"
        | "contains"
        | "additionalProperties"
        | "additionalItems"
        | "propertyNames"
        | "unevaluatedProperties"
        | "unevaluatedItems" => schemas(left, right, seen),
        // What it leads to depends on the way to it.
        "$dynamicRef" => false,
        "required" | "enum" | "type" => as_set(left.schema) == as_set(right.schema),
        _ => left.schema == right.schema,
    }
}

fn as_set(value: &Value) -> Vec<String> {
    let mut texts: Vec<_> = match value {
        Value::Array(items) => items.iter().map(Value::to_string).collect(),
        one => vec![one.to_string()],
    };
    texts.sort();
    texts.dedup();
    texts
}
