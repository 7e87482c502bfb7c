//! The settings of a service, in groups. Every limit and every wait has a name here.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use realtime_core::{
    auth::ConnectionPolicy, outbound::QueueLimits, policy::Namespaces, session::SessionSettings,
    user_topics::UserTopicLimits,
};
use realtime_schema::{ClientLimits, Reconnect};

use crate::idempotency::Bounds;

/// The settings now: the one place that is swapped when they are reloaded.
pub(crate) type LiveSettings = Arc<ArcSwap<Settings>>;

/// The settings of a service. [`Settings::default`] is safe for a public endpoint.
///
/// Start from the default and set what differs:
///
/// ```
/// # use realtime_service::Settings;
/// let mut settings = Settings::default();
/// settings.admission.connections_per_user = 10;
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// The limits that one connection can hit; `welcome` lists them.
    pub limits: ClientLimits,
    /// Who may connect, and how many.
    pub admission: AdmissionSettings,
    /// What clients may subscribe to by themselves, and what happens to slow readers.
    pub namespaces: Namespaces,
    /// How dead and stalled connections are found.
    pub liveness: LivenessSettings,
    /// What may be published, and how retries are recognized.
    pub publishing: PublishingSettings,
    /// How much history is kept in all, and how clients continue their streams.
    pub history: HistorySettings,
    /// How long the durable store is waited for.
    pub store: StoreSettings,
    /// How the users who are on a topic are reported.
    pub presence: PresenceSettings,
    /// How many revocations are kept, and how long.
    pub revocations: RevocationSettings,
    /// How many traces may run, and how long.
    pub traces: TraceSettings,
    /// How many topics users may be given.
    pub user_topics: UserTopicLimits,
    /// When clients should reconnect.
    pub reconnect: Reconnect,
    /// Reconnects per second that a drain spreads its clients to.
    pub drain_rate: u32,
    /// Maximum duration of one hook of the application, and of one question to its authorizer.
    pub hook_timeout: Duration,
    /// Whether each connection is logged, at `info`, when it begins and when it ends.
    pub log_connections: bool,
    /// Name and version of the server, for `welcome`.
    pub server: String,
}

/// Who may connect to a node, and how many.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AdmissionSettings {
    /// Maximum connections of this node.
    pub connections: usize,
    /// Maximum connections of one user on this node.
    pub connections_per_user: usize,
    /// Maximum connections from one address.
    pub connections_per_address: usize,
    /// Maximum tokens verified at once; more wait, at most [`Self::verify_timeout`].
    pub verifications: usize,
    /// Maximum duration of a token's verification, including the wait for a permit.
    pub verify_timeout: Duration,
    /// What a token must contain to connect.
    pub policy: ConnectionPolicy,
}

/// How dead and stalled connections are found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LivenessSettings {
    /// Time between the server's pings; each connection varies it by up to a tenth.
    pub ping_interval: Duration,
    /// Consecutive pings that may stay unanswered before the connection is closed with 4508.
    pub pong_misses: u32,
    /// Maximum time in which a slow reader takes no byte of what is written; also the time that one has to take its
    /// last frames when it is closed.
    pub write_timeout: Duration,
    /// Maximum wait for the peer's close frame.
    pub close_timeout: Duration,
}

/// What may be published, and how retries are recognized.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PublishingSettings {
    /// Maximum payload size, in bytes.
    pub max_bytes: usize,
    /// How long an idempotency key is remembered.
    pub idempotency_window: Duration,
    /// Maximum idempotency keys remembered; the oldest are forgotten first.
    pub idempotency_keys: usize,
    /// Maximum publications, and changes of subscriptions, that are remembered to explain them; 0 for none.
    pub explained: usize,
}

/// How much history is kept in all, and how clients continue their streams. How much of each stream is kept is in its
/// namespace ([`Retention`](realtime_core::policy::Retention)).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HistorySettings {
    /// The most bytes of history of all streams together, as [`Retention`](realtime_core::policy::Retention) counts them;
    /// over it, the oldest messages are removed first.
    pub total_bytes: u64,
    /// The most streams with history, including those of which only the position is left. Over it, the position of the
    /// stream that was quiet for longest is removed.
    pub total_streams: usize,
    /// How long the position of a stream is kept after its last message.
    pub position_age: Duration,
    /// How long the streams of a connection that was opened with a resume ticket stand still, to wait for `resume`.
    pub hold: Duration,
    /// The most messages on one page of history; a larger page that is requested has this many.
    pub page: u32,
    /// The most bytes on one page of history. A message that is larger is a page of its own. A page for a client is one
    /// frame in its queue, so this should be well below [`ClientLimits::queue_bytes`].
    pub page_bytes: u64,
    /// How long a resume ticket is valid.
    pub resume_ttl: Duration,
}

