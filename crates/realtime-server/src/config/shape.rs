//! Which keys there are and what each holds, read off the config's own schema.

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use serde_json::Value as Json;
use toml::{Table, Value};

use super::Config;

/// What a key holds.
#[derive(Debug)]
pub(super) enum Shape {
    /// More keys.
    Table(BTreeMap<String, Shape>),
    /// A list of one kind.
    List(Box<Shape>),
    /// A text, a path, an address, a time span or a word.
    Text,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Boolean,
}

/// A key that there is not.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unknown {
    /// Its whole path.
    pub(super) key: String,
    /// The nearest one that there is.
    pub(super) nearest: Option<String>,
}

/// The schema of the whole config, with nothing left to look up.
pub(super) fn schema() -> Json {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<Config>().into()
}

impl Shape {
    pub(super) fn of_config() -> Self {
        Self::of(&schema())
    }

    fn of(schema: &Json) -> Self {
        if let Some(properties) = schema["properties"].as_object() {
            return Self::Table(properties.iter().map(|(name, inner)| (name.clone(), Self::of(inner))).collect());
        }
        // An optional value's type is a pair, of which `null` is the second.
        let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str());
        match kind {
            Some("array") => Self::List(Box::new(Self::of(&schema["items"]))),
            Some("integer") => Self::Integer,
            Some("boolean") => Self::Boolean,
            _ => Self::Text,
        }
    }

    /// What is at a path.
    pub(super) fn at(&self, path: &[String]) -> Option<&Self> {
        match path {
            [] => Some(self),
            [name, rest @ ..] => match self {
                Self::Table(keys) => keys.get(name)?.at(rest),
                _ => None,
            },
        }
    }

    /// The value that a text from the environment stands for.
    pub(super) fn parse(&self, text: &str) -> Result<Value, String> {
        match self {
            Self::Text => Ok(Value::String(text.to_owned())),
            Self::Integer => {
                text.trim().parse().map(Value::Integer).map_err(|_| format!("`{text}` is not a whole number"))
            }
            Self::Boolean => {
                text.trim().parse().map(Value::Boolean).map_err(|_| format!("`{text}` is neither `true` nor `false`"))
            }
            Self::List(inner) if matches!(**inner, Self::Text) && !text.trim_start().starts_with('[') => {
                let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
                Ok(Value::Array(entries.map(|entry| Value::String(entry.to_owned())).collect()))
            }
            Self::List(_) => {
                let line = format!("value = {text}");
                let table: Table = line.parse().map_err(|_| "is not a list as TOML writes it".to_owned())?;
                table.get("value").cloned().ok_or_else(|| "is not a list".to_owned())
            }
            Self::Table(_) => Err("is a section; set one of its keys".to_owned()),
        }
    }

    /// The keys of `table` that there are not.
    pub(super) fn unknown(&self, table: &Table) -> Vec<Unknown> {
        let known = self.paths();
        let mut found = Vec::new();
        self.collect_unknown(table, "", &known, &mut found);
        found
    }

    fn collect_unknown(&self, table: &Table, prefix: &str, known: &[String], found: &mut Vec<Unknown>) {
        let Self::Table(keys) = self else { return };
        for (name, value) in table {
            let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            match (keys.get(name), value) {
                (None, _) => found.push(Unknown { nearest: nearest(&key, known), key }),
                (Some(inner), Value::Table(table)) => inner.collect_unknown(table, &key, known, found),
                (Some(Self::List(inner)), Value::Array(entries)) => {
                    for entry in entries.iter().filter_map(Value::as_table) {
                        inner.collect_unknown(entry, &key, known, found);
                    }
                }
                _ => {}
            }
        }
    }

    /// The path of every key, sections included.
    pub(super) fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.collect_paths("", &mut paths);
        paths
    }

    fn collect_paths(&self, prefix: &str, paths: &mut Vec<String>) {
        match self {
            Self::Table(keys) => {
                for (name, inner) in keys {
                    let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                    paths.push(path.clone());
                    inner.collect_paths(&path, paths);
                }
            }
            Self::List(inner) => inner.collect_paths(prefix, paths),
            _ => {}
        }
    }
}

/// The known key that `key` is most like, if it is at all like one: as a whole, or by its last part alone.
pub(super) fn nearest(key: &str, known: &[String]) -> Option<String> {
    fn last(path: &str) -> &str {
        path.rsplit('.').next().unwrap_or(path)
    }
    let likeness = |path: &String| {
        let whole = strsim::jaro_winkler(key, path);
        let part = strsim::jaro_winkler(last(key), last(path)) * 0.97;
        whole.max(part)
    };
    known
        .iter()
        .map(|path| (likeness(path), path))
        .filter(|(likeness, _)| *likeness > 0.84)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, path)| path.clone())
}
