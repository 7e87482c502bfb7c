//! A search for a payload that one schema accepts and another does not: the values at the edges of both, tried with both.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{covers::Side, same::Place};
use crate::graph::Graph;

/// The most payloads that are tried.
const TRIED: usize = 4_000;
/// The most values for one place of a schema.
const EACH: usize = 40;
/// The deepest value that is made.
const DEPTH: usize = 5;

/// A payload that `narrow` accepts and `wide` does not.
pub(crate) fn against(wide: Side<'_>, narrow: Side<'_>) -> Option<Value> {
    let mut hints = Hints::default();
    hints.of(wide);
    hints.of(narrow);
    let fits =
        |payload: &Value| narrow.checker().fits(payload) == Some(true) && wide.checker().fits(payload) == Some(false);
    // What each of them describes: a value at an edge of one is inside the other.
    [narrow, wide].into_iter().find_map(|side| {
        let payloads = Maker { hints: &hints }.values(Place::root(side), DEPTH);
        payloads.into_iter().take(TRIED).find(fits)
    })
}

/// Values that stand in the schemas: where they differ, one of these is likely on the edge.
#[derive(Default)]
struct Hints {
    numbers: Vec<Value>,
    lengths: BTreeSet<usize>,
    names: BTreeSet<String>,
    values: Vec<Value>,
}

impl Hints {
    fn of(&mut self, side: Side<'_>) {
        let (graph, _) = Graph::of(side.contract.files());
        for node in &graph.nodes {
            let Some(members) = node.schema.as_object() else { continue };
            for (keyword, value) in members {
                match keyword.as_str() {
                    "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf" => {
                        self.number(value);
                    }
                    "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties" | "maxProperties" => {
                        let length = value.as_u64().and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
                        if length <= 256 {
                            self.lengths.extend([length, length + 1, length.saturating_sub(1)]);
                        }
                    }
                    "properties" => {
                        self.names.extend(value.as_object().into_iter().flatten().map(|(name, _)| name.clone()));
                    }
                    "required" => self.names.extend(list(value).filter_map(|name| name.as_str().map(str::to_owned))),
                    "enum" => self.values.extend(list(value).cloned()),
                    "const" => self.values.push(value.clone()),
                    // What a simple pattern is written with often matches it.
                    "pattern" => {
                        let letters = value
                            .as_str()
                            .unwrap_or_default()
                            .chars()
                            .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
                        self.values.push(letters.collect::<String>().into());
                    }
                    _ => {}
                }
            }
        }
        self.values.truncate(4 * EACH);
        self.numbers.truncate(4 * EACH);
    }

    fn number(&mut self, value: &Value) {
        self.numbers.push(value.clone());
        if let Some(whole) = value.as_i64() {
            self.numbers.extend([json!(whole.saturating_add(1)), json!(whole.saturating_sub(1))]);
        } else if let Some(float) = value.as_f64() {
            self.numbers.extend([json!(float + 0.5), json!(float - 0.5), json!(float.floor()), json!(float.ceil())]);
        }
    }
}

struct Maker<'h> {
    hints: &'h Hints,
}

