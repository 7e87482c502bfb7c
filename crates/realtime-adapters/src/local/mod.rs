//! The single node, in memory: connections, subscriptions, a bus for this node only, time and ids.
//!
//! The tables are the core's, divided into shards with one lock each.

mod bus;
mod clock;
mod ids;
mod pubsub;
mod registry;
mod shards;

use std::sync::Arc;

use realtime_ports::WebSocketConnection;

pub use bus::LocalBus;
pub use clock::SystemClock;
pub use ids::UuidGenerator;
pub use pubsub::LocalPubSub;
pub use registry::LocalRegistry;

/// The value under every key: the socket itself, so that fan-out needs no lookup.
type Socket = Arc<dyn WebSocketConnection>;

#[cfg(test)]
mod tests;
