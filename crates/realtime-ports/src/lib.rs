//! The traits between the core and the outside world. Each is small and object-safe ([`Socket`] excepted), and its
//! documentation says when it is called, on which path, and what its errors mean.
//!
//! *Hot* methods are synchronous, never block and are called per message or per listener; *cold* ones are
//! asynchronous and are called per connection, command or publication.
//!
//! An adapter implements a port, for example [`JwtVerifier`] with the sessions of an application:
//!
//! ```
//! use std::collections::HashMap;
//!
//! use realtime_ports::{JwtVerifier, VerifyError};
//! use realtime_schema::{JwtClaims, UserId};
//!
//! struct Sessions(HashMap<String, UserId>);
//!
//! #[async_trait::async_trait]
//! impl JwtVerifier for Sessions {
//!     async fn verify(&self, token: &str) -> Result<JwtClaims, VerifyError> {
//!         let user = self.0.get(token).ok_or_else(|| VerifyError::Invalid("unknown session".into()))?;
//!         Ok(JwtClaims::new(user.clone()))
//!     }
//! }
//! ```
//!
//! - Connections and subscriptions: [`ConnectionRegistry`], [`PubSubManager`].
//! - Sockets: [`Socket`] is one, [`WebSocketConnection`] is its queue of messages.
//! - What outlives the process: [`LogStore`].
//! - Between nodes: [`MessageBus`] and [`Delivery`]. Time and ids: [`Clock`], [`IdGenerator`].
//! - Resume tickets, signed: [`Tickets`]. What a payload must look like: [`PayloadRules`].
//! - Traits that an application calls and implements: [`RealtimeService`]; [`ConnectionHandler`], whose hooks are
//!   called with a [`HookContext`]; [`Authorizer`], which decides what neither a token nor a namespace allows.
//!
//! With the feature `mocks` every port has a `mockall` mock (`MockJwtVerifier` and so on); the example `test_a_handler`
//! of `realtime-service` tests a handler with them. With `conformance`, the
//! module `conformance` has a test suite for each port that every adapter of it must pass.

mod authorizer;
mod bus;
mod clock;
mod connection;
mod handler;
mod payload_rules;
mod pubsub;
mod registry;
mod service;
mod socket;
mod store;
mod tickets;
mod verifier;

#[cfg(feature = "conformance")]
pub mod conformance;

pub use authorizer::Authorizer;
pub use bus::{BusError, Delivery, MessageBus, Published};
pub use clock::{Clock, IdGenerator};
pub use connection::{QueueChange, SendError, SocketActivity, SocketVisitor, WebSocketConnection};
pub use handler::{ConnectionHandler, HookContext, HookError};
pub use payload_rules::{AnyPayload, MAX_PAYLOAD_ERRORS, PayloadRules};
pub use pubsub::{PubSubManager, PubSubStats, SubscribeError};
pub use registry::{ConnectionRegistry, RegisterError, Selection};
pub use service::{PublishError, RealtimeService, RevokeError, UserTopicError};
pub use socket::{Incoming, Socket, SocketError};
pub use store::{Appended, Loaded, Loader, LogStore, Once, Record, StoreError, StoredSecret, Usage};
pub use tickets::{TicketError, Tickets};
pub use verifier::{JwtVerifier, VerifyError};

#[cfg(feature = "mocks")]
pub use {
    authorizer::MockAuthorizer,
    bus::{MockDelivery, MockMessageBus},
    clock::{MockClock, MockIdGenerator},
    connection::MockWebSocketConnection,
    handler::MockConnectionHandler,
    payload_rules::MockPayloadRules,
    pubsub::MockPubSubManager,
    registry::MockConnectionRegistry,
    service::MockRealtimeService,
    store::MockLogStore,
    tickets::MockTickets,
    verifier::MockJwtVerifier,
};
