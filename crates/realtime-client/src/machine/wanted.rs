//! The subscriptions, in the order in which they were wanted, and by topic.

use std::collections::{BTreeMap, HashMap};

use super::state::Subscription;

/// Subscriptions by a key that rises, and by topic.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    next: u64,
    by_key: BTreeMap<u64, Subscription>,
    by_topic: HashMap<String, u64>,
}

impl Wanted {
    /// The key of a topic.
    pub(super) fn key(&self, topic: &str) -> Option<u64> {
        self.by_topic.get(topic).copied()
    }

    /// The subscription of a topic.
    pub(crate) fn of(&self, topic: &str) -> Option<&Subscription> {
        self.by_topic.get(topic).and_then(|key| self.by_key.get(key))
    }

    pub(super) fn find(&self, key: u64) -> Option<&Subscription> {
        self.by_key.get(&key)
    }

    pub(super) fn get_mut(&mut self, key: u64) -> &mut Subscription {
        self.by_key.get_mut(&key).expect("a key of this step")
    }

    pub(super) fn insert(&mut self, sub: Subscription) -> u64 {
        self.next += 1;
        self.by_topic.insert(sub.topic.clone(), self.next);
        self.by_key.insert(self.next, sub);
        self.next
    }

    pub(super) fn remove(&mut self, topic: &str) {
        if let Some(key) = self.by_topic.remove(topic) {
            self.by_key.remove(&key);
        }
    }

    pub(super) fn keys(&self) -> Vec<u64> {
        self.by_key.keys().copied().collect()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &Subscription)> {
        self.by_key.iter().map(|(key, sub)| (*key, sub))
    }
}
