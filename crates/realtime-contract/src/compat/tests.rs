//! Random pairs of schemas: what is proven is never contradicted by the validator.

use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use serde_json::{Value, json};

use super::{
    canonical,
    covers::{Coverage, Side, covers},
    proof,
};
use crate::{binding::Binding, contract::Contract, files::SchemaFiles};

fn contract(schema: &Value) -> Contract {
    let path = || "a.json".parse().expect("a path");
    let files = SchemaFiles::parse([(path(), schema.to_string())]).expect("a file");
    let binding = Binding::new(realtime_schema::StreamPattern::All).with("t".parse().expect("a type"), path());
    Contract::compile(vec![binding], files).unwrap_or_else(|faults| panic!("{faults}: {schema}"))
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3..6i64).prop_map(Value::from),
        prop_oneof![Just(0.5), Just(-1.5), Just(2.0), Just(1e20)].prop_map(Value::from),
        prop_oneof![Just(""), Just("a"), Just("b"), Just("abc"), Just("A1")].prop_map(Value::from),
    ]
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![Just("a"), Just("b"), Just("c")].prop_map(str::to_owned)
}

fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name(), inner, 0..4).prop_map(|map| map.into_iter().collect::<Value>()),
        ]
    })
}

/// One keyword with its value.
fn plain() -> impl Strategy<Value = (&'static str, Value)> {
    let kind = prop_oneof![
        Just("null"),
        Just("boolean"),
        Just("integer"),
        Just("number"),
        Just("string"),
        Just("array"),
        Just("object"),
    ];
    let kinds = prop::collection::btree_set(kind.clone(), 1..3).prop_map(|kinds| json!(kinds));
    prop_oneof![
        3 => prop_oneof![kind.prop_map(|kind| json!(kind)), kinds].prop_map(|kind| ("type", kind)),
        1 => prop::collection::vec(scalar(), 1..4).prop_map(|mut options| {
            let mut seen = std::collections::HashSet::new();
            options.retain(|option| seen.insert(option.to_string()));
            ("enum", Value::from(options))
        }),
        1 => scalar().prop_map(|value| ("const", value)),
        1 => (-2..4i64).prop_map(|n| ("minimum", json!(n))),
        1 => (-2..4i64).prop_map(|n| ("maximum", json!(n))),
        1 => (-2..4i64).prop_map(|n| ("exclusiveMinimum", json!(n))),
        1 => prop_oneof![Just(0.5), Just(1.0), Just(2.0)].prop_map(|n| ("multipleOf", json!(n))),
        1 => (0..3u64).prop_map(|n| ("minLength", json!(n))),
        1 => (0..3u64).prop_map(|n| ("maxLength", json!(n))),
        1 => prop_oneof![Just("^a"), Just("^[a-z]+$"), Just("1")].prop_map(|pattern| ("pattern", json!(pattern))),
        1 => prop::collection::btree_set(name(), 1..3).prop_map(|names| ("required", json!(names))),
        1 => (0..3u64).prop_map(|n| ("minItems", json!(n))),
        1 => (0..3u64).prop_map(|n| ("maxItems", json!(n))),
        1 => (0..3u64).prop_map(|n| ("minProperties", json!(n))),
        1 => (0..3u64).prop_map(|n| ("maxProperties", json!(n))),
        1 => any::<bool>().prop_map(|unique| ("uniqueItems", json!(unique))),
    ]
}

fn schema() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(json!({"$ref": "#/$defs/d"})),
        8 => prop::collection::vec(plain(), 0..4).prop_map(|words| words.into_iter().collect::<Value>()),
    ];
    leaf.prop_recursive(3, 16, 3, |inner| {
        let some = prop::collection::vec(inner.clone(), 1..3);
        let fields = prop::collection::btree_map(name(), inner.clone(), 1..3);
        let composed = prop_oneof![
            3 => fields.prop_map(|fields| ("properties", json!(fields))),
            2 => inner.clone().prop_map(|schema| ("additionalProperties", schema)),
            2 => inner.clone().prop_map(|schema| ("items", schema)),
            1 => some.clone().prop_map(|schemas| ("prefixItems", json!(schemas))),
            1 => some.clone().prop_map(|schemas| ("allOf", json!(schemas))),
            2 => some.clone().prop_map(|schemas| ("anyOf", json!(schemas))),
            1 => some.prop_map(|schemas| ("oneOf", json!(schemas))),
            1 => inner.clone().prop_map(|schema| ("not", schema)),
            1 => inner.prop_map(|schema| ("contains", schema)),
        ];
        (prop::collection::vec(plain(), 0..3), prop::collection::vec(composed, 1..3))
            .prop_map(|(plain, composed)| plain.into_iter().chain(composed).collect::<Value>())
    })
}

