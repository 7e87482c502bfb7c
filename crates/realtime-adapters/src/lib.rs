//! Adapters of the ports, one feature each: sockets over tokio-tungstenite (`ws`), tokens over jsonwebtoken
//! (`jwt`, `jwks`), and the single node in memory (`memory`). Test doubles are behind `testing`.

#[cfg(feature = "jwt")]
pub mod jwt;
#[cfg(feature = "memory")]
pub mod memory;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "ws")]
pub mod ws;
