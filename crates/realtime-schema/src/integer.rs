//! Integers in requests: JSON has one kind of number, so that `7.0` is the integer 7 (JSON Schema draft 2020-12, 4.2.3).

use std::{fmt, marker::PhantomData};

use serde::{Deserialize, Deserializer, de};

/// Reads an integer, including one with a fraction of zero.
///
/// # Errors
/// Not a number, with a fraction, or out of the range of `T`.
pub fn required<'de, D: Deserializer<'de>, T: TryFrom<i128>>(deserializer: D) -> Result<T, D::Error> {
    struct Integer<T>(PhantomData<T>);

    impl<T: TryFrom<i128>> de::Visitor<'_> for Integer<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let fits = |n: i128| T::try_from(n).is_ok();
            let most = [u64::MAX, u32::MAX.into(), u16::MAX.into()].into_iter().find(|&n| fits(n.into()));
            match most {
                Some(most) if !fits(-1) => write!(f, "an integer from {} to {most}", i32::from(!fits(0))),
                _ => f.write_str("an integer in range"),
            }
        }

        fn visit_i64<E: de::Error>(self, n: i64) -> Result<T, E> {
            T::try_from(n.into()).map_err(|_| E::invalid_value(de::Unexpected::Signed(n), &self))
        }

        fn visit_u64<E: de::Error>(self, n: u64) -> Result<T, E> {
            T::try_from(n.into()).map_err(|_| E::invalid_value(de::Unexpected::Unsigned(n), &self))
        }

        fn visit_f64<E: de::Error>(self, n: f64) -> Result<T, E> {
            let whole = whole(n).and_then(|n| T::try_from(n).ok());
            whole.ok_or_else(|| E::invalid_value(de::Unexpected::Float(n), &self))
        }
    }

    // The type hint is needed for a query, whose values are all text.
    deserializer.deserialize_i64(Integer(PhantomData))
}

/// Like [`required`], of a field that may be absent or null.
///
/// # Errors
/// See [`required`].
pub fn optional<'de, D: Deserializer<'de>, T: TryFrom<i128>>(deserializer: D) -> Result<Option<T>, D::Error> {
    struct Field<T>(T);

    impl<'de, T: TryFrom<i128>> Deserialize<'de> for Field<T> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            required(deserializer).map(Self)
        }
    }

    Ok(Option::<Field<T>>::deserialize(deserializer)?.map(|Field(n)| n))
}

/// `n` as an integer, if it is one that fits in 64 bits, with a sign or without.
pub(crate) fn whole(n: f64) -> Option<i128> {
    /// 2 to the power of 64, which an `f64` represents exactly.
    const LIMIT: f64 = 18_446_744_073_709_551_616.0;
    // Exact, since the number is whole and small enough.
    #[allow(clippy::cast_possible_truncation)]
    (n.fract() == 0.0 && n.abs() < LIMIT).then_some(n as i128)
}
