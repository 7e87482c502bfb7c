//! What the types read, what they refuse, and how the refusal names the field.

mod codes;
mod commands;
mod names;
mod properties;
mod publish;
mod records;

use realtime_schema::{Topic, UserId};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// What is read from this JSON, which must be right.
fn read<T: DeserializeOwned>(json: &str) -> T {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
}

/// Why this JSON is refused, as it must be.
fn refusal<T: DeserializeOwned + std::fmt::Debug>(json: &str) -> String {
    match serde_json::from_str::<T>(json) {
        Ok(value) => panic!("{json} was read as {value:?}"),
        Err(error) => error.to_string(),
    }
}

/// Asserts that `text` holds each of `parts`.
#[track_caller]
fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
}

fn written(value: &impl Serialize) -> Value {
    serde_json::to_value(value).expect("JSON")
}

fn topic(text: &str) -> Topic {
    Topic::new(text).expect("a topic")
}

fn user(text: &str) -> UserId {
    UserId::new(text).expect("a user")
}
