//! The TOML file: its values, and on which line each key stands.

use std::{collections::BTreeMap, fs, path::Path};

use serde::Deserialize;
use toml::{
    Spanned, Table,
    de::{DeTable, DeValue},
};

use super::{keys::join, problems::ConfigError};

/// The values of a file.
#[derive(Default)]
pub(super) struct File {
    pub(super) table: Table,
    /// The line of each key, by its path (`namespaces[0].pattern`).
    pub(super) lines: BTreeMap<String, usize>,
}

impl File {
    /// Reads the file.
    ///
    /// # Errors
    /// It can't be read, or is not TOML. All syntax errors are listed, each with its line and without the line's
    /// content, which may be a secret.
    pub(super) fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let line_of = |at: usize| text[..at.min(text.len())].matches('\n').count() + 1;
        let (parsed, errors) = DeTable::parse_recoverable(&text);
        let mut problems: Vec<_> = errors
            .iter()
            .map(|error| format!("line {}: {}", error.span().map_or(1, |span| line_of(span.start)), error.message()))
            .collect();
        problems.dedup();
        let not_toml = |problems: &[String]| ConfigError::Toml { path: path.to_owned(), problem: problems.join("; ") };
        if !problems.is_empty() {
            return Err(not_toml(&problems));
        }
        let mut lines = BTreeMap::new();
        collect_lines(parsed.get_ref(), "", &line_of, &mut lines);
        let table = Table::deserialize(toml::Deserializer::from(parsed)).map_err(|error| {
            // Its own message repeats the value.
            let line = error.span().map_or_else(String::new, |span| format!("line {}: ", line_of(span.start)));
            not_toml(&[format!("{line}a number of more digits than TOML allows; write a text in quotes")])
        })?;
        Ok(Self { table, lines })
    }
}

fn collect_lines(
    table: &DeTable<'_>,
    prefix: &str,
    line_of: &impl Fn(usize) -> usize,
    lines: &mut BTreeMap<String, usize>,
) {
    for (name, value) in table {
        let key = join(prefix, name.get_ref());
        lines.insert(key.clone(), line_of(name.span().start));
        value_lines(value, &key, line_of, lines);
    }
}

fn value_lines(
    value: &Spanned<DeValue<'_>>,
    key: &str,
    line_of: &impl Fn(usize) -> usize,
    lines: &mut BTreeMap<String, usize>,
) {
    match value.get_ref() {
        DeValue::Table(table) => collect_lines(table, key, line_of, lines),
        DeValue::Array(entries) => {
            for (index, entry) in entries.iter().enumerate() {
                let key = format!("{key}[{index}]");
                lines.insert(key.clone(), line_of(entry.span().start));
                value_lines(entry, &key, line_of, lines);
            }
        }
        _ => {}
    }
}
