//! Why a value was refused: the path of the field and what is wrong with it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One field that was refused, as it travels in the `errors` of an `error` frame and of an HTTP problem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(example = FieldError::new("topic", "must not be empty"))]
pub struct FieldError {
    /// Path of the field, parts joined by dots: `topic`, `publications.3.to`. Empty for the whole document.
    pub path: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl FieldError {
    /// A refusal of `path` because of `message`.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }

    /// A refusal of `path` with what its parser said. Our own types begin with their name; the path has said it already.
    pub fn said(path: impl Into<String>, message: String) -> Self {
        let path = path.into();
        let name = path.rsplit('.').next().unwrap_or(&path);
        let rest = message.strip_prefix(name).and_then(|rest| rest.strip_prefix(": "));
        let message = rest.map(str::to_owned).unwrap_or(message);
        Self { path, message }
    }

    /// The same refusal, seen from the document that holds the field under `parent`.
    #[must_use]
    pub fn under(mut self, parent: &str) -> Self {
        self.path = match (parent.is_empty(), self.path.is_empty()) {
            (true, _) => self.path,
            (false, true) => parent.to_owned(),
            (false, false) => format!("{parent}.{}", self.path),
        };
        self
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() { f.write_str(&self.message) } else { write!(f, "{}: {}", self.path, self.message) }
    }
}

impl std::error::Error for FieldError {}
