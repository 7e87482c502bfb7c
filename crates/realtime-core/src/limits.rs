//! Rate limits: token buckets, with the time as an argument.

use std::time::Duration;

mod buckets;

pub use buckets::{BucketLimits, Buckets};

/// A token bucket: on average `rate` tokens a second, and up to `burst` at once after an idle time. 16 bytes.
#[derive(Clone, Copy, Debug)]
pub struct TokenBucket {
    /// Thousandths of a token.
    level: u64,
    /// Time of the last refill, in milliseconds.
    at_ms: u64,
}

impl TokenBucket {
    /// A full bucket.
    pub fn full(burst: u32, now: Duration) -> Self {
        Self { level: u64::from(burst) * 1000, at_ms: millis(now) }
    }

    /// Takes one token.
    ///
    /// # Errors
    /// The bucket is empty: the time until the next token.
    pub fn take(&mut self, rate: u32, burst: u32, now: Duration) -> Result<(), Duration> {
        let rate = u64::from(rate.max(1));
        let elapsed_ms = millis(now).saturating_sub(self.at_ms);
        let gained = elapsed_ms.saturating_mul(rate);
        self.level = self.level.saturating_add(gained).min(u64::from(burst.max(1)) * 1000);
        self.at_ms += elapsed_ms;
        if self.level >= 1000 {
            self.level -= 1000;
            return Ok(());
        }
        Err(Duration::from_millis((1000 - self.level).div_ceil(rate)))
    }

    /// True if the bucket has all its tokens at `now`: it is the same as a new one.
    pub fn is_full(&self, rate: u32, burst: u32, now: Duration) -> bool {
        let gained = millis(now).saturating_sub(self.at_ms).saturating_mul(u64::from(rate.max(1)));
        self.level.saturating_add(gained) >= u64::from(burst.max(1)) * 1000
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn a_burst_passes_then_the_rate_holds() {
        let mut bucket = TokenBucket::full(3, ms(0));
        assert!((0..3).all(|_| bucket.take(10, 3, ms(0)).is_ok()));
        assert_eq!(bucket.take(10, 3, ms(0)), Err(ms(100)));
        assert_eq!(bucket.take(10, 3, ms(99)), Err(ms(1)));
        assert_eq!(bucket.take(10, 3, ms(100)), Ok(()));
        assert_eq!(bucket.take(10, 3, ms(150)), Err(ms(50)));
    }

    #[test]
    fn a_long_idle_time_gives_no_more_than_the_burst() {
        let mut bucket = TokenBucket::full(2, ms(0));
        let passed = (0..10).filter(|_| bucket.take(1_000, 2, Duration::from_secs(1 << 40)).is_ok()).count();
        assert_eq!(passed, 2);
    }

    #[test]
    fn a_token_is_available_after_the_returned_wait() {
        for rate in [1, 3, 7, 50, 1000] {
            let mut bucket = TokenBucket::full(1, ms(0));
            let mut now = ms(0);
            bucket.take(rate, 1, now).expect("the burst");
            for _ in 0..100 {
                if let Err(wait) = bucket.take(rate, 1, now) {
                    now += wait;
                    assert_eq!(bucket.take(rate, 1, now), Ok(()), "rate {rate} at {now:?}");
                }
            }
        }
    }

    #[test]
    fn a_bucket_that_has_all_its_tokens_is_the_same_as_a_new_one() {
        let mut bucket = TokenBucket::full(2, ms(0));
        assert!(bucket.is_full(10, 2, ms(0)));
        bucket.take(10, 2, ms(0)).expect("the burst");
        assert!(!bucket.is_full(10, 2, ms(99)) && bucket.is_full(10, 2, ms(100)));
        assert!(!TokenBucket::full(0, ms(0)).is_full(0, 0, ms(999)), "a burst and a rate of 0 count as 1");
        assert!(TokenBucket::full(0, ms(0)).is_full(0, 0, ms(1_000)));
    }

    #[test]
    fn time_that_goes_back_neither_refills_nor_panics() {
        let mut bucket = TokenBucket::full(1, ms(1_000));
        assert!(bucket.take(1, 1, ms(1_000)).is_ok());
        assert!(bucket.take(1, 1, ms(0)).is_err());
    }
}