impl Maker<'_> {
    /// Values that are like those of a schema; not each of them fits it.
    fn values(&self, place: Place<'_>, depth: usize) -> Vec<Value> {
        let schema = place.schema;
        if schema == &Value::Bool(false) {
            return Vec::new();
        }
        let mut values = Vec::new();
        if let Some(target) = schema.get("$ref").and_then(Value::as_str).and_then(|reference| place.target(reference)) {
            // It goes to another value sooner or later: no schema refers to itself for the same one.
            values.extend(self.values(target, depth));
            if place.is_draft7() {
                return values;
            }
        }
        if let Some(value) = schema.get("const") {
            values.push(value.clone());
        }
        values.extend(schema.get("enum").into_iter().flat_map(list).take(EACH).cloned());
        if schema.get("const").is_none() && schema.get("enum").is_none() {
            values.extend(self.own(place, depth));
        }
        let mut combined = Vec::new();
        for keyword in ["allOf", "anyOf", "oneOf"] {
            for part in schema.get(keyword).into_iter().flat_map(list) {
                combined.extend(self.values(place.part(part), depth));
            }
        }
        // Objects of one part get the fields that the others demand.
        let bases: Vec<Map<String, Value>> =
            values.iter().chain(&combined).filter_map(Value::as_object).take(6).cloned().collect();
        for value in combined {
            if let Value::Object(members) = &value {
                for base in &bases {
                    let mut joined = base.clone();
                    joined.extend(members.clone());
                    values.push(Value::Object(joined));
                }
            }
            values.push(value);
        }
        bounded(values, if depth == DEPTH { TRIED } else { EACH })
    }

    /// Values by the types of a schema, or of every type.
    fn own(&self, place: Place<'_>, depth: usize) -> Vec<Value> {
        const ALL: [&str; 6] = ["object", "array", "string", "number", "boolean", "null"];
        let kinds: Vec<&str> = match place.schema.get("type") {
            Some(Value::String(kind)) => vec![kind],
            Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
            _ => ALL.to_vec(),
        };
        let mut values = Vec::new();
        for kind in kinds {
            match kind {
                "null" => values.push(Value::Null),
                "boolean" => values.extend([json!(true), json!(false)]),
                "integer" | "number" => {
                    values.extend([json!(0), json!(1), json!(-1), json!(1_000_000_007)]);
                    values.extend(self.hints.numbers.iter().cloned());
                    if kind == "number" {
                        values.push(json!(0.5));
                    }
                }
                "string" => self.texts(&mut values),
                "array" if depth > 0 => self.arrays(place, depth - 1, &mut values),
                "object" if depth > 0 => self.objects(place, depth - 1, &mut values),
                "array" => values.push(json!([])),
                _ => values.push(json!({})),
            }
            values.extend(self.hints.values.iter().filter(|value| is_of(value, kind)).cloned());
        }
        values
    }

    fn texts(&self, values: &mut Vec<Value>) {
        const KNOWN: [&str; 9] = [
            "",
            "a",
            "A",
            "1",
            "a b",
            "2026-11-26T22:00:00Z",
            "019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d8f",
            "a@example.com",
            "https://example.com/",
        ];
        values.extend(KNOWN.map(Value::from));
        values.extend(self.hints.lengths.iter().map(|length| Value::from("x".repeat(*length))));
    }

    fn arrays(&self, place: Place<'_>, depth: usize, values: &mut Vec<Value>) {
        let (first, rest) = match place.schema.get("items") {
            Some(first @ Value::Array(_)) => (Some(first), place.schema.get("additionalItems")),
            rest => (place.schema.get("prefixItems"), rest),
        };
        let first: Vec<Vec<Value>> =
            first.into_iter().flat_map(list).map(|schema| self.values(place.part(schema), depth)).collect();
        let rest =
            rest.map_or_else(|| vec![json!(1), json!("a"), json!({})], |schema| self.values(place.part(schema), depth));
        let base: Vec<Value> = first.iter().filter_map(|options| options.first().cloned()).collect();
        values.extend([json!([]), Value::from(base.clone())]);
        for (at, options) in first.iter().enumerate() {
            for option in options.iter().filter(|_| at < base.len()) {
                let mut items = base.clone();
                items[at] = option.clone();
                values.push(items.into());
            }
        }
        for item in &rest {
            values.push(Value::from([base.clone(), vec![item.clone()]].concat()));
        }
        values.extend(rest.first().map(|item| Value::from(vec![item.clone(); 2])));
        for length in self.hints.lengths.iter().filter(|length| **length <= 20) {
            // As different as can be, and all alike.
            let different = rest.iter().cycle().take(*length).cloned().collect::<Vec<_>>();
            values.push(different.into());
            values.extend(rest.first().map(|item| Value::from(vec![item.clone(); *length])));
            values.push((0..*length).map(Value::from).collect());
        }
    }

    fn objects(&self, place: Place<'_>, depth: usize, values: &mut Vec<Value>) {
        let fields = place.schema.get("properties").and_then(Value::as_object);
        let rest = match place.schema.get("additionalProperties") {
            Some(schema) if schema.is_object() => self.values(place.part(schema), depth),
            _ => [json!(1), json!("a"), Value::Null, json!({}), json!([]), json!(true)].to_vec(),
        };
        let options: Vec<(&String, Vec<Value>)> =
            fields.into_iter().flatten().map(|(name, schema)| (name, self.values(place.part(schema), depth))).collect();
        let required: BTreeSet<&str> =
            place.schema.get("required").into_iter().flat_map(list).filter_map(Value::as_str).collect();
        let mut least = Map::new();
        let mut most = Map::new();
        for (name, options) in &options {
            if let Some(option) = options.first() {
                most.insert((*name).clone(), option.clone());
            }
        }
        for name in required {
            let option = most.get(name).cloned().or_else(|| rest.first().cloned());
            least.extend(option.map(|option| (name.to_owned(), option)));
        }
        most.extend(least.clone());
        values.extend([Value::Object(least.clone()), Value::Object(most.clone())]);
        let with = |base: &Map<String, Value>, name: &str, value: &Value| {
            let mut members = base.clone();
            members.insert(name.to_owned(), value.clone());
            Value::Object(members)
        };
        for (name, options) in &options {
            for option in options {
                values.extend([with(&least, name, option), with(&most, name, option)]);
            }
            let mut without = most.clone();
            without.remove(*name);
            values.push(Value::Object(without));
        }
        let further = self.hints.names.iter().filter(|name| fields.is_none_or(|fields| !fields.contains_key(*name)));
        for name in further.map(String::as_str).chain(["further field"]) {
            values.extend(rest.iter().map(|value| with(&least, name, value)));
            values.extend(rest.first().map(|value| with(&most, name, value)));
        }
    }
}

/// The list without repetitions, or its beginning and then some of every part of it.
fn bounded(values: Vec<Value>, most: usize) -> Vec<Value> {
    let mut seen = BTreeSet::new();
    let distinct: Vec<_> = values.into_iter().filter(|value| seen.insert(value.to_string())).collect();
    if distinct.len() <= most {
        return distinct;
    }
    let step = distinct.len().div_ceil(most);
    distinct.into_iter().step_by(step).collect()
}

fn is_of(value: &Value, kind: &str) -> bool {
    match value {
        Value::Null => kind == "null",
        Value::Bool(_) => kind == "boolean",
        Value::Number(_) => matches!(kind, "integer" | "number"),
        Value::String(_) => kind == "string",
        Value::Array(_) => kind == "array",
        Value::Object(_) => kind == "object",
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
