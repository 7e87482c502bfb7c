//! An order over JSON values, in which equal means equal in a JSON Schema: numbers by value, objects without order.
//!
//! `uniqueItems` sorts by it. The library's own way is to hash, with a hash that nested arrays of the same leaves share
//! (`[[1]]`, `[1]`), so that an array of brackets would take time in the square of its length.

use std::cmp::Ordering;

use serde_json::{Number, Value};

use crate::metered::Meter;

/// Whether no two items are equal. Takes n·log n comparisons.
pub(crate) fn is_unique(items: &[Value], meter: &Meter) -> bool {
    let mut sorted: Vec<&Value> = items.iter().collect();
    // Not the unstable sort: it may panic if the order is not total, and it is none once the steps have run out.
    let mut repeated = false;
    if items.len() > 1 {
        sort(&mut sorted, meter);
        repeated = sorted.windows(2).any(|pair| compare(pair[0], pair[1], meter) == Ordering::Equal);
    }
    !repeated
}

/// Merge sort that stops as soon as the steps have run out.
fn sort<'a>(items: &mut Vec<&'a Value>, meter: &Meter) {
    let mut width = 1;
    let mut merged: Vec<&'a Value> = Vec::with_capacity(items.len());
    while width < items.len() && !meter.is_exhausted() {
        merged.clear();
        for run in items.chunks(2 * width) {
            let (mut left, mut right) = run.split_at(width.min(run.len()));
            while let ([first, rest @ ..], [other, others @ ..]) = (left, right) {
                if compare(first, other, meter) == Ordering::Greater {
                    merged.push(other);
                    right = others;
                } else {
                    merged.push(first);
                    left = rest;
                }
            }
            merged.extend_from_slice(left);
            merged.extend_from_slice(right);
        }
        std::mem::swap(items, &mut merged);
        width *= 2;
    }
}

/// Compares two values, a step for each pair that is looked at and for each 32 bytes of text.
pub(crate) fn compare(left: &Value, right: &Value, meter: &Meter) -> Ordering {
    if !meter.spend(1) {
        return Ordering::Less;
    }
    match (left, right) {
        (Value::Bool(left), Value::Bool(right)) => left.cmp(right),
        (Value::Number(left), Value::Number(right)) => compare_numbers(left, right),
        (Value::String(left), Value::String(right)) => compare_texts(left, right, meter),
        (Value::Array(left), Value::Array(right)) => left.len().cmp(&right.len()).then_with(|| {
            let pairs = left.iter().zip(right);
            first_difference(pairs.map(|(left, right)| compare(left, right, meter)))
        }),
        (Value::Object(left), Value::Object(right)) => left.len().cmp(&right.len()).then_with(|| {
            let pairs = left.iter().zip(right);
            first_difference(pairs.map(|((name, left), (other, right))| {
                compare_texts(name, other, meter).then_with(|| compare(left, right, meter))
            }))
        }),
        (left, right) => rank(left).cmp(&rank(right)),
    }
}

fn first_difference(mut orders: impl Iterator<Item = Ordering>) -> Ordering {
    orders.find(|order| *order != Ordering::Equal).unwrap_or(Ordering::Equal)
}

fn compare_texts(left: &str, right: &str, meter: &Meter) -> Ordering {
    meter.spend(left.len().min(right.len()) as u64 / 32);
    left.cmp(right)
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    }
}

/// By value: `1`, `1.0` and `1e0` are equal.
fn compare_numbers(left: &Number, right: &Number) -> Ordering {
    match (whole(left), whole(right)) {
        (Some(left), Some(right)) => left.cmp(&right),
        // A whole number is compared with a fraction, or with one beyond the whole ones: never equal.
        _ => left.as_f64().unwrap_or_default().total_cmp(&right.as_f64().unwrap_or_default()),
    }
}

/// The number as a whole one, if it is one below 2^126.
fn whole(number: &Number) -> Option<i128> {
    if let Some(number) = number.as_i64() {
        return Some(number.into());
    }
    if let Some(number) = number.as_u64() {
        return Some(number.into());
    }
    let float = number.as_f64()?;
    // Exact: a float is a whole number of 53 bits and a power of two.
    (float.fract() == 0.0 && float.abs() < 2f64.powi(126)).then_some(float as i128)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn unique(items: &Value) -> bool {
        is_unique(items.as_array().expect("an array"), &Meter::new(1_000_000, 1))
    }

    #[test]
    fn equal_is_equal_in_a_json_schema() {
        assert!(!unique(&json!([1, "1", 1.0])));
        assert!(!unique(&json!([0, true, -0.0])));
        assert!(!unique(&json!([{"a": 1, "b": [2]}, 3, {"b": [2.0], "a": 1}])));
        assert!(!unique(&json!([u64::MAX, 1, u64::MAX])));
        assert!(!unique(&json!([1e30, 2, 1e30])));
        assert!(unique(&json!([u64::MAX, u64::MAX - 1, i64::MIN, 0.5, 1e300])));
        assert!(unique(&json!([0, false, null, "", [], {}, [[]], [{}], {"a": null}])));
        assert!(unique(&json!([])) && unique(&json!([1])));
    }

    #[test]
    fn every_pair_of_a_long_array_is_found_wherever_it_stands() {
        let numbers: Vec<Value> = (0..200).map(|n| json!(n * 7919 % 200)).collect();
        assert!(unique(&Value::Array(numbers.clone())));
        for at in [0, 1, 99, 198] {
            let mut repeated = numbers.clone();
            repeated[199] = numbers[at].clone();
            assert!(!unique(&Value::Array(repeated)), "{at}");
        }
    }
}
