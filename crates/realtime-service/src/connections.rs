//! The connections of this node: added, looked up, and forgotten together with their subscriptions.

use std::sync::Arc;

use realtime_core::connection::ConnectionUpdate;
use realtime_ports::{Clock, ConnectionRegistry, RegisterError, Selection, SocketActivity, WebSocketConnection};
use realtime_schema::{
    Closing, Connection, ConnectionActivity, ConnectionId, ConnectionInfo, Role, Timestamp, TokenInfo, UserId,
};

use crate::{subscriptions::Subscriptions, trace::Traces};

mod listing;

/// The connections of this node.
pub(crate) struct Connections {
    registry: Arc<dyn ConnectionRegistry>,
    subscriptions: Arc<Subscriptions>,
    traces: Arc<Traces>,
    clock: Arc<dyn Clock>,
}

impl Connections {
    pub(crate) fn new(
        registry: Arc<dyn ConnectionRegistry>,
        subscriptions: Arc<Subscriptions>,
        traces: Arc<Traces>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { registry, subscriptions, traces, clock }
    }

    /// Adds a connection: from the return on it is sent messages, and may have up to `max_topics` subscriptions.
    pub(crate) fn add(
        &self,
        connection: &Arc<Connection>,
        socket: Arc<dyn WebSocketConnection>,
        max_topics: u32,
    ) -> Result<(), RegisterError> {
        // Registered first: a connection whose id is a duplicate must not touch the other's subscriptions.
        self.registry.register(connection.clone(), socket.clone())?;
        self.traces.opened(connection);
        self.subscriptions.attach(socket, max_topics);
        Ok(())
    }

    /// Removes a connection and its subscriptions. Repeating it does nothing.
    pub(crate) fn forget(&self, id: ConnectionId) {
        // Subscriptions first: a message must not find a topic's listener that the registry no longer knows.
        self.subscriptions.detach(id);
        self.registry.unregister(id);
    }

    /// Forgets a connection and closes its socket; false if it is unknown.
    pub(crate) fn disconnect(&self, id: ConnectionId, closing: Closing) -> bool {
        let Some((_, socket)) = self.registry.get(id) else { return false };
        self.forget(id);
        socket.close(closing);
        true
    }

    /// Closes every socket; each connection's task then forgets it.
    pub(crate) fn close_all(&self, closing: &Closing) {
        let mut close = |socket: &Arc<dyn WebSocketConnection>| socket.close(closing.clone());
        self.registry.visit(&Selection::All, &mut close);
    }

    /// Puts what a new token says on the record of a connection; returns the new record.
    pub(crate) fn refresh(
        &self,
        id: ConnectionId,
        roles: Vec<Role>,
        token: Option<Box<TokenInfo>>,
    ) -> Option<Arc<Connection>> {
        let change = ConnectionUpdate { roles: Some(roles), token: Some(token), ..ConnectionUpdate::default() };
        let updated = self.registry.update(id, change);
        updated.inspect(|connection| self.traces.refreshed(connection))
    }

    /// The handle of a connection.
    pub(crate) fn socket(&self, id: ConnectionId) -> Option<Arc<dyn WebSocketConnection>> {
        self.registry.get(id).map(|(_, socket)| socket)
    }

    /// The record of a connection.
    pub(crate) fn record(&self, id: ConnectionId) -> Option<Arc<Connection>> {
        self.registry.get(id).map(|(connection, _)| connection)
    }

    /// The records of those connections in `selection` that `wanted` returns true for. Looks at each: cold.
    pub(crate) fn select(&self, selection: &Selection, wanted: impl Fn(&Connection) -> bool) -> Vec<Arc<Connection>> {
        let mut ids = Vec::new();
        let mut note = |socket: &Arc<dyn WebSocketConnection>| ids.push(socket.id());
        self.registry.visit(selection, &mut note);
        ids.into_iter().filter_map(|id| self.record(id)).filter(|connection| wanted(connection)).collect()
    }

    /// A connection and its subscriptions.
    pub(crate) fn info(&self, id: ConnectionId) -> Option<ConnectionInfo> {
        let (connection, socket) = self.registry.get(id)?;
        let subscriptions = self.subscriptions.of(id);
        let activity = self.activity(socket.as_ref(), subscriptions.len());
        Some(ConnectionInfo { connection: (*connection).clone(), activity, subscriptions })
    }

    /// What a connection does now.
    fn activity(&self, socket: &dyn WebSocketConnection, subscriptions: usize) -> ConnectionActivity {
        let SocketActivity { address, silent_for, queued_messages, queued_bytes, sent_frames } =
            socket.activity(self.clock.monotonic());
        let last_activity = silent_for.map(|ago| {
            Timestamp::from_millis(self.clock.now().as_millis() - i64::try_from(ago.as_millis()).unwrap_or(0))
        });
        ConnectionActivity {
            address,
            last_activity,
            queued_messages: queued_messages as u64,
            queued_bytes: queued_bytes as u64,
            sent_frames: sent_frames.into(),
            subscription_count: subscriptions as u64,
        }
    }

    /// A user's connections, oldest first.
    pub(crate) fn of_user(&self, user: &UserId) -> Vec<ConnectionInfo> {
        let mut ids = Vec::new();
        let mut note = |socket: &Arc<dyn WebSocketConnection>| ids.push(socket.id());
        self.registry.visit(&Selection::User(user.clone()), &mut note);
        let mut connections: Vec<_> = ids.into_iter().filter_map(|id| self.info(id)).collect();
        connections.sort_by_key(|info| (info.connection.created_at, info.connection.id));
        connections
    }

    /// The bytes that wait in the queues of all connections.
    pub(crate) fn queued_bytes(&self) -> u64 {
        let mut bytes = 0;
        let mut add = |socket: &Arc<dyn WebSocketConnection>| bytes += socket.queued_bytes() as u64;
        self.registry.visit(&Selection::All, &mut add);
        bytes
    }

    pub(crate) fn count(&self) -> usize {
        self.registry.count()
    }
}
