//! Tables of connections. [`Registry`] is complete, for one thread; its parts, [`ConnectionTable`] and a
//! [`ListenerIndex`] for users and one for roles, can be kept behind separate locks by a caller that needs many threads.

use std::sync::Arc;

use realtime_schema::{Connection, ConnectionId, Role, UserId};

use crate::{
    connection::{ConnectionUpdate, updated},
    id_order::IdOrder,
    identified::{IdTable, Identified},
    listeners::ListenerIndex,
};

/// A connection's record and its listener.
#[derive(Clone, Debug)]
pub struct Registered<L> {
    /// The record.
    pub record: Arc<Connection>,
    /// The listener, which delivers to it.
    pub listener: L,
}

impl<L> Identified for Registered<L> {
    fn id(&self) -> ConnectionId {
        self.record.id
    }
}

/// The connections by their ids.
#[derive(Debug)]
pub struct ConnectionTable<L> {
    table: IdTable<Registered<L>>,
    /// The same ids in their order, so that a page of them costs what it shows, however many there are.
    order: IdOrder,
}

impl<L> ConnectionTable<L> {
    /// An empty table, which allocates nothing.
    pub fn new() -> Self {
        Self { table: IdTable::new(), order: IdOrder::default() }
    }

    /// Adds a connection; returns false and changes nothing if its id is there already.
    pub fn insert(&mut self, record: Arc<Connection>, listener: L) -> bool {
        let id = record.id;
        let is_new = self.table.insert(Registered { record, listener });
        if is_new {
            self.order.insert(id);
        }
        is_new
    }

    /// Removes a connection and returns it.
    pub fn remove(&mut self, id: ConnectionId) -> Option<Registered<L>> {
        let gone = self.table.remove(id)?;
        self.order.remove(id);
        Some(gone)
    }

    /// A connection.
    pub fn get(&self, id: ConnectionId) -> Option<&Registered<L>> {
        self.table.get(id)
    }

    /// Replaces the record of a connection by the one with `change` applied.
    pub fn update(&mut self, id: ConnectionId, change: ConnectionUpdate) -> Option<Replaced<'_, L>> {
        let registered = self.table.get_mut(id)?;
        let new = Arc::new(updated(&registered.record, change));
        let old = std::mem::replace(&mut registered.record, Arc::clone(&new));
        Some(Replaced { old, new, listener: &registered.listener })
    }

    /// Every connection, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &Registered<L>> {
        self.table.iter()
    }

    /// The ids from the first one after `after`, in their order.
    pub fn ids_after(&self, after: Option<ConnectionId>) -> impl Iterator<Item = ConnectionId> {
        self.order.after(after)
    }

    /// Number of connections.
    pub fn count(&self) -> usize {
        self.table.len()
    }
}

impl<L> Default for ConnectionTable<L> {
    fn default() -> Self {
        Self::new()
    }
}

/// A record that replaced another.
#[derive(Debug)]
pub struct Replaced<'a, L> {
    /// The old record.
    pub old: Arc<Connection>,
    /// The new record.
    pub new: Arc<Connection>,
    /// The listener, which delivers to the connection.
    pub listener: &'a L,
}

impl<L> Replaced<'_, L> {
    /// The roles that only the new record has.
    pub fn added_roles(&self) -> impl Iterator<Item = &Role> {
        only_in(&self.new, &self.old)
    }

    /// The roles that only the old record has.
    pub fn removed_roles(&self) -> impl Iterator<Item = &Role> {
        only_in(&self.old, &self.new)
    }
}

fn only_in<'a>(one: &'a Connection, other: &'a Connection) -> impl Iterator<Item = &'a Role> {
    one.roles.iter().filter(|role| !other.roles.contains(role))
}

/// The connections by id, by user and by role. Lookups are O(result). For one thread.
#[derive(Debug)]
pub struct Registry<L> {
    connections: ConnectionTable<L>,
    users: ListenerIndex<UserId, L>,
    roles: ListenerIndex<Role, L>,
}

impl<L: Clone + Identified> Registry<L> {
    /// No connections.
    pub fn new() -> Self {
        Self { connections: ConnectionTable::new(), users: ListenerIndex::new(), roles: ListenerIndex::new() }
    }

    /// Adds a connection with its listener, which has the same id; returns false and changes nothing if the id is
    /// registered already.
    pub fn register(&mut self, record: Arc<Connection>, listener: L) -> bool {
        if self.connections.get(record.id).is_some() {
            return false;
        }
        self.users.insert(&record.user, listener.clone());
        for role in &record.roles {
            self.roles.insert(role, listener.clone());
        }
        self.connections.insert(record, listener)
    }

    /// Removes a connection and returns it; `None` if it is unknown.
    pub fn unregister(&mut self, id: ConnectionId) -> Option<Registered<L>> {
        let gone = self.connections.remove(id)?;
        self.users.remove(&gone.record.user, id);
        for role in &gone.record.roles {
            self.roles.remove(role, id);
        }
        Some(gone)
    }

    /// Replaces roles or metadata of a record, and returns the new record; `None` if it is unknown.
    pub fn update(&mut self, id: ConnectionId, change: ConnectionUpdate) -> Option<Arc<Connection>> {
        let replaced = self.connections.update(id, change)?;
        for role in replaced.added_roles() {
            self.roles.insert(role, replaced.listener.clone());
        }
        for role in replaced.removed_roles() {
            self.roles.remove(role, id);
        }
        Some(replaced.new)
    }

    /// A connection.
    pub fn get(&self, id: ConnectionId) -> Option<&Registered<L>> {
        self.connections.get(id)
    }

    /// Every connection, in no particular order.
    pub fn all(&self) -> impl Iterator<Item = &Registered<L>> {
        self.connections.iter()
    }

    /// A user's connections, in no particular order.
    pub fn of_user(&self, user: &UserId) -> &[L] {
        self.users.listeners(user)
    }

    /// The connections that have a role, in no particular order.
    pub fn of_role(&self, role: &Role) -> &[L] {
        self.roles.listeners(role)
    }

    /// Number of connections.
    pub fn count(&self) -> usize {
        self.connections.count()
    }

    /// Number of users with a connection.
    pub fn user_count(&self) -> usize {
        self.users.keys()
    }

    /// Number of roles with a connection.
    pub fn role_count(&self) -> usize {
        self.roles.keys()
    }
}

impl<L: Clone + Identified> Default for Registry<L> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
