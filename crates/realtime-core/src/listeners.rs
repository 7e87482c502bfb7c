//! Sets of listeners by key: small with one member, and fast with thousands.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    hash::Hash,
    mem,
};

use realtime_schema::ConnectionId;

/// A set larger than this finds its members with a map instead of a linear search.
///
/// A map takes up to 50 bytes for each member, which is more than the member itself. A change of a smaller set is a scan
/// of at most 4 KiB.
const MAPPED_ABOVE: usize = 128;
/// A set smaller than this drops its map. Well below [`MAPPED_ABOVE`], so that a set near the limit does not build and
/// drop it repeatedly.
const UNMAPPED_BELOW: usize = 64;
/// Tables of at most this many entries keep their memory.
const KEPT: usize = 32;

/// The listeners of one key: at least one, each connection once, in no order.
///
/// A single listener is stored inline, without an allocation; several are contiguous, for fan-out.
pub struct ListenerSet<L>(Set<L>);

enum Set<L> {
    One((ConnectionId, L)),
    Many(Box<Many<L>>),
}

struct Many<L> {
    listeners: Vec<(ConnectionId, L)>,
    /// Boxed, because most sets never need it.
    indexes: Option<Box<Indexes>>,
}

/// The index of each connection in the listeners.
struct Indexes(HashMap<ConnectionId, u32>);

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
    fn of(id: ConnectionId, listener: L) -> Self {
        Self(Set::One((id, listener)))
    }

    /// The listeners, with their connections.
    pub fn as_slice(&self) -> &[(ConnectionId, L)] {
        match &self.0 {
            Set::One(only) => std::slice::from_ref(only),
            Set::Many(many) => &many.listeners,
        }
    }

    /// Whether the connection is in the set.
    pub fn contains(&self, id: ConnectionId) -> bool {
        match &self.0 {
            Set::One((only, _)) => *only == id,
            Set::Many(many) => many.index_of(id).is_some(),
        }
    }

    /// Adds a listener; returns false and changes nothing if the connection is already in the set.
    fn insert(&mut self, id: ConnectionId, listener: L) -> bool {
        if self.contains(id) {
            return false;
        }
        match &mut self.0 {
            Set::Many(many) => many.push(id, listener),
            Set::One(_) => {
                let many = Box::new(Many { listeners: Vec::with_capacity(2), indexes: None });
                let Set::One(first) = mem::replace(&mut self.0, Set::Many(many)) else { return false };
                if let Set::Many(many) = &mut self.0 {
                    many.listeners.extend([first, (id, listener)]);
                }
            }
        }
        true
    }

    fn remove(&mut self, id: ConnectionId) -> Removal {
        match &mut self.0 {
            Set::One((only, _)) if *only == id => Removal::Last,
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

impl<L> Many<L> {
    fn index_of(&self, id: ConnectionId) -> Option<usize> {
        match &self.indexes {
            Some(indexes) => indexes.0.get(&id).map(|index| *index as usize),
            None => self.listeners.iter().position(|(known, _)| *known == id),
        }
    }

    fn push(&mut self, id: ConnectionId, listener: L) {
        let index = self.listeners.len();
        self.listeners.push((id, listener));
        match &mut self.indexes {
            Some(indexes) => {
                indexes.0.insert(id, narrow(index));
            }
            None if self.listeners.len() > MAPPED_ABOVE => {
                let all = self.listeners.iter().enumerate();
                self.indexes = Some(Box::new(Indexes(all.map(|(index, (id, _))| (*id, narrow(index))).collect())));
            }
            None => {}
        }
    }

    fn remove(&mut self, index: usize) {
        let (id, _) = self.listeners.swap_remove(index);
        let len = self.listeners.len();
        if let Some(indexes) = &mut self.indexes {
            indexes.0.remove(&id);
            // The last listener has moved into the gap.
            if let Some((moved, _)) = self.listeners.get(index) {
                indexes.0.insert(*moved, narrow(index));
            }
            shrink(&mut indexes.0);
        }
        if len < UNMAPPED_BELOW {
            self.indexes = None;
        }
        if self.listeners.capacity() > KEPT && len < self.listeners.capacity() / 4 {
            self.listeners.shrink_to(len * 2);
        }
    }
}

impl<L> fmt::Debug for ListenerSet<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.as_slice().iter().map(|(id, _)| id)).finish()
    }
}

fn narrow(index: usize) -> u32 {
    u32::try_from(index).expect("a node holds fewer than four billion connections")
}

/// Frees memory of a table that was large and is nearly empty now. Amortized: each call that frees memory halves the
/// table.
pub(crate) fn shrink<K: Eq + Hash, V>(map: &mut HashMap<K, V>) {
    if map.capacity() > KEPT && map.len() < map.capacity() / 4 {
        map.shrink_to(map.len() * 2);
    }
}

/// Keys with their listeners. A key without a listener has no entry.
pub struct ListenerIndex<K, L> {
    sets: HashMap<K, ListenerSet<L>>,
    pairs: usize,
}

impl<K: Clone + Eq + Hash, L> ListenerIndex<K, L> {
    /// An empty index, which allocates nothing.
    pub fn new() -> Self {
        Self { sets: HashMap::new(), pairs: 0 }
    }

    /// Adds a listener and returns the index's own copy of `key`, which a caller that also keeps the key can share.
    /// Returns `None` and changes nothing if the connection is already a listener of `key`.
    pub fn insert(&mut self, key: &K, id: ConnectionId, listener: L) -> Option<K> {
        let kept = match self.sets.entry(key.clone()) {
            Entry::Vacant(vacant) => {
                vacant.insert(ListenerSet::of(id, listener));
                key.clone()
            }
            Entry::Occupied(mut occupied) => {
                if !occupied.get_mut().insert(id, listener) {
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
                shrink(&mut self.sets);
            }
        }
        self.pairs -= 1;
        true
    }

    /// The listeners of `key`, in no particular order.
    pub fn listeners(&self, key: &K) -> &[(ConnectionId, L)] {
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

impl<K: Clone + Eq + Hash, L> Default for ListenerIndex<K, L> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: fmt::Debug, L> fmt::Debug for ListenerIndex<K, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.sets).finish()
    }
}

#[cfg(test)]
mod tests;
