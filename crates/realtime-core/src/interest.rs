//! What a node wants of a bus that delivers only what it is asked for: the first subscriber of a key makes the node
//! listen, the last one makes it stop, and a request that failed is repeated.
//!
//! This counts and decides; the caller makes the requests and reports how they ended.

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
};

/// The subscribers of each key, and what the bus knows of it.
///
/// A key costs an entry while it has a subscriber or a request for it is pending, and nothing after that.
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

/// What the bus knows of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bus {
    /// It is being asked to listen.
    Listening,
    /// It delivers the key.
    Held,
    /// It is being asked to stop.
    Leaving,
    /// A request failed or was abandoned: it may deliver the key or not.
    Unknown,
}

/// What a new subscriber has to do.
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

    /// Reports how the request to listen to `key` ended. If it failed or was abandoned, its subscriber no longer
    /// counts, and the bus is to be asked to stop: see [`Self::take_unwanted`].
    pub fn listened(&mut self, key: &K, succeeded: bool) {
        let Some(known) = self.keys.get_mut(key).filter(|known| known.bus == Bus::Listening) else { return };
        if succeeded {
            known.bus = Bus::Held;
        } else {
            *known = Key { subscribers: 0, bus: Bus::Unknown };
            self.unwanted.insert(key.clone());
        }
    }

    /// Counts one subscriber less of `key`; true if it was the last.
    pub fn leave(&mut self, key: &K) -> bool {
        let Some(known) = self.keys.get_mut(key).filter(|known| known.subscribers > 0) else { return false };
        known.subscribers -= 1;
        let last = known.subscribers == 0;
        if last {
            self.unwanted.insert(key.clone());
        }
        last
    }

    /// Up to `max` keys that the bus is to be asked to stop delivering. Report the end of the request for each by
    /// [`Self::left`].
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

    /// Reports how the request to stop delivering `key` ended. One that failed is to be repeated.
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

    /// True if no key costs anything.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.unwanted.is_empty()
    }
}

#[cfg(test)]
mod tests;
