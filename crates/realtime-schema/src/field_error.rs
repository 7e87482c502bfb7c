//! Errors of fields: the path of the field and what is wrong with it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One refused field, as in the `errors` of an `error` frame and of an HTTP problem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(example = FieldError::new("topic", "must not be empty"))]
pub struct FieldError {
    /// The field, as a JSON pointer (RFC 6901): `/topic`, `/publications/3/to`. Empty for the whole document.
    #[schemars(regex(pattern = r"^(?:/(?:[^~/]|~[01])*)*$"))]
    pub path: String,
    /// What is wrong, and the valid values.
    pub message: String,
}

impl FieldError {
    /// An error of the field `name` of the document; of the document itself if `name` is empty.
    pub fn new(name: impl AsRef<str>, message: impl Into<String>) -> Self {
        Self { path: pointer_to(name.as_ref()), message: message.into() }
    }

    /// An error of the field at `pointer`, with the message of its parser. Messages of this crate's types begin with the
    /// name of the field, which is removed here because the path has it already.
    pub fn parsed(pointer: impl Into<String>, message: String) -> Self {
        let path = pointer.into();
        let name = path.rsplit('/').next().unwrap_or_default();
        let rest = message.strip_prefix(name).and_then(|rest| rest.strip_prefix(": "));
        let message = rest.map(str::to_owned).unwrap_or(message);
        Self { path, message }
    }

    /// The same error in a document that has this one in its field `name`.
    #[must_use]
    pub fn under(self, name: &str) -> Self {
        self.within(&pointer_to(name))
    }

    /// The same error in a document that has this one at `pointer`.
    #[must_use]
    pub fn within(mut self, pointer: &str) -> Self {
        self.path.insert_str(0, pointer);
        self
    }
}

/// The JSON pointer to the field `name`; empty for no name.
fn pointer_to(name: &str) -> String {
    if name.is_empty() { String::new() } else { format!("/{}", name.replace('~', "~0").replace('/', "~1")) }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.strip_prefix('/') {
            None => f.write_str(&self.message),
            Some(path) => write!(f, "{path}: {}", self.message),
        }
    }
}

impl std::error::Error for FieldError {}
