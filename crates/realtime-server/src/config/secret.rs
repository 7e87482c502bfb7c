//! Values that are never shown.

use std::{borrow::Cow, env, fs, path::Path};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

/// Stands in a setting's schema for a secret text: `#[schemars(with = "Option<SecretText>")]`. A setting with such a
/// schema appears in no error and no log, whatever was given in its place.
pub(super) struct SecretText;

impl JsonSchema for SecretText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "SecretText".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "password", "writeOnly": true})
    }
}

/// `text` without the one newline that it ends in, as files and `echo` leave it; `None` if it ends in none.
pub(super) fn without_newline(text: &str) -> Option<&str> {
    let text = text.strip_suffix('\n')?;
    Some(text.strip_suffix('\r').unwrap_or(text))
}

/// A path as an error shows it: what is given in place of a path may be the secret itself, unless it begins with `/` or
/// `.`. A relative one with the directory that it is relative to.
pub(super) fn shown(path: &Path) -> String {
    let base = base(path);
    if path.is_absolute() || path.starts_with(".") || path.starts_with("..") {
        format!("{}{base}", path.display())
    } else {
        format!("the file (not shown: it may be a secret in place of a path){base}")
    }
}

/// What an error adds to a relative path, which is looked up in the working directory; nothing for an absolute one.
pub(super) fn base(path: &Path) -> String {
    if path.is_absolute() {
        return String::new();
    }
    match env::current_dir() {
        Ok(directory) => format!(" (a relative path: looked up in the working directory, {})", directory.display()),
        Err(_) => " (a relative path: looked up in the working directory)".to_owned(),
    }
}

/// The contents of a file with one secret, which need not be text. A newline after it is usual there, and is left out
/// without a warning.
pub(super) fn in_file(path: &Path) -> Result<Vec<u8>, String> {
    let mut secret = fs::read(path).map_err(|error| format!("{}: {error}", shown(path)))?;
    if secret.last() == Some(&b'\n') {
        secret.pop();
        if secret.last() == Some(&b'\r') {
            secret.pop();
        }
    }
    Ok(secret)
}

#[cfg(test)]
mod tests;
