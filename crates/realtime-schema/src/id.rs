//! Identifiers that the server makes: UUIDs, version 7 (RFC 9562 section 5.7), so that they sort by time.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{field_error::FieldError, timestamp::Timestamp};

/// A UUID as the server writes it, as a JSON Schema's `pattern` (ECMA-262).
const PATTERN: &str = "^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$";

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $field:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        #[schemars(extend("pattern" = PATTERN))]
        #[schemars(example = "019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d8e")]
        pub struct $name(pub Uuid);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl $name {
            /// When it was made, as it says; `None` if it is of another version than 7.
            pub fn made_at(self) -> Option<Timestamp> {
                let (seconds, nanos) = self.0.get_timestamp().filter(|_| self.0.get_version_num() == 7)?.to_unix();
                let millis = i64::try_from(seconds).ok()?.checked_mul(1_000)?;
                Some(Timestamp::from_millis(millis + i64::from(nanos / 1_000_000)))
            }
        }

        impl FromStr for $name {
            type Err = FieldError;

            fn from_str(text: &str) -> Result<Self, FieldError> {
                Uuid::parse_str(text)
                    .map(Self)
                    .map_err(|_| FieldError::new($field, "is not a UUID such as 019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d8e"))
            }
        }
    };
}

id! {
    /// One connection, from its `welcome` to its close.
    ConnectionId, "connection"
}
id! {
    /// One publication, the same for all its recipients.
    MessageId, "id"
}
id! {
    /// One running node.
    NodeId, "node"
}
id! {
    /// One revocation.
    RevocationId, "revocation"
}
