//! What is generated compiles: for every schema of a corpus the type takes the sample and refuses what was changed.

use std::{
    collections::BTreeMap,
    env,
    fmt::Write as _,
    fs::{self, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use realtime_contract::{
    Binding, Contract, SchemaFiles, SchemaPath,
    generate::{self, python, typescript},
};
use realtime_ports::PayloadRules;
use realtime_schema::{MessageType, Payload, Route, StreamPattern};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Case {
    name: String,
    schema: Value,
    sample: Value,
    /// Further samples, for a language whose types say more.
    #[serde(default)]
    sample_ts: Vec<Value>,
    mutated: Vec<Value>,
    #[serde(default)]
    mutated_ts: Vec<Value>,
}

const SHARED: &str = r#"{"$defs": {
    "point": {"type": "object", "required": ["x", "y"], "properties": {"x": {"type": "number"}, "y": {"type": "number"}}},
    "unit": {"enum": ["m", "km"], "description": "A unit."}
}}"#;

fn corpus() -> Vec<Case> {
    serde_json::from_str(include_str!("corpus.json")).expect("the corpus")
}

fn kind(case: &Case) -> MessageType {
    MessageType::new(&case.name).expect("a type")
}

/// The contract of the corpus: a topic pattern and a message type for each case, and bindings of every other kind.
fn contract(cases: &[Case]) -> Contract {
    sharing(cases, cases.len())
}

/// The same where only the first `shared` types are those of other streams too.
fn sharing(cases: &[Case], shared: usize) -> Contract {
    let path = |text: String| text.parse::<SchemaPath>().expect("a path");
    let mut texts = vec![(path("shared.json".into()), SHARED.to_owned())];
    let mut bindings = Vec::new();
    for (at, case) in cases.iter().enumerate() {
        let file = path(format!("case{at}.json"));
        let mut schema = case.schema.clone();
        if let Some(members) = schema.as_object_mut() {
            members.insert("examples".into(), Value::Array(vec![case.sample.clone()]));
        }
        texts.push((file.clone(), schema.to_string()));
        let pattern = format!("topic:case{at}:*:{{sub}}:**").parse().expect("a pattern");
        bindings.push(Binding::new(pattern).with(kind(case), file));
    }
    let all: Vec<_> = bindings.iter().take(shared).flat_map(|binding| binding.messages.clone()).collect();
    for pattern in ["all", "user", "role:*", "role:a \"quoted\" */ role"] {
        let binding = Binding::new(pattern.parse().expect("a pattern")).allowing_unknown_types();
        bindings.push(all.iter().cloned().fold(binding, |binding, (kind, path)| binding.with(kind, path)));
    }
    bindings.push(Binding::new(StreamPattern::Topic("empty".parse().expect("a pattern"))));
    let files = SchemaFiles::parse(texts).expect("files");
    Contract::compile(bindings, files).expect("a contract")
}

/// The name of a case's type: its file is the first of its kind.
fn type_of(at: usize) -> String {
    format!("Case{at}")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the workspace").to_owned()
}

/// Says, loudly, that `test` could not run. In continuous integration everything is installed, so there it fails.
fn skip(test: &str, why: &str) {
    eprintln!("SKIPPED {test}: {why}");
    assert!(!env::var("CI").is_ok_and(|ci| ci == "true"), "{test} can't be skipped here: {why}");
    if let Some(path) = env::var_os("REALTIME_SKIPS") {
        let mut file = OpenOptions::new().append(true).create(true).open(path).expect("the file of skipped tests");
        writeln!(file, "{test}: {why}").expect("the file of skipped tests");
    }
}

/// A package of tests/foreign, and Node to run it with; or a note that `test` was skipped.
fn package(test: &str, name: &str) -> Option<PathBuf> {
    let path = root().join("tests/foreign/node_modules").join(name);
    if !path.is_dir() || Command::new("node").arg("--version").output().is_err() {
        skip(test, "Node or its packages are not installed; run `npm ci --prefix tests/foreign --ignore-scripts`");
        return None;
    }
    Some(path)
}

fn run(command: &mut Command) -> (bool, String) {
    let Output { status, stdout, stderr } = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    (status.success(), format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)))
}

fn tsc(typescript: &Path, folder: &Path, file: &str) -> (bool, String) {
    let mut compile = Command::new("node");
    compile.arg(typescript.join("bin/tsc")).current_dir(folder);
    compile.args(["--strict", "--noEmit", "--target", "es2022", "--module", "nodenext", "--types", "", file]);
    run(&mut compile)
}

#[test]
fn the_corpus_is_what_its_schemas_say() {
    let cases = corpus();
    let contract = contract(&cases);
    for case in &cases {
        let check =
            |payload: &Value| contract.check(&Route::All.into(), &kind(case), &Payload::of(payload).expect("JSON"));
        for sample in [&case.sample].into_iter().chain(&case.sample_ts) {
            assert_eq!(check(sample), Ok(()), "{}: {sample}", case.name);
        }
        for mutated in case.mutated.iter().chain(&case.mutated_ts) {
            assert!(check(mutated).is_err(), "{}: {mutated}", case.name);
        }
    }
}

