//! What a service is told when it is built. Every limit and every wait has a name here.

use std::{sync::Arc, time::Duration};

use realtime_core::{auth::ConnectionPolicy, outbound::QueueLimits, policy::Namespaces, session::SessionSettings};
use realtime_schema::{ClientLimits, Reconnect};

/// The settings of a service. [`Settings::default`] is safe for a public endpoint.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The limits that one connection can hit; `welcome` tells them.
    pub limits: ClientLimits,
    /// Most connections of this node.
    pub max_connections: usize,
    /// Most connections of one user on this node.
    pub max_connections_per_user: usize,
    /// Most connections from one address.
    pub max_connections_per_address: usize,
    /// Largest payload that is published, in bytes.
    pub max_publish_bytes: usize,
    /// Tokens that are verified at once; more wait for [`Self::verify_timeout`].
    pub max_verifications: usize,
    /// What a token must bring to connect.
    pub policy: ConnectionPolicy,
    /// What clients may subscribe to by themselves, and what becomes of slow readers.
    pub namespaces: Namespaces,
    /// Time between the server's pings; each connection moves it by up to a tenth.
    pub ping_interval: Duration,
    /// Pings in a row that may go unanswered before the connection is closed with 4508.
    pub pong_misses: u32,
    /// How long one write may take before the reader counts as too slow.
    pub write_timeout: Duration,
    /// How long a closed connection's peer has to say goodbye.
    pub close_timeout: Duration,
    /// How long one hook of the application may take.
    pub hook_timeout: Duration,
    /// How long the verification of a token may take, its wait for a place included.
    pub verify_timeout: Duration,
    /// How clients are told to come back.
    pub reconnect: Reconnect,
    /// Reconnects a second that a drain spreads its clients to.
    pub drain_rate: u32,
    /// How long an idempotency key is remembered.
    pub idempotency_window: Duration,
    /// Most idempotency keys that are remembered; the oldest are forgotten first.
    pub idempotency_keys: usize,
    /// Name and version of the server, for `welcome`.
    pub server: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            limits: ClientLimits::default(),
            max_connections: 50_000,
            max_connections_per_user: 100,
            max_connections_per_address: 20_000,
            max_publish_bytes: 64 * 1024,
            max_verifications: 64,
            policy: ConnectionPolicy { leeway_s: 5, ..ConnectionPolicy::default() },
            namespaces: Namespaces::default(),
            ping_interval: Duration::from_secs(25),
            pong_misses: 2,
            write_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(2),
            hook_timeout: Duration::from_secs(5),
            verify_timeout: Duration::from_secs(5),
            reconnect: Reconnect { min_ms: 250, max_ms: 30_000, spread_ms: 1_000 },
            drain_rate: 500,
            idempotency_window: Duration::from_secs(300),
            idempotency_keys: 10_000,
            server: concat!("realtime/", env!("CARGO_PKG_VERSION")).into(),
        }
    }
}

impl Settings {
    /// What every session of the node shares.
    pub(crate) fn for_sessions(&self) -> Arc<SessionSettings> {
        Arc::new(SessionSettings {
            limits: self.limits,
            namespaces: self.namespaces.clone(),
            ping_interval: self.ping_interval,
            pong_misses: self.pong_misses,
            reconnect: self.reconnect,
            server: self.server.clone(),
            close_at_expiry: !self.policy.allow_expired,
            leeway_s: self.policy.leeway_s,
        })
    }

    /// The bounds of a connection's queue.
    pub(crate) fn for_queues(&self) -> QueueLimits {
        QueueLimits {
            messages: usize::try_from(self.limits.queue_messages).unwrap_or(usize::MAX),
            bytes: usize::try_from(self.limits.queue_bytes).unwrap_or(usize::MAX),
        }
    }
}
