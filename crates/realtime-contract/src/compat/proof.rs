//! A proof by the structure of two schemas that one accepts all that the other does. It knows the plain keywords; what it
//! does not know it does not prove.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::{
    apart::describes,
    covers::Side,
    same::{Place, same_places},
};
use crate::{metered::Meter, unique::compare};

/// Whether it is proven that `wide` accepts every payload that `narrow` does.
pub(crate) fn covers(wide: Side<'_>, narrow: Side<'_>) -> bool {
    let mut proof = Proof { assumed: HashSet::new(), steps: 0 };
    proof.covers(Place::root(wide), Place::root(narrow))
}

/// The most pairs of subschemas that one proof looks at.
const STEPS: usize = 20_000;

const TRUE: &Value = &Value::Bool(true);

struct Proof {
    /// Pairs that are being proven: within a part of the value they may be assumed.
    assumed: HashSet<(usize, usize)>,
    steps: usize,
}

impl Proof {
    fn covers(&mut self, wide: Place<'_>, narrow: Place<'_>) -> bool {
        self.steps += 1;
        if self.steps > STEPS {
            return false;
        }
        if narrow.schema == &Value::Bool(false) {
            return true;
        }
        let Some(demands) = wide.schema.as_object() else { return wide.schema == TRUE };
        let pair = (wide.address(), narrow.address());
        if self.assumed.contains(&pair) || same_places(wide, narrow) {
            return true;
        }
        self.assumed.insert(pair);
        let proven = self.all_demands(wide, demands, narrow);
        self.assumed.remove(&pair);
        proven
    }

    fn all_demands(&mut self, wide: Place<'_>, demands: &Map<String, Value>, narrow: Place<'_>) -> bool {
        let is_draft7 = wide.is_draft7();
        if let (Some(Value::String(reference)), true) = (demands.get("$ref"), is_draft7) {
            return wide.target(reference).is_some_and(|target| self.covers(target, narrow));
        }
        let Some(parts) = parts(narrow, 0) else { return false };
        demands.iter().all(|(keyword, demand)| {
            describes(wide.schema, keyword, is_draft7)
                || self.demand(wide, keyword, demand, &parts)
                || self.every_branch(wide, keyword, &parts)
        })
    }