#[test]
fn typescript_takes_every_sample_and_refuses_what_was_changed() {
    let Some(compiler) = package("typescript_takes_every_sample_and_refuses_what_was_changed", "typescript") else {
        return;
    };
    let cases = corpus();
    let output = typescript(&contract(&cases));
    let mut program = String::from("import type * as t from \"./topics.js\";\n");
    for (at, case) in cases.iter().enumerate() {
        // Through the pattern and the message type, as a client comes to it.
        let pattern = format!("case{at}:*:*:**");
        let payload = format!("t.Topics[{}][{}]", Value::from(pattern), Value::from(case.name.clone()));
        for value in [&case.sample].into_iter().chain(&case.sample_ts) {
            writeln!(program, "{{ const value: {payload} = {value}; void value; }}").expect("a text");
        }
        for value in case.mutated.iter().chain(&case.mutated_ts) {
            writeln!(program, "// @ts-expect-error {at}\n{{ const value: {payload} = {value}; void value; }}")
                .expect("a text");
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("topics.ts"), &output.files["topics.ts"]).expect("a file");
    fs::write(folder.path().join("program.ts"), program).expect("a file");
    let (ok, text) = tsc(&compiler, folder.path(), "program.ts");
    assert!(ok, "{text}\n{}", output.files["topics.ts"]);
}

#[test]
fn a_program_that_misuses_a_topic_a_type_or_a_field_does_not_compile() {
    let Some(compiler) = package("a_program_that_misuses_a_topic_a_type_or_a_field_does_not_compile", "typescript")
    else {
        return;
    };
    let output = typescript(&contract(&corpus()));
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("topics.ts"), &output.files["topics.ts"]).expect("a file");
    let program = fs::read_to_string(root().join("tests/foreign/contract.ts")).expect("the program");
    fs::write(folder.path().join("right.ts"), &program).expect("a file");
    let (ok, text) = tsc(&compiler, folder.path(), "right.ts");
    assert!(ok, "{text}");

    fs::write(folder.path().join("wrong.ts"), program.replace("// @ts-expect-error", "//")).expect("a file");
    let (ok, text) = tsc(&compiler, folder.path(), "wrong.ts");
    println!("{text}");
    assert!(!ok && text.lines().filter(|line| line.starts_with("wrong.ts")).count() == 7, "{text}");
    for said in ["'number'", "possibly 'undefined'", "\"flat objekt\"", "'total' is missing"] {
        assert!(text.contains(said), "{said}: {text}");
    }
}

#[test]
fn python_takes_every_sample_and_refuses_what_was_changed() {
    let mypy = root().join("target/ci/venv/bin/mypy");
    if !mypy.is_file() {
        let why = "mypy is not installed; run `.ci/run`, or make target/ci/venv from tests/foreign/requirements.txt";
        return skip("python_takes_every_sample_and_refuses_what_was_changed", why);
    }
    let cases = corpus();
    let output = python(&contract(&cases));
    let mut program = String::from("import topics as t\n");
    for (at, case) in cases.iter().enumerate() {
        writeln!(program, "s{at}: t.{} = {}", type_of(at), literal(&case.sample)).expect("a text");
        for (number, value) in case.mutated.iter().enumerate() {
            // If the line is right, the comment is an error.
            writeln!(program, "m{at}_{number}: t.{} = {}  # type: ignore", type_of(at), literal(value))
                .expect("a text");
        }
    }
    program += "def narrow(message: t.TopicCase0AnySubRest) -> int:\n    return message[\"payload\"][\"total\"]\n";
    program += "def wrong(message: t.All) -> int:\n    return message[\"payload\"]  # type: ignore\n";
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("topics.py"), &output.files["topics.py"]).expect("a file");
    fs::write(folder.path().join("program.py"), program).expect("a file");
    let package = folder.path().join("package");
    fs::create_dir(&package).expect("a folder");
    for name in ["topics.py", "topics_client.py"] {
        fs::write(package.join(name), &output.files[name]).expect("a file");
    }
    fs::write(package.join("__init__.py"), "").expect("a file");
    let mut check = Command::new(mypy);
    check.args(["--strict", "--python-version", "3.10", "--no-incremental", "program.py", "topics.py", "package"]);
    check.env("MYPYPATH", root().join("clients/python/src"));
    let (ok, text) = run(check.current_dir(folder.path()));
    assert!(ok, "{text}\n{}", output.files["topics_client.py"]);
    let (ok, text) = run(Command::new("python3").args(["-c", "import topics"]).current_dir(folder.path()));
    assert!(ok, "{text}");
}

