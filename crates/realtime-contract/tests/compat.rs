//! Whom a change breaks: a table of changes with their verdicts.

use realtime_contract::{
    Binding, Contract, SchemaFiles,
    compat::{Change, Effect, Evolve, Example, compare},
};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Row {
    name: String,
    old: Value,
    new: Value,
    readers: String,
    writers: String,
    #[serde(default)]
    note: bool,
}

fn contract(bindings: Vec<Binding>, schema: &Value) -> Contract {
    let files = SchemaFiles::parse([("a.json".parse().expect("a path"), schema.to_string())]).expect("a file");
    Contract::compile(bindings, files).unwrap_or_else(|faults| panic!("{faults}"))
}

fn binding(pattern: &str, kinds: &[&str]) -> Binding {
    kinds.iter().fold(Binding::new(pattern.parse().expect("a pattern")), |binding, kind| {
        binding.with(kind.parse().expect("a type"), "a.json".parse().expect("a path"))
    })
}

fn verdict(effect: &Effect) -> &'static str {
    match effect {
        Effect::Safe => "safe",
        Effect::Breaks(_) => "breaks",
        Effect::CannotTell(_) => "unknown",
    }
}

#[test]
fn every_change_of_the_table_has_its_verdict() {
    let rows: Vec<Row> = serde_json::from_str(include_str!("compat.json")).expect("the table");
    assert!(rows.len() >= 40);
    let mut wrong = Vec::new();
    for row in &rows {
        let side = |schema| contract(vec![binding("all", &["t"])], schema);
        let (old, new) = (side(&row.old), side(&row.new));
        let changes = compare(&old, &new);
        let (readers, writers, noted) = match changes.as_slice() {
            [] => ("same", "same", false),
            [change] => (verdict(&change.readers), verdict(&change.writers), !change.notes.is_empty()),
            more => panic!("{}: {more:?}", row.name),
        };
        if (readers, writers, noted) != (row.readers.as_str(), row.writers.as_str(), row.note) {
            wrong.push(format!("{}: readers {readers}, writers {writers}; {changes:?}", row.name));
        }
        // An example is a payload that one side accepts and the other does not.
        for change in &changes {
            println!("{}\n  {change}", row.name);
            example_is_right(&change.readers, (&new, &old));
            example_is_right(&change.writers, (&old, &new));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn example_is_right(effect: &Effect, (accepts, refuses): (&Contract, &Contract)) {
    use realtime_ports::PayloadRules;
    use realtime_schema::{Payload, Route};
    if let Effect::Breaks(Example::Payload(payload)) = effect {
        let payload = Payload::of(payload).expect("JSON");
        let check = |contract: &Contract| contract.check(&Route::All.into(), &"t".parse().expect("a type"), &payload);
        assert!(check(accepts).is_ok() && check(refuses).is_err(), "{payload:?}");
    }
}

#[test]
fn what_is_gone_breaks_readers_and_what_is_new_breaks_neither_side() {
    let any = Value::Bool(true);
    let verdicts = |old: Vec<Binding>, new: Vec<Binding>| {
        let changes = compare(&contract(old, &any), &contract(new, &any));
        let short = |change: &Change| (change.what, verdict(&change.readers), verdict(&change.writers));
        changes.iter().map(short).collect::<Vec<_>>()
    };
    let (one, two) = (vec![binding("user", &["a"])], vec![binding("user", &["a"]), binding("role:*", &["b"])]);
    assert_eq!(verdicts(one.clone(), one.clone()), []);
    assert_eq!(verdicts(one.clone(), two.clone()), [("a pattern is new", "safe", "safe")]);
    assert_eq!(verdicts(two.clone(), one.clone()), [("a pattern is gone", "breaks", "safe")]);
    let more = vec![binding("user", &["a", "b"])];
    assert_eq!(verdicts(one.clone(), more.clone()), [("a type is new", "safe", "safe")]);
    assert_eq!(verdicts(more, one.clone()), [("a type is gone", "breaks", "breaks")]);
    let open = vec![binding("user", &["a"]).allowing_unknown_types()];
    assert_eq!(verdicts(one.clone(), open.clone()), [("types without a schema are published", "safe", "safe")]);
    assert_eq!(verdicts(open, one), [("types without a schema are refused", "safe", "breaks")]);
    let turned = vec![binding("role:*", &["b"]), binding("user", &["a"])];
    assert_eq!(verdicts(two, turned), [("a pattern has another place", "unknown", "unknown")]);
}

#[test]
fn the_side_that_is_updated_first_may_break() {
    let change = |old: &str, new: &str| {
        let side = |text: &str| contract(vec![binding("all", &["t"])], &serde_json::from_str(text).expect("JSON"));
        compare(&side(old), &side(new)).remove(0)
    };
    let widened = change(r#"{"type":"integer"}"#, r#"{"type":"number"}"#);
    let narrowed = change(r#"{"type":"number"}"#, r#"{"type":"integer"}"#);
    let permitted = |evolve: Evolve| (evolve.permits(&widened), evolve.permits(&narrowed));
    assert_eq!(permitted(Evolve::ReadersFirst), (true, false));
    assert_eq!(permitted(Evolve::WritersFirst), (false, true));
    assert_eq!(permitted(Evolve::Both), (false, false));
    assert_eq!(widened.to_string(), "all `t`: a schema has changed\n  breaks readers: for example the payload 0.5");
}
