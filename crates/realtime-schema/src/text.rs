//! Names: users, roles, permissions, clients, message types.
//!
//! Each is checked once, when it is created, and is cheap to clone.

use schemars::{Schema, json_schema};
use serde_json::{Value, json};

use crate::field_error::FieldError;

/// Checks that `text` is a valid name of at most `max` characters.
pub(crate) fn check_name(field: &str, text: &str, max: usize) -> Result<(), FieldError> {
    if text.is_empty() {
        return Err(FieldError::new(field, format!("must not be empty; give 1 to {max} characters")));
    }
    let length = text.chars().count();
    if length > max {
        return Err(FieldError::new(field, format!("is {length} characters long; at most {max} are allowed")));
    }
    if let Some(bad) = text.chars().find(|c| c.is_control() || is_invisible(*c)) {
        return Err(FieldError::new(
            field,
            format!("contains the control or invisible character U+{:04X}", u32::from(bad)),
        ));
    }
    Ok(())
}

/// Characters that make different texts look the same: zero-width marks and direction overrides.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

/// Control and invisible characters, as a JSON Schema's `pattern` (ECMA-262).
pub(crate) const HIDDEN: &str =
    r"[\u0000-\u001F\u007F-\u009F\u00AD\u061C\u180E\u200B-\u200F\u2028-\u202E\u2060-\u206F\uFEFF]";

/// The JSON Schema of a name of at most `max` characters, equivalent to [`check_name`]; `refused` are schemas of further
/// refused texts.
pub(crate) fn name_schema(docs: &[&str], max: usize, example: &str, refused: &[Value]) -> Schema {
    let docs = docs.iter().map(|line| line.trim()).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
    // `not`, and not one pattern for the whole text: in some engines `$` also matches before a final line break.
    let refused: Vec<_> = std::iter::once(json!({"pattern": HIDDEN})).chain(refused.iter().cloned()).collect();
    json_schema!({
        "type": "string",
        "minLength": 1,
        "maxLength": max,
        "not": {"anyOf": refused},
        "description": format!("{docs} Control and invisible characters are refused."),
        "examples": [example],
    })
}

macro_rules! name {
    (
        $(#[doc = $doc:literal])*
        $name:ident, $field:literal, $max:literal, $example:literal
        $(, $extra:path, not [$($refused:expr),*] $(, pattern $pattern:literal)?)?
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
        #[serde(transparent)]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// The maximum length, in characters.
            pub const MAX_CHARS: usize = $max;

            /// Checks `text` and keeps it.
            ///
            /// # Errors
            /// Names the field and what is wrong: empty, too long, or with control or invisible characters.
            pub fn new(text: impl AsRef<str>) -> Result<Self, $crate::field_error::FieldError> {
                let text = text.as_ref();
                $crate::text::check_name($field, text, Self::MAX_CHARS)?;
                $($extra(text)?;)?
                Ok(Self(std::sync::Arc::from(text)))
            }

            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{:?}", self.as_str())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                self.as_str()
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::field_error::FieldError;

            fn from_str(text: &str) -> Result<Self, $crate::field_error::FieldError> {
                Self::new(text)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = $crate::field_error::FieldError;

            fn try_from(text: &str) -> Result<Self, $crate::field_error::FieldError> {
                Self::new(text)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
                Self::new(&text).map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                #[allow(unused_mut, reason = "most names have no pattern")]
                let mut schema = $crate::text::name_schema(&[$($doc),*], $max, $example, &[$($($refused),*)?]);
                $($(schema.insert("pattern".into(), $pattern.into());)?)?
                schema
            }
        }
    };
}
pub(crate) use name;

name! {
    /// A user, from the `sub` of the token: 1 to 255 characters.
    UserId, "user", 255, "alice"
}
name! {
    /// A role of a user, from the token: 1 to 255 characters.
    Role, "role", 255, "admin"
}
name! {
    /// A permission of a user, from the token: 1 to 255 characters.
    Permission, "permission", 255, "orders:read"
}
name! {
    /// A name that a tab or device chooses for itself, the same after a reconnect: 1 to 64 characters, never shown to others.
    ClientId, "client", 64, "tab-7f3a"
}
name! {
    /// The type of an application's message: 1 to 255 characters, none of the protocol's own types, not beginning with `rt.`.
    MessageType, "type", 255, "order-updated", not_reserved,
    not [json!({"enum": RESERVED_TYPES}), json!({"pattern": "^rt\\."})]
}

name! {
    /// The name of an application's command, which a `call` carries: 1 to 255 characters.
    CallName, "name", 255, "cart.add"
}

/// Types that are reserved for control frames. Every type that begins with `rt.` is reserved too.
pub const RESERVED_TYPES: [&str; 10] =
    ["welcome", "ack", "error", "subscribed", "unsubscribed", "gap", "presence", "closing", "ping", "pong"];

fn not_reserved(text: &str) -> Result<(), FieldError> {
    if RESERVED_TYPES.contains(&text) || text.starts_with("rt.") {
        return Err(FieldError::new(
            "type",
            format!("`{text}` is reserved for control frames; choose a type outside {RESERVED_TYPES:?} and `rt.*`"),
        ));
    }
    Ok(())
}
