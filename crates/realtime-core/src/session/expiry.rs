//! When a token expires, in 8 bytes: every idle connection has one.

use std::{num::NonZeroU64, time::Duration};

/// A time on the monotonic clock, rounded up to the millisecond; or never.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expiry(
    /// The milliseconds and 1.
    Option<NonZeroU64>,
);

impl Expiry {
    pub(super) const NEVER: Self = Self(None);

    pub(super) fn new(at: Option<Duration>) -> Self {
        let ms = |at: Duration| u64::try_from(at.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
        Self(at.and_then(|at| NonZeroU64::new(ms(at).saturating_add(1))))
    }

    pub(super) fn get(self) -> Option<Duration> {
        self.0.map(|ms| Duration::from_millis(ms.get() - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiry_is_never_before_the_time_that_was_given_and_less_than_a_millisecond_after_it() {
        assert_eq!(Expiry::new(None).get(), None);
        for ns in [0, 1, 999_999, 1_000_000, 1_000_001, 1 << 50] {
            let at = Duration::from_nanos(ns);
            let kept = Expiry::new(Some(at)).get().expect("a time");
            assert!(kept >= at && kept < at + Duration::from_millis(1), "{at:?} was kept as {kept:?}");
        }
        assert!(Expiry::new(Some(Duration::MAX)).get() > Some(Duration::from_secs(1 << 50)));
        assert_eq!(size_of::<Expiry>(), 8);
    }
}
