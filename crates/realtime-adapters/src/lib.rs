//! Adapters of the ports, one feature each: sockets over tokio-tungstenite and the HTTP server in front of them (`ws`),
//! tokens over jsonwebtoken (`jwt`, keys from an address with `jwks`), the single node (`local`), its durable store
//! (`sqlite`), and an application's hooks over HTTP (`http-hooks`). Test doubles are behind `testing`.
//!
//! `realtime-service` composes them; each can also be used alone, through its port:
//!
//! ```
//! # #[cfg(feature = "local")] {
//! use realtime_adapters::local::{LocalRegistry, UuidGenerator};
//! use realtime_ports::{ConnectionRegistry, IdGenerator};
//!
//! let registry = LocalRegistry::new();
//! let id = UuidGenerator::new().connection_id();
//! assert!(registry.get(id).is_none(), "no connection has this id yet");
//! # }
//! ```
//!
//! Whether an adapter keeps the promises of its port is what the suites of `realtime_ports::conformance` test.

pub mod error_chain;
#[cfg(feature = "ws")]
pub mod front;
#[cfg(feature = "http-hooks")]
pub mod http_hooks;
#[cfg(feature = "jwt")]
pub mod jwt;
#[cfg(feature = "local")]
pub mod local;
#[cfg(any(feature = "ws", feature = "http-hooks"))]
pub mod rate_limited_log;
#[cfg(feature = "sqlite")]
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "ws")]
pub mod ws;
