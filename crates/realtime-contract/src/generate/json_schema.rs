//! The schema files as they are, and a list of the bindings.

use serde_json::{Value, json};

use super::Output;
use crate::contract::Contract;

pub(super) fn output(contract: &Contract) -> Output {
    let mut output = Output::default();
    let bindings: Vec<Value> =
        contract.bindings().iter().map(|binding| serde_json::to_value(binding).expect("a binding is JSON")).collect();
    output.files.insert("contract.json".into(), pretty(&json!({"topics": bindings})));
    for (path, schema) in contract.files().iter() {
        output.files.insert(format!("schemas/{path}"), pretty(schema));
    }
    output
}

pub(super) fn pretty(value: &Value) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("a value is JSON");
    text.push('\n');
    text
}
