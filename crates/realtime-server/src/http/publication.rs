//! Reads a publication, and names all of its faulty fields at once.

use std::{borrow::Cow, collections::BTreeMap};

use realtime_core::message::validate;
use realtime_schema::{FieldError, PublishRequest};
use serde_json::value::RawValue;

use super::body::read;

/// The required fields of a publication, each with a valid value.
const VALID: [(&str, &str); 3] = [("to", "\"all\""), ("type", "\"t\""), ("payload", "null")];

/// Reads `json`, or returns an error for each faulty field.
pub(super) fn read_publication(json: &[u8]) -> Result<PublishRequest, Vec<FieldError>> {
    read(json).map_err(|first| every_error(json, first))
}

/// Reads each field of `json` beside valid others. `first` is why the whole was refused.
fn every_error(json: &[u8], first: FieldError) -> Vec<FieldError> {
    let Ok(fields) = serde_json::from_slice::<BTreeMap<Cow<'_, str>, &RawValue>>(json) else { return vec![first] };
    let missing = VALID.into_iter().map(|(name, _)| name).filter(|name| !fields.contains_key(*name));
    let given = fields.iter().map(|(name, value)| (&**name, Some(value.get())));
    let mut errors = Vec::new();
    for (name, value) in missing.map(|name| (name, None)).chain(given) {
        let mut alone = BTreeMap::from(VALID);
        alone.remove(name);
        alone.extend(value.map(|value| (name, value)));
        let members: Vec<_> =
            alone.iter().map(|(name, value)| format!("{}:{value}", serde_json::json!(name))).collect();
        match read::<PublishRequest>(format!("{{{}}}", members.join(",")).as_bytes()) {
            Ok(request) => errors.extend(validate(&request, usize::MAX).err().into_iter().flatten()),
            Err(error) => errors.push(error),
        }
    }
    // A field that is given twice is wrong only as a whole.
    if !errors.contains(&first) {
        errors.insert(0, first);
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(json: &str) -> Vec<String> {
        read_publication(json.as_bytes()).expect_err(json).into_iter().map(|error| error.path).collect()
    }

    #[test]
    fn every_faulty_field_is_named() {
        let key = "x".repeat(129);
        let json = format!(
            r#"{{"to":{{"topic":"a b"}},"type":"welcome","timestamp":"now","idempotency_key":"{key}","a/b":1,"except_client":""}}"#
        );
        let expected = ["/payload", "/a~1b", "/except_client", "/idempotency_key", "/timestamp", "/to/topic", "/type"];
        assert_eq!(paths(&json), expected);
        assert_eq!(paths("{}"), ["/to", "/type", "/payload"]);
        assert_eq!(paths(r#"{"to":"all","to":"all","type":"","payload":1}"#), ["/to", "/type"]);
        assert_eq!(paths("[]"), [""]);
        assert_eq!(paths(r#"{"to":"#), ["/to"]);
    }
}
