//! From the layers (defaults, file, environment, flags) to one config, or to everything that is wrong with them.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use toml::{Table, Value};

use super::{
    file::File,
    keys::{PREFIX, join, variable},
    problems::{ConfigError, Problem},
    sections::Config,
    service_links::is_service_link,
    shape::{Fault, Shape, nearest},
    values,
};

/// The longest unknown key that an error repeats, in characters. A longer one may be a secret in the wrong position.
const MAX_SHOWN_KEY_CHARS: usize = 40;

impl Config {
    /// Reads the layers, each over the one before: the defaults, `file`, `env` and `flags` (paths with values).
    ///
    /// `env` may contain anything; variables that do not begin with `REALTIME_` are not read, and those that
    /// Kubernetes sets for services (`REALTIME_REDIS_SERVICE_HOST`) are ignored.
    ///
    /// # Errors
    /// A file that can't be read, or all unknown keys and all values that do not fit. No error contains a secret.
    pub fn load(
        file: Option<&Path>,
        env: impl IntoIterator<Item = (String, String)>,
        flags: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Result<Self, ConfigError> {
        Draft::read(file, env, flags)?.finish()
    }
}

/// Where a value comes from.
#[derive(Clone)]
enum Source {
    Line(usize),
    Variable(String),
    Flag(&'static str),
}

/// A config as read, with what is wrong with it.
pub(crate) struct Draft {
    /// `None` if the faults leave no config that could be checked further.
    config: Option<Config>,
    problems: Vec<Problem>,
    /// The keys of these problems.
    faulty: BTreeSet<String>,
    places: Places,
    service_links: Vec<String>,
}

/// Where each value comes from, by the path of its key.
#[derive(Clone, Default)]
pub(crate) struct Places(BTreeMap<String, Source>);

impl Places {
    /// `problem`, with the place of its value.
    pub(crate) fn place(&self, problem: Problem) -> Problem {
        Problem { place: self.of(&problem.key), ..problem }
    }

