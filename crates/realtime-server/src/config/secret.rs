//! Values that are never shown.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

/// Stands in a setting's schema for a secret text: `#[schemars(with = "Option<SecretText>")]`. A setting with such a
/// schema appears in no error and no log, whatever was given in its place.
pub(super) struct SecretText;

impl JsonSchema for SecretText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "SecretText".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "password", "writeOnly": true})
    }
}

/// `text` without the one newline that it ends in, as files and `echo` leave it; `None` if it ends in none.
pub(super) fn without_newline(text: &str) -> Option<&str> {
    let text = text.strip_suffix('\n')?;
    Some(text.strip_suffix('\r').unwrap_or(text))
}

#[cfg(test)]
mod tests;
