//! Which log to look at next, of many: the one whose oldest entry expires first, or is the oldest of all.

use std::{cmp::Reverse, collections::BinaryHeap};

use crate::capacity::shrunk;

/// Logs by the age at which their entries expire and by the time of their oldest entry. A log is held at most once, and
/// costs nothing while it only grows: its time may be older than its oldest entry, so that the caller looks, and pushes
/// it again with the time that it finds.
#[derive(Debug)]
pub struct Expiry<K> {
    ages: Vec<Age<K>>,
    len: usize,
}

#[derive(Debug)]
struct Age<K> {
    /// In milliseconds.
    age: u64,
    logs: BinaryHeap<Reverse<Oldest<K>>>,
}

/// A log, ordered by the time of its oldest entry.
#[derive(Debug)]
struct Oldest<K> {
    /// In milliseconds.
    at: u64,
    log: K,
}

impl<K> PartialEq for Oldest<K> {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl<K> Eq for Oldest<K> {}

impl<K> PartialOrd for Oldest<K> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<K> Ord for Oldest<K> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

impl<K> Default for Expiry<K> {
    fn default() -> Self {
        Self { ages: Vec::new(), len: 0 }
    }
}

impl<K> Expiry<K> {
    /// Number of logs.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True if it holds no log.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Holds `log`, whose oldest entry is from `at` and expires `age` later, both in milliseconds.
    pub fn push(&mut self, age: u64, at: u64, log: K) {
        let known = self.ages.iter().position(|known| known.age == age);
        let place = known.unwrap_or_else(|| {
            self.ages.push(Age { age, logs: BinaryHeap::new() });
            self.ages.len() - 1
        });
        self.ages[place].logs.push(Reverse(Oldest { at, log }));
        self.len += 1;
    }

    /// Takes a log whose oldest entry has expired at `now`, with its age; `None` if no log has one.
    pub fn pop_expired(&mut self, now: u64) -> Option<(u64, K)> {
        let expired = |age: &Age<K>| age.logs.peek().is_some_and(|first| first.0.at.saturating_add(age.age) <= now);
        let place = self.ages.iter().position(expired)?;
        self.pop(place)
    }

    /// Takes the log with the oldest entry of all, with its age.
    pub fn pop_oldest(&mut self) -> Option<(u64, K)> {
        let first = |age: &Age<K>| age.logs.peek().map(|first| first.0.at);
        let place = (0..self.ages.len()).filter_map(|place| Some((first(&self.ages[place])?, place))).min()?.1;
        self.pop(place)
    }

    fn pop(&mut self, place: usize) -> Option<(u64, K)> {
        let Age { age, logs } = &mut self.ages[place];
        let Reverse(Oldest { log, .. }) = logs.pop()?;
        let age = *age;
        self.len -= 1;
        if logs.is_empty() {
            // Ages come and go with the settings.
            self.ages.swap_remove(place);
        } else if let Some(capacity) = shrunk(logs.len(), logs.capacity()) {
            logs.shrink_to(capacity);
        }
        Some((age, log))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_comes_out_when_its_oldest_entry_has_expired() {
        let mut expiry = Expiry::default();
        expiry.push(100, 10, "hour");
        expiry.push(10, 50, "minute");
        assert!(!expiry.is_empty());
        assert_eq!(expiry.pop_expired(59), None);
        assert_eq!(expiry.pop_expired(60), Some((10, "minute")));
        assert_eq!(expiry.pop_expired(109), None);
        assert_eq!(expiry.pop_expired(110), Some((100, "hour")));
        assert!(expiry.is_empty());
    }

    #[test]
    fn the_oldest_of_all_ages_comes_out_first() {
        let mut expiry = Expiry::default();
        for (age, at) in [(10, 7), (20, 3), (10, 5), (20, 9)] {
            expiry.push(age, at, at);
        }
        assert_eq!(expiry.len(), 4);
        let order: Vec<_> = std::iter::from_fn(|| expiry.pop_oldest()).collect();
        assert_eq!(order, [(20, 3), (10, 5), (10, 7), (20, 9)]);
        assert_eq!(expiry.len(), 0);
    }

    #[test]
    fn what_many_logs_needed_is_given_back() {
        let mut expiry = Expiry::default();
        (0..1_000).for_each(|at| expiry.push(10, at, at));
        (0..990).for_each(|at| assert_eq!(expiry.pop_expired(at + 10), Some((10, at))));
        assert!(expiry.ages[0].logs.capacity() <= 80, "room for {} logs", expiry.ages[0].logs.capacity());
        (990..1_000).for_each(|at| assert_eq!(expiry.pop_oldest(), Some((10, at))));
        assert!(expiry.ages.is_empty(), "an age that no log has is forgotten");
    }
}
