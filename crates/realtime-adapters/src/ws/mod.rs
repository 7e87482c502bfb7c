//! Sockets over tokio-tungstenite, and the HTTP/1 front door before them.
//!
//! [`serve`] accepts sockets and parses HTTP; [`Handshake`] checks an upgrade and answers it; [`WsSocket`] is the
//! socket that comes of it. None of them knows what is done with a message.

mod acceptor;
mod config;
mod exchange;
mod handshake;
mod patient;
mod socket;
mod tracker;
mod transport;

pub use acceptor::serve;
pub use config::{AcceptorConfig, Origins, WsConfig};
pub use exchange::RequestBody;
pub use handshake::{Handshake, PendingSocket, ResponseBody, refused, turn_away};
pub use socket::WsSocket;
pub use transport::Transport;