/// The Python client is type-checked against these files: clients/python/tests/typed.
#[test]
fn the_files_that_the_python_client_is_tested_with_are_what_is_generated() {
    let folder = root().join("clients/python/tests/typed");
    let read = |name: &str| fs::read_to_string(folder.join(name)).expect(name);
    let path = |text: &str| text.parse::<SchemaPath>().expect("a path");
    let texts = ["order-updated", "note", "said"]
        .map(|kind| (path(&format!("{kind}.json")), read(&format!("schemas/{kind}.json"))));
    let typed = |pattern: &str, kinds: &[&str]| {
        let binding = Binding::new(pattern.parse().expect("a pattern"));
        let add = |binding: Binding, kind: &&str| {
            binding.with(MessageType::new(*kind).expect("a type"), path(&format!("{kind}.json")))
        };
        kinds.iter().fold(binding, add)
    };
    let bindings = vec![
        typed("topic:order:*", &["note", "order-updated"]),
        typed("topic:chat:**", &["said"]),
        typed("user", &["note"]),
    ];
    let output =
        python(&Contract::compile(bindings, SchemaFiles::parse(texts.to_vec()).expect("files")).expect("a contract"));
    if env::var_os("UPDATE").is_some() {
        for (name, text) in &output.files {
            fs::write(folder.join("contract").join(name), text).expect("a file");
        }
    }
    for (name, text) in &output.files {
        assert_eq!(
            *text,
            read(&format!("contract/{name}")),
            "{name}: run this test with UPDATE=1, and commit the result"
        );
    }
}

/// A JSON value as Python writes it.
fn literal(value: &Value) -> String {
    match value {
        Value::Null => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => {
            let escaped = text.chars().map(|c| format!("\\U{:08x}", u32::from(c))).collect::<String>();
            // In plain text where that is possible: keys are compared by the checker.
            let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || " _-".contains(c));
            if plain { format!("\"{text}\"") } else { format!("\"{escaped}\"") }
        }
        Value::Array(items) => format!("[{}]", items.iter().map(literal).collect::<Vec<_>>().join(", ")),
        Value::Object(members) => {
            let members: BTreeMap<_, _> = members.iter().collect();
            let texts = members
                .into_iter()
                .map(|(name, value)| format!("{}: {}", literal(&name.clone().into()), literal(value)));
            format!("{{{}}}", texts.collect::<Vec<_>>().join(", "))
        }
    }
}

#[test]
fn asyncapi_accepts_the_document_and_every_example_fits() {
    if package("asyncapi_accepts_the_document_and_every_example_fits", "@asyncapi/parser").is_none() {
        return;
    }
    // The parser takes seconds for each: those with references, another draft, or hostile names.
    let telling = ["reference", "tree", "draft 7", "hostile", "anything", "flat"];
    let mut cases = corpus();
    cases.retain(|case| telling.iter().any(|word| case.name.contains(word)));
    for case in &mut cases {
        // The parser itself fails at a field of this name, wherever it stands.
        let text = serde_json::json!([case.schema, case.sample]).to_string().replace("__proto__", "proto");
        [case.schema, case.sample] = serde_json::from_str(&text).expect("JSON");
    }
    let output = generate::asyncapi(&sharing(&cases, 1), "The corpus", "1.0.0");
    assert_eq!(output.warnings, [], "every sample is an example that fits");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("asyncapi.json");
    fs::write(&file, &output.files["asyncapi.json"]).expect("a file");
    let (ok, text) = run(Command::new("node").arg(root().join("tests/foreign/asyncapi.mjs")).arg(&file));
    assert!(ok, "{text}");
    let counts = format!("{} channels, {} operations", cases.len() + 5, 2 * (cases.len() + 1) + 4);
    assert!(text.contains(&counts), "{text}: {counts}");

    // The check can fail.
    cases.retain(|case| case.name == "tree");
    let output = generate::asyncapi(&sharing(&cases, 1), "The corpus", "1.0.0");
    let broken = output.files["asyncapi.json"].replace("/Case0Json/schema", "/Case1Json/schema");
    fs::write(&file, broken).expect("a file");
    let (ok, _) = run(Command::new("node").arg(root().join("tests/foreign/asyncapi.mjs")).arg(&file));
    assert!(!ok, "a reference that leads nowhere is refused");
}

#[test]
fn the_same_contract_has_the_same_output() {
    let cases = corpus();
    let all = || generate::all(&contract(&cases), "The corpus", "1.0.0");
    let output = all();
    assert_eq!(output, all());
    let names: Vec<_> = output.files.keys().filter(|name| !name.starts_with("schemas/")).collect();
    assert_eq!(names, ["asyncapi.json", "contract.json", "topics.py", "topics.ts", "topics_client.py"]);
    assert_eq!(output.files.len(), 5 + cases.len() + 1);
    let warned: Vec<_> = output.warnings.iter().map(ToString::to_string).collect();
    for place in ["/if: is not expressed", "/patternProperties: is not expressed", "`properties` without a `type`"] {
        assert!(warned.iter().any(|warning| warning.contains(place)), "{place}: {warned:?}");
    }
}
