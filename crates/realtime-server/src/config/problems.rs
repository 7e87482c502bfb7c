//! What is wrong with a config, collected so that all of it is reported at once.

use std::{fmt, io, path::PathBuf, str::FromStr, time::Duration};

use realtime_schema::FieldError;

use super::duration::Span;

/// The longest wait that a setting may ask for. A longer one is mostly a slip.
const MAX_WAIT: Duration = Duration::from_secs(24 * 3600);

/// Something that is wrong with a setting, and what to do about it. Never contains a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The setting, as a path or as an environment variable.
    pub key: String,
    /// Where its value was given, if that is known: `line 3`, an environment variable, or a flag.
    pub place: Option<String>,
    /// What is wrong.
    pub what: String,
}

impl Problem {
    /// A problem of `key`.
    pub fn new(key: impl Into<String>, what: impl Into<String>) -> Self {
        Self { key: key.into(), place: None, what: what.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{} ({place}): {}", self.key, self.what),
            None => write!(f, "{}: {}", self.key, self.what),
        }
    }
}

/// Why there is no config.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("the config file {} can't be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not TOML.
    #[error("the config file {} is not TOML: {problem}", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// Where and why.
        problem: String,
    },
    /// Settings are wrong: all of them, each with what to do.
    #[error("the config is not usable:{}", .0.iter().map(|problem| format!("\n  {problem}")).collect::<String>())]
    Problems(Vec<Problem>),
}

/// Collects problems while the sections are checked.
#[derive(Default)]
pub(super) struct Problems(Vec<Problem>);

impl Problems {
    pub(super) fn add(&mut self, key: &str, what: impl Into<String>) {
        self.0.push(Problem::new(key, what));
    }

    /// The value, or `None` after its error is added.
    pub(super) fn ok<T, E: fmt::Display>(&mut self, key: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.add(key, error.to_string())).ok()
    }

    /// The values of `texts` that can be parsed; the errors of the others are added.
    pub(super) fn each<T: FromStr<Err = FieldError>>(&mut self, key: &str, texts: &[String]) -> Vec<T> {
        texts.iter().filter_map(|text| self.ok(key, text.parse())).collect()
    }

    /// Checks limits that let nothing through when they are 0.
    pub(super) fn at_least_one(&mut self, limits: &[(&str, u64)]) {
        for (key, _) in limits.iter().filter(|(_, value)| *value == 0) {
            self.add(key, "is 0, which would let nothing through; give at least 1");
        }
    }

    /// Checks time spans that something waits for.
    pub(super) fn waits(&mut self, waits: &[(&str, Span)]) {
        for (key, _) in waits.iter().filter(|(_, wait)| wait.0.is_zero() || wait.0 > MAX_WAIT) {
            self.add(key, "is 0 or longer than a day; give a time between");
        }
    }

    pub(super) fn into_list(self) -> Vec<Problem> {
        self.0
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// `value`, if no problem was found.
    ///
    /// # Errors
    /// All problems.
    pub(super) fn none_or<T>(self, value: T) -> Result<T, ConfigError> {
        if self.0.is_empty() { Ok(value) } else { Err(ConfigError::Problems(self.0)) }
    }
}

/// A count as the checks take it.
pub(super) fn count(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}
