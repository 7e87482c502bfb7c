//! The HTTP/1.1 front door: accepts sockets, parses requests and hands them on, with a deadline and a bound on everything.
//!
//! [`serve`] is the accept loop. It knows neither what a request asks for nor what an upgraded socket speaks.

mod acceptor;
mod config;
mod in_flight;
mod write_deadline;

pub use acceptor::serve;
pub use config::AcceptorConfig;
pub use in_flight::RequestBody;
pub(crate) use write_deadline::WriteDeadline;
