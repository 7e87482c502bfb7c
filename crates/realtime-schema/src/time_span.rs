//! Time spans in requests: `250ms`, `25s`, `1h 30m`.

use std::{borrow::Cow, fmt, str::FromStr, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::field_error::FieldError;

/// A time span, written with units: `250ms`, `25s`, `10m`, `1h 30m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeSpan(pub Duration);

impl fmt::Display for TimeSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::SignedDuration::try_from(self.0) {
            Ok(span) => write!(f, "{span:#}"),
            // Longer than 292 billion years.
            Err(_) => write!(f, "{}s", self.0.as_secs()),
        }
    }
}

impl FromStr for TimeSpan {
    type Err = FieldError;

    fn from_str(text: &str) -> Result<Self, FieldError> {
        let span: Option<jiff::SignedDuration> = text.parse().ok();
        let span = span.and_then(|span| Duration::try_from(span).ok());
        span.map(Self).ok_or_else(|| {
            FieldError::new("", "is not a time span; write it with a unit, such as `25s`, `10m` or `24h`")
        })
    }
}

impl Serialize for TimeSpan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TimeSpan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for TimeSpan {
    fn schema_name() -> Cow<'static, str> {
        "TimeSpan".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "minLength": 1,
            "description": "A time span with units: `250ms`, `25s`, `10m`, `1h 30m`.",
            "examples": ["10m"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_written_with_a_unit_and_never_negative() {
        for (text, ms) in [("250ms", 250), ("10m", 600_000), ("1h 30m", 5_400_000)] {
            assert_eq!(text.parse::<TimeSpan>().map(|span| span.0.as_millis()), Ok(ms), "{text}");
        }
        for text in ["", "10", "-1s", "soon", "7d"] {
            assert!(text.parse::<TimeSpan>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_written_can_be_read_again() {
        for ms in [1, 250, 1_500, 60_000, 5_400_000] {
            let span = TimeSpan(Duration::from_millis(ms));
            assert_eq!(span.to_string().parse::<TimeSpan>(), Ok(span), "{span}");
        }
    }
}
