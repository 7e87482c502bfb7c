//! The interest of a node in the keys of a selective bus: the first subscriber of a key makes the node listen, the last
//! one makes it stop, and a failed request is repeated.
//!
//! This module counts and decides; the caller makes the requests and reports their results.

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
};

/// The subscribers of each key, and its state on the bus.
///
/// A key has an entry only while it has a subscriber or a pending request.
#[derive(Clone, Debug)]
pub struct Interest<K> {
    keys: HashMap<K, Key>,
    /// Keys without subscribers that the bus may still deliver.
    unwanted: HashSet<K>,
}

#[derive(Clone, Copy, Debug)]
struct Key {
    subscribers: u32,
    bus: Bus,
}

/// The state of a key on the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bus {
    /// A request to listen is pending.
    Listening,
    /// The bus delivers the key.
    Held,
    /// A request to stop is pending.
    Leaving,
    /// A request failed or was cancelled: the bus may or may not deliver the key.
    Unknown,
}

/// The next step of a new subscriber.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Entered {
    /// Nothing: the bus delivers the key. The subscriber is counted.
    Held,
    /// Ask the bus to listen, then call [`Interest::listened`]. The subscriber is counted.
    First,
    /// Wait until another request for the key has ended, then enter again. The subscriber is not counted.
    Wait,
}

impl<K> Default for Interest<K> {
    fn default() -> Self {
        Self { keys: HashMap::new(), unwanted: HashSet::new() }
    }
}

impl<K: Clone + Eq + Hash> Interest<K> {
    /// Counts one more subscriber of `key`, unless a request for it is pending.
    pub fn enter(&mut self, key: &K) -> Entered {
        let Some(known) = self.keys.get_mut(key) else {
            self.keys.insert(key.clone(), Key { subscribers: 1, bus: Bus::Listening });
            return Entered::First;
        };
        let entered = match known.bus {
            Bus::Held => Entered::Held,
            Bus::Unknown => {
                known.bus = Bus::Listening;
                Entered::First
            }
            Bus::Listening | Bus::Leaving => return Entered::Wait,
        };
        known.subscribers += 1;
        self.unwanted.remove(key);
        entered
    }

    /// Reports the result of the request to listen to `key`. If it failed or was cancelled, its subscriber is no longer
    /// counted, and the bus must be asked to stop: see [`Self::take_unwanted`].
    pub fn listened(&mut self, key: &K, succeeded: bool) {
        let Some(known) = self.keys.get_mut(key).filter(|known| known.bus == Bus::Listening) else { return };
        if succeeded {
            known.bus = Bus::Held;
        } else {
            *known = Key { subscribers: 0, bus: Bus::Unknown };
            self.unwanted.insert(key.clone());
        }
    }

    /// Removes one subscriber of `key` from the count; true if it was the last.
    pub fn leave(&mut self, key: &K) -> bool {
        let Some(known) = self.keys.get_mut(key).filter(|known| known.subscribers > 0) else { return false };
        known.subscribers -= 1;
        let last = known.subscribers == 0;
        if last {
            self.unwanted.insert(key.clone());
        }
        last
    }

    /// Up to `max` keys that the bus must be asked to stop delivering. Report the result for each with [`Self::left`].
    pub fn take_unwanted(&mut self, max: usize) -> Vec<K> {
        let taken: Vec<_> = self.unwanted.iter().take(max).cloned().collect();
        for key in &taken {
            self.unwanted.remove(key);
            if let Some(known) = self.keys.get_mut(key) {
                known.bus = Bus::Leaving;
            }
        }
        taken
    }

    /// Reports the result of the request to stop delivering `key`. A failed one must be repeated.
    pub fn left(&mut self, key: &K, succeeded: bool) {
        let Some(known) = self.keys.get_mut(key).filter(|known| known.bus == Bus::Leaving) else { return };
        if succeeded {
            self.keys.remove(key);
        } else {
            known.bus = Bus::Unknown;
            self.unwanted.insert(key.clone());
        }
    }

    /// Number of subscribers of `key`.
    pub fn subscribers(&self, key: &K) -> u32 {
        self.keys.get(key).map_or(0, |known| known.subscribers)
    }

    /// True if no key has an entry.
    pub fn is_empty(&self) -> bool {
        // An unwanted key has an entry until the bus has stopped.
        self.keys.is_empty()
    }
}

#[cfg(test)]
mod tests;
