//! JSON text to a value, with what `serde_json` does not refuse: a key that is given twice, of which receivers may read
//! either, and a depth that the stack of a check must hold.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, map::Entry};

use crate::limits::PAYLOAD_DEPTH;

/// Why a text is refused.
pub(crate) struct ParseError {
    /// The place: keys and indexes, outermost first.
    pub(crate) segments: Vec<String>,
    /// What is wrong, without any value.
    pub(crate) message: String,
}

/// Reads one value.
pub(crate) fn value(text: &str) -> Result<Value, ParseError> {
    let mut fault = None;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let seed = Seed { left: PAYLOAD_DEPTH, fault: &mut fault };
    match seed.deserialize(&mut deserializer).and_then(|value| deserializer.end().map(|()| value)) {
        Ok(value) => Ok(value),
        Err(error) => {
            let Fault { mut segments, message } = fault.unwrap_or_default();
            segments.reverse();
            let message = message.unwrap_or_else(|| match error.is_data() {
                true => "can't be read as JSON".into(),
                false => format!("can't be read as JSON: {error}"),
            });
            Err(ParseError { segments, message })
        }
    }
}

/// A fault on its way out: the segments are collected innermost first.
#[derive(Default)]
struct Fault {
    segments: Vec<String>,
    message: Option<String>,
}

/// Reads a value with `left` more levels below it.
struct Seed<'f> {
    left: usize,
    fault: &'f mut Option<Fault>,
}

impl Seed<'_> {
    fn refuse<E: serde::de::Error>(self, segment: Option<String>, message: String) -> E {
        *self.fault = Some(Fault { segments: segment.into_iter().collect(), message: Some(message) });
        E::custom("refused")
    }

    fn too_deep<E: serde::de::Error>(self) -> E {
        self.refuse(None, format!("is nested in more than {PAYLOAD_DEPTH} arrays and objects"))
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let Some(left) = self.left.checked_sub(1) else { return Err(self.too_deep()) };
        let mut list = Vec::new();
        loop {
            match items.next_element_seed(Seed { left, fault: self.fault }) {
                Ok(Some(item)) => list.push(item),
                Ok(None) => return Ok(Value::Array(list)),
                Err(error) => {
                    note(self.fault, || list.len().to_string());
                    return Err(error);
                }
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let Some(left) = self.left.checked_sub(1) else { return Err(self.too_deep()) };
        let mut map = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            match map.entry(key) {
                Entry::Occupied(known) => {
                    let key = known.key().clone();
                    return Err(self.refuse(Some(key), "is given twice".into()));
                }
                Entry::Vacant(place) => match members.next_value_seed(Seed { left, fault: self.fault }) {
                    Ok(value) => {
                        place.insert(value);
                    }
                    Err(error) => {
                        note(self.fault, || place.key().clone());
                        return Err(error);
                    }
                },
            }
        }
        Ok(Value::Object(map))
    }
}

/// Notes the step from a value to the part of it that has the fault, for faults of the text too.
fn note(fault: &mut Option<Fault>, segment: impl FnOnce() -> String) {
    fault.get_or_insert_default().segments.push(segment());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(text: &str) -> (String, String) {
        let Err(error) = value(text) else { panic!("{text} is refused") };
        (error.segments.join("/"), error.message)
    }

    #[test]
    fn a_text_is_the_value_that_serde_json_reads() {
        for text in [
            "null",
            "[]",
            r#"{"a":[1,-2,3.5,1e3,18446744073709551615],"b":{"c":"\u00e9","":true}}"#,
            r#" [ false , "x" ] "#,
        ] {
            let expected: Value = serde_json::from_str(text).expect("JSON");
            assert!(value(text).is_ok_and(|value| value == expected), "{text}");
        }
        assert!(value("1 2").is_err() && value("").is_err());
    }

    #[test]
    fn a_key_that_is_given_twice_is_named() {
        let twice = refused(r#"{"a":1,"b":[{"c":1,"\u0063":2}]}"#);
        assert_eq!(twice, ("b/0/c".into(), "is given twice".into()));
    }

    #[test]
    fn a_value_may_have_so_many_levels_and_no_more() {
        let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        assert!(value(&nested(PAYLOAD_DEPTH)).is_ok());
        for levels in [PAYLOAD_DEPTH + 1, 100_000] {
            let (place, message) = refused(&nested(levels));
            assert_eq!(place.split('/').count(), PAYLOAD_DEPTH);
            assert!(message.contains("more than 64"), "{message}");
        }
        let deep = format!("{}1{}", r#"{"a":"#.repeat(65), "}".repeat(65));
        assert!(refused(&deep).0.starts_with("a/a/a"));
    }

    #[test]
    fn a_number_that_no_float_holds_is_named_by_its_place() {
        let (place, message) = refused(r#"{"a":{"b":1e999}}"#);
        assert_eq!(place, "a/b");
        assert!(message.contains("number out of range"), "{message}");
    }

    #[test]
    fn what_is_read_is_written_as_it_was() {
        assert!(
            value(r#"{"z":1,"a":{"b":[null,"x"]}}"#)
                .is_ok_and(|value| value == json!({"a": {"b": [null, "x"]}, "z": 1}))
        );
    }
}
