//! What a type of a program can say about a JSON value.

use std::collections::BTreeMap;

use serde_json::Value;

/// A type. Every value that fits the schema fits the shape.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Shape {
    /// Any value; with the reason, if a schema said more that can't be expressed.
    Unknown(Option<String>),
    /// No value.
    Never,
    Null,
    Boolean,
    Number,
    Integer,
    Text,
    /// One scalar.
    Literal(Value),
    Array(Box<Shape>),
    /// Items by their place, of which the first `required` must be there, and what may follow them.
    Tuple {
        items: Vec<Shape>,
        required: usize,
        rest: Option<Box<Shape>>,
    },
    Object(Object),
    /// One of several.
    Union(Vec<Shape>),
    /// All of several.
    All(Vec<Shape>),
    /// A type with a name, by its number.
    Named(usize),
}

/// The fields of an object.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Object {
    pub(crate) fields: BTreeMap<String, Field>,
    pub(crate) rest: Rest,
}

/// One field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    pub(crate) shape: Shape,
    pub(crate) required: bool,
    /// Its description, as one line; may be empty.
    pub(crate) doc: String,
}

/// The fields that have no name in the schema.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Rest {
    /// Any.
    #[default]
    Open,
    /// None.
    Closed,
    /// Any of this type.
    Of(Box<Shape>),
}

impl Shape {
    pub(crate) const ANY: Self = Self::Unknown(None);

    /// One of `parts`.
    pub(crate) fn union(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut list: Vec<Self> = Vec::new();
        for part in parts {
            match part {
                Self::Never => {}
                Self::Unknown(_) => return part,
                Self::Union(inner) => {
                    for part in inner {
                        if !list.contains(&part) {
                            list.push(part);
                        }
                    }
                }
                part if !list.contains(&part) => list.push(part),
                _ => {}
            }
        }
        // A number is one whether it is whole or not.
        if list.contains(&Self::Number) {
            list.retain(|part| *part != Self::Integer);
        }
        match list.len() {
            0 => Self::Never,
            1 => list.remove(0),
            _ => Self::Union(list),
        }
    }

    /// The type of exactly this value.
    pub(crate) fn literal(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Array(items) => {
                Self::Tuple { items: items.iter().map(Self::literal).collect(), required: items.len(), rest: None }
            }
            Value::Object(members) => Self::Object(Object {
                fields: members
                    .iter()
                    .map(|(name, value)| {
                        (name.clone(), Field { shape: Self::literal(value), required: true, doc: String::new() })
                    })
                    .collect(),
                rest: Rest::Closed,
            }),
            // As types, `1` and `1.0` differ in some languages, and in JSON they do not.
            Value::Number(number) if !number.is_i64() && !number.is_u64() => Self::Number,
            scalar => Self::Literal(scalar.clone()),
        }
    }
}
