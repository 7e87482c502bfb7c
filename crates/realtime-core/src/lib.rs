//! The decisions of a real-time server, as pure functions and state machines: admission of clients, decoding of
//! commands, recipients of messages, and the next step of a session.
//!
//! Nothing here awaits, locks, reads a clock, draws a random number or opens a socket: time, ids and jitter are
//! arguments, effects are values. `cargo xtask check` enforces that.
//!
//! ```
//! use realtime_core::{auth::ConnectionPolicy, pubsub::SubscriptionTable};
//! use realtime_schema::{ConnectionId, JwtClaims, Origin, Timestamp, Topic, UserId};
//!
//! // May this user connect? The policy checks the claims at the given time.
//! let claims = JwtClaims::new(UserId::new("alice")?);
//! ConnectionPolicy::default().authorize(&claims, Timestamp::from_millis(1_795_438_800_000))?;
//!
//! // Who gets a message for this topic? A listener is any value that knows its connection: here, a name beside the id.
//! let id: ConnectionId = "019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d8e".parse()?;
//! let topic = Topic::new("order:123")?;
//! let mut table = SubscriptionTable::new();
//! table.attach((id, "alice's socket"), 100);
//! table.subscribe(id, &topic, Origin::Client)?;
//! assert_eq!(table.subscribers(&topic), [(id, "alice's socket")]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - [`codec`] decodes a client's text and encodes frames, each once; a [`client_message`] is the message as an
//!   application's hook receives it.
//! - [`session`] is the state machine of one connection; the example `core_only` drives it by hand.
//! - [`auth`] and [`policy`] decide who may connect and subscribe, and [`revocation`] who may not any more; [`access`] is
//!   what the application's authorizer is asked; [`limits`] counts.
//! - [`registry`] and [`pubsub`] find the recipients of a message; [`presence`] keeps who is on a topic.

pub mod access;
pub mod address;
pub mod auth;
pub mod bus;
pub mod client_message;
pub mod codec;
pub mod connection;
pub mod epoch;
pub mod expiry;
pub mod explain;
pub mod fingerprint;
mod id_order;
pub mod identified;
pub mod interest;
pub mod limits;
pub mod listeners;
pub mod log;
pub mod message;
pub mod model;
pub mod outbound;
pub mod page;
pub mod policy;
pub mod presence;
pub mod pubsub;
pub mod registry;
pub mod revocation;
pub mod session;
pub mod ticket;
pub mod topic;
pub mod trace;
pub mod user_topics;

mod capacity;
mod frame;

pub use frame::{Frame, Kept, Label, PreparedFrame, PresenceMark};
