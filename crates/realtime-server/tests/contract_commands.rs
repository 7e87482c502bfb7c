//! The message contract on the command line: what is generated from it, and whom a change of it breaks.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::TempDir;

const ORDER: &str = r#"{
    "type": "object", "required": ["status"], "additionalProperties": false,
    "properties": {"status": {"enum": ["open", "paid"]}, "total": {"type": "integer", "minimum": 0}}
}"#;

fn run(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_realtime-server"));
    command.args(args).env_clear();
    command.env("REALTIME_AUTH__HMAC_SECRET", "a-shared-secret-of-more-than-thirty-two-bytes");
    command.env("REALTIME_API__KEYS", "an-api-key-of-the-tests").output().expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A config in `folder` whose orders have this schema.
fn config(folder: &Path, schema: &str) -> PathBuf {
    fs::create_dir_all(folder.join("schemas")).expect("a folder");
    fs::write(folder.join("schemas/order.json"), schema).expect("a file");
    let path = folder.join("realtime.toml");
    let text = "[[namespaces]]\npattern = \"topic:order:*\"\nmessages = { order-updated = \"schemas/order.json\" }\n";
    fs::write(&path, text).expect("a file");
    path
}

fn arg(path: &Path) -> &str {
    path.to_str().expect("plain text")
}

/// Runs `check-config --against` for orders that had `old` and have `new`.
fn compared(old: &str, new: &str, more: &[&str]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let (old, new) = (config(&folder.path().join("old"), old), config(&folder.path().join("new"), new));
    let ran = run(&[&["check-config", "--config", arg(&new), "--against", arg(&old)], more].concat());
    (ran.status.code(), text(&ran.stdout) + &text(&ran.stderr))
}

#[test]
fn everything_that_a_client_team_needs_is_written_to_one_folder() {
    let folder: TempDir = tempfile::tempdir().expect("a folder");
    let (path, out) = (config(folder.path(), ORDER), folder.path().join("out"));
    let written = run(&["schemas", "--out", arg(&out), "--config", arg(&path), "--title", "Shop"]);
    assert!(written.status.success(), "{}", text(&written.stderr));
    let read = |name: &str| fs::read_to_string(out.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(read("topics.ts").contains("\"order:*\"") && read("topics.ts").contains("\"open\" | \"paid\""));
    assert!(read("topics.py").contains("order-updated") && read("topics_client.py").contains("order:*"));
    let asyncapi: serde_json::Value = serde_json::from_str(&read("asyncapi.json")).expect("JSON");
    assert_eq!((&asyncapi["asyncapi"], &asyncapi["info"]["title"]), (&"3.0.0".into(), &"Shop".into()));
    for name in ["contract.json", "schemas/schemas/order.json", "openapi.json", "publish-request.schema.json"] {
        read(name);
    }

    let none = folder.path().join("none");
    assert!(run(&["schemas", "--out", arg(&none)]).status.success());
    assert!(none.join("openapi.json").exists() && !none.join("contract.json").exists(), "no config, no contract");

    fs::write(folder.path().join("schemas/order.json"), r#"{"type": "objct"}"#).expect("a file");
    let refused = run(&["schemas", "--out", arg(&folder.path().join("never")), "--config", arg(&path)]);
    assert!(refused.status.code() == Some(2) && text(&refused.stderr).contains("schemas/order.json at /type"));
    assert!(!folder.path().join("never").exists(), "nothing is written of a config that can't be used");
}

#[test]
fn a_change_names_the_side_that_it_breaks_with_an_example() {
    let (code, said) = compared(ORDER, ORDER, &[]);
    assert!(code == Some(0) && said.contains("accepts what it accepted before"), "{said}");

    let refunded = ORDER.replace(r#""paid"]"#, r#""paid", "refunded"]"#);
    let (code, said) = compared(ORDER, &refunded, &[]);
    assert!(code == Some(1) && said.contains("breaks readers") && !said.contains("breaks writers"), "{said}");
    assert!(said.contains("refunded") && said.contains("--force"), "{said}");
    assert_eq!(compared(ORDER, &refunded, &["--force"]).0, Some(0));
    assert_eq!(compared(ORDER, &refunded, &["--evolve", "readers-first"]).0, Some(0));
    assert_eq!(compared(ORDER, &refunded, &["--evolve", "writers-first"]).0, Some(1));

    let required = ORDER.replace(r#"["status"]"#, r#"["status", "total"]"#);
    let (code, said) = compared(ORDER, &required, &[]);
    assert!(code == Some(1) && said.contains("breaks writers") && !said.contains("breaks readers"), "{said}");
    assert_eq!(compared(ORDER, &required, &["--evolve", "writers-first"]).0, Some(0));
}

#[test]
fn a_contract_is_compared_with_what_was_generated_from_the_last_release() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, out) = (config(folder.path(), ORDER), folder.path().join("out"));
    assert!(run(&["schemas", "--out", arg(&out), "--config", arg(&path)]).status.success());
    let check = || run(&["check-config", "--config", arg(&path), "--against", arg(&out)]);
    assert!(check().status.success(), "{}", text(&check().stderr));
    fs::write(&path, "").expect("a file");
    let gone = check();
    assert_eq!(gone.status.code(), Some(1));
    assert!(text(&gone.stdout).contains("topic:order:*: a pattern is gone"), "{}", text(&gone.stdout));

    let empty = tempfile::tempdir().expect("a folder");
    let wrong = run(&["check-config", "--config", arg(&path), "--against", arg(empty.path())]);
    assert!(wrong.status.code() == Some(2) && text(&wrong.stderr).contains("contract.json"), "{}", text(&wrong.stderr));
}
