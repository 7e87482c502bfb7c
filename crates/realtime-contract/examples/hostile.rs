//! Payloads and schemas that want to be slow, beside a plain payload of the same size: the time of a check, and what bounds
//! it.
//!
//! `cargo run --release -p realtime-contract --example hostile`
#![allow(clippy::disallowed_macros, clippy::disallowed_methods)] // It prints, and reads a clock.

use std::time::{Duration, Instant};

use realtime_contract::{Binding, Contract, SchemaFiles};
use realtime_ports::PayloadRules;
use realtime_schema::{FieldError, Payload, Route};
use serde_json::{Value, json};

/// The size of the payloads: the largest that a client may publish by default.
const BYTES: usize = 64 * 1024;

/// The schema of the plain payload.
const ORDER: &str = include_str!("../benches/order.json");

fn main() {
    println!("{:44} {:>9} {:>9} {:>7}  result", "payload and schema", "bytes", "us", "x plain");
    deep_and_wide();
    numbers_and_text();
    patterns();
    combinations();
    println!("\nschemas that are refused when they are loaded:");
    refused("30^6 references, `allOf`", &branching("allOf"));
    refused("30^6 references, `oneOf`", &branching("oneOf"));
    refused("a pattern of 100,000 states", &json!({"pattern": "a[ab]{100000}c"}));
    refused("a pattern with look-around", &json!({"pattern": "^(?=a)b"}));
}

