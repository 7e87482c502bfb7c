//! The connections of this node, in memory.

use std::sync::Arc;

use realtime_core::{
    connection::ConnectionUpdate, listeners::ListenerIndex, page::PageBuilder, registry::ConnectionTable,
};
use realtime_ports::{ConnectionRegistry, RegisterError, Selection, SocketVisitor, WebSocketConnection};
use realtime_schema::{Connection, ConnectionId, Role, UserId};

use super::{Socket, shards::Shards};

/// The connections of this node, by id, by user and by role.
///
/// Order of locks: a connection's shard first; while it is held, one user's or one role's shard at a time. A change of
/// a connection holds the connection's shard until it is complete, so that the indexes match the record even if
/// several threads change it at once. A visit takes one lock only.
#[derive(Default)]
pub struct LocalRegistry {
    connections: Shards<ConnectionTable<Socket>>,
    users: Shards<ListenerIndex<UserId, Socket>>,
    roles: Shards<ListenerIndex<Role, Socket>>,
    /// Visits are in an order that every run repeats.
    repeatable: bool,
}

impl LocalRegistry {
    /// No connections.
    pub fn new() -> Self {
        Self::default()
    }

    /// No connections, and visits in an order that `seed` decides: for tests that repeat a run. Not for production,
    /// where the order is random so that clients can't choose what shares a lock.
    pub fn with_seed(seed: u64) -> Self {
        Self {
            connections: Shards::with_seed(seed),
            users: Shards::with_seed(seed),
            roles: Shards::with_seed(seed),
            repeatable: true,
        }
    }
}

impl ConnectionRegistry for LocalRegistry {
    fn register(&self, connection: Arc<Connection>, socket: Arc<dyn WebSocketConnection>) -> Result<(), RegisterError> {
        let id = connection.id;
        let mut connections = self.connections.write(&id);
        if connections.get(id).is_some() {
            return Err(RegisterError(id));
        }
        self.users.write(&connection.user).insert(&connection.user, Arc::clone(&socket));
        for role in &connection.roles {
            self.roles.write(role).insert(role, Arc::clone(&socket));
        }
        connections.insert(connection, socket);
        Ok(())
    }

    fn unregister(&self, id: ConnectionId) -> Option<Arc<Connection>> {
        let mut connections = self.connections.write(&id);
        let gone = connections.remove(id)?;
        self.users.write(&gone.record.user).remove(&gone.record.user, id);
        for role in &gone.record.roles {
            self.roles.write(role).remove(role, id);
        }
        // Released before the socket is dropped: a drop may run any code.
        drop(connections);
        Some(gone.record)
    }

    fn get(&self, id: ConnectionId) -> Option<(Arc<Connection>, Arc<dyn WebSocketConnection>)> {
        let connections = self.connections.read(&id);
        connections.get(id).map(|found| (Arc::clone(&found.record), Arc::clone(&found.listener)))
    }

    fn update(&self, id: ConnectionId, change: ConnectionUpdate) -> Option<Arc<Connection>> {
        let mut connections = self.connections.write(&id);
        let replaced = connections.update(id, change)?;
        for role in replaced.added_roles() {
            self.roles.write(role).insert(role, Arc::clone(replaced.listener));
        }
        for role in replaced.removed_roles() {
            self.roles.write(role).remove(role, id);
        }
        Some(replaced.new)
    }

    fn visit(&self, selection: &Selection, visit: &mut dyn SocketVisitor) {
        match selection {
            Selection::All => {
                for connections in self.connections.each() {
                    if self.repeatable {
                        let mut found: Vec<_> = connections.iter().collect();
                        found.sort_unstable_by_key(|found| found.record.id);
                        found.into_iter().for_each(|found| visit.visit(&found.listener));
                    } else {
                        connections.iter().for_each(|found| visit.visit(&found.listener));
                    }
                }
            }
            Selection::User(user) => {
                self.users.read(user).listeners(user).iter().for_each(|socket| visit.visit(socket));
            }
            Selection::Role(role) => {
                self.roles.read(role).listeners(role).iter().for_each(|socket| visit.visit(socket));
            }
        }
    }

    fn page(&self, selection: &Selection, after: Option<ConnectionId>, limit: usize) -> Vec<ConnectionId> {
        let mut page = PageBuilder::new(after, limit);
        match selection {
            Selection::All => {
                for connections in self.connections.each() {
                    page.offer_sorted(connections.ids_after(after));
                }
            }
            Selection::User(user) => {
                self.users.read(user).listeners(user).iter().for_each(|socket| {
                    page.offer(socket.id());
                });
            }
            Selection::Role(role) => {
                self.roles.read(role).listeners(role).iter().for_each(|socket| {
                    page.offer(socket.id());
                });
            }
        }
        page.finish()
    }

    fn count_of(&self, selection: &Selection) -> usize {
        match selection {
            Selection::All => self.count(),
            Selection::User(user) => self.users.read(user).listeners(user).len(),
            Selection::Role(role) => self.roles.read(role).listeners(role).len(),
        }
    }

    fn count(&self) -> usize {
        self.connections.each().map(|connections| connections.count()).sum()
    }
}

#[cfg(test)]
impl LocalRegistry {
    /// How many users and roles are indexed.
    pub(super) fn indexed(&self) -> (usize, usize) {
        (self.users.each().map(|users| users.keys()).sum(), self.roles.each().map(|roles| roles.keys()).sum())
    }
}
