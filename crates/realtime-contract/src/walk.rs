//! The subschemas of a schema, and where they stand.

use serde_json::Value;

/// What a subschema is to the schema that holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// It applies to the same value.
    Same,
    /// It applies to a part of the value: an item, a field, a name.
    Part,
    /// It applies where it is referred to.
    Defined,
}

/// How a keyword holds its subschemas.
#[derive(Clone, Copy)]
enum Form {
    One,
    List,
    Named,
    /// `items`: one, or in draft-07 a list.
    OneOrList,
}

/// The keywords of both drafts that hold subschemas.
const KEYWORDS: &[(&str, Form, Place)] = &[
    ("$defs", Form::Named, Place::Defined),
    ("definitions", Form::Named, Place::Defined),
    ("allOf", Form::List, Place::Same),
    ("anyOf", Form::List, Place::Same),
    ("oneOf", Form::List, Place::Same),
    ("not", Form::One, Place::Same),
    ("if", Form::One, Place::Same),
    ("then", Form::One, Place::Same),
    ("else", Form::One, Place::Same),
    ("dependentSchemas", Form::Named, Place::Same),
    // A value may also be a list of names, which holds no schema.
    ("dependencies", Form::Named, Place::Same),
    ("properties", Form::Named, Place::Part),
    ("patternProperties", Form::Named, Place::Part),
    ("additionalProperties", Form::One, Place::Part),
    ("unevaluatedProperties", Form::One, Place::Part),
    ("propertyNames", Form::One, Place::Part),
    ("prefixItems", Form::List, Place::Part),
    ("items", Form::OneOrList, Place::Part),
    ("additionalItems", Form::One, Place::Part),
    ("unevaluatedItems", Form::One, Place::Part),
    ("contains", Form::One, Place::Part),
    ("contentSchema", Form::One, Place::Defined),
];

/// `text` as one segment of a JSON pointer (RFC 6901).
pub(crate) fn escaped(text: &str) -> String {
    text.replace('~', "~0").replace('/', "~1")
}

/// The subschemas that `schema` holds itself, each with its pointer from `schema` on. Only objects and booleans are
/// schemas.
pub(crate) fn children(schema: &Value) -> Vec<(String, Place, &Value)> {
    let mut children = Vec::new();
    let Some(members) = schema.as_object() else { return children };
    let mut add = |pointer: String, place, value| {
        if matches!(value, &Value::Object(_) | &Value::Bool(_)) {
            children.push((pointer, place, value));
        }
    };
    for (keyword, form, place) in KEYWORDS {
        let Some(value) = members.get(*keyword) else { continue };
        match (form, value) {
            (Form::One | Form::OneOrList, Value::Object(_) | Value::Bool(_)) => {
                add(format!("/{keyword}"), *place, value);
            }
            (Form::List | Form::OneOrList, Value::Array(items)) => {
                for (at, item) in items.iter().enumerate() {
                    add(format!("/{keyword}/{at}"), *place, item);
                }
            }
            (Form::Named, Value::Object(named)) => {
                for (name, value) in named {
                    add(format!("/{keyword}/{}", escaped(name)), *place, value);
                }
            }
            _ => {}
        }
    }
    children
}

/// A schema, itself and what it holds at any depth, outermost first: each with its pointer from `schema` on.
pub(crate) fn subschemas(schema: &Value) -> Vec<(String, &Value)> {
    let mut all = vec![(String::new(), schema)];
    let mut at = 0;
    while let Some((pointer, schema)) = all.get(at).cloned() {
        all.extend(children(schema).into_iter().map(|(step, _, child)| (format!("{pointer}{step}"), child)));
        at += 1;
    }
    all
}

/// The keywords that refer to another schema, and the references of one schema.
pub(crate) fn references(schema: &Value) -> impl Iterator<Item = (&'static str, &str)> {
    ["$ref", "$dynamicRef"].into_iter().filter_map(|keyword| Some((keyword, schema.get(keyword)?.as_str()?)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn schemas_are_found_where_they_apply_and_nowhere_else() {
        let schema = json!({
            "properties": {"$ref": {"type": "string"}, "a/b": {"items": [{}, true]}},
            "enum": [{"$ref": "nothing"}],
            "const": {"properties": {"x": {"$ref": "nothing"}}},
            "examples": [{"$ref": "nothing"}],
            "dependencies": {"a": ["b"], "c": {"not": {"$ref": "#"}}},
            "$defs": {"d": {"anyOf": [{"$ref": "#/$defs/e"}]}},
        });
        let mut found: Vec<_> = subschemas(&schema).into_iter().map(|(pointer, _)| pointer).collect();
        found.sort();
        let expected = [
            "",
            "/$defs/d",
            "/$defs/d/anyOf/0",
            "/dependencies/c",
            "/dependencies/c/not",
            "/properties/$ref",
            "/properties/a~1b",
            "/properties/a~1b/items/0",
            "/properties/a~1b/items/1",
        ];
        assert_eq!(found, expected);
        assert!(found.iter().all(|pointer| schema.pointer(pointer).is_some()));
        let all: Vec<_> = subschemas(&schema).into_iter().flat_map(|(_, schema)| references(schema)).collect();
        assert_eq!(all, [("$ref", "#/$defs/e"), ("$ref", "#")]);
    }
}
