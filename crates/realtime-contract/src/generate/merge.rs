//! `allOf` and its kind: several shapes at once as one, where that can be said.

use std::collections::BTreeMap;

use serde_json::Value;

use super::shape::{Field, Object, Rest, Shape};

impl Shape {
    /// All of `parts`.
    pub(crate) fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut list: Vec<Self> = Vec::new();
        let mut reason = None;
        for part in parts.into_iter().flat_map(|part| if let Self::All(inner) = part { inner } else { vec![part] }) {
            if let Self::Unknown(why) = part {
                reason = reason.or(why);
                continue;
            }
            match list.iter_mut().find_map(|known| both(known, &part).map(|merged| (known, merged))) {
                Some((known, merged)) => *known = merged,
                None => list.push(part),
            }
        }
        if list.contains(&Self::Never) {
            return Self::Never;
        }
        match list.len() {
            0 => Self::Unknown(reason),
            1 => list.remove(0),
            _ => Self::All(list),
        }
    }
}

/// The most members of a union that is made of two.
const LONGEST_UNION: usize = 64;

/// Both of two shapes; `None` if that can't be said as one.
pub(crate) fn both(left: &Shape, right: &Shape) -> Option<Shape> {
    match (left, right) {
        (left, right) if left == right => Some(left.clone()),
        (Shape::Unknown(_), other) | (other, Shape::Unknown(_)) => Some(other.clone()),
        (Shape::Number, Shape::Integer) | (Shape::Integer, Shape::Number) => Some(Shape::Integer),
        (Shape::Object(left), Shape::Object(right)) => Some(Shape::Object(objects(left, right))),
        (Shape::Literal(value), kind) | (kind, Shape::Literal(value)) if is_kind(kind) => {
            Some(if fits(value, kind) { Shape::Literal(value.clone()) } else { Shape::Never })
        }
        (Shape::Union(parts), other) | (other, Shape::Union(parts)) => {
            let merged: Option<Vec<_>> = parts.iter().map(|part| both(part, other)).collect();
            match Shape::union(merged?) {
                Shape::Union(parts) if parts.len() > LONGEST_UNION => None,
                union => Some(union),
            }
        }
        (left, right) => match (category(left), category(right)) {
            (Some(left), Some(right)) if left != right => Some(Shape::Never),
            (Some(_), Some(_)) if is_scalar(left) && is_scalar(right) => Some(Shape::Never),
            _ => None,
        },
    }
}

/// What values of a shape have in common; `None` if that is not known.
fn category(shape: &Shape) -> Option<u8> {
    match shape {
        Shape::Null => Some(0),
        Shape::Boolean => Some(1),
        Shape::Number | Shape::Integer => Some(2),
        Shape::Text => Some(3),
        Shape::Literal(Value::Bool(_)) => Some(1),
        Shape::Literal(Value::Number(_)) => Some(2),
        Shape::Literal(_) => Some(3),
        Shape::Array(_) | Shape::Tuple { .. } => Some(4),
        Shape::Object(_) => Some(5),
        _ => None,
    }
}

fn is_scalar(shape: &Shape) -> bool {
    is_kind(shape) || matches!(shape, Shape::Literal(_))
}

fn is_kind(shape: &Shape) -> bool {
    matches!(shape, Shape::Null | Shape::Boolean | Shape::Number | Shape::Integer | Shape::Text)
}

fn fits(value: &Value, kind: &Shape) -> bool {
    match value {
        Value::Bool(_) => *kind == Shape::Boolean,
        Value::Number(_) => matches!(kind, Shape::Number | Shape::Integer),
        Value::String(_) => *kind == Shape::Text,
        _ => false,
    }
}

fn objects(left: &Object, right: &Object) -> Object {
    let rest = match (&left.rest, &right.rest) {
        (Rest::Open, other) | (other, Rest::Open) => other.clone(),
        (Rest::Closed, _) | (_, Rest::Closed) => Rest::Closed,
        (Rest::Of(left), Rest::Of(right)) => Rest::Of(Box::new(Shape::all([(**left).clone(), (**right).clone()]))),
    };
    let mut fields: BTreeMap<String, Field> = left.fields.clone();
    for (name, field) in &right.fields {
        let merged = match fields.get(name) {
            None => field.clone(),
            Some(known) => Field {
                shape: Shape::all([known.shape.clone(), field.shape.clone()]),
                required: known.required || field.required,
                doc: if known.doc.is_empty() { field.doc.clone() } else { known.doc.clone() },
            },
        };
        fields.insert(name.clone(), merged);
    }
    Object { fields, rest }
}
