//! From the layers (defaults, file, environment, flags) to one config, or to everything that is wrong with them.

use std::{fs, path::Path};

use serde::Deserialize;
use toml::{Table, Value};

use super::{
    Config, ConfigError, Problem,
    shape::{Shape, nearest},
};

/// What every setting's environment variable begins with.
const PREFIX: &str = "REALTIME_";

impl Config {
    /// Reads the layers, each over the one before: the defaults, `file`, `env` and `flags` (paths with values).
    ///
    /// `env` may hold anything; what does not begin with `REALTIME_` is not looked at, nor what Kubernetes sets for a
    /// service named `realtime`.
    ///
    /// # Errors
    /// A file that can't be read, or every key that there is not and every value that does not fit.
    pub fn load(
        file: Option<&Path>,
        env: impl IntoIterator<Item = (String, String)>,
        flags: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Result<Self, ConfigError> {
        let shape = Shape::of_config();
        let mut problems = Vec::new();
        let mut table = match file {
            Some(path) => read(path)?,
            None => Table::new(),
        };
        problems.extend(shape.unknown(&table).into_iter().map(|unknown| no_such(&unknown.key, unknown.nearest)));
        overlay_env(&mut table, env, &shape, &mut problems);
        for (key, text) in flags {
            let path: Vec<_> = key.split('.').map(str::to_owned).collect();
            if let Some(value) = shape.at(&path).and_then(|shape| shape.parse(&text).ok()) {
                put(&mut table, &path, value);
            }
        }
        if !problems.is_empty() {
            return Err(ConfigError::Problems(problems));
        }
        serde_path_to_error::deserialize(Value::Table(table)).map_err(|error| {
            let key = error.path().to_string();
            ConfigError::Problems(vec![Problem::new(key, in_words(error.into_inner().message().trim()))])
        })
    }
}

fn read(path: &Path) -> Result<Table, ConfigError> {
    let text = fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    let toml = |error: toml::de::Error| ConfigError::Toml { path: path.to_owned(), problem: placed(&text, &error) };
    Table::deserialize(toml::Deserializer::parse(&text).map_err(toml)?).map_err(toml)
}

/// What is wrong and on which line, without the line itself: it may hold a secret.
fn placed(text: &str, error: &toml::de::Error) -> String {
    let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].lines().count().max(1));
    format!("line {line}: {}", error.message())
}

fn overlay_env(
    table: &mut Table,
    env: impl IntoIterator<Item = (String, String)>,
    shape: &Shape,
    problems: &mut Vec<Problem>,
) {
    let known = shape.paths();
    for (name, text) in env {
        let Some(rest) = name.strip_prefix(PREFIX) else { continue };
        let key = rest.to_lowercase().replace("__", ".");
        let path: Vec<_> = key.split('.').map(str::to_owned).collect();
        let Some(inner) = shape.at(&path) else {
            if !is_of_kubernetes(rest) {
                problems.push(no_such(&name, meant(&key, &known).map(|path| variable(&path))));
            }
            continue;
        };
        match inner.parse(&text) {
            Ok(value) => put(table, &path, value),
            Err(what) => problems.push(Problem::new(name, what)),
        }
    }
}

/// Whether Kubernetes sets such a variable in every container beside a service named `realtime`, with or without
/// anything after its name: `REALTIME_SERVICE_HOST`, `REALTIME_PORT_8080_TCP_ADDR`.
fn is_of_kubernetes(rest: &str) -> bool {
    let of = |whole: &str| rest == whole || rest.strip_prefix(whole).is_some_and(|rest| rest.starts_with('_'));
    rest == "SERVICE_HOST" || of("SERVICE_PORT") || of("PORT")
}

/// The setting that a variable's key stands for with its section left out or one underscore too few, or the nearest.
fn meant(key: &str, known: &[String]) -> Option<String> {
    let flat = known.iter().find(|path| path.replace('.', "_") == key);
    let mut same_end = known.iter().filter(|path| path.rsplit('.').next() == Some(key));
    flat.or_else(|| same_end.next()).cloned().or_else(|| nearest(key, known))
}

/// The environment variable of a key.
pub(super) fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', "__").to_uppercase())
}

fn no_such(key: &str, nearest: Option<String>) -> Problem {
    let hint = nearest.map_or_else(
        || "`realtime-server config-reference` lists every setting".to_owned(),
        |nearest| format!("did you mean `{nearest}`?"),
    );
    Problem::new(key, format!("there is no such setting; {hint}"))
}

/// What serde says of a value, where it names what it expected as Rust does.
fn in_words(said: &str) -> String {
    let Some((found, expected)) = said.rsplit_once(", expected ") else { return said.to_owned() };
    let expected = match expected {
        "usize" | "u64" => "a whole number, 0 or more",
        "u32" => "a whole number from 0 to 4294967295",
        name if name.starts_with("struct ") => "a section with its own keys",
        "a sequence" => "a list",
        other => other,
    };
    format!("{found}, expected {expected}")
}

fn put(table: &mut Table, path: &[String], value: Value) {
    match path {
        [] => {}
        [name] => {
            table.insert(name.clone(), value);
        }
        [name, rest @ ..] => {
            let inner = table.entry(name.clone()).or_insert_with(|| Value::Table(Table::new()));
            if !inner.is_table() {
                *inner = Value::Table(Table::new());
            }
            if let Some(inner) = inner.as_table_mut() {
                put(inner, rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests;