    /// Where the value of `key` comes from, or that of the list or the section around it.
    fn of(&self, key: &str) -> Option<String> {
        let mut key = key;
        loop {
            match self.0.get(key) {
                Some(Source::Line(line)) => return Some(format!("line {line}")),
                Some(Source::Variable(name)) => return Some(name.clone()),
                Some(Source::Flag(key)) => {
                    let name = key.strip_prefix("server.").unwrap_or(key).replace(['.', '_'], "-");
                    return Some(if *key == "store.dir" { "--data-dir".to_owned() } else { format!("--{name}") });
                }
                None => key = &key[..key.rfind(['.', '['])?],
            }
        }
    }
}

impl Draft {
    /// Reads the layers; see [`Config::load`].
    ///
    /// # Errors
    /// The file can't be read, or is not TOML.
    pub(crate) fn read(
        file: Option<&Path>,
        env: impl IntoIterator<Item = (String, String)>,
        flags: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Result<Self, ConfigError> {
        let shape = Shape::of_config();
        let known = shape.paths();
        let File { table, lines } = file.map(File::read).transpose()?.unwrap_or_default();
        let mut draft = Self {
            config: None,
            problems: Vec::new(),
            faulty: BTreeSet::new(),
            places: Places(lines.into_iter().map(|(key, line)| (key, Source::Line(line))).collect()),
            service_links: Vec::new(),
        };
        let mut table = draft.fitting(table, &shape, &known);
        draft.overlay_env(&mut table, env, &shape, &known);
        for (key, text) in flags {
            let path: Vec<_> = key.split('.').map(str::to_owned).collect();
            let value = shape.at(&path).map_or(Value::String(text.clone()), |shape| {
                shape.parse(&text).unwrap_or_else(|_| Value::String(text.clone()))
            });
            draft.set(&mut table, &path, value, Source::Flag(key));
        }
        // The environment's lists may contain what does not fit either.
        let table = draft.fitting(table, &shape, &known);
        let (config, faults) = values::deserialize(table, &shape, &draft.faulty);
        for (key, what) in faults {
            draft.add(key, what);
        }
        draft.config = config;
        if let (Some(config), Some(directory)) = (&mut draft.config, file.and_then(Path::parent)) {
            config.schema_dir = directory.to_owned();
        }
        Ok(draft)
    }

    /// The config, if every key is known and every value fits. It is not checked yet.
    ///
    /// # Errors
    /// What does not fit.
    pub(crate) fn finish(self) -> Result<Config, ConfigError> {
        match self.config {
            Some(config) if self.problems.is_empty() => Ok(config),
            _ => Err(ConfigError::Problems(self.problems)),
        }
    }

    /// The config, checked after `complete` gave it what may be missing from the layers.
    ///
    /// # Errors
    /// Everything that is wrong: unknown keys, values that do not fit, and what [`Config::check`] finds.
    pub(crate) fn checked(mut self, complete: impl FnOnce(&mut Config)) -> Result<Config, ConfigError> {
        if let Some(config) = &self.config {
            let mut completed = config.clone();
            complete(&mut completed);
            let found = completed.problems();
            let earlier = self.faulty.clone();
            for Problem { key, what, .. } in found {
                // What follows from a fault that was found already is none of its own.
                let follows = earlier.iter().any(|fault| key == *fault || is_within(&key, fault));
                if !follows {
                    self.add(key, what);
                }
            }
        }
        self.finish()
    }

    /// Where each value comes from.
    pub(crate) fn places(&self) -> Places {
        self.places.clone()
    }

    /// The variables that were ignored because Kubernetes sets them for other services.
    pub(crate) fn service_links(&self) -> &[String] {
        &self.service_links
    }

    /// Adds a problem of a value.
    fn add(&mut self, key: String, what: String) {
        let place = self.places.of(&key);
        self.faulty.insert(key.clone());
        self.problems.push(Problem { place, ..Problem::new(key, what) });
    }

    fn fitting(&mut self, table: Table, shape: &Shape, known: &[String]) -> Table {
        let mut faults = Vec::new();
        let fitting = shape.fitting(Value::Table(table), "", known, &mut faults);
        for fault in faults {
            match fault {
                Fault::Type { key, what } => self.add(key, what),
                Fault::Unknown { key, nearest, siblings } => {
                    let shown = match key.rsplit_once('.').unwrap_or(("", &key)) {
                        (section, name) if name.chars().count() > MAX_SHOWN_KEY_CHARS => {
                            join(section, "(a key too long to show)")
                        }
                        _ => key.clone(),
                    };
                    let place = self.places.of(&key);
                    self.problems.push(Problem { place, ..no_such(&shown, nearest, &siblings) });
                }
            }
        }
        match fitting {
            Some(Value::Table(table)) => table,
            _ => Table::new(),
        }
    }

    fn overlay_env(
        &mut self,
        table: &mut Table,
        env: impl IntoIterator<Item = (String, String)>,
        shape: &Shape,
        known: &[String],
    ) {
        for (name, text) in env {
            let Some(rest) = name.strip_prefix(PREFIX) else { continue };
            let key = rest.to_lowercase().replace("__", ".");
            let path: Vec<_> = key.split('.').map(str::to_owned).collect();
            let Some(inner) = shape.at(&path) else {
                if is_service_link(rest, &text) {
                    self.service_links.push(name);
                } else {
                    self.problems.push(no_such(&name, meant(&key, known).map(|path| variable(&path)), &[]));
                }
                continue;
            };
            match inner.parse(&text) {
                Ok(value) => self.set(table, &path, value, Source::Variable(name)),
                Err(what) => {
                    self.faulty.insert(key);
                    self.problems.push(Problem::new(name, what));
                    let placeholder = if inner.is_secret() && !matches!(inner, Shape::Table(_)) {
                        inner.placeholder()
                    } else {
                        continue;
                    };
                    put(table, &path, placeholder);
                }
            }
        }
    }

    fn set(&mut self, table: &mut Table, path: &[String], value: Value, source: Source) {
        let key = path.join(".");
        self.places.0.retain(|known, _| !is_within(known, &key));
        self.places.0.insert(key, source);
        put(table, path, value);
    }
}

/// Whether `key` is a part of what `outer` contains.
fn is_within(key: &str, outer: &str) -> bool {
    key.strip_prefix(outer).is_some_and(|rest| rest.starts_with(['.', '[']))
}

/// The setting that a variable's key stands for with its section left out or one underscore too few, or the nearest.
fn meant(key: &str, known: &[String]) -> Option<String> {
    let flat = known.iter().find(|path| path.replace('.', "_") == key);
    let mut same_end = known.iter().filter(|path| path.rsplit('.').next() == Some(key));
    flat.or_else(|| same_end.next()).cloned().or_else(|| nearest(key, known))
}

/// The problem of an unknown key, with the nearest that exists, or else all `siblings`.
fn no_such(key: &str, nearest: Option<String>, siblings: &[String]) -> Problem {
    let hint = match (nearest, siblings) {
        (Some(nearest), _) => format!("did you mean `{nearest}`?"),
        (None, [first @ .., last]) if !first.is_empty() => {
            format!("the keys here are `{}` and `{last}`", first.join("`, `"))
        }
        (None, _) => "`realtime-server config-reference` lists every setting".to_owned(),
    };
    Problem::new(key, format!("there is no such setting; {hint}"))
}

pub(super) fn put(table: &mut Table, path: &[String], value: Value) {
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
