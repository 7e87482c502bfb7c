//! From values of the right types to the config: time spans, addresses, patterns and words are read here.

use std::collections::BTreeSet;

use serde_path_to_error::Segment;
use toml::{Table, Value};

use super::{
    keys::{join, plain},
    sections::Config,
    shape::Shape,
};

/// Reads `table`, and lists each value that is invalid, with its key. `faulty` are the keys whose values were left out
/// before.
///
/// An invalid value is left out and the rest is read again, so that one run finds all of them. There is no config if
/// one can't be left out.
pub(super) fn deserialize(
    table: Table,
    shape: &Shape,
    faulty: &BTreeSet<String>,
) -> (Option<Config>, Vec<(String, String)>) {
    let mut root = Value::Table(table);
    let mut found: Vec<(String, String)> = Vec::new();
    let mut tried = BTreeSet::new();
    loop {
        let error = match serde_path_to_error::deserialize::<_, Config>(root.clone()) {
            Ok(config) => return (Some(config), found),
            Err(error) => error,
        };
        let steps: Vec<_> = error.path().iter().cloned().collect();
        let key = path(&steps);
        let message = error.into_inner().message().trim().to_owned();
        let missing = message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
        let (key, inner) = match missing {
            Some(name) => {
                let key = join(&key, name);
                let inner = shape_at(shape, &key).map(Shape::placeholder);
                (key, inner)
            }
            None => (key, None),
        };
        if !tried.insert((key.clone(), missing.is_some())) {
            return (None, found);
        }
        // A value that was left out is missing then, which is no second fault.
        if !faulty.contains(&key) && !found.iter().any(|(known, _)| *known == key) {
            let is_secret = shape_at(shape, &key).is_some_and(Shape::is_secret);
            let what = match missing {
                Some(_) => "is required".to_owned(),
                None if is_secret => "is invalid (not shown: it may be a secret)".to_owned(),
                None => in_words(&message),
            };
            found.push((key.clone(), what));
        }
        let name = key.rsplit('.').next().unwrap_or_default();
        let replaced = match inner {
            Some(placeholder) => parent(&mut root, &steps, false)
                .and_then(Value::as_table_mut)
                .is_some_and(|table| table.insert(name.to_owned(), placeholder).is_none()),
            None => remove(&mut root, &steps),
        };
        if !replaced {
            return (None, found);
        }
    }
}

fn shape_at<'a>(shape: &'a Shape, key: &str) -> Option<&'a Shape> {
    shape.within(&plain(key).split('.').map(str::to_owned).collect::<Vec<_>>())
}

fn path(steps: &[Segment]) -> String {
    steps.iter().fold(String::new(), |path, step| match step {
        Segment::Map { key } => join(&path, key),
        Segment::Seq { index } => format!("{path}[{index}]"),
        Segment::Enum { .. } | Segment::Unknown => path,
    })
}

/// What `steps` lead to, or what is around it.
fn parent<'a>(root: &'a mut Value, steps: &[Segment], around: bool) -> Option<&'a mut Value> {
    let end = steps.len() - usize::from(around);
    steps[..end].iter().try_fold(root, |value, step| match step {
        Segment::Map { key } => value.as_table_mut()?.get_mut(key),
        Segment::Seq { index } => value.as_array_mut()?.get_mut(*index),
        Segment::Enum { .. } | Segment::Unknown => Some(value),
    })
}

/// Leaves out what `steps` lead to. In a list that is the list itself: its entries keep their positions.
fn remove(root: &mut Value, steps: &[Segment]) -> bool {
    let Some(last) = steps.iter().rposition(|step| matches!(step, Segment::Map { .. })) else { return false };
    let Segment::Map { key } = &steps[last] else { return false };
    parent(root, &steps[..=last], true).and_then(Value::as_table_mut).is_some_and(|table| table.remove(key).is_some())
}

/// Lists the words that a setting knows, from serde's list of them. The given one is not repeated: it may be a secret.
fn not_one_of(words: &str) -> String {
    let words = words.trim_start_matches("one of ");
    let words = words.rsplit_once(", ").map_or(words.to_owned(), |(first, last)| format!("{first} or {last}"));
    format!("is not one of its values; use {words}")
}

/// What serde says of a value, where it names what it expected as Rust does.
fn in_words(message: &str) -> String {
    let Some((found, expected)) = message.rsplit_once(", expected ") else { return message.to_owned() };
    if found.starts_with("unknown variant ") {
        return not_one_of(expected);
    }
    let expected = match expected {
        "usize" | "u64" => "a whole number, 0 or more",
        "u32" => "a whole number from 0 to 4294967295",
        name if name.starts_with("struct ") => "a section with its own keys",
        "a sequence" => "a list",
        other => other,
    };
    format!("{found}, expected {expected}")
}
