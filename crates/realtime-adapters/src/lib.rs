//! Adapters of the ports, one feature each: the HTTP front door and sockets over tokio-tungstenite (`ws`), tokens over jsonwebtoken
//! (`jwt`, `jwks`), and the single node (`local`). Test doubles are behind `testing`.

#[cfg(feature = "ws")]
pub mod front;
#[cfg(feature = "jwt")]
pub mod jwt;
#[cfg(feature = "local")]
pub mod local;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "ws")]
pub mod ws;
