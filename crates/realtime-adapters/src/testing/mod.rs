//! Test doubles: a socket that records what was sent, a verifier that knows a few tokens.

mod socket;
mod verifier;

pub use socket::TestWebSocketConnection;
pub use verifier::TestJwtVerifier;
