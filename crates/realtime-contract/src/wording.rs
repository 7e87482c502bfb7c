//! The faults of a payload in words: the place, and what the schema demands there. Never a value of the payload.

use std::fmt::Write as _;

use jsonschema::{
    ValidationError,
    error::{TypeKind, ValidationErrorKind},
};
use realtime_schema::FieldError;
use serde_json::Value;

use crate::{limits::PATH_BYTES, walk::escaped};

/// The longest part of a schema that a message repeats, in bytes.
const SHOWN_BYTES: usize = 160;

/// The faults of one error of the validator, at most `most`. A field that is missing or not allowed is named itself.
pub(crate) fn faults(error: &ValidationError<'_>, most: usize) -> Vec<FieldError> {
    let at = error.instance_path().as_str();
    match error.kind() {
        ValidationErrorKind::Required { property: Value::String(name) } => vec![fault(&below(at, name), "is missing")],
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            let named = unexpected.iter().take(most);
            named.map(|name| fault(&below(at, name), "is not a field of the schema")).collect()
        }
        kind => vec![fault(at, &message(kind))],
    }
}

/// A fault at `pointer`, which begins at the payload.
pub(crate) fn fault(pointer: &str, message: &str) -> FieldError {
    FieldError { path: format!("/payload{}", shortened(pointer)), message: message.into() }
}

fn below(pointer: &str, name: &str) -> String {
    // A name may be as long as the payload; it would be cut off anyway.
    if name.len() > PATH_BYTES { pointer.to_owned() } else { format!("{pointer}/{}", escaped(name)) }
}

/// The pointer, or that of a value around it if it is too long.
fn shortened(pointer: &str) -> &str {
    let mut pointer = pointer;
    while pointer.len() > PATH_BYTES {
        pointer = pointer.rsplit_once('/').map_or("", |(around, _)| around);
    }
    pointer
}

/// What the schema demands.
fn message(kind: &ValidationErrorKind) -> String {
    use ValidationErrorKind as Kind;
    match kind {
        Kind::Type { kind: TypeKind::Single(kind) } => format!("must be of type {kind}"),
        Kind::Type { kind: TypeKind::Multiple(kinds) } => {
            format!("must be of type {}", kinds.iter().map(|kind| kind.to_string()).collect::<Vec<_>>().join(" or "))
        }
        Kind::Required { .. } => "lacks a required field".into(),
        Kind::Enum { options } => format!("must be one of {}", shown(options)),
        Kind::Constant { expected_value } => format!("must be {}", shown(expected_value)),
        Kind::Minimum { limit } => format!("must be at least {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("must be above {limit}"),
        Kind::Maximum { limit } => format!("must be at most {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("must be below {limit}"),
        Kind::MultipleOf { multiple_of } => format!("must be a multiple of {multiple_of}"),
        Kind::MinLength { limit } => format!("must have at least {limit} characters"),
        Kind::MaxLength { limit } => format!("must have at most {limit} characters"),
        Kind::Pattern { pattern } => format!("must match the pattern {}", cut(pattern)),
        Kind::Format { format } => format!("must be a valid {format}"),
        Kind::MinItems { limit } => format!("must have at least {limit} items"),
        Kind::MaxItems { limit } => format!("must have at most {limit} items"),
        Kind::AdditionalItems { limit } => format!("must have at most {limit} items"),
        Kind::UnevaluatedItems { .. } => "has more items than the schema lists".into(),
        Kind::UniqueItems => "must not have equal items".into(),
        Kind::Contains => "must have the items that `contains` demands".into(),
        Kind::MinProperties { limit } => format!("must have at least {limit} fields"),
        Kind::MaxProperties { limit } => format!("must have at most {limit} fields"),
        Kind::PropertyNames { .. } => "has a field whose name the schema does not allow".into(),
        Kind::AnyOf { .. } => "fits none of the schemas of `anyOf`".into(),
        Kind::OneOfNotValid { .. } => "fits none of the schemas of `oneOf`".into(),
        Kind::OneOfMultipleValid { .. } => "fits several schemas of `oneOf`, not exactly one".into(),
        Kind::Not { .. } => "must not fit the schema of `not`".into(),
        Kind::FalseSchema => "is not allowed".into(),
        Kind::ContentEncoding { content_encoding } => format!("must be encoded as {}", cut(content_encoding)),
        Kind::ContentMediaType { content_media_type } => format!("must contain {}", cut(content_media_type)),
        other => format!("does not fit `{}`", other.keyword()),
    }
}

fn shown(value: &Value) -> String {
    cut(&value.to_string())
}

/// The text, or its beginning.
pub(crate) fn cut(text: &str) -> String {
    if text.len() <= SHOWN_BYTES {
        return text.to_owned();
    }
    let end = (0..=SHOWN_BYTES).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    let mut cut = text[..end].to_owned();
    let _ = write!(cut, "…");
    cut
}
