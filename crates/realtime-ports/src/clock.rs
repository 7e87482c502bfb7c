//! Time and identifiers: ports, so that tests can control them.

use std::time::Duration;

use realtime_schema::{ConnectionId, MessageId, NodeId, Timestamp};

/// The two clocks. Hot.
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait Clock: Send + Sync {
    /// The wall clock, for timestamps and the expiry of tokens. It may jump.
    fn now(&self) -> Timestamp;

    /// Time since an arbitrary fixed point, for deadlines. It never goes back.
    fn monotonic(&self) -> Duration;
}

/// Makes identifiers: UUIDs, version 7, unique over all nodes. Hot.
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait IdGenerator: Send + Sync {
    /// A connection's id.
    fn connection_id(&self) -> ConnectionId;

    /// A publication's id.
    fn message_id(&self) -> MessageId;

    /// A node's id. Called once, when a service is built.
    fn node_id(&self) -> NodeId;

    /// 64 random bits, for jitter. They need not be secure enough for secrets.
    fn random(&self) -> u64;
}