impl Default for HistorySettings {
    fn default() -> Self {
        Self {
            total_bytes: 256 * 1024 * 1024,
            total_streams: 1_000_000,
            position_age: Duration::from_secs(30 * 24 * 3600),
            hold: Duration::from_secs(10),
            page: 1000,
            page_bytes: 256 * 1024,
            resume_ttl: Duration::from_secs(24 * 3600),
        }
    }
}

/// How long the durable store is waited for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StoreSettings {
    /// Maximum wait for a commit. After it a publication fails, with an unknown result, and while the store does not respond
    /// every later one fails at once. Also the maximum wait for the store at the end.
    pub commit_timeout: Duration,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self { commit_timeout: Duration::from_secs(5) }
    }
}

/// How the users who are on a topic are reported.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PresenceSettings {
    /// How long a user without a connection is still present: a reconnect within it is not seen by others.
    pub grace: Duration,
    /// Minimum time between two reports of a topic's changes.
    pub flush_interval: Duration,
    /// Maximum users that one frame or page names.
    pub max_users: usize,
}

impl Default for PresenceSettings {
    fn default() -> Self {
        Self { grace: Duration::from_secs(10), flush_interval: Duration::from_millis(250), max_users: 1_000 }
    }
}

/// How many revocations are kept, and how long.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RevocationSettings {
    /// Maximum revocations that have not ended. Another one is refused; none is dropped for it.
    pub max: usize,
    /// How long a revocation is kept that names no end, and whose token's expiry is unknown: at least the longest
    /// lifetime of a token, or a revoked token would be admitted again.
    pub duration: Duration,
}

impl Default for RevocationSettings {
    fn default() -> Self {
        Self { max: 10_000, duration: Duration::from_secs(24 * 3600) }
    }
}

/// How many traces may run, and how long.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TraceSettings {
    /// Maximum traces at once; 0 for none.
    pub max: usize,
    /// Maximum duration of a trace.
    pub max_duration: Duration,
    /// Maximum events of a trace that wait for its reader. Over it, they are counted and not kept.
    pub events: usize,
    /// Maximum bytes of payloads that wait for a trace's reader. Over it, events are counted and not kept; a larger
    /// payload fits if no other waits.
    pub bytes: usize,
}

impl Default for TraceSettings {
    fn default() -> Self {
        Self { max: 16, max_duration: Duration::from_secs(600), events: 1_000, bytes: 1024 * 1024 }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            limits: ClientLimits::default(),
            admission: AdmissionSettings::default(),
            namespaces: Namespaces::default(),
            liveness: LivenessSettings::default(),
            publishing: PublishingSettings::default(),
            history: HistorySettings::default(),
            store: StoreSettings::default(),
            presence: PresenceSettings::default(),
            revocations: RevocationSettings::default(),
            traces: TraceSettings::default(),
            user_topics: UserTopicLimits { per_user: 50, total: 100_000 },
            reconnect: Reconnect { min_ms: 250, max_ms: 30_000, spread_ms: 1_000 },
            drain_rate: 500,
            hook_timeout: Duration::from_secs(5),
            log_connections: true,
            server: concat!("realtime/", env!("CARGO_PKG_VERSION")).into(),
        }
    }
}

impl Default for AdmissionSettings {
    fn default() -> Self {
        Self {
            connections: 50_000,
            connections_per_user: 100,
            connections_per_address: 20_000,
            verifications: 64,
            verify_timeout: Duration::from_secs(5),
            policy: ConnectionPolicy { leeway_s: 5, ..ConnectionPolicy::default() },
        }
    }
}

impl Default for LivenessSettings {
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(25),
            pong_misses: 2,
            write_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(2),
        }
    }
}

impl Default for PublishingSettings {
    fn default() -> Self {
        Self {
            max_bytes: 64 * 1024,
            idempotency_window: Duration::from_secs(300),
            idempotency_keys: 10_000,
            explained: 1_000,
        }
    }
}

impl Settings {
    /// The bounds of the receipts kept, at `now` on the monotonic clock.
    pub(crate) fn idempotency_bounds(&self, now: Duration) -> Bounds {
        let PublishingSettings { idempotency_window: window, idempotency_keys: keys, .. } = self.publishing;
        Bounds { window, keys, wait: self.store.commit_timeout, now }
    }

    /// The part that every session of the node shares.
    pub(crate) fn for_sessions(&self, has_authorizer: bool) -> Arc<SessionSettings> {
        Arc::new(SessionSettings {
            limits: self.limits,
            namespaces: self.namespaces.clone(),
            has_authorizer,
            ping_interval: self.liveness.ping_interval,
            pong_misses: self.liveness.pong_misses,
            reconnect: self.reconnect,
            server: self.server.clone(),
            close_at_expiry: !self.admission.policy.allow_expired,
            leeway_s: self.admission.policy.leeway_s,
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
