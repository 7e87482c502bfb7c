//! Time that a test moves: what is due runs in the order of its times, and of its setting.

use std::collections::BTreeMap;

/// Names a timer.
pub(super) type Key = (u64, u64);

#[derive(Debug)]
pub(super) struct Clock<T> {
    pub(super) now: u64,
    next: u64,
    timers: BTreeMap<Key, T>,
}

impl<T> Clock<T> {
    pub(super) fn new() -> Self {
        Self { now: 0, next: 1, timers: BTreeMap::new() }
    }

    /// As the timers of platforms: a longer time than 2^31 - 1 ms expires at once.
    pub(super) fn set(&mut self, ms: u64, what: T) -> Key {
        let ms = if ms > 2_147_483_647 { 1 } else { ms };
        let key = (self.now + ms, self.next);
        self.next += 1;
        self.timers.insert(key, what);
        key
    }

    pub(super) fn clear(&mut self, key: Key) {
        self.timers.remove(&key);
    }

    pub(super) fn take(&mut self, key: Key) -> Option<T> {
        self.timers.remove(&key)
    }

    pub(super) fn next_due(&self) -> Option<u64> {
        self.timers.keys().next().map(|(due, _)| *due)
    }

    /// The next that is due until this time; the time moves to it.
    pub(super) fn pop(&mut self, until: u64) -> Option<T> {
        let (&key, _) = self.timers.iter().next().filter(|((due, _), _)| *due <= until)?;
        self.now = self.now.max(key.0);
        self.timers.remove(&key)
    }

    /// The process sleeps; what is overdue then.
    pub(super) fn sleep(&mut self, ms: u64) -> Vec<Key> {
        self.now += ms;
        self.timers.keys().copied().take_while(|(due, _)| *due <= self.now).collect()
    }
}
