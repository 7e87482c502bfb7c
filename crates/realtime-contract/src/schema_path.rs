//! The name of a schema file: its path below the directory of the configuration.

use std::{fmt, str::FromStr};

use realtime_schema::FieldError;
use serde::{Deserialize, Deserializer, Serialize};

/// The path of a schema file, relative to the configuration's directory, with `/` on every system: `schemas/order.json`.
///
/// Its segments have letters and digits of ASCII, `.`, `-`, `_` and `~`, so that it is the same in a `$ref`. There is no
/// `..`: a path never leaves its directory.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct SchemaPath(String);

impl SchemaPath {
    /// The most characters of a path.
    pub const MAX_CHARS: usize = 255;

    /// The path as it is written, without `./`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The file that a relative reference in this file names, such as `line.json` or `common/line.json`.
    pub(crate) fn refer(&self, reference: &str) -> Result<Self, FieldError> {
        let folder = self.0.rsplit_once('/').map_or("", |(folder, _)| folder);
        if folder.is_empty() || reference.starts_with('/') {
            return reference.parse();
        }
        let _: Self = reference.parse()?;
        format!("{folder}/{reference}").parse()
    }
}

impl FromStr for SchemaPath {
    type Err = FieldError;

    fn from_str(text: &str) -> Result<Self, FieldError> {
        let wrong = |what: &str| {
            let shown: String = text.chars().take(80).collect();
            FieldError::new(
                "path",
                format!(
                    "`{shown}` {what}; give a path below the configuration's directory, such as schemas/order.json"
                ),
            )
        };
        if text.len() > Self::MAX_CHARS {
            return Err(wrong("is longer than 255 characters"));
        }
        if text.starts_with('/') || text.starts_with('\\') {
            return Err(wrong("is an absolute path"));
        }
        let segments: Vec<_> = text.split('/').filter(|segment| *segment != ".").collect();
        for segment in &segments {
            if *segment == ".." {
                return Err(wrong("has `..`"));
            }
            if segment.is_empty() {
                return Err(wrong("has an empty segment"));
            }
            if let Some(bad) = segment.chars().find(|c| !(c.is_ascii_alphanumeric() || "-._~".contains(*c))) {
                return Err(wrong(&format!("has {bad:?}, and not only letters, digits and `-._~`")));
            }
        }
        if segments.is_empty() { Err(wrong("names no file")) } else { Ok(Self(segments.join("/"))) }
    }
}

impl fmt::Display for SchemaPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SchemaPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl<'de> Deserialize<'de> for SchemaPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_never_leaves_its_directory() {
        for text in ["order.json", "schemas/order-1.v2.json", "./order.json", "a/./b.json"] {
            let path: SchemaPath = text.parse().expect(text);
            assert!(!path.as_str().contains("./"), "{path}");
        }
        for text in [
            "",
            ".",
            "/etc/passwd",
            "..",
            "../x.json",
            "a/../../x",
            "a//b",
            "C:\\x",
            "a b.json",
            "http://h/x",
            "%2e%2e/x",
            "a/",
        ] {
            assert!(text.parse::<SchemaPath>().is_err(), "{text}");
        }
        assert!("x".repeat(256).parse::<SchemaPath>().is_err());
    }

    #[test]
    fn a_reference_is_relative_to_its_file() {
        let file: SchemaPath = "schemas/order.json".parse().expect("a path");
        assert_eq!(file.refer("common/line.json").expect("a path").as_str(), "schemas/common/line.json");
        assert_eq!(file.refer("./line.json").expect("a path").as_str(), "schemas/line.json");
        for text in ["../line.json", "/line.json", "/../x", "//host/x"] {
            assert!(file.refer(text).is_err(), "{text}");
        }
    }
}
