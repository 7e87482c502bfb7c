//! Payloads and schemas that want to be slow: each is bounded, by the work that was done and not by the time it took.

use serde_json::{Value, json};

use super::{
    tests::{binding, check, files},
    *,
};
use crate::limits::{CHAIN, FAULT_STEPS, PAYLOAD_DEPTH, steps};

fn contract(schema: &Value) -> Contract {
    let text = schema.to_string();
    Contract::compile(vec![binding("all", &[("t", "a.json")])], files([("a.json", &text)])).expect("a contract")
}

/// What a check did.
struct Work {
    /// Looks at the payload until it was decided.
    decision: u64,
    /// Looks at the payload for the list of faults.
    list: u64,
    budget: u64,
    result: Result<(), Vec<FieldError>>,
}

impl Work {
    fn is_cut_short(&self) -> bool {
        self.result.as_ref().is_err_and(|faults| faults[0].message.contains("takes too long"))
    }
}

fn work(schema: &Value, payload: &str) -> Work {
    let contract = contract(schema);
    let checker = contract.checkers.values().next().expect("a checker");
    let budget = steps(payload.len());
    let (decision, list) = (checker.meter(budget), checker.meter(FAULT_STEPS));
    let value: Value = parse::value(payload).unwrap_or_else(|error| panic!("{}", error.message));
    let result = checker.metered(&value, &decision, &list);
    let work = Work { decision: decision.looks(), list: list.looks(), budget, result };
    assert!(work.decision <= budget + budget / 8, "{} looks of {budget} steps", work.decision);
    assert!(work.list <= FAULT_STEPS + FAULT_STEPS / 8, "{} looks for the list", work.list);
    work
}

/// Distinct arrays of brackets: all of them have the same leaves, and the same hash in the library.
fn brackets(count: usize) -> String {
    let mut shapes = vec!["[]".to_owned()];
    let mut at = 0;
    while shapes.len() < count {
        let inner = shapes[at].clone();
        shapes.push(format!("[{inner}]"));
        shapes.push(format!("[[],{inner}]"));
        at += 1;
    }
    shapes.sort();
    shapes.dedup();
    shapes.truncate(count);
    format!("[{}]", shapes.join(","))
}

#[test]
fn unique_items_take_less_than_the_square_of_their_number() {
    let schema = json!({"uniqueItems": true});
    let numbers = |count: u64| Value::from((0..count).map(|n| n * 7919 % 100_003).collect::<Vec<_>>()).to_string();
    for payload in [&numbers as &dyn Fn(u64) -> String, &|count| brackets(count as usize)] {
        let (few, many) = (work(&schema, &payload(1_000)), work(&schema, &payload(4_000)));
        assert_eq!((&few.result, &many.result), (&Ok(()), &Ok(())), "they are distinct, and found to be");
        assert!(many.decision < few.decision * 8, "{} and {} looks: not 16 times", few.decision, many.decision);
    }
}