fn deep_and_wide() {
    let nested = json!({"items": {"$ref": "#"}});
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    row("64 levels", &nested, &deep(64));
    row("65 levels", &nested, &deep(65));
    row("32,000 levels", &nested, &deep(32_000));
    for fields in [5_000, 100_000] {
        let list: Vec<_> = (0..fields).map(|n| format!(r#""k{n}":{n}"#)).collect();
        let wide = format!("{{{}}}", list.join(","));
        row(&format!("{fields} keys"), &json!({"additionalProperties": {"type": "integer"}}), &wide);
        row(&format!("{fields} keys, closed object"), &json!({"additionalProperties": false}), &wide);
        let patterns: serde_json::Map<_, _> = (1..=32).map(|n| (format!("[a-z]{{{n},}}[xyz]$"), json!({}))).collect();
        let schema = json!({"patternProperties": patterns, "unevaluatedProperties": false});
        row(&format!("{fields} keys, 32 patterns for each"), &schema, &wide);
        let twice = format!("{},\"k0\":0}}", wide.trim_end_matches('}'));
        row(&format!("{fields} keys, the last one twice"), &json!({}), &twice);
    }
}

fn numbers_and_text() {
    let number = json!({"items": {"type": "number"}});
    row("1e400", &number, "[1e400]");
    row("a number of 64,000 digits", &number, &format!("[{}]", "7".repeat(64_000)));
    row("a fraction of 64,000 digits", &number, &format!("[0.{}]", "7".repeat(64_000)));
    row("1e308, `multipleOf` 0.01", &json!({"items": {"multipleOf": 0.01}}), &list("1e308"));
    let many: Vec<_> = (0..1_000).map(|_| json!({"multipleOf": 0.01})).collect();
    row("1e308, 1,000 times `multipleOf` 0.01", &json!({"items": {"allOf": many}}), &list("1e308"));
    row("lone surrogates", &json!({}), &list(r#""\ud800""#));
    row("a text of 64,000, four formats", &formats(), &format!("\"{}@{}\"", "a".repeat(32_000), "b.".repeat(16_000)));
}

fn patterns() {
    let mut random = 1_u64;
    let mut bait: String = std::iter::repeat_with(|| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        if random >> 63 == 0 { 'a' } else { 'b' }
    })
    .take(BYTES - 10)
    .collect();
    bait.push_str("cabcab");
    let aaa = format!("\"{}!\"", "a".repeat(BYTES - 10));
    for pattern in ["^(a+)+$", "^(a|aa)+$", "(x+x+)+y", "^([a-z]+)*[0-9]$"] {
        row(&format!("`aaa…!`, {pattern}"), &json!({"pattern": pattern}), &aaa);
    }
    for pattern in ["a[ab]{20}c", "a[ab]{300}c", "a[ab]{1000}c", "([ab]{1,30}a){1,30}cb"] {
        row(&format!("random text, {pattern}"), &json!({"pattern": pattern}), &format!("\"{bait}\""));
    }
    let many: Vec<_> = (0..300).map(|n| json!({"pattern": format!("a[ab]{{300}}c{n}x")})).collect();
    row("random text, 300 such patterns", &json!({"anyOf": many}), &format!("\"{bait}\""));
}

fn combinations() {
    let numbers = |count: usize| Value::from((0..count).collect::<Vec<_>>()).to_string();
    row("uniqueItems", &json!({"uniqueItems": true}), &numbers(12_500));
    row("uniqueItems, brackets", &json!({"uniqueItems": true}), &brackets());
    let options: Vec<_> = (0..5_000).map(|n| json!({"a": n})).collect();
    row("`enum` of 5,000 objects", &json!({"items": {"enum": options}}), &list(r#"{"a":-1}"#));
    let variants: Vec<_> = (0..500).map(|n| json!({"required": [format!("f{n}")]})).collect();
    row("`oneOf` of 500", &json!({"items": {"oneOf": variants}}), &list("{}"));
    let field = |name: &str| json!({"required": [name], "properties": {"a": {"$ref": "#"}}});
    let schema = json!({"anyOf": [field("x"), field("y"), field("z"), field("w")]});
    row("`anyOf` of 4 at each of 63 levels", &schema, &format!("{}1{}", r#"{"a":"#.repeat(63), "}".repeat(63)));
}

fn row(name: &str, schema: &Value, payload: &str) {
    let contract = compile(schema).unwrap_or_else(|faults| panic!("{name}: {faults}"));
    let result = match Payload::from_text(payload.to_owned()) {
        Err(error) => format!("no JSON: {error}"),
        Ok(payload) => match check(&contract, &payload) {
            Ok(()) => "fits".to_owned(),
            Err(faults) => format!("{} faults: {}", faults.len(), faults[0].message),
        },
    };
    let order = ORDER.replace(r#""maxItems": 1000,"#, "");
    let order = compile(&serde_json::from_str(&order).expect("JSON")).expect("a contract");
    let (own, plain) = (time(&contract, payload), time(&order, &plain(payload.len())));
    let ratio = own.as_secs_f64() / plain.as_secs_f64();
    let result: String = result.chars().take(70).collect();
    println!("{name:44} {:>9} {:>9.0} {ratio:>7.1}  {result}", payload.len(), own.as_secs_f64() * 1e6);
}

/// The shortest of some checks.
fn time(contract: &Contract, payload: &str) -> Duration {
    let payload = Payload::from_text(payload.to_owned()).expect("JSON");
    let run = || {
        let start = Instant::now();
        let _ = std::hint::black_box(check(contract, &payload));
        start.elapsed()
    };
    (0..5).map(|_| run()).min().unwrap_or_default()
}

fn check(contract: &Contract, payload: &Payload) -> Result<(), Vec<FieldError>> {
    contract.check(&Route::All.into(), &"t".parse().expect("a type"), payload)
}

fn compile(schema: &Value) -> Result<Contract, String> {
    let path = || "a.json".parse().expect("a path");
    let files = SchemaFiles::parse([(path(), schema.to_string())]).map_err(|error| error.to_string())?;
    let binding = Binding::new("all".parse().expect("a pattern")).with("t".parse().expect("a type"), path());
    Contract::compile(vec![binding], files).map_err(|error| error.to_string())
}

fn refused(name: &str, schema: &Value) {
    let start = Instant::now();
    let faults = compile(schema).err().unwrap_or_else(|| panic!("{name} is not refused"));
    println!("{name:44} {:>7.1} ms  {faults}", start.elapsed().as_secs_f64() * 1e3);
}

/// An order with as many lines as so many bytes hold.
fn plain(bytes: usize) -> String {
    let line = r#"{"sku":"article-00001","count":1,"note":null}"#;
    let order = |lines: &str| {
        format!(
            r#"{{"order":"a","status":"paid","total":1,"currency":"EUR","updated_at":"2026-11-23T13:00:00Z","lines":[{lines}]}}"#
        )
    };
    let count = (bytes.saturating_sub(order("").len()) / (line.len() + 1)).max(1);
    order(&vec![line; count].join(","))
}

/// As many of these values as fit.
fn list(value: &str) -> String {
    format!("[{}]", vec![value; BYTES / (value.len() + 1)].join(","))
}

fn formats() -> Value {
    let formats = ["email", "uri", "uuid", "date-time"].map(|format| json!({"format": format}));
    json!({"allOf": formats})
}

/// Distinct arrays of brackets.
fn brackets() -> String {
    let mut shapes = vec!["[]".to_owned()];
    let mut at = 0;
    while shapes.len() < 4_000 {
        let inner = shapes[at].clone();
        shapes.push(format!("[{inner}]"));
        shapes.push(format!("[[],{inner}]"));
        at += 1;
    }
    format!("[{}]", shapes.join(","))
}

/// Each schema refers 30 times to the next one, six times in turn.
fn branching(keyword: &str) -> Value {
    let mut defs = serde_json::Map::new();
    for level in 0..6 {
        let next = json!({"$ref": format!("#/$defs/d{}", level + 1)});
        defs.insert(format!("d{level}"), json!({keyword: vec![next; 30]}));
    }
    defs.insert("d6".into(), json!({"minimum": 0}));
    json!({"$ref": "#/$defs/d0", "$defs": defs})
}
