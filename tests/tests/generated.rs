//! Code that others generate from the JSON Schemas compiles, tells frames apart and accepts what a later server adds.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use realtime_tests::{program, skip};
use serde_json::{Value, json};

/// The schemas that a client and a backend start from.
const NAMES: [&str; 3] = ["server-frame", "client-command", "publish-request"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

fn foreign() -> PathBuf {
    root().join("tests/foreign")
}

/// Runs `command`, which must succeed, with `input` on its standard input; returns what it wrote.
fn run(mut command: Command, input: &str) -> String {
    let mut process = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut stdin = process.stdin.take().expect("its input");
    std::io::Write::write_all(&mut stdin, input.as_bytes()).expect("it reads");
    drop(stdin);
    let Output { status, stdout, stderr } = process.wait_with_output().expect("its output");
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{command:?}: {status}\n{stdout}{stderr}");
    stdout.into_owned()
}

/// A type that a generator had to number, because two have the same name.
fn numbered<'a>(code: &'a str, keyword: &str) -> Vec<&'a str> {
    let names = code.lines().filter_map(|line| line.trim_start_matches("export ").strip_prefix(keyword));
    let names = names.filter_map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric()).next());
    names.filter(|name| name.ends_with(|c: char| c.is_ascii_digit())).collect()
}

#[test]
fn typescript_narrows_a_frame_by_its_type() {
    let test = "typescript_narrows_a_frame_by_its_type";
    let Some(node) = program(test, &["node", "nodejs"]) else { return };
    let modules = foreign().join("node_modules");
    if !modules.join("json-schema-to-typescript").is_dir() || !modules.join("typescript").is_dir() {
        return skip(test, "its packages are not installed; run `npm ci --prefix tests/foreign --ignore-scripts`");
    }
    let out = tempfile::tempdir().expect("a folder");
    let mut generate = Command::new(&node);
    generate.arg(foreign().join("generate.mjs")).arg(root().join("docs/schemas")).arg(out.path()).args(NAMES);
    run(generate, "");
    for name in NAMES {
        let code = std::fs::read_to_string(out.path().join(format!("{name}.ts"))).expect("generated code");
        for keyword in ["interface ", "type "] {
            assert_eq!(numbered(&code, keyword), [""; 0], "{name}");
        }
    }
    std::fs::copy(foreign().join("program.ts"), out.path().join("program.ts")).expect("the program");
    let mut compile = Command::new(&node);
    compile.arg(modules.join("typescript/bin/tsc"));
    compile.args(["--strict", "--noEmit", "--target", "es2022", "--module", "nodenext", "--types", ""]);
    compile.arg("program.ts").current_dir(out.path());
    run(compile, "");
}

#[test]
fn python_models_read_every_frame_and_what_a_later_server_adds() {
    let test = "python_models_read_every_frame_and_what_a_later_server_adds";
    let bin = root().join("target/ci/venv/bin");
    if !bin.join("datamodel-codegen").is_file() || !bin.join("mypy").is_file() {
        return skip(
            test,
            "its packages are not installed; run `python3 -m venv target/ci/venv` and `target/ci/venv/bin/pip install -r tests/foreign/requirements.txt`",
        );
    }
    let out = tempfile::tempdir().expect("a folder");
    for name in NAMES {
        let target = out.path().join(format!("{}.py", name.replace('-', "_")));
        let mut generate = Command::new(bin.join("datamodel-codegen"));
        generate.arg("--input").arg(root().join(format!("docs/schemas/{name}.schema.json")));
        generate.args(["--input-file-type", "jsonschema", "--output-model-type", "pydantic_v2.BaseModel"]);
        generate.args(["--use-annotated", "--use-title-as-name", "--target-python-version", "3.11"]);
        generate.arg("--output").arg(&target);
        run(generate, "");
        let code = std::fs::read_to_string(&target).expect("generated code");
        assert_eq!(numbered(&code, "class "), [""; 0], "{name}");
    }
    std::fs::copy(foreign().join("program.py"), out.path().join("program.py")).expect("the program");
    let mut check = Command::new(bin.join("mypy"));
    check.args(["--strict", "program.py"]).current_dir(out.path());
    run(check, "");

    let schema = std::fs::read_to_string(root().join("docs/schemas/server-frame.schema.json")).expect("the schema");
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    let mut frames = schema["examples"].as_array().expect("examples").clone();
    let (known, now) = (frames.len(), "2026-11-23T13:00:00.123Z");
    frames.extend([
        json!({"type": "gap", "payload": {"reason": "moved", "since": 1}, "timestamp": now}),
        json!({"type": "unsubscribed", "payload": {"topic": "t", "reason": "moved"}, "timestamp": now, "later": {}}),
        json!({"type": "error", "payload": {"code": "bad_luck", "status": 418, "message": "m", "retry": false}, "timestamp": now}),
    ]);
    let lines: Vec<_> = frames.iter().map(Value::to_string).collect();
    let mut read = Command::new(bin.join("python"));
    read.arg("program.py").current_dir(out.path());
    let said = run(read, &lines.join("\n"));
    let said: Vec<_> = said.lines().collect();
    assert_eq!(said.len(), frames.len());
    for (frame, said) in frames[..known].iter().zip(&said) {
        let kind = frame["type"].as_str().expect("a type");
        let expected = if frame["id"].is_string() { "publication" } else { kind };
        assert!(said.starts_with(expected), "{frame}: {said}");
    }
    assert_eq!(said[known..], ["gap - moved", "unsubscribed", "error bad_luck "]);
}
