//! Composes the ports into a running real-time service: admission, one task per connection, fan-out, drain.
//!
//! [`Service`] is the handle that an application keeps; [`ServiceBuilder`] composes it. With the feature
//! `default-adapters` (on by default) `defaults` brings the in-memory node and the WebSocket endpoint; without
//! it this crate knows neither a WebSocket nor a JWT library.

mod admission;
mod batch;
mod builder;
mod connection;
#[cfg(feature = "default-adapters")]
pub mod defaults;
mod effects;
mod hub;
mod idempotency;
mod intern;
mod metrics;
mod outbound;
mod refusals;
mod service;
mod settings;

pub use admission::Admission;
pub use builder::{BuildError, ServiceBuilder};
pub use metrics::MetricsSnapshot;
pub use refusals::RefusalCounts;
pub use service::Service;
pub use settings::{AdmissionSettings, LivenessSettings, PublishingSettings, Settings};
