//! Sockets over tokio-tungstenite.
//!
//! [`Handshake`] checks an upgrade and answers it; [`WsSocket`] is the socket that results. Neither knows what a
//! message means. The HTTP server before them is [`crate::front`], or any other on hyper.

mod config;
mod handshake;
mod origins;
mod socket;
mod tracker;
mod transport;

pub use config::WsConfig;
pub use handshake::{Handshake, InvalidHandshake, PendingSocket, ResponseBody, refused, reject};
pub use origins::{OriginError, OriginPattern, Origins};
pub use socket::WsSocket;
pub use transport::Transport;
