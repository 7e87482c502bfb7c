//! The types: the values they accept, the values they refuse, and the field named by a refusal.

mod codes;
mod commands;
mod names;
mod properties;
mod publish;
mod records;

use realtime_schema::{Topic, UserId};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// The value of this JSON, which must be valid.
fn read<T: DeserializeOwned>(json: &str) -> T {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
}

/// The error of this JSON, which must be refused.
fn refusal<T: DeserializeOwned + std::fmt::Debug>(json: &str) -> String {
    match serde_json::from_str::<T>(json) {
        Ok(value) => panic!("{json} was read as {value:?}"),
        Err(error) => error.to_string(),
    }
}

/// Asserts that `text` contains each of `parts`.
#[track_caller]
fn assert_contains(text: &str, parts: &[&str]) {
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
