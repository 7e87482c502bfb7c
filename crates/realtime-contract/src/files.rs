//! The schema files of a contract, as JSON.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    fault::{SchemaFault, SchemaFaults},
    limits::{FILE_BYTES, FILES, TOTAL_BYTES},
    parse,
    schema_path::SchemaPath,
    walk::{escaped, references, subschemas},
};

/// The parsed schema files of a contract, by their paths.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SchemaFiles {
    files: BTreeMap<SchemaPath, Value>,
}

impl SchemaFiles {
    /// Parses the texts of files.
    ///
    /// # Errors
    /// A text is not JSON, is too large or too deep, or has a key twice; or there are too many files or bytes.
    pub fn parse<T: AsRef<str>>(texts: impl IntoIterator<Item = (SchemaPath, T)>) -> Result<Self, SchemaFaults> {
        let (mut collected, mut faults) = (Collected::default(), Vec::new());
        for (path, text) in texts {
            if let Err(fault) = collected.add(&path, text.as_ref()) {
                faults.push(fault);
            }
        }
        SchemaFaults::unless(faults, collected.files)
    }

    /// The schema of a file.
    pub fn get(&self, path: &SchemaPath) -> Option<&Value> {
        self.files.get(path)
    }

    /// The files in the order of their paths.
    pub fn iter(&self) -> impl Iterator<Item = (&SchemaPath, &Value)> {
        self.files.iter()
    }
}

/// Files that are being collected, and the bounds of the whole.
#[derive(Default)]
pub(crate) struct Collected {
    pub(crate) files: SchemaFiles,
    bytes: u64,
}

impl Collected {
    /// Adds a file, within the bounds.
    pub(crate) fn add(&mut self, path: &SchemaPath, text: &str) -> Result<(), SchemaFault> {
        let fault = |message: String| SchemaFault::at(path, "", message);
        let bytes = text.len() as u64;
        if bytes > FILE_BYTES {
            return Err(fault(format!("has more than {FILE_BYTES} bytes; split it, with `$ref` to the parts")));
        }
        if self.files.files.len() == FILES {
            return Err(fault(format!("there are more than {FILES} schema files; join some of them")));
        }
        self.bytes += bytes;
        if self.bytes > TOTAL_BYTES {
            return Err(fault(format!("all schema files together have more than {TOTAL_BYTES} bytes")));
        }
        let schema = parse::value(text).map_err(|error| {
            let pointer = error.segments.iter().map(|segment| format!("/{}", escaped(segment))).collect::<String>();
            SchemaFault::at(path, pointer, error.message)
        })?;
        if !matches!(schema, Value::Object(_) | Value::Bool(_)) {
            return Err(fault("is no schema; a schema is an object, or `true` or `false`".into()));
        }
        self.files.files.insert(path.clone(), schema);
        Ok(())
    }
}

/// The files that `schema`, of the file `path`, refers to, each with the place of the reference.
pub(crate) fn referred(path: &SchemaPath, schema: &Value) -> Vec<(String, Result<SchemaPath, String>)> {
    let mut found = Vec::new();
    for (pointer, schema) in subschemas(schema) {
        for (keyword, reference) in references(schema) {
            if let Some(file) = file_of(path, reference) {
                found.push((format!("{pointer}/{keyword}"), file));
            }
        }
    }
    found
}

/// The file that a reference names; `None` for a reference within its file, and for an absolute URI, which a file may
/// have as its `$id`.
fn file_of(path: &SchemaPath, reference: &str) -> Option<Result<SchemaPath, String>> {
    let (file, _) = reference.split_once('#').unwrap_or((reference, ""));
    if file.is_empty() || is_absolute(file) {
        return None;
    }
    Some(path.refer(file).map_err(|error| error.message))
}

/// Whether a reference has a scheme (RFC 3986 section 3.1).
pub(crate) fn is_absolute(reference: &str) -> bool {
    reference.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    })
}
