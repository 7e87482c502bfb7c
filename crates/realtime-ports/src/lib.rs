//! The traits between the core's decisions and the world. Each is object-safe and small, and says when it is
//! called, on which path, and what its errors mean.
//!
//! *Hot* methods are synchronous, never block and are called per message or per listener; *cold* ones are
//! asynchronous and are called per connection, command or publication.
//!
//! With the feature `mocks` every port has a `mockall` mock; with `conformance`, [`conformance`] holds the suite
//! that every adapter of a port must pass.

mod bus;
mod clock;
mod connection;
mod handler;
mod pubsub;
mod registry;
mod service;
mod socket;
mod verifier;

#[cfg(feature = "conformance")]
pub mod conformance;

pub use bus::{BusError, Delivery, MessageBus, Published};
pub use clock::{Clock, IdGenerator};
pub use connection::{SendError, SocketVisitor, WebSocketConnection};
pub use handler::{ConnectionHandler, HookError};
pub use pubsub::{PubSubManager, PubSubStats, SubscribeError};
pub use registry::{ConnectionRegistry, RegisterError, Selection};
pub use service::{PublishError, RealtimeService};
pub use socket::{Incoming, Socket, SocketError};
pub use verifier::{JwtVerifier, VerifyError};

#[cfg(feature = "mocks")]
pub use {
    bus::{MockDelivery, MockMessageBus},
    clock::{MockClock, MockIdGenerator},
    connection::MockWebSocketConnection,
    handler::MockConnectionHandler,
    pubsub::MockPubSubManager,
    registry::MockConnectionRegistry,
    service::MockRealtimeService,
    verifier::MockJwtVerifier,
};
