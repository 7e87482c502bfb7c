//! The suites that every adapter of a port must pass: ours, and yours.
//!
//! A suite is a plain function that takes a way to make a fresh adapter, tries every promise of the port on it, and
//! panics with the one that was broken. Asynchronous suites are futures for whatever runtime you test with. Turn on
//! the feature `conformance` for your tests alone, and call the suite from one of them:
//!
//! ```
//! use std::time::{Duration, Instant};
//! use realtime_ports::{Clock, conformance::clock::clock_conformance};
//! use realtime_schema::Timestamp;
//!
//! struct MyClock(Instant);
//!
//! impl Clock for MyClock {
//!     fn now(&self) -> Timestamp {
//!         Timestamp::EPOCH
//!     }
//!
//!     fn monotonic(&self) -> Duration {
//!         self.0.elapsed()
//!     }
//! }
//!
//! clock_conformance(|| MyClock(Instant::now()));
//! ```

pub mod bus;
pub mod clock;
pub mod connection;
pub mod ids;
pub mod pubsub;
pub mod registry;
pub mod verifier;

mod scene;
