//! The connections of this node.

use std::sync::Arc;

use realtime_core::connection::ConnectionUpdate;
use realtime_schema::{Connection, ConnectionId, Role, UserId};

use crate::connection::{SocketVisitor, WebSocketConnection};

/// The connections of this node, by id, by user and by role. Hot.
///
/// Lookups by user and role are O(result), not O(connections). Called by many threads at once.
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait ConnectionRegistry: Send + Sync {
    /// Adds a connection, whose id `socket` has too. When it has returned, messages to its user and roles reach `socket`.
    ///
    /// # Errors
    /// The id is registered already.
    fn register(&self, connection: Arc<Connection>, socket: Arc<dyn WebSocketConnection>) -> Result<(), RegisterError>;

    /// Removes a connection and returns its record; `None` if it is unknown. When it has returned, nothing more reaches
    /// its socket.
    fn unregister(&self, id: ConnectionId) -> Option<Arc<Connection>>;

    /// The record and the socket of a connection.
    fn get(&self, id: ConnectionId) -> Option<(Arc<Connection>, Arc<dyn WebSocketConnection>)>;

    /// Replaces roles or metadata of a record, and returns the new record; `None` if it is unknown.
    fn update(&self, id: ConnectionId, change: ConnectionUpdate) -> Option<Arc<Connection>>;

    /// Shows each socket of `selection` to `visit`, each once. `visit` must not call back into the registry.
    fn visit(&self, selection: &Selection, visit: &mut dyn SocketVisitor);

    /// The ids of up to `limit` connections of `selection`, in their order, from the first one after `after`. Paging
    /// through them shows a connection that is registered throughout exactly once. Cold: may look at the whole selection,
    /// but of [`Selection::All`] at no more than a page needs.
    fn page(&self, selection: &Selection, after: Option<ConnectionId>, limit: usize) -> Vec<ConnectionId>;

    /// The number of connections of `selection`. The default counts them one by one.
    fn count_of(&self, selection: &Selection) -> usize {
        let mut count = 0;
        self.visit(selection, &mut |_: &Arc<dyn WebSocketConnection>| count += 1);
        count
    }

    /// The number of connections.
    fn count(&self) -> usize;
}

/// Which connections to visit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Every connection.
    All,
    /// The connections of a user.
    User(UserId),
    /// The connections of a role.
    Role(Role),
}

/// The id is registered already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("connection {0} is registered already")]
pub struct RegisterError(pub ConnectionId);
