//! Composes the ports into a running real-time service: admission, one task per connection, fan-out, drain.
//!
//! [`Service`] is the handle that an application keeps; [`ServiceBuilder`] composes it. With the feature
//! `default-adapters` (on by default) every port has the adapter of a single node in memory, and `endpoint` has the
//! WebSocket endpoint; without it this crate builds neither a WebSocket nor a JWT library.

mod admission;
mod builder;
mod connection;
mod connections;
mod control;
#[cfg(feature = "default-adapters")]
mod defaults;
mod drain;
#[cfg(feature = "default-adapters")]
pub mod endpoint;
mod hub;
mod idempotency;
mod intern;
mod metrics;
mod node;
mod outbound;
mod publish;
mod refusals;
mod reload;
mod service;
mod settings;
mod subscriptions;

pub use admission::Admission;
pub use builder::{BuildError, ServiceBuilder};
pub use metrics::MetricsSnapshot;
pub use refusals::RefusalCounts;
pub use service::Service;
pub use settings::{AdmissionSettings, LivenessSettings, PublishingSettings, Settings};
