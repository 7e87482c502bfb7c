//! Test doubles: a socket that records frames, and a verifier with a fixed list of tokens.

mod socket;
mod verifier;

pub use socket::TestWebSocketConnection;
pub use verifier::TestJwtVerifier;
