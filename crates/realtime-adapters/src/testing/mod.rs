//! Test doubles: a socket that records frames, a verifier with a fixed list of tokens, and a store in memory.

mod socket;
mod store;
mod verifier;

pub use socket::TestWebSocketConnection;
pub use store::MemoryLogStore;
pub use verifier::TestJwtVerifier;
