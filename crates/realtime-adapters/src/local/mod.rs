//! The single node, in memory: who is connected, who is subscribed, a bus that goes nowhere else, time and ids.
//!
//! The state is the core's own, cut into shards that each have a lock.

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

/// What is kept under every key: the socket itself, so that fan-out looks nothing up.
type Listener = Arc<dyn WebSocketConnection>;

#[cfg(test)]
mod tests;