/// A schema with a definition that it may refer to.
fn document(schema: &Value, definition: &Value) -> Value {
    let mut schema = if schema.is_object() { schema.clone() } else { json!({"allOf": [schema]}) };
    schema["$defs"] = json!({"d": definition});
    schema
}

/// A pair that differs in a little, or in everything.
fn pair() -> impl Strategy<Value = (Value, Value)> {
    let definition = || prop::collection::vec(plain(), 0..3).prop_map(|words| words.into_iter().collect::<Value>());
    let word = plain();
    (schema(), schema(), definition(), definition(), word, 0..5u8).prop_map(|(first, second, one, other, word, how)| {
        let mut changed = first.clone();
        match (how, changed.as_object_mut()) {
            (0, Some(members)) => drop(members.insert(word.0.to_owned(), word.1)),
            (1, Some(members)) => drop(members.keys().next().cloned().and_then(|key| members.remove(&key))),
            (2, _) => return (document(&first, &one), document(&first, &other)),
            (3, Some(_)) => changed = json!({"anyOf": [first, second]}),
            _ => changed = second,
        }
        (document(&first, &one), document(&changed, &one))
    })
}

#[derive(Default, Debug)]
struct Count {
    pairs: u32,
    proven: u32,
    proven_by_the_library: u32,
    refuted: u32,
    undecided: u32,
    values: u32,
}

/// How many pairs are tried: more on request.
fn cases() -> u32 {
    std::env::var("REALTIME_CONTRACT_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(200)
}

#[test]
fn what_is_proven_is_never_contradicted_by_the_validator() {
    let count = std::cell::RefCell::new(Count::default());
    let config = Config { cases: cases(), failure_persistence: None, ..Config::default() };
    let values = prop::collection::vec(value(), 40);
    let result = TestRunner::new(config).run(&(pair(), values), |((left, right), values)| {
        let (left, right) = (contract(&left), contract(&right));
        let path = "a.json".parse().expect("a path");
        let (left, right) = (Side { contract: &left, path: &path }, Side { contract: &right, path: &path });
        let mut count = count.borrow_mut();
        count.pairs += 1;
        for (wide, narrow) in [(left, right), (right, left)] {
            let own = proof::covers(wide, narrow);
            let library = matches!(canonical::covers(wide, narrow), Coverage::Yes);
            let answer = covers(wide, narrow);
            count.proven += u32::from(own);
            count.proven_by_the_library += u32::from(library && !own);
            count.refuted += u32::from(matches!(answer, Coverage::No(_)));
            count.undecided += u32::from(matches!(answer, Coverage::Unknown(_)));
            prop_assert!(!(own && matches!(answer, Coverage::No(_))), "the proof is wrong: {answer:?}");
            for value in &values {
                count.values += 1;
                let (in_wide, in_narrow) = (wide.checker().fits(value), narrow.checker().fits(value));
                if in_narrow == Some(true) && in_wide == Some(false) {
                    prop_assert!(!own, "proven, but for {value}");
                    prop_assert!(!library, "the library says yes, but for {value}");
                    prop_assert!(!matches!(answer, Coverage::Yes), "yes, but for {value}");
                }
            }
            if library && let Coverage::No(example) = &answer {
                prop_assert!(false, "the library says yes, but for {example}");
            }
        }
        Ok(())
    });
    println!("{:?}", count.into_inner());
    if let Err(error) = result {
        panic!("{error}");
    }
}
