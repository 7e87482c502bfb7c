//! Values that know the id of their connection, and a table of them.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use hashbrown::{HashTable, hash_table::Entry};
use realtime_schema::ConnectionId;

use crate::capacity::shrunk;

/// A value that knows the id of its connection. A table of such values does not store the ids beside them.
///
/// An adapter's socket is one, and so is a pair of an id and any value.
pub trait Identified {
    /// The id of the connection, always the same. It is read while a table is searched: it must be cheap.
    fn id(&self) -> ConnectionId;
}

impl Identified for ConnectionId {
    fn id(&self) -> ConnectionId {
        *self
    }
}

impl<T> Identified for (ConnectionId, T) {
    fn id(&self) -> ConnectionId {
        self.0
    }
}

impl<T: Identified + ?Sized> Identified for Arc<T> {
    fn id(&self) -> ConnectionId {
        (**self).id()
    }
}

/// Tables of at most this many entries keep their memory.
pub(crate) const KEPT: usize = 32;

/// Values by the id of their connection. One value for each connection.
pub(crate) struct IdTable<T> {
    values: HashTable<T>,
    hasher: RandomState,
}

impl<T: Identified> IdTable<T> {
    /// An empty table, which allocates nothing.
    pub(crate) fn new() -> Self {
        Self { values: HashTable::new(), hasher: RandomState::new() }
    }

    /// Adds a value; returns false and changes nothing if the connection has one already.
    pub(crate) fn insert(&mut self, value: T) -> bool {
        let (id, hasher) = (value.id(), &self.hasher);
        match self.values.entry(hasher.hash_one(id), |known| known.id() == id, |known| hasher.hash_one(known.id())) {
            Entry::Occupied(_) => false,
            Entry::Vacant(vacant) => {
                vacant.insert(value);
                true
            }
        }
    }

    /// Removes a connection's value and returns it.
    pub(crate) fn remove(&mut self, id: ConnectionId) -> Option<T> {
        let found = self.values.find_entry(self.hasher.hash_one(id), |known| known.id() == id).ok()?;
        let (gone, _) = found.remove();
        shrink(&mut self.values, |known| self.hasher.hash_one(known.id()));
        Some(gone)
    }

    /// A connection's value.
    pub(crate) fn get(&self, id: ConnectionId) -> Option<&T> {
        self.values.find(self.hasher.hash_one(id), |known| known.id() == id)
    }

    /// A connection's value, to change it. Its id must stay the same.
    pub(crate) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut T> {
        self.values.find_mut(self.hasher.hash_one(id), |known| known.id() == id)
    }

    /// Every value, in no particular order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.values.iter()
    }

    /// Number of values.
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }
}

impl<T: fmt::Debug> fmt::Debug for IdTable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(&self.values).finish()
    }
}

/// Frees memory of a table that was large and is nearly empty now.
pub(crate) fn shrink<T>(table: &mut HashTable<T>, hash: impl Fn(&T) -> u64) {
    if table.capacity() > KEPT
        && let Some(capacity) = shrunk(table.len(), table.capacity())
    {
        table.shrink_to(capacity, hash);
    }
}

#[cfg(test)]
mod tests;
