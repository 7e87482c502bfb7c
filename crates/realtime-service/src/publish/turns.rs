//! Whose portion of a batch is queued next, so that several batches at once don't fill the queues that each of them found
//! empty.
//!
//! Messages without history take turns over the whole node, because every audience can have the same recipients: too
//! many at once would close these as too slow. With a history they take turns with those of the same stream, over the commit
//! too: a commit delays no other batch. Several streams can then fill one queue, which loses nothing: its connection reads
//! the rest from the histories.

use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::Duration,
};

use realtime_schema::{Audience, Route};
use tokio::{
    sync::{Mutex, OwnedMutexGuard},
    time::{Instant, sleep, timeout_at},
};

use super::{Publisher, kept::Kept};

/// Locks of streams with a history: those with the same lock wait for each other.
const LOCKS: usize = 64;
/// Time between two looks at the recipients' queues, and the maximum wait for them. A queue that is still behind then
/// is judged by its limits.
const POLL_INTERVAL: Duration = Duration::from_millis(1);
const MAX_WAIT: Duration = Duration::from_secs(2);

/// The right to queue a portion; `None` where it was waited for too long.
pub(super) type Turn = Option<OwnedMutexGuard<()>>;

/// The turns of a node.
#[derive(Default)]
pub(super) struct Turns {
    live: Arc<Mutex<()>>,
    kept: KeptTurns,
}

struct KeptTurns {
    locks: Box<[Arc<Mutex<()>>]>,
    hasher: RandomState,
}

impl Default for KeptTurns {
    fn default() -> Self {
        Self { locks: (0..LOCKS).map(|_| Arc::default()).collect(), hasher: RandomState::new() }
    }
}

impl KeptTurns {
    fn of(&self, route: &Route) -> Arc<Mutex<()>> {
        let index = self.hasher.hash_one(route) % LOCKS as u64;
        self.locks[usize::try_from(index).unwrap_or_default()].clone()
    }
}

impl Publisher {
    /// Waits until no recipient's queue is behind. While the turn is held, no other batch without history adds to the
    /// queues, or none with the same history.
    pub(super) async fn wait_for_readers(&self, to: &Audience, kept: Option<&Kept>) -> Turn {
        let deadline = Instant::now() + MAX_WAIT;
        loop {
            let turn = match kept {
                // Held while a message is handed to the bus, and no longer.
                None => self.turns.live.clone().lock_owned().await,
                Some(kept) => timeout_at(deadline, self.turns.kept.of(kept.route()).lock_owned()).await.ok()?,
            };
            if !self.parts.hub.is_any_behind(to) || Instant::now() >= deadline {
                return Some(turn);
            }
            drop(turn);
            sleep(POLL_INTERVAL).await;
        }
    }
}
