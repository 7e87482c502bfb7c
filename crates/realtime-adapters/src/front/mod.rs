//! The HTTP/1.1 front end: accepts sockets, parses requests and hands them to a handler, with a deadline and a limit on
//! everything.
//!
//! [`serve`] is the accept loop, over any [`Listener`]: TCP alone, or with the PROXY protocol or TLS around it. It knows
//! neither what a request asks for nor what an upgraded socket speaks.

mod acceptor;
mod config;
mod connection;
mod deadlines;
mod in_flight;
mod listener;
mod proxy_protocol;
mod reserve;
mod slots;
#[cfg(feature = "tls")]
mod tls;

pub use crate::rate_limited_log::RateLimitedLog;
pub use acceptor::{serve, serve_with_slots};
pub use config::AcceptorConfig;
pub(crate) use deadlines::DeadlineStream;
pub use in_flight::RequestBody;
pub use listener::{AcceptedSocket, Listener};
pub use proxy_protocol::{ProxiedSocket, ProxyProtocol};
pub use slots::Slots;
#[cfg(feature = "tls")]
pub use tls::{TlsCertificate, TlsError, TlsFiles, TlsListener, TlsSocket};
