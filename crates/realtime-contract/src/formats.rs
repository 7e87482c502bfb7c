//! `format`: which are asserted. In draft 2020-12 the keyword only describes, unless a validator says otherwise.

use jsonschema::{PatternOptions, Regex, ValidationOptions};

use crate::{limits::PATTERN_BYTES, metered::MeteredJson};

/// The values of `format` that are checked: RFC 3339, RFC 9562, RFC 5321, RFC 3986. Every other one only describes.
pub const ASSERTED_FORMATS: [&str; 4] = ["date-time", "uuid", "email", "uri"];

/// The formats that the library knows and that are not asserted.
const DESCRIBING: [&str; 15] = [
    "date",
    "duration",
    "hostname",
    "idn-email",
    "idn-hostname",
    "ipv4",
    "ipv6",
    "iri",
    "iri-reference",
    "json-pointer",
    "regex",
    "relative-json-pointer",
    "time",
    "uri-reference",
    "uri-template",
];

/// The options of every validator: the linear engine for `pattern`, nothing that is fetched, these formats.
pub(crate) fn options<'i>() -> ValidationOptions<'i, std::sync::Arc<dyn jsonschema::Retrieve>, MeteredJson> {
    let mut options = jsonschema::options_for::<MeteredJson>()
        .offline()
        .with_pattern_options(patterns())
        .should_validate_formats(true)
        .should_ignore_unknown_formats(true)
        // Draft-07 does not define it.
        .with_format("uuid", is_uuid);
    for format in DESCRIBING {
        options = options.with_format(format, |_: &str| true);
    }
    options
}

/// The engine whose time is linear in the text. It has no look-around and no backreferences.
pub(crate) fn patterns() -> PatternOptions<Regex> {
    PatternOptions::regex().size_limit(PATTERN_BYTES).dfa_size_limit(2 * PATTERN_BYTES)
}

/// RFC 9562 section 4: 8-4-4-4-12 hexadecimal digits.
fn is_uuid(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}
