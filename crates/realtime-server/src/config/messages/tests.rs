//! Contracts as they are written in TOML, beside their schema files.

use std::fs;

use realtime_ports::PayloadRules;
use realtime_schema::{Audience, Payload, Route};
use tempfile::TempDir;

use super::*;
use crate::config::{
    Config,
    tests::{problems, usable},
};

const ORDER: &str = r#"{"type": "object", "required": ["total"], "properties": {"total": {"type": "integer"}}}"#;
const BROKEN: &str = r#"{"properties": {"total": {"type": "intger"}}}"#;

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("schemas")).expect("a folder");
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect("a file");
    }
    folder
}

/// The config of a file in `folder`, with the keys that are required.
fn config(folder: &TempDir, text: &str) -> Config {
    let path = folder.path().join("realtime.toml");
    fs::write(&path, text).expect("a file");
    let loaded = Config::load(Some(&path), [], []).unwrap_or_else(|error| panic!("{error}"));
    Config { namespaces: loaded.namespaces, schema_dir: loaded.schema_dir, ..usable() }
}

fn fits(contract: &Contract, topic: &str, kind: &str, payload: &str) -> bool {
    let to = Audience::from(Route::Topic(topic.parse().expect("a topic")));
    let payload = Payload::from_text(payload.to_owned()).expect("JSON");
    contract.check(&to, &kind.parse().expect("a type"), &payload).is_ok()
}

#[test]
fn the_first_namespace_that_matches_decides_also_if_it_has_no_messages() {
    let folder = folder(&[("schemas/order.json", ORDER)]);
    let config = config(
        &folder,
        "[[namespaces]]\npattern = \"topic:order:draft\"\n\
         [[namespaces]]\npattern = \"topic:order:*\"\nmessages = { order-updated = \"schemas/order.json\" }\n\
         [[namespaces]]\npattern = \"topic:note:*\"\nmessages = { note = \"./schemas/order.json\" }\n\
         unknown_types = \"allow\"\n\
         [[namespaces]]\npattern = \"topic:**\"\n",
    );
    let contract = config.contract().expect("no fault").expect("a contract");
    let (good, bad) = (r#"{"total": 5}"#, r#"{"total": "5"}"#);
    assert!(fits(&contract, "order:1", "order-updated", good) && !fits(&contract, "order:1", "order-updated", bad));
    assert!(!fits(&contract, "order:1", "order-closed", good), "an unknown type is refused unless it is allowed");
    assert!(fits(&contract, "order:draft", "anything", bad), "the namespace before it has no messages");
    assert!(fits(&contract, "note:1", "anything", bad) && !fits(&contract, "note:1", "note", bad));
    assert!(fits(&contract, "other", "anything", bad));
}

#[test]
fn without_messages_there_is_no_contract_and_no_file_is_read() {
    let text = "[[namespaces]]\npattern = \"topic:**\"\n";
    let config = Config { schema_dir: "/no/such/folder".into(), ..config(&folder(&[]), text) };
    assert!(config.contract().expect("no fault").is_none());
    assert!(config.check().is_ok());
}

#[test]
fn every_fault_of_the_files_is_named_with_its_place() {
    let folder = folder(&[
        ("schemas/broken.json", BROKEN),
        ("schemas/refers.json", r#"{"properties": {"line": {"$ref": "line.json"}}}"#),
        ("schemas/pattern.json", r#"{"properties": {"name": {"type": "string", "pattern": "(?=a)"}}}"#),
        ("schemas/text.json", "{not JSON"),
    ]);
    let config = config(
        &folder,
        "[[namespaces]]\npattern = \"topic:order:*\"\n\
         [namespaces.messages]\nbroken = \"schemas/broken.json\"\nrefers = \"schemas/refers.json\"\n\
         pattern = \"schemas/pattern.json\"\ntext = \"schemas/text.json\"\nmissing = \"schemas/missing.json\"\n",
    );
    let found = problems(&config).join("\n");
    assert!(found.contains("namespaces[0].messages.missing: schemas/missing.json: can't be read"), "{found}");
    assert!(found.contains("namespaces[0].messages.text: schemas/text.json"), "{found}");
    assert!(found.contains("schemas/refers.json at /properties/line/$ref: `schemas/line.json`"), "{found}");
    // What can be read is judged once every file can be.
    for name in ["text.json", "missing.json", "line.json"] {
        fs::write(folder.path().join("schemas").join(name), "{}").expect("a file");
    }
    let found = problems(&config).join("\n");
    assert!(found.contains("namespaces[0].messages.broken: schemas/broken.json at /properties/total/type"), "{found}");
    fs::write(folder.path().join("schemas/broken.json"), "{}").expect("a file");
    let found = problems(&config).join("\n");
    assert!(found.contains("namespaces[0].messages.pattern: schemas/pattern.json at "), "{found}");
    assert!(found.contains("look-ahead"), "{found}");
}

#[test]
fn keys_that_have_no_effect_are_refused() {
    let folder = folder(&[("schemas/order.json", ORDER)]);
    let config = config(
        &folder,
        "[[namespaces]]\npattern = \"topic:a\"\nunknown_types = \"allow\"\n\
         [[namespaces]]\npattern = \"topic:a\"\nmessages = { a = \"schemas/order.json\" }\n",
    );
    let found = problems(&config);
    let keys: Vec<_> = found.iter().filter_map(|problem| problem.split(':').next()).collect();
    assert_eq!(keys, ["namespaces[0].unknown_types", "namespaces[1].messages"]);
    assert!(found[1].contains("namespaces[0] has the same pattern"), "{found:?}");
}

#[test]
fn a_path_that_leaves_the_directory_of_the_config_is_refused_where_it_stands() {
    for path in ["/etc/passwd", "../order.json", "schemas/../../order.json"] {
        let folder = folder(&[]);
        let file = folder.path().join("realtime.toml");
        let text = format!("[[namespaces]]\npattern = \"topic:a\"\nmessages = {{ a = \"{path}\" }}\n");
        fs::write(&file, text).expect("a file");
        let refused = Config::load(Some(&file), [], []).expect_err("refused").to_string();
        assert!(refused.contains("namespaces[0].messages.a (line 3): ") && refused.contains("below"), "{refused}");
    }
}