#[test]
fn recursion_that_branches_is_decided_within_the_steps_or_refused() {
    let branch = |field: &str| json!({"required": [field], "properties": {"a": {"$ref": "#"}}});
    // The first would list 4^63 faults.
    let schemas = [
        json!({"anyOf": [branch("x"), branch("y"), branch("z"), branch("w")]}),
        json!({"oneOf": [branch("a"), branch("a"), branch("z")]}),
        json!({"allOf": [{"anyOf": [branch("x"), branch("y")]}, {"anyOf": [branch("v"), branch("w")]}]}),
        json!({"not": {"allOf": [{"properties": {"a": {"$ref": "#"}}}, {"properties": {"a": {"$ref": "#"}}}]}}),
        json!({"anyOf": [branch("x"), branch("y")], "unevaluatedProperties": false}),
    ];
    let deep = format!("{}1{}", r#"{"a":"#.repeat(PAYLOAD_DEPTH - 1), "}".repeat(PAYLOAD_DEPTH - 1));
    for schema in schemas {
        let work = work(&schema, &deep);
        if let Err(faults) = &work.result {
            assert!(!faults.is_empty() && faults.len() <= 16);
        }
    }
}

#[test]
fn thousands_of_faults_are_not_collected() {
    let schema =
        json!({"items": {"allOf": [{"type": "string"}, {"type": "null"}, {"minimum": 5}, {"enum": ["a", "b"]}]}});
    let work = work(&schema, &format!("[{}0]", "0,".repeat(30_000)));
    assert!(!work.is_cut_short());
    let faults = work.result.expect_err("none fits");
    assert_eq!(faults.len(), 16);
    assert_eq!(faults[15].path, "/payload/3");
}

#[test]
fn names_are_counted_like_values() {
    let names: Vec<Value> = (0..500).map(|n| json!({"const": format!("k{n}")})).collect();
    let fields: Vec<_> = (0..6_000).map(|n| format!(r#""f{n}":0"#)).collect();
    let work = work(&json!({"propertyNames": {"not": {"anyOf": names}}}), &format!("{{{}}}", fields.join(",")));
    assert!(work.is_cut_short(), "3 million comparisons are more than {} steps", work.budget);
}

#[test]
fn an_enumeration_is_looked_through_within_the_steps() {
    let options: Vec<_> = (0..5_000).map(|n| json!([n])).collect();
    let work = work(&json!({"items": {"enum": options}}), &format!("[{}[1]]", "[4999],".repeat(8_000)));
    assert!(work.is_cut_short(), "40 million comparisons are more than {} steps", work.budget);
}

#[test]
fn text_that_makes_an_expression_backtrack_is_matched_in_linear_time() {
    let bait = format!("\"{}!\"", "a".repeat(60_000));
    for pattern in ["^(a+)+$", "^(a|a)*$", "^(a|aa)+$", "^(.*)*$b", "(x+x+)+y", "^([a-z]+)*[0-9]$"] {
        let contract = contract(&json!({"pattern": pattern}));
        assert_eq!(check(&contract, &bait).len(), 1, "{pattern}");
    }
}

#[test]
fn the_stack_holds_the_longest_chain_at_every_level_of_the_deepest_payload() {
    // One chain of `CHAIN` subschemas for each level, in the forms with the largest frames.
    let mut inner = json!({"properties": {"a": {"$ref": "#"}}, "additionalProperties": false});
    // Two are the references, one the field.
    for level in 0..CHAIN - 3 {
        inner = match level % 3 {
            0 => json!({"anyOf": [false, inner]}),
            1 => json!({"allOf": [inner]}),
            _ => json!({"oneOf": [inner, false]}),
        };
    }
    let schema = json!({"$ref": "#/$defs/s", "$defs": {"s": inner}});
    let nested =
        |last: &str| format!("{}{last}{}", r#"{"a":"#.repeat(PAYLOAD_DEPTH - 1), "}".repeat(PAYLOAD_DEPTH - 1));
    assert_eq!(work(&schema, &nested("{}")).result, Ok(()));
    assert!(work(&schema, &nested(r#"{"b":1}"#)).result.is_err());
}

#[test]
fn a_chain_that_is_too_long_and_a_way_that_is_too_deep_are_refused() {
    let chain = |links: usize| {
        let mut defs = serde_json::Map::new();
        for link in 0..links {
            defs.insert(format!("d{link}"), json!({"$ref": format!("#/$defs/d{}", link + 1)}));
        }
        defs.insert(format!("d{links}"), json!({}));
        json!({"properties": {"a": {"$ref": "#/$defs/d0"}}, "$defs": defs}).to_string()
    };
    let compile = |text: &str| {
        Contract::compile(vec![binding("all", &[("t", "a.json")])], files([("a.json", text)]))
            .map_err(|faults| faults.to_string())
    };
    assert!(compile(&chain(CHAIN - 2)).is_ok());
    let refused = compile(&chain(CHAIN)).expect_err("too long");
    assert!(refused.starts_with("a.json at /properties/a: begins a chain of 18 subschemas"), "{refused}");
    assert!(compile(&chain(3_000)).is_err());

    let way = |steps: usize| {
        let mut defs = serde_json::Map::new();
        for step in 0..steps {
            defs.insert(format!("d{step}"), json!({"items": {"$ref": format!("#/$defs/d{}", step + 1)}}));
        }
        defs.insert(format!("d{steps}"), json!({}));
        json!({"$ref": "#/$defs/d0", "$defs": defs}).to_string()
    };
    assert!(compile(&way(250)).is_ok(), "the compiler's stack holds it");
    assert!(compile(&way(260)).expect_err("too deep").contains("subschemas away"));
}

#[test]
fn too_many_field_patterns_are_refused() {
    let patterns: serde_json::Map<_, _> = (0..40).map(|n| (format!("^{n}"), json!({}))).collect();
    let text = json!({"patternProperties": patterns}).to_string();
    let faults = Contract::compile(vec![binding("all", &[("t", "a.json")])], files([("a.json", &text)]));
    assert!(faults.expect_err("too many").to_string().contains("at most 32"));
}

#[test]
fn references_that_branch_at_every_level_are_refused() {
    // So many subschemas without a look at the value between them, on which steps could be counted: `width` to the `levels`.
    let branching = |width: usize, levels: usize, keyword: &str| {
        let mut defs = serde_json::Map::new();
        for level in 0..levels {
            let next = json!({"$ref": format!("#/$defs/d{}", level + 1)});
            defs.insert(format!("d{level}"), json!({keyword: vec![next; width]}));
        }
        defs.insert(format!("d{levels}"), json!({"minimum": 0}));
        json!({"properties": {"a": {"$ref": "#/$defs/d0"}}, "$defs": defs}).to_string()
    };
    let compile = |text: &str| {
        Contract::compile(vec![binding("all", &[("t", "a.json")])], files([("a.json", text)]))
            .map_err(|faults| faults.to_string())
    };
    for keyword in ["allOf", "anyOf", "oneOf"] {
        assert!(compile(&branching(10, 3, keyword)).is_ok(), "usual unions are far below");
        let refused = compile(&branching(30, 6, keyword)).expect_err("30^6 subschemas for one value");
        assert!(refused.contains("subschemas on one value; at most 4096 are allowed"), "{refused}");
    }
    assert!(
        compile(&branching(10_000, 1, "anyOf")).expect_err("too many").contains("/$defs/d0: tries 20001 subschemas")
    );
}

#[test]
fn a_pattern_of_which_all_states_are_followed_takes_more_steps() {
    let text = |bytes: usize| format!("\"{}cabcab\"", "abbab".repeat(bytes / 5));
    let slow = json!({"pattern": "a[ab]{1000}c"});
    assert!(work(&slow, &text(60_000)).is_cut_short(), "60 million states are more than the steps allow");
    assert!(!work(&slow, &text(100)).is_cut_short());
    let some: Vec<_> = (0..8).map(|n| json!({"pattern": format!("a[ab]{{40}}c{n}x")})).collect();
    assert!(work(&json!({"anyOf": some}), &text(6_000)).is_cut_short());
    let usual: Vec<_> = (0..40).map(|n| json!({"pattern": format!("^[a-z]+-{n}$")})).collect();
    assert!(!work(&json!({"anyOf": usual}), &text(6_000)).is_cut_short());
}

#[test]
fn arithmetic_with_hundreds_of_digits_takes_more_steps() {
    let numbers = |number: &str| format!("[{}]", vec![number; 1_000].join(","));
    let multiples =
        |count: u32| json!({"items": {"allOf": (0..count).map(|_| json!({"multipleOf": 0.01})).collect::<Vec<_>>()}});
    assert!(!work(&multiples(1), &numbers("1e308")).is_cut_short());
    assert!(work(&multiples(60), &numbers("1e308")).is_cut_short());
    assert!(!work(&multiples(60), &numbers("10.08")).is_cut_short());
}
