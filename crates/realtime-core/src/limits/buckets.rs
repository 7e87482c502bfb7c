//! Token buckets by key, bounded in number.

use std::{collections::HashMap, hash::Hash, time::Duration};

use super::TokenBucket;

/// Token buckets by key: all that has the same key shares one. A bucket that is full again is removed, because a new
/// one is the same; so the table has about as many as there are keys in use.
#[derive(Debug)]
pub struct Buckets<K> {
    by_key: HashMap<K, TokenBucket>,
    /// The number of buckets at which those that are full are removed.
    sweep_at: usize,
    /// The time of the last such removal.
    swept_at: Option<Duration>,
}

/// The number of buckets below which none is looked for to remove.
const MIN_SWEEP: usize = 64;
/// The time between two removals while the table is at its bound, where every new key would ask for one.
const SWEEP_INTERVAL: Duration = Duration::from_millis(100);

/// The rate of all buckets of a table, and their greatest number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BucketLimits {
    /// Tokens per second, on average. At least 1.
    pub rate: u32,
    /// Tokens at once after an idle time. At least 1.
    pub burst: u32,
    /// Maximum buckets that are not full.
    pub keys: usize,
}

impl<K: Eq + Hash + Clone> Buckets<K> {
    /// An empty table, which allocates nothing.
    pub fn new() -> Self {
        Self { by_key: HashMap::new(), sweep_at: MIN_SWEEP, swept_at: None }
    }

    /// Takes one token of the bucket of `key`.
    ///
    /// # Errors
    /// The bucket is empty, or the table is full of other keys: the time until another attempt.
    pub fn take(&mut self, key: &K, limits: BucketLimits, now: Duration) -> Result<(), Duration> {
        let BucketLimits { rate, burst, keys } = limits;
        if let Some(bucket) = self.by_key.get_mut(key) {
            return bucket.take(rate, burst, now);
        }
        let keys = keys.max(1);
        let is_due = |at: Duration| now >= at.saturating_add(SWEEP_INTERVAL);
        if self.by_key.len() >= self.sweep_at || (self.by_key.len() >= keys && self.swept_at.is_none_or(is_due)) {
            self.sweep(limits, now);
        }
        if self.by_key.len() >= keys {
            // The time in which a bucket gains a token, and the table a free slot.
            return Err(Duration::from_millis(u64::from(1000 / rate.max(1)).max(1)).max(SWEEP_INTERVAL));
        }
        let mut bucket = TokenBucket::full(burst.max(1), now);
        let taken = bucket.take(rate, burst, now);
        self.by_key.insert(key.clone(), bucket);
        taken
    }

    /// Number of buckets that are kept.
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// True if no bucket is kept.
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// Removes the buckets that are full again. Called each time the table has doubled, so that its cost per token is
    /// constant.
    fn sweep(&mut self, BucketLimits { rate, burst, .. }: BucketLimits, now: Duration) {
        self.by_key.retain(|_, bucket| !bucket.is_full(rate, burst, now));
        self.sweep_at = (self.by_key.len() * 2).max(MIN_SWEEP);
        self.swept_at = Some(now);
        self.by_key.shrink_to(self.sweep_at);
    }
}

