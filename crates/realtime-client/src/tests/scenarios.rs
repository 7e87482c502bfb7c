//! Every file of tests/scenarios: on the machine alone, and on the whole client over real sockets.

use std::{fs, path::Path};

use serde_json::Value;

use super::{runner::Runner, sockets::Sockets, subject::Subject};

/// Files that do not run on the machine: what they promise is the driver's.
const NOT_ON_THE_MACHINE: [&str; 1] = ["s16-a-handler-that-throws.json"];

/// Files that do not run over sockets, and why.
const NOT_OVER_SOCKETS: [(&str, &str); 3] = [
    ("s08-token-of-forty-days.json", "the file names the machine alone: no server is silent for 40 days"),
    (
        "s16-a-handler-that-throws.json",
        "this client has no handlers: readers are tasks of the application; see `a_task_that_panics_ends_alone`",
    ),
    ("s19-laptop-wakes-up.json", "the file names the machine alone: the old token request has ended with its task"),
];

/// The scenarios, but for those that are left out; their names must be `left`.
fn files(layer: &str, left_out: &[&str]) -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/scenarios");
    let mut files: Vec<_> =
        fs::read_dir(folder).expect("the scenarios").map(|file| file.expect("a file").path()).collect();
    files.retain(|file| file.to_str().is_some_and(|name| name.ends_with(".json") && !name.ends_with("schema.json")));
    files.sort();
    let mut all = Vec::new();
    for file in &files {
        let name = file.file_name().and_then(|name| name.to_str()).expect("a name");
        let scenario: Value = serde_json::from_str(&fs::read_to_string(file).expect("its text")).expect("JSON");
        let other = scenario["layers"].as_array().is_some_and(|layers| !layers.iter().any(|it| it == layer));
        let out = left_out.contains(&name);
        assert!(out || !other, "{name} names other layers: it must be left out, with a reason");
        if !out {
            all.push((name.to_owned(), scenario));
        }
    }
    assert_eq!(all.len() + left_out.len(), files.len(), "each file that is left out exists");
    all
}

fn client(scenario: &Value) -> (&str, usize, Option<Option<String>>) {
    let options = &scenario["options"];
    let token = scenario.get("token").map(|token| token.as_str().map(str::to_owned));
    (options["client"].as_str().unwrap_or("tab-1"), options["max_offline"].as_u64().unwrap_or(100) as usize, token)
}

fn run_all(files: &[(String, Value)], run: impl Fn(&Value, f64) -> Result<(), String>) {
    let mut failed = Vec::new();
    for (name, scenario) in files {
        if let Err(error) = run(scenario, scenario["random"].as_f64().unwrap_or(0.5)) {
            failed.push(format!("{name}: {error}"));
        }
    }
    println!("{} scenarios", files.len());
    assert!(failed.is_empty(), "{} of {} failed:\n{}", failed.len(), files.len(), failed.join("\n\n"));
}

#[test]
fn every_scenario_runs_on_the_machine() {
    let files = files("machine", &NOT_ON_THE_MACHINE);
    assert!(files.len() >= 42, "{} files", files.len());
    run_all(&files, |scenario, random| {
        let (name, max_offline, token) = client(scenario);
        Runner::new(scenario, Subject::new(name, max_offline, token, random)).run()
    });
}

#[test]
fn every_scenario_runs_over_sockets() {
    let files = files("sockets", &NOT_OVER_SOCKETS.map(|(name, _)| name));
    assert!(files.len() >= 40, "{} files", files.len());
    run_all(&files, |scenario, random| {
        let (name, max_offline, token) = client(scenario);
        Runner::new(scenario, Sockets::new(name, max_offline, token, random)).run()
    });
}
