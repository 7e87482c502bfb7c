//! The beginning of a connection: recorded and registered, with `welcome` as the first frame in its queue.

use std::sync::Arc;

use realtime_core::{
    auth::{Refusal, RefusalReason},
    connection::record,
    session::{Opening, Session, welcome},
};
use realtime_ports::{Socket, WebSocketConnection};
use realtime_schema::{Closing, Connection, ConnectionId, Topic};

use super::{
    close::{End, close},
    log, resuming,
};
use crate::{
    admission::{Admission, Permit},
    drain,
    metrics::add,
    node::Node,
    outbound::Outbound,
};

/// A connection that was registered and whose task is still to begin.
pub(super) struct Opened {
    pub(super) connection: Arc<Connection>,
    pub(super) session: Session,
    pub(super) outbound: Arc<Outbound>,
    pub(super) permit: Permit,
    /// The topics that the application gave the client.
    pub(super) given: Vec<Topic>,
}

/// Records and registers a connection that was admitted.
pub(super) fn open(node: &Node, id: ConnectionId, admission: Admission) -> Result<Opened, Refusal> {
    let Admission { claims, client, ping, subscriptions, ticket, address, permit } = admission;
    let (now, wall) = (node.clock.monotonic(), node.clock.now());
    let outbound = Arc::new(Outbound::new(id, client.clone(), address, now, node.queues.load_full()));
    let connection = Arc::new(record(id, &claims, client, wall));
    let ticket = resuming::ticket(node, &connection, ticket.as_deref());
    let hold = ticket.map(|ticket| resuming::hold(node, ticket, now));
    let held = hold.is_some();
    // Before the connection is registered, so that no message comes between its positions and the live ones.
    let streams = resuming::add_gates(node, &connection, &outbound, held);
    let opening = Opening { now, wall, ping, jitter: node.ids.random(), hold };
    let session = Session::open(node.sessions.load_full(), &connection, &claims, &opening);

    // An empty queue takes any frame.
    let _ = outbound.send(&node.control.encode(&welcome(&session, &connection, now, wall, streams)));
    if let Err(error) = node.connections.add(&connection, outbound.clone(), session.limits().subscriptions) {
        tracing::error!(%error, "duplicate connection id");
        return Err(Refusal::new(RefusalReason::Internal, "the connection could not be registered"));
    }
    if node.admissions.is_draining() {
        // Admitted before the drain began, and registered after it had closed every connection.
        outbound.close(drain::closing(node));
    }
    if let Some(closing) = node.revocations.closing(&connection) {
        // Revoked after it was verified, and before it was registered.
        node.connections.disconnect(id, closing);
    }
    node.recent.opened(id);
    node.user_topics.enter(id, &connection.user);
    add(&node.metrics.connections_total, 1);
    log::connected(node, &connection, address);
    Ok(Opened { connection, session, outbound, permit, given: subscriptions })
}

/// A connection that could not be opened after all.
pub(super) struct NotOpened<S> {
    pub(super) node: Arc<Node>,
    pub(super) socket: S,
    pub(super) refusal: Refusal,
}

impl<S: Socket> NotOpened<S> {
    /// Says why, and closes.
    pub(super) async fn close(mut self) {
        let closing = Closing::new(self.refusal.close, self.refusal.message.as_str());
        close(&self.node, &mut self.socket, End::Ours(Box::new(closing))).await;
    }
}
