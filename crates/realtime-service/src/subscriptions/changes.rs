//! Locks for the changes of one connection.

use std::sync::{Mutex, MutexGuard, PoisonError};

use realtime_schema::ConnectionId;

/// Enough that changes of different connections rarely wait for each other.
const LOCKS: usize = 64;

/// A change of a connection's subscriptions is several steps in several tables; two of them must not mix. Connections
/// share the locks, so an idle one costs nothing.
pub(super) struct Changes([Mutex<()>; LOCKS]);

impl Default for Changes {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }
}

impl Changes {
    /// Waits until no other thread changes the subscriptions of this connection.
    pub(super) fn of(&self, id: ConnectionId) -> MutexGuard<'_, ()> {
        // The random part of the id is in its last bytes (RFC 9562 section 5.7).
        let random = usize::from(id.0.as_bytes()[15]);
        self.0[random % LOCKS].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
