//! Patterns of the scenario files: a value fits if it has all that the pattern names.

use serde_json::Value;

/// The first difference, or nothing.
pub(super) fn difference(pattern: &Value, value: Option<&Value>) -> Option<String> {
    let differs = || Some(format!("{} is not {pattern}", value.map_or("nothing".to_owned(), Value::to_string)));
    match pattern {
        Value::Object(fields) => {
            if fields.contains_key("$any") {
                return if value.is_none() { differs() } else { None };
            }
            if fields.contains_key("$absent") {
                return if value.is_some() { differs() } else { None };
            }
            if fields.contains_key("$min") || fields.contains_key("$max") {
                let bound = |name: &str, otherwise: f64| fields.get(name).and_then(Value::as_f64).unwrap_or(otherwise);
                let inside = value
                    .and_then(Value::as_f64)
                    .is_some_and(|it| it >= bound("$min", f64::NEG_INFINITY) && it <= bound("$max", f64::INFINITY));
                return if inside { None } else { differs() };
            }
            let Some(Value::Object(own)) = value else { return differs() };
            fields.iter().find_map(|(name, part)| difference(part, own.get(name)).map(|it| format!("/{name} {it}")))
        }
        Value::Array(parts) => match value {
            Some(Value::Array(own)) if own.len() == parts.len() => {
                parts.iter().zip(own).find_map(|(part, own)| difference(part, Some(own)))
            }
            _ => differs(),
        },
        // A clock counts in floating numbers, a file writes whole ones.
        Value::Number(number) if value.and_then(Value::as_f64) == number.as_f64() => None,
        _ if value == Some(pattern) => None,
        _ => differs(),
    }
}

#[test]
fn a_pattern_fits_by_the_fields_that_it_names() {
    use serde_json::json;
    let fits = [
        (json!({"a": 1}), json!({"a": 1.0, "b": 2})),
        (json!({"a": [{"b": {"$any": true}}], "c": {"$absent": true}}), json!({"a": [{"b": null}]})),
        (json!({"a": {"$min": 1, "$max": 2}}), json!({"a": 2})),
    ];
    for (pattern, value) in fits {
        assert_eq!(difference(&pattern, Some(&value)), None);
    }
    let differ = [
        (json!({"a": 1}), json!({})),
        (json!([1]), json!([1, 2])),
        (json!({"a": {"$min": 3}}), json!({"a": 2})),
        (json!({"a": {"$absent": true}}), json!({"a": 1})),
    ];
    for (pattern, value) in differ {
        assert!(difference(&pattern, Some(&value)).is_some(), "{pattern} {value}");
    }
}
