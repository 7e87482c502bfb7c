//! Which keys exist and what each contains, read from the config's own schema.

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use serde_json::Value as Json;
use toml::{Table, Value};

use super::{
    keys::{join, plain},
    sections::Config,
};

/// What a key contains.
#[derive(Debug)]
pub(super) enum Shape {
    /// More keys.
    Table(BTreeMap<String, Shape>),
    /// A list of one kind.
    List(Box<Shape>),
    /// A text, a path or an address.
    Text,
    /// One of several words.
    Word,
    /// A time span.
    Span,
    /// A text that is never shown.
    Secret,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// One of several of these.
    Any,
}

/// A value that does not fit, by the path of its key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// An unknown key.
    Unknown {
        /// Its whole path.
        key: String,
        /// The nearest one that exists.
        nearest: Option<String>,
        /// The keys that exist there, in an entry of a list.
        siblings: Vec<String>,
    },
    /// A value of another type.
    Type {
        /// The whole path of its key.
        key: String,
        /// What it is and what is expected.
        what: String,
    },
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
            Some("string") if schema["writeOnly"] == true => Self::Secret,
            Some("string") if schema["format"] == "time span" => Self::Span,
            Some("string") if schema["enum"].is_array() => Self::Word,
            Some("string") => Self::Text,
            // A word of several, each with its own description.
            _ if schema["oneOf"].as_array().is_some_and(|words| words.iter().all(|word| word["type"] == "string")) => {
                Self::Word
            }
            _ => Self::Any,
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

    /// What is at a path, through lists.
    pub(super) fn within(&self, path: &[String]) -> Option<&Self> {
        match (self, path) {
            (_, []) => Some(self),
            (Self::Table(keys), [name, rest @ ..]) => keys.get(name)?.within(rest),
            (Self::List(inner), path) => inner.within(path),
            _ => None,
        }
    }

    /// Whether it is a secret or contains one, so that a value in its place is never shown.
    pub(super) fn is_secret(&self) -> bool {
        match self {
            Self::Secret => true,
            Self::List(inner) => inner.is_secret(),
            Self::Table(keys) => keys.values().any(Self::is_secret),
            _ => false,
        }
    }

    /// The value that a text from the environment stands for.
    pub(super) fn parse(&self, text: &str) -> Result<Value, String> {
        match self {
            Self::Text | Self::Word | Self::Span | Self::Secret | Self::Any => Ok(Value::String(text.to_owned())),
            Self::Integer => {
                text.trim().parse().map(Value::Integer).map_err(|_| format!("`{text}` is not a whole number"))
            }
            Self::Boolean => {
                text.trim().parse().map(Value::Boolean).map_err(|_| format!("`{text}` is neither `true` nor `false`"))
            }
            Self::List(inner) if !matches!(**inner, Self::Table(_)) && !text.trim_start().starts_with('[') => {
                let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
                Ok(Value::Array(entries.map(|entry| Value::String(entry.to_owned())).collect()))
            }
            Self::List(_) => {
                let line = format!("value = {text}");
                let table: Table = line.parse().map_err(|_| "is not a list as TOML writes it".to_owned())?;
                match table.get("value") {
                    Some(value @ Value::Array(_)) => Ok(value.clone()),
                    _ => Err("is not a list".to_owned()),
                }
            }
            Self::Table(_) => Err("is a section; set one of its keys".to_owned()),
        }
    }

    /// The part of `value` that fits; what does not is added to `faults`.
    pub(super) fn fitting(&self, value: Value, key: &str, known: &[String], faults: &mut Vec<Fault>) -> Option<Value> {
        match (self, value) {
            (Self::Table(keys), Value::Table(table)) => {
                let entries = table.into_iter().filter_map(|(name, value)| {
                    let path = join(key, &name);
                    let Some(inner) = keys.get(&name) else {
                        // An entry of a list is not one of the sections, so its own keys are all that is meant.
                        let siblings: Vec<_> =
                            if key.ends_with(']') { keys.keys().cloned().collect() } else { Vec::new() };
                        let nearest = if siblings.is_empty() {
                            nearest(&plain(&path), known)
                        } else {
                            nearest(&name, &siblings).map(|sibling| join(&plain(key), &sibling))
                        };
                        faults.push(Fault::Unknown { nearest, siblings, key: path });
                        return None;
                    };
                    Some((name, inner.fitting(value, &path, known, faults)?))
                });
                Some(Value::Table(entries.collect()))
            }
            (Self::List(inner), Value::Array(entries)) => {
                let entries = entries.into_iter().enumerate().filter_map(|(index, entry)| {
                    let fitting = inner.fitting(entry, &format!("{key}[{index}]"), known, faults);
                    // Tables keep their positions, by which later problems name them.
                    fitting.or_else(|| matches!(**inner, Self::Table(_)).then(|| inner.placeholder()))
                });
                Some(Value::Array(entries.collect()))
            }
            (Self::Text | Self::Word | Self::Span | Self::Secret, value @ Value::String(_))
            | (Self::Integer, value @ Value::Integer(_))
            | (Self::Boolean, value @ Value::Boolean(_))
            | (Self::Any, value) => Some(value),
            (_, value) => {
                let what = format!("is {}, expected {}", self.shown(&value), self.expected());
                faults.push(Fault::Type { key: key.to_owned(), what });
                self.is_secret().then(|| self.placeholder())
            }
        }
    }

    /// A value that fits, for one that does not: it is not a second fault that the key is then missing. A config with
    /// placeholders is never used.
    pub(super) fn placeholder(&self) -> Value {
        match self {
            Self::Table(_) => Value::Table(Table::new()),
            Self::List(inner) => Value::Array(vec![inner.placeholder()]),
            Self::Integer => Value::Integer(1),
            Self::Boolean => Value::Boolean(false),
            Self::Span => Value::String("1s".into()),
            // The only text that is required is a namespace's pattern. Every other setting of a namespace fits a topic.
            Self::Text => Value::String("topic:placeholder".into()),
            Self::Word | Self::Secret | Self::Any => Value::String("x".repeat(64)),
        }
    }

    fn shown(&self, value: &Value) -> String {
        match value {
            Value::String(_) | Value::Integer(_) | Value::Float(_) | Value::Boolean(_)
                if self.is_secret() || matches!(self, Self::Text | Self::Word) =>
            {
                format!("{} (not shown: it may be a secret)", kind(value))
            }
            Value::String(text) => format!("the text {text:?}"),
            Value::Integer(_) | Value::Float(_) | Value::Boolean(_) => format!("`{value}`"),
            _ => kind(value).to_owned(),
        }
    }

    fn expected(&self) -> &'static str {
        match self {
            Self::Table(_) => "a section with its own keys",
            Self::List(inner) => match **inner {
                Self::Table(_) => "a list of tables",
                Self::Text | Self::Word | Self::Secret => "a list of texts, such as [\"…\"]",
                _ => "a list",
            },
            Self::Text | Self::Word | Self::Secret => "a text in quotes",
            Self::Span => "a time span in quotes and with a unit, such as \"25s\"",
            Self::Integer => "a whole number",
            Self::Boolean => "`true` or `false`",
            Self::Any => "something else",
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
                    let path = join(prefix, name);
                    paths.push(path.clone());
                    inner.collect_paths(&path, paths);
                }
            }
            Self::List(inner) => inner.collect_paths(prefix, paths),
            _ => {}
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a text",
        Value::Integer(_) | Value::Float(_) => "a number",
        Value::Boolean(_) => "`true` or `false`",
        Value::Datetime(_) => "a date or time",
        Value::Array(_) => "a list",
        Value::Table(_) => "a section",
    }
}

/// The known key that `key` is most like, if it is at all like one: as a whole, or by its last part alone. The sections
/// around it are none. Of several that are equally like it, the first, as for a key that has only its section left out.
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
        .rev()
        .filter(|path| !key.strip_prefix(path.as_str()).is_some_and(|rest| rest.starts_with('.')))
        .map(|path| (likeness(path), path))
        .filter(|(likeness, _)| *likeness > 0.84)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, path)| path.clone())
}
