//! What is generated from a contract: JSON Schemas, an AsyncAPI document, types for TypeScript and Python.
//!
//! The same contract always has the same output. What a language can't express is left wider, never narrower: a payload
//! that fits its schema fits the generated type, and each place that became `unknown` has a comment and a warning.

mod asyncapi;
mod json_schema;
mod merge;
mod names;
mod python;
mod python_client;
mod shape;
mod text;
mod types;
mod typescript;

use std::collections::BTreeMap;

use crate::{contract::Contract, fault::SchemaFault};

/// Generated files and what could not be expressed in them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// The texts by file name, with `/` between folders.
    pub files: BTreeMap<String, String>,
    /// Places of the schemas that a person should look at; the files are usable all the same.
    pub warnings: Vec<SchemaFault>,
}

impl Output {
    fn of(name: &str, text: String, warnings: Vec<SchemaFault>) -> Self {
        Self { files: [(name.to_owned(), text)].into(), warnings }
    }

    fn join(mut self, other: Self) -> Self {
        self.files.extend(other.files);
        for warning in other.warnings {
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
        self
    }
}

/// Everything: `contract.json`, `schemas/…`, `asyncapi.json`, `topics.ts`, `topics.py` and `topics_client.py`.
pub fn all(contract: &Contract, title: &str, version: &str) -> Output {
    json_schemas(contract).join(asyncapi(contract, title, version)).join(typescript(contract)).join(python(contract))
}

/// `contract.json`, which lists the bindings, and each schema file as it is below `schemas/`.
pub fn json_schemas(contract: &Contract) -> Output {
    json_schema::output(contract)
}

/// `asyncapi.json`, an AsyncAPI 3.0 document: a channel for each pattern, with the schemas as they are. Directions are
/// seen from the server: it sends what clients receive.
pub fn asyncapi(contract: &Contract, title: &str, version: &str) -> Output {
    asyncapi::output(contract, title, version)
}

/// `topics.ts`: the type `Topics`, which has the payload types by topic pattern and message type, `Streams` with those of
/// the other streams, and the types that they use.
pub fn typescript(contract: &Contract) -> Output {
    typescript::output(contract)
}

/// `topics.py` for Python 3.10 or later: a `TypedDict` or an alias for each payload, and for each pattern a union of its
/// messages that narrows by `type`. `topics_client.py` has the signatures of the Python client for them.
pub fn python(contract: &Contract) -> Output {
    python::output(contract)
}
