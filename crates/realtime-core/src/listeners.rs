//! Sets of listeners by key: small with one member, and fast with thousands.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    hash::{BuildHasher, Hash, RandomState},
    mem,
};

use hashbrown::HashTable;
use realtime_schema::ConnectionId;

use crate::{
    capacity::shrunk,
    identified::{self, Identified, KEPT},
};

/// A set larger than this finds its members by hash instead of a linear search, which reads every listener for its id.
const HASHED_ABOVE: usize = 32;
/// A set smaller than this drops its hash table. Well below [`HASHED_ABOVE`], so that a set near the limit does not
/// build and drop it repeatedly.
const UNHASHED_BELOW: usize = 16;

/// The listeners of one key: at least one, each connection once, in no order.
///
/// A single listener is stored inline, without an allocation; several are contiguous, for fan-out.
pub struct ListenerSet<L>(Set<L>);

enum Set<L> {
    One(L),
    Many(Box<Many<L>>),
}

struct Many<L> {
    listeners: Vec<L>,
    /// Boxed, because most sets never need it.
    indexes: Option<Box<Indexes>>,
}

/// The index of each connection in the list of listeners. It has no ids: the listeners know theirs.
struct Indexes {
    table: HashTable<u32>,
    hasher: RandomState,
}

/// The result of a removal.
enum Removal {
    /// The connection was not in the set.
    Absent,
    /// The connection was removed; others remain.
    Removed,
    /// The connection is the only one. A set is never empty, so the caller drops the set.
    Last,
}

impl<L> ListenerSet<L> {
    /// The listeners.
    pub fn as_slice(&self) -> &[L] {
        match &self.0 {
            Set::One(only) => std::slice::from_ref(only),
            Set::Many(many) => &many.listeners,
        }
    }
}

impl<L: Identified> ListenerSet<L> {
    fn of(listener: L) -> Self {
        Self(Set::One(listener))
    }

    /// Whether the connection is in the set.
    pub fn contains(&self, id: ConnectionId) -> bool {
        match &self.0 {
            Set::One(only) => only.id() == id,
            Set::Many(many) => many.index_of(id).is_some(),
        }
    }

    /// Adds a listener; returns false and changes nothing if its connection is already in the set.
    fn insert(&mut self, listener: L) -> bool {
        if self.contains(listener.id()) {
            return false;
        }
        match &mut self.0 {
            Set::Many(many) => many.push(listener),
            Set::One(_) => {
                let many = Box::new(Many { listeners: Vec::with_capacity(2), indexes: None });
                let Set::One(first) = mem::replace(&mut self.0, Set::Many(many)) else { return false };
                if let Set::Many(many) = &mut self.0 {
                    many.listeners.extend([first, listener]);
                }
            }
        }
        true
    }

    fn remove(&mut self, id: ConnectionId) -> Removal {
        match &mut self.0 {
            Set::One(only) if only.id() == id => Removal::Last,
            Set::One(_) => Removal::Absent,
            Set::Many(many) => {
                let Some(index) = many.index_of(id) else { return Removal::Absent };
                many.remove(index);
                if many.listeners.len() == 1
                    && let Some(last) = many.listeners.pop()
                {
                    self.0 = Set::One(last);
                }
                Removal::Removed
            }
        }
    }
}

impl<L: Identified> Many<L> {
    fn index_of(&self, id: ConnectionId) -> Option<usize> {
        match &self.indexes {
            Some(indexes) => indexes.get(id, &self.listeners),
            None => self.listeners.iter().position(|known| known.id() == id),
        }
    }

    fn push(&mut self, listener: L) {
        let len = self.listeners.len();
        if len == self.listeners.capacity() {
            // A quarter more, not twice as much: a tenth of the memory is unused on average, not a quarter.
            self.listeners.reserve_exact(len / 4 + 2);
        }
        self.listeners.push(listener);
        match &mut self.indexes {
            Some(indexes) => indexes.push_last(&self.listeners),
            None if self.listeners.len() > HASHED_ABOVE => self.indexes = Some(Box::new(Indexes::of(&self.listeners))),
            None => {}
        }
    }

    fn remove(&mut self, index: usize) {
        if let Some(indexes) = &mut self.indexes {
            indexes.swap_remove(index, &self.listeners);
        }
        self.listeners.swap_remove(index);
        let (len, capacity) = (self.listeners.len(), self.listeners.capacity());
        if len < UNHASHED_BELOW {
            self.indexes = None;
        }
        if let Some(indexes) = &mut self.indexes {
            indexes.shrink(&self.listeners);
        }
        if capacity > KEPT
            && let Some(to) = shrunk(len, capacity)
        {
            self.listeners.shrink_to(to);
        }
    }
}

