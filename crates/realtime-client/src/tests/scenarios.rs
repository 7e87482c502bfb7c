//! Every file of tests/scenarios that names the layer of the machine.

use std::{fs, path::Path};

use serde_json::Value;

use super::runner::Runner;

/// Files without the layer of the machine: what they promise is the driver's.
const WITHOUT_MACHINE: [&str; 1] = ["s16-a-handler-that-throws.json"];

#[test]
fn every_scenario_runs_on_the_machine() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/scenarios");
    let mut files: Vec<_> =
        fs::read_dir(folder).expect("the scenarios").map(|file| file.expect("a file").path()).collect();
    files.retain(|file| file.to_str().is_some_and(|name| name.ends_with(".json") && !name.ends_with("schema.json")));
    files.sort();
    let (mut ran, mut left, mut failed) = (0, Vec::new(), Vec::new());
    for file in &files {
        let name = file.file_name().and_then(|name| name.to_str()).expect("a name");
        let scenario: Value = serde_json::from_str(&fs::read_to_string(file).expect("its text")).expect("JSON");
        let layers = scenario["layers"].as_array();
        if layers.is_some_and(|layers| !layers.iter().any(|layer| layer == "machine")) {
            left.push(name.to_owned());
            continue;
        }
        ran += 1;
        if let Err(error) = Runner::new(&scenario).run() {
            failed.push(format!("{name}: {error}"));
        }
    }
    println!("{ran} scenarios of {} files", files.len());
    assert!(failed.is_empty(), "{} of {ran} failed:\n{}", failed.len(), failed.join("\n\n"));
    assert_eq!(left, WITHOUT_MACHINE, "the files of other layers");
    assert!(ran >= 42, "{ran} files");
}
