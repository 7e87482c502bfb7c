//! Tests of an application on the real service, with virtual time and a scripted network.
//!
//! A [`World`] has one or more nodes, each a real [`Service`](realtime_service::Service) with the settings, the
//! [`ConnectionHandler`](realtime_ports::ConnectionHandler) and the verifier of your application. Time is virtual:
//! forty seconds pass in no time, and a test never waits. There is no socket and no HTTP.
//!
//! ```
//! use std::time::Duration;
//! use realtime_testing::{World, run, to};
//!
//! run(async {
//!     let world = World::new(7).await;
//!     let mut alice = world.client("alice").connect().await;
//!     alice.subscribe("order:1").await;
//!
//!     // A laptop sleeps for 40 s: nothing is read, no ping is answered.
//!     alice.falls_asleep();
//!     world.publish(to::topic("order:1"), "order-shipped", "fast").await;
//!     world.advance(Duration::from_secs(40)).await;
//!     alice.wakes_up();
//!     assert_eq!(alice.expects("order-shipped").await, "fast");
//!
//!     // The network is gone and the node is not notified: it closes the connection after two unanswered pings.
//!     alice.drops_network();
//!     world.advance(Duration::from_secs(90)).await;
//!     assert_eq!(world.metrics().connections, 0);
//!     alice.reconnects().await;
//!     world.check();
//! });
//! ```
//!
//! In a test with tokio's macro, write `#[tokio::test(start_paused = true)]` instead of [`run`].
//!
//! **Repeatable.** The same seed and the same script give the same [trace](World::trace), byte for byte: ids, jitter
//! and the order between connections come from the seed. Print the seed when a random test fails.
//!
//! - The whole: [`World`], [`WorldBuilder`], [`Node`]. Clients: [`Client`], [`ClientBuilder`].
//! - The network: [`Network`], [`Client::sleeps`], [`Client::drops_network`], [`Client::cuts_connection`].
//! - Several nodes: [`WorldBuilder::nodes`], and their bus: [`Broker`].
//! - Parts to use alone: [`VirtualClock`], [`SeededIds`], [`TestTokens`].

mod audit;
mod broker;
mod builder;
mod check;
mod client;
mod client_builder;
mod clock;
mod histories;
mod identity;
mod kept;
mod line;
mod network;
mod node;
mod pipe;
mod scene;
mod seed;
mod socket;
pub mod to;
mod tokens;
mod trace;
mod world;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use broker::{Broker, NodeBus};
pub use builder::WorldBuilder;
pub use client::Client;
pub use client_builder::ClientBuilder;
pub use clock::VirtualClock;
pub use kept::with_history;
pub use line::Closed;
pub use network::Network;
pub use node::Node;
pub use seed::SeededIds;
pub use tokens::TestTokens;
pub use world::World;

/// Runs a story on virtual time: on a runtime of its own, with one thread and a paused clock.
///
/// # Panics
/// The story panics, or it is called on a thread that already runs a runtime.
pub fn run<T>(story: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime with one thread and a timer needs nothing of the system").block_on(story)
}

/// What a panic has left is still worth a look: the test that panicked fails in any case.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
