//! State divided into shards, each with its own lock, so that threads seldom wait for each other.

use std::{
    hash::{BuildHasher, DefaultHasher, Hash, Hasher, RandomState},
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

/// Enough to make contention between threads rare on current machines; 8 KiB when empty.
const SHARDS: usize = 64;

/// 64 tables; each key belongs to one. The hash is keyed, so that clients can't choose keys of one shard.
pub(super) struct Shards<T> {
    shards: Box<[Shard<T>]>,
    /// A hasher that was fed the key; each hash continues a copy of it.
    keyed: DefaultHasher,
}

/// Aligned to two cache lines, which processors fetch in pairs: shards in one line would slow each other down.
#[derive(Default)]
#[repr(align(128))]
struct Shard<T>(RwLock<T>);

// A lock is poisoned when a thread panics while it writes. Each write is a few steps on plain tables, and to go on with
// them is better than to refuse every connection afterwards.
impl<T> Shard<T> {
    fn read(&self) -> RwLockReadGuard<'_, T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Shards<T> {
    /// The shard of `key`, to read.
    pub(super) fn read(&self, key: &impl Hash) -> RwLockReadGuard<'_, T> {
        self.of(key).read()
    }

    /// The shard of `key`, to write.
    pub(super) fn write(&self, key: &impl Hash) -> RwLockWriteGuard<'_, T> {
        self.of(key).write()
    }

    /// Every shard, to read, one after the other: at most one is locked at a time.
    pub(super) fn each(&self) -> impl Iterator<Item = RwLockReadGuard<'_, T>> {
        self.shards.iter().map(Shard::read)
    }

    fn of(&self, key: &impl Hash) -> &Shard<T> {
        let mut hasher = self.keyed.clone();
        key.hash(&mut hasher);
        // The low bits only: there are 64.
        #[allow(clippy::cast_possible_truncation)]
        let hash = hasher.finish() as usize;
        &self.shards[hash % SHARDS]
    }
}

impl<T: Default> Shards<T> {
    /// Shards whose hash has a fixed key: every run puts a key into the same shard. For tests alone: clients that
    /// know the key can aim at one shard.
    pub(super) fn with_seed(seed: u64) -> Self {
        Self::keyed([seed, 0])
    }

    fn keyed(key: [u64; 2]) -> Self {
        let mut keyed = DefaultHasher::new();
        key.into_iter().for_each(|half| keyed.write_u64(half));
        Self { shards: (0..SHARDS).map(|_| Shard::default()).collect(), keyed }
    }
}

impl<T: Default> Default for Shards<T> {
    fn default() -> Self {
        let random = RandomState::new();
        Self::keyed([random.hash_one(0), random.hash_one(1)])
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    #[test]
    fn a_shard_shares_no_cache_line() {
        assert_eq!(align_of::<Shard<HashMap<u64, u64>>>(), 128);
        assert_eq!(size_of::<Shard<HashMap<u64, u64>>>(), 128);
    }

    #[test]
    fn a_key_has_one_shard_and_keys_spread_over_all_shards() {
        let shards = Shards::<HashSet<u32>>::default();
        (0..1_000_u32).for_each(|key| assert!(shards.write(&key).insert(key)));
        assert!((0..1_000_u32).all(|key| shards.read(&key).contains(&key)));
        assert!(shards.each().filter(|shard| !shard.is_empty()).count() > SHARDS / 2);
    }

    #[test]
    fn a_seed_decides_the_shard_of_each_key_and_without_one_it_is_random() {
        let order = |shards: Shards<Vec<u32>>| {
            (0..1_000_u32).for_each(|key| shards.write(&key).push(key));
            shards.each().flat_map(|shard| shard.clone()).collect::<Vec<_>>()
        };
        assert_eq!(order(Shards::with_seed(7)), order(Shards::with_seed(7)));
        assert_ne!(order(Shards::with_seed(7)), order(Shards::with_seed(8)));
        assert_ne!(order(Shards::default()), order(Shards::default()));
    }

    #[test]
    fn a_panicked_thread_does_not_block_the_others() {
        let shards = Shards::<HashSet<u32>>::default();
        std::thread::scope(|scope| {
            let panicking = scope.spawn(|| {
                let _held = shards.write(&1);
                panic!("on purpose");
            });
            assert!(panicking.join().is_err());
        });
        assert!(shards.write(&1).insert(1));
        assert_eq!(shards.each().map(|shard| shard.len()).sum::<usize>(), 1);
    }
}