impl Indexes {
    fn of(listeners: &[impl Identified]) -> Self {
        let mut indexes = Self { table: HashTable::with_capacity(listeners.len()), hasher: RandomState::new() };
        (1..=listeners.len()).for_each(|len| indexes.push_last(&listeners[..len]));
        indexes
    }

    fn get(&self, id: ConnectionId, listeners: &[impl Identified]) -> Option<usize> {
        let found = self.table.find(self.hasher.hash_one(id), |index| listeners[*index as usize].id() == id);
        found.map(|index| *index as usize)
    }

    /// Adds the last of `listeners`; the others are there.
    fn push_last(&mut self, listeners: &[impl Identified]) {
        let hash = |index: usize| self.hasher.hash_one(listeners[index].id());
        let last = listeners.len() - 1;
        self.table.insert_unique(hash(last), narrow(last), |index| hash(*index as usize));
    }

    /// Removes the listener at `index`, before the last of `listeners` moves to its place.
    fn swap_remove(&mut self, index: usize, listeners: &[impl Identified]) {
        let hash = |index: usize| self.hasher.hash_one(listeners[index].id());
        let last = listeners.len() - 1;
        if let Ok(gone) = self.table.find_entry(hash(index), |known| *known == narrow(index)) {
            gone.remove();
        }
        if let Some(moved) = self.table.find_mut(hash(last), |known| *known == narrow(last)) {
            *moved = narrow(index);
        }
    }

    fn shrink(&mut self, listeners: &[impl Identified]) {
        identified::shrink(&mut self.table, |index| self.hasher.hash_one(listeners[*index as usize].id()));
    }
}

impl<L: fmt::Debug> fmt::Debug for ListenerSet<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.as_slice()).finish()
    }
}

fn narrow(index: usize) -> u32 {
    u32::try_from(index).expect("a node holds fewer than four billion connections")
}

/// Keys with their listeners. A key without a listener has no entry.
pub struct ListenerIndex<K, L> {
    sets: HashMap<K, ListenerSet<L>>,
    pairs: usize,
}

impl<K: Clone + Eq + Hash, L: Identified> ListenerIndex<K, L> {
    /// An empty index, which allocates nothing.
    pub fn new() -> Self {
        Self { sets: HashMap::new(), pairs: 0 }
    }

    /// Adds a listener and returns the index's own copy of `key`, which a caller that also keeps the key can share.
    /// Returns `None` and changes nothing if its connection is already a listener of `key`.
    pub fn insert(&mut self, key: &K, listener: L) -> Option<K> {
        let kept = match self.sets.entry(key.clone()) {
            Entry::Vacant(vacant) => {
                vacant.insert(ListenerSet::of(listener));
                key.clone()
            }
            Entry::Occupied(mut occupied) => {
                if !occupied.get_mut().insert(listener) {
                    return None;
                }
                occupied.key().clone()
            }
        };
        self.pairs += 1;
        Some(kept)
    }

    /// Removes a listener; false if it was not in the index.
    pub fn remove(&mut self, key: &K, id: ConnectionId) -> bool {
        let Some(set) = self.sets.get_mut(key) else { return false };
        match set.remove(id) {
            Removal::Absent => return false,
            Removal::Removed => {}
            Removal::Last => {
                self.sets.remove(key);
                let capacity = self.sets.capacity();
                if capacity > KEPT
                    && let Some(to) = shrunk(self.sets.len(), capacity)
                {
                    self.sets.shrink_to(to);
                }
            }
        }
        self.pairs -= 1;
        true
    }

    /// The listeners of `key`, in no particular order.
    pub fn listeners(&self, key: &K) -> &[L] {
        self.sets.get(key).map_or(&[], ListenerSet::as_slice)
    }

    /// Whether the connection is a listener of `key`.
    pub fn contains(&self, key: &K, id: ConnectionId) -> bool {
        self.sets.get(key).is_some_and(|set| set.contains(id))
    }

    /// Whether `key` has a listener.
    pub fn exists(&self, key: &K) -> bool {
        self.sets.contains_key(key)
    }

    /// Every key with its listeners, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &ListenerSet<L>)> {
        self.sets.iter()
    }

    /// Number of keys.
    pub fn keys(&self) -> usize {
        self.sets.len()
    }

    /// Number of pairs of a key and a connection.
    pub fn pairs(&self) -> usize {
        self.pairs
    }
}

impl<K: Clone + Eq + Hash, L: Identified> Default for ListenerIndex<K, L> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: fmt::Debug, L: fmt::Debug> fmt::Debug for ListenerIndex<K, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.sets).finish()
    }
}

#[cfg(test)]
mod tests;
