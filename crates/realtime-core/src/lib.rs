//! The decisions of a real-time server, as pure functions and state machines: who may connect, what a frame
//! means, whom a message is for, what a session does next.
//!
//! Nothing here awaits, locks, reads a clock, draws a random number or touches a socket: time, ids and jitter
//! come in as arguments, effects go out as values. That is checked by `cargo xtask check`.

pub mod address;
pub mod auth;
pub mod bus;
pub mod codec;
pub mod connection;
pub mod interest;
pub mod limits;
pub mod listeners;
pub mod message;
pub mod outbound;
pub mod policy;
pub mod pubsub;
pub mod registry;
pub mod session;
pub mod topic;

mod frame;

pub use frame::{Frame, Label};
