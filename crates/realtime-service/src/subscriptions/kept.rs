//! Subscriptions to streams with a history.

use std::sync::Arc;

use realtime_core::outbound::{Gate, Owed, Start};
use realtime_ports::{SubscribeError, WebSocketConnection};
use realtime_schema::{ConnectionId, Origin, Role, Route, StreamPosition};

use super::{Join, JoinRequest, Joined, Subscriptions};

impl Subscriptions {
    /// Subscribes a connection to a topic with a history. It is live once it has caught up. The caller holds the lock of
    /// the connection's changes.
    pub(super) fn join_kept(&self, id: ConnectionId, route: &Route, request: JoinRequest) -> Joined {
        let JoinRequest { topic, origin, start, owed } = request;
        let (_, socket) = self.registry.get(id).ok_or(SubscribeError::NotConnected)?;
        if self.has(id, &topic) {
            if matches!(owed, Some(Owed::Subscribed(_))) {
                // The client was notified when the subscription was made.
                return Ok(Join { new: false, catching_up: false });
            }
            self.join_again(socket.as_ref(), Gate::open(route.clone(), start.clone()).owing(owed), &start);
            return Ok(Join { new: false, catching_up: true });
        }
        let is_holding = origin == Origin::Server && socket.with_queue(|queue| queue.is_holding()).unwrap_or_default();
        // Outside the queue's lock, which comes after the stream's.
        let held_at = is_holding.then(|| Start::after(&self.streams.position(route)));
        socket.with_queue(|queue| {
            queue.add_gate(match held_at {
                // The client may have resumed meanwhile.
                Some(position) if queue.is_holding() => Gate::held(route.clone(), position),
                _ => Gate::opening(route.clone(), start),
            });
        });
        match self.pubsub.subscribe(id, &topic, origin) {
            Ok(new) => {
                // Owed only now: what ends a gate sends what it owes, and the caller sends the error of a subscription
                // that failed.
                socket.with_queue(|queue| queue.open_gate(route, owed));
                Ok(Join { new, catching_up: true })
            }
            Err(error) => {
                socket.with_queue(|queue| drop(queue.end_stream(route)));
                Err(error)
            }
        }
    }

    /// Adds a gate to a stream that is live already, or catches up.
    fn join_again(&self, socket: &dyn WebSocketConnection, gate: Gate, start: &Start) {
        if *start == Start::Live {
            let stream = gate.stream().clone();
            self.streams.read(&stream, |log| socket.with_queue(|queue| queue.add_gate_over_live(gate, log)));
        } else {
            socket.with_queue(|queue| queue.add_gate(gate));
        }
    }

    /// Drops what a connection's queue has of a stream that it no longer listens to, and sends the errors that are owed.
    /// The caller holds the lock of the connection's changes.
    pub(super) fn end_stream(&self, id: ConnectionId, route: &Route) {
        let Some((_, socket)) = self.registry.get(id) else { return };
        for error in &socket.with_queue(|queue| queue.end_stream(route)).unwrap_or_default() {
            let _ = socket.send(&self.control.encode(error));
        }
    }

    /// Changes the roles of a connection, with `change`, while the histories of the roles that it gains stand still.
    /// Returns the positions from which it receives them.
    pub(crate) fn change_roles<T>(
        &self,
        socket: &Arc<dyn WebSocketConnection>,
        old: &[Role],
        new: &[Role],
        change: impl FnOnce() -> T,
    ) -> (T, Vec<(Role, StreamPosition)>) {
        let id = socket.id();
        let _change = self.changes.of(id);
        let kept = |role: &&Role| self.streams.has_history(&Route::Role((*role).clone()));
        let gained: Vec<_> = new.iter().filter(|role| !old.contains(role)).filter(kept).collect();
        let mut positions = Vec::with_capacity(gained.len());
        for role in &gained {
            let route = Route::Role((*role).clone());
            let position = self.streams.position(&route);
            socket.with_queue(|queue| queue.add_gate(Gate::opening(route, Start::after(&position))));
            positions.push(((*role).clone(), position));
        }
        let changed = change();
        for role in gained {
            socket.with_queue(|queue| queue.open_gate(&Route::Role(role.clone()), None));
        }
        for role in old.iter().filter(|role| !new.contains(role)).filter(kept) {
            self.end_stream(id, &Route::Role(role.clone()));
        }
        (changed, positions)
    }
}