impl<K: Eq + Hash + Clone> Default for Buckets<K> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limits(rate: u32, burst: u32, keys: usize) -> BucketLimits {
        BucketLimits { rate, burst, keys }
    }

    #[test]
    fn each_key_has_tokens_of_its_own() {
        let mut buckets = Buckets::default();
        assert!(buckets.is_empty());
        let limits = limits(10, 2, 100);
        for key in ["alice", "bob"] {
            assert_eq!(buckets.take(&key, limits, Duration::ZERO), Ok(()));
            assert_eq!(buckets.take(&key, limits, Duration::ZERO), Ok(()));
            assert_eq!(buckets.take(&key, limits, Duration::ZERO), Err(Duration::from_millis(100)));
        }
        assert!(!buckets.is_empty() && buckets.len() == 2);
    }

    #[test]
    fn a_key_beyond_the_bound_is_refused_until_another_bucket_is_full_again() {
        let mut buckets = Buckets::new();
        let limits = limits(1, 1, 3);
        for key in 0..3 {
            assert_eq!(buckets.take(&key, limits, Duration::ZERO), Ok(()));
        }
        assert_eq!(buckets.take(&3, limits, Duration::from_millis(500)), Err(Duration::from_secs(1)));
        assert_eq!(buckets.len(), 3);
        assert_eq!(buckets.take(&3, limits, Duration::from_secs(1)), Ok(()));
        assert_eq!(buckets.len(), 1, "those that are full again are removed");
    }

    #[test]
    fn a_full_table_is_searched_for_room_at_intervals_and_says_when_to_come_back() {
        for (rate, wait_ms) in [(1, 1_000), (4, 250), (1_000, 100)] {
            let (mut buckets, limits) = (Buckets::new(), limits(rate, 1, 1));
            assert_eq!(buckets.take(&0, limits, Duration::ZERO), Ok(()));
            let refused = buckets.take(&1, limits, Duration::ZERO);
            assert_eq!(refused, Err(Duration::from_millis(wait_ms)), "at {rate} a second");
        }
        let (mut buckets, limits) = (Buckets::new(), limits(1_000, 1, 1));
        assert_eq!(buckets.take(&0, limits, Duration::ZERO), Ok(()));
        assert!(buckets.take(&1, limits, Duration::ZERO).is_err());
        assert!(buckets.take(&1, limits, Duration::from_millis(99)).is_err(), "not searched again so soon");
        assert_eq!(buckets.take(&1, limits, Duration::from_millis(100)), Ok(()));
    }

    #[test]
    fn a_small_table_is_not_searched_and_a_large_one_each_time_it_has_doubled() {
        let (mut buckets, limits) = (Buckets::new(), limits(1, 2, 1_000));
        let take = |buckets: &mut Buckets<u32>, key, at| buckets.take(&key, limits, Duration::from_secs(at));
        (0..10).for_each(|key| take(&mut buckets, key, 0).expect("a token"));
        take(&mut buckets, 10, 3_600).expect("a token");
        assert_eq!(buckets.len(), 11, "ten are full again, and cost less than the search");
        (11..100).for_each(|key| take(&mut buckets, key, 3_600).expect("a token"));
        assert_eq!((buckets.len(), buckets.sweep_at), (90, 108), "at 64 the ten were removed, and 54 stayed");
    }

    #[test]
    fn a_table_that_is_used_by_many_keys_once_each_stays_small() {
        let mut buckets = Buckets::new();
        for n in 0..100_000_u64 {
            // 10 keys a millisecond, each of which is full again after 100 ms.
            let now = Duration::from_millis(n / 10);
            buckets.take(&n, limits(10, 5, 1_000_000), now).expect("a token");
        }
        assert!(buckets.len() <= 2_048, "{} buckets", buckets.len());
    }

    #[derive(Clone, Debug)]
    struct Step {
        key: u8,
        wait_ms: u64,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let wait = prop_oneof![4 => Just(0_u64), 4 => 0..50_u64, 1 => 0..5_000_u64];
        let step = (0..6_u8, wait).prop_map(|(key, wait_ms)| Step { key, wait_ms });
        proptest::collection::vec(step, 1..300)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        /// The table does exactly what a bucket per key that is never removed does, and no key gets more than the burst
        /// and the rate in any time.
        #[test]
        fn a_key_gets_what_a_bucket_of_its_own_would_give(
            rate in 1..40_u32,
            burst in 1..8_u32,
            steps in steps(),
        ) {
            let limits = limits(rate, burst, 1_000);
            let mut buckets = Buckets { sweep_at: 0, ..Buckets::new() };
            let mut own: HashMap<u8, TokenBucket> = HashMap::new();
            let mut taken: HashMap<u8, Vec<u64>> = HashMap::new();
            let mut now_ms = 0;
            for Step { key, wait_ms } in steps {
                now_ms += wait_ms;
                let now = Duration::from_millis(now_ms);
                // Removes all that can be removed, before each step.
                buckets.sweep_at = 0;
                let bucket = own.entry(key).or_insert_with(|| TokenBucket::full(burst, now));
                let result = buckets.take(&key, limits, now);
                prop_assert_eq!(result, bucket.take(rate, burst, now));
                if let Err(wait) = result {
                    // The wait is enough: neither a refusal too many, nor a client that comes back for nothing.
                    prop_assert!(bucket.clone().take(rate, burst, now + wait).is_ok());
                } else {
                    let times = taken.entry(key).or_default();
                    times.push(now_ms);
                    for (at, since) in times.iter().enumerate() {
                        let count = (times.len() - at) as u64;
                        let allowed = u64::from(burst) + (now_ms - since) * u64::from(rate) / 1000;
                        prop_assert!(count <= allowed, "{count} in {} ms", now_ms - since);
                    }
                }
            }
        }

        /// Whatever the keys do, the table is within its bound.
        #[test]
        fn the_table_is_bounded(keys in 1..20_usize, steps in steps()) {
            let mut buckets = Buckets::new();
            let mut now = Duration::ZERO;
            for (n, Step { key, wait_ms }) in steps.into_iter().enumerate() {
                now += Duration::from_millis(wait_ms);
                let _ = buckets.take(&(u64::from(key) * n as u64), limits(5, 3, keys), now);
                prop_assert!(buckets.len() <= keys);
            }
        }
    }
}
