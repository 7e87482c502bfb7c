//! What nodes and clients of a world share.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use realtime_ports::Clock;

use crate::{audit::Audit, clock::VirtualClock, network::Network, tokens::TestTokens, trace::Trace};

/// What nodes and clients of a world share.
pub(crate) struct Scene {
    pub(crate) seed: u64,
    pub(crate) network: Network,
    pub(crate) clock: Arc<VirtualClock>,
    pub(crate) trace: Trace,
    pub(crate) audit: Arc<Audit>,
    pub(crate) tokens: Arc<TestTokens>,
    /// Tokens are verified by the application's verifier.
    pub(crate) own_verifier: bool,
    pub(crate) connections: AtomicU64,
}

impl Scene {
    /// The number of the next connection, from 1.
    pub(crate) fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn note(&self, who: impl fmt::Display, what: impl fmt::Display) {
        self.trace.note(self.clock.monotonic(), who, what);
    }
}

impl fmt::Debug for Scene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scene").field("seed", &self.seed).finish_non_exhaustive()
    }
}
