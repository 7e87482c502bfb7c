//! Composes the ports into a running real-time service: admission, one task per connection, fan-out, drain.
//!
//! [`Service`] is the handle that an application keeps; [`ServiceBuilder`] composes it. With the feature
//! `default-adapters` (on by default) every port has the adapter of a single node in memory, and `endpoint` has the
//! WebSocket endpoint; without it this crate builds neither a WebSocket nor a JWT library.
//!
//! ```
//! use std::sync::Arc;
//!
//! use realtime_adapters::testing::TestJwtVerifier;
//! use realtime_ports::RealtimeService;
//! use realtime_schema::{JwtClaims, Payload, UserId};
//! use realtime_service::Service;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A verifier is all that has no default; an application uses `realtime_adapters::jwt::TokenVerifier` or its own.
//! let alice = UserId::new("alice")?;
//! let verifier = TestJwtVerifier::new("let-me-in", JwtClaims::new(alice.clone()));
//! let service = Service::builder().verifier(Arc::new(verifier)).build().await?;
//!
//! let receipt = service.send_to_user(alice, "greeting".parse()?, Payload::of(&"hello")?).await?;
//! assert_eq!(receipt.delivered, 0, "alice has no connection yet");
//! # Ok(())
//! # }
//! ```
//!
//! - Publishing, subscribing and disconnecting: the methods of [`realtime_ports::RealtimeService`].
//! - Serving connections: [`Service::admit`] and [`Service::serve`], which `endpoint::websocket` calls.
//! - Finding out what happens: [`Service::explain`] for a message, [`Service::trace`] for a user or a topic.
//! - Limits and times: [`Settings`]. Counters: [`Service::metrics`]. The end: [`Service::drain`].
//! - The application's hooks: [`realtime_ports::ConnectionHandler`], passed to [`ServiceBuilder::handler`].
//! - Examples: `embed_axum`, `application`, `custom_verifier`, `custom_registry`, `test_a_handler`.

mod admission;
mod authorization;
mod builder;
mod busiest;
mod closes;
mod connection;
mod connections;
mod control;
#[cfg(feature = "default-adapters")]
mod defaults;
mod drain;
mod durable;
#[cfg(feature = "default-adapters")]
pub mod endpoint;
mod explain;
mod history;
mod hub;
mod idempotency;
mod intern;
mod journal;
mod metrics;
mod node;
mod outbound;
mod page_turns;
mod presence;
mod publish;
mod publish_rates;
mod recent;
mod refusals;
mod reload;
mod revocations;
mod revoke;
mod service;
mod settings;
mod streams;
mod subscriptions;
mod to_end;
mod trace;
mod user_topics;

pub use admission::Admission;
pub use builder::{BuildError, ServiceBuilder};
pub use closes::CloseCounts;
pub use explain::ExplainError;
pub use history::HistoryError;
pub use metrics::MetricsSnapshot;
pub use presence::PresenceError;
pub use refusals::RefusalCounts;
pub use service::Service;
pub use settings::{
    AdmissionSettings, HistorySettings, LivenessSettings, PresenceSettings, PublishingSettings, RevocationSettings,
    Settings, StoreSettings, TraceSettings,
};
pub use trace::{Trace, TraceError};