    /// Whether each branch of a union of `narrow` fulfils a demand.
    fn every_branch(&mut self, wide: Place<'_>, keyword: &str, parts: &[Place<'_>]) -> bool {
        let alone = Value::Object(
            wide.schema
                .as_object()
                .into_iter()
                .flatten()
                .filter_map(|(name, value)| {
                    // `additionalProperties` is nothing without what stands beside it.
                    let together = ["additionalProperties", "properties", "patternProperties"];
                    let with = name == keyword || (together.contains(&keyword) && together.contains(&name.as_str()));
                    with.then(|| (name.clone(), value.clone()))
                })
                .collect(),
        );
        let demand = wide.part(&alone);
        parts.iter().any(|part| {
            ["anyOf", "oneOf"].into_iter().any(|union| {
                let branches = part.schema.get(union).and_then(Value::as_array);
                // The demand is a copy: its address means nothing, so nothing is assumed of it.
                branches.is_some_and(|branches| {
                    let Some(demands) = demand.schema.as_object() else { return false };
                    self.steps += 1;
                    self.steps <= STEPS
                        && branches.iter().all(|branch| {
                            branch == &Value::Bool(false) || self.all_demands(demand, demands, part.part(branch))
                        })
                })
            })
        })
    }

    /// Whether what `narrow` says in its parts fulfils one demand of `wide`.
    fn demand(&mut self, wide: Place<'_>, keyword: &str, demand: &Value, parts: &[Place<'_>]) -> bool {
        let kinds = kinds(parts);
        let has = |kind: &str| kinds.iter().any(|known| *known == kind || (kind == "number" && *known == "integer"));
        let any = |check: &dyn Fn(&Value) -> bool| parts.iter().any(|part| part.schema.get(keyword).is_some_and(check));
        let at_least = |own: &Value| order(own, demand).is_ge();
        let at_most = |own: &Value| order(own, demand).is_le();
        match keyword {
            "$defs" | "definitions" | "$schema" | "$id" | "$anchor" | "$comment" | "then" | "else" => {
                // Without `if` the other two say nothing; with it they are not plain.
                !matches!(keyword, "then" | "else") || wide.schema.get("if").is_none() || any_same(wide, keyword, parts)
            }
            "$ref" => {
                let target = demand.as_str().and_then(|reference| wide.target(reference));
                target.is_some_and(|target| parts.iter().any(|part| self.covers(target, *part)))
            }
            "allOf" => list(demand).all(|schema| parts.iter().any(|part| self.covers(wide.part(schema), *part))),
            "anyOf" => {
                let schemas: Vec<_> = list(demand).collect();
                schemas.iter().any(|schema| parts.iter().any(|part| self.covers(wide.part(schema), *part)))
                    || any_same(wide, keyword, parts)
            }
            "type" => {
                let allowed: Vec<_> = texts(demand).collect();
                kinds.iter().all(|kind| allowed.contains(kind) || (*kind == "integer" && allowed.contains(&"number")))
            }
            "enum" => values(parts)
                .is_some_and(|values| values.iter().all(|value| list(demand).any(|option| equal(option, value)))),
            "const" => values(parts).is_some_and(|values| values.iter().all(|value| equal(demand, value))),
            "minimum" | "exclusiveMinimum" if !has("number") => true,
            "maximum" | "exclusiveMaximum" | "multipleOf" if !has("number") => true,
            "minLength" | "maxLength" | "pattern" | "format" if !has("string") => true,
            "items" | "prefixItems" | "minItems" | "maxItems" | "uniqueItems" | "contains" if !has("array") => true,
            "properties"
            | "required"
            | "minProperties"
            | "maxProperties"
            | "patternProperties"
            | "propertyNames"
            | "additionalProperties"
            | "dependentRequired"
                if !has("object") =>
            {
                true
            }
            "minimum" => any(&at_least) || other(parts, "exclusiveMinimum", &at_least),
            "maximum" => any(&at_most) || other(parts, "exclusiveMaximum", &at_most),
            "exclusiveMinimum" => any(&at_least) || other(parts, "minimum", &|own| order(own, demand).is_gt()),
            "exclusiveMaximum" => any(&at_most) || other(parts, "maximum", &|own| order(own, demand).is_lt()),
            "minLength" | "minItems" | "minProperties" => equal(demand, &0.into()) || any(&at_least),
            "maxLength" | "maxItems" | "maxProperties" => any(&at_most),
            "uniqueItems" => demand == &Value::Bool(false) || any(&|own| own == TRUE),
            "pattern" | "format" | "multipleOf" => any(&|own| own == demand),
            "required" => texts(demand).all(|name| {
                parts.iter().any(|part| part.schema.get("required").into_iter().flat_map(texts).any(|own| own == name))
            }),
            "properties" => demand.as_object().into_iter().flatten().all(|(name, schema)| {
                parts
                    .iter()
                    .any(|part| field(*part, name).is_some_and(|own| self.covers(wide.part(schema), part.part(own))))
            }),
            "additionalProperties" => self.further_fields(wide, demand, parts),
            "items" if demand.is_object() || demand.is_boolean() => {
                wide.schema.get("prefixItems").is_none()
                    && parts.iter().any(|part| {
                        let first = part.schema.get("prefixItems").into_iter().flat_map(list);
                        let rest = part.schema.get("items").unwrap_or(TRUE);
                        !rest.is_array()
                            && first.chain([rest]).all(|own| self.covers(wide.part(demand), part.part(own)))
                    })
            }
            _ => any_same(wide, keyword, parts),
        }
    }

    /// `additionalProperties` of `wide`: every field that it has no name for.
    fn further_fields(&mut self, wide: Place<'_>, demand: &Value, parts: &[Place<'_>]) -> bool {
        if demand == TRUE {
            return true;
        }
        if wide.schema.get("patternProperties").is_some() {
            return false;
        }
        let named = wide.schema.get("properties").and_then(Value::as_object);
        parts.iter().any(|part| {
            let rest = part.schema.get("additionalProperties").unwrap_or(TRUE);
            let fields = part.schema.get("properties").and_then(Value::as_object).into_iter().flatten();
            let further = fields.filter(|(name, _)| named.is_none_or(|named| !named.contains_key(*name)));
            part.schema.get("patternProperties").is_none()
                && further.map(|(_, own)| own).chain([rest]).all(|own| self.covers(wide.part(demand), part.part(own)))
        })
    }
}

