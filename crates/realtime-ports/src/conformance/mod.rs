//! Test suites that every adapter of a port must pass, including your own.
//!
//! A suite is a function that takes a constructor of a fresh adapter, tests every promise of the port, and panics with
//! the name of a broken one. Asynchronous suites are futures that run on any runtime. Enable the feature `conformance`
//! for your tests only, and call the suite from one of them:
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
pub mod payload_rules;
pub mod pubsub;
pub mod registry;
pub mod store;
pub mod tickets;
pub mod verifier;

mod scene;