/// The schemas that a value of `narrow` all fits: itself, what it refers to, and its `allOf`.
fn parts(narrow: Place<'_>, depth: usize) -> Option<Vec<Place<'_>>> {
    if depth > crate::limits::CHAIN {
        return None;
    }
    let target = narrow.schema.get("$ref").and_then(Value::as_str).map(|reference| narrow.target(reference));
    let mut list_of_parts = Vec::new();
    if let Some(target) = target {
        list_of_parts.extend(parts(target?, depth + 1)?);
        if narrow.is_draft7() {
            return Some(list_of_parts);
        }
    }
    list_of_parts.push(narrow);
    for schema in narrow.schema.get("allOf").into_iter().flat_map(list) {
        list_of_parts.extend(parts(narrow.part(schema), depth + 1)?);
    }
    Some(list_of_parts)
}

/// The types that a value of all `parts` may have.
fn kinds(parts: &[Place<'_>]) -> Vec<&'static str> {
    const ALL: [&str; 7] = ["null", "boolean", "integer", "number", "string", "array", "object"];
    let mut kinds = ALL.to_vec();
    for part in parts {
        if let Some(kind) = part.schema.get("type") {
            let named: Vec<_> = texts(kind).collect();
            kinds.retain(|known| named.contains(known) || (*known == "integer" && named.contains(&"number")));
        }
    }
    if let Some(values) = values(parts) {
        kinds.retain(|kind| values.iter().any(|value| is_of(value, kind)));
    }
    kinds
}

fn is_of(value: &Value, kind: &str) -> bool {
    match value {
        Value::Null => kind == "null",
        Value::Bool(_) => kind == "boolean",
        Value::Number(number) => match number.as_f64() {
            Some(float) if float.fract() != 0.0 => kind == "number",
            _ => matches!(kind, "integer" | "number"),
        },
        Value::String(_) => kind == "string",
        Value::Array(_) => kind == "array",
        Value::Object(_) => kind == "object",
    }
}

/// The only values, if a part lists them.
fn values(parts: &[Place<'_>]) -> Option<Vec<Value>> {
    parts.iter().find_map(|part| match (part.schema.get("const"), part.schema.get("enum")) {
        (Some(value), _) => Some(vec![value.clone()]),
        (None, Some(options)) => Some(list(options).cloned().collect()),
        _ => None,
    })
}

/// The schema of a field: its own, or that of the fields without a name.
fn field<'c>(part: Place<'c>, name: &str) -> Option<&'c Value> {
    let own = part.schema.get("properties").and_then(|fields| fields.get(name));
    match own {
        Some(own) => Some(own),
        // A pattern may apply to it, and narrows it further; without one this is all.
        None => Some(
            part.schema
                .get("additionalProperties")
                .filter(|_| part.schema.get("patternProperties").is_none())
                .unwrap_or(TRUE),
        ),
    }
}

fn any_same(wide: Place<'_>, keyword: &str, parts: &[Place<'_>]) -> bool {
    // Keywords that depend on others beside them are not the same alone.
    const DEPENDENT: [&str; 5] =
        ["unevaluatedProperties", "unevaluatedItems", "additionalItems", "prefixItems", "items"];
    const TOGETHER: [&[&str]; 2] = [&["if", "then", "else"], &["contains", "minContains", "maxContains"]];
    let group = TOGETHER.into_iter().find(|group| group.contains(&keyword)).unwrap_or_default();
    let alone = |schema: &Value| {
        let names = group.iter().copied().chain([keyword]);
        Value::Object(names.filter_map(|name| Some((name.to_owned(), schema.get(name)?.clone()))).collect())
    };
    if DEPENDENT.contains(&keyword) {
        return false;
    }
    let demand = alone(wide.schema);
    parts.iter().any(|part| {
        part.schema.get(keyword).is_some() && same_places(wide.part(&demand), part.part(&alone(part.schema)))
    })
}

fn other(parts: &[Place<'_>], keyword: &str, check: &dyn Fn(&Value) -> bool) -> bool {
    parts.iter().any(|part| part.schema.get(keyword).is_some_and(check))
}

/// The order of two values: of numbers, by value.
fn order(left: &Value, right: &Value) -> std::cmp::Ordering {
    compare(left, right, &Meter::new(u64::MAX, 1))
}

fn equal(left: &Value, right: &Value) -> bool {
    order(left, right).is_eq()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    let one = value.as_str();
    one.into_iter().chain(list(value).filter_map(Value::as_str))
}
