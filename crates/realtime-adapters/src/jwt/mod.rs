//! Tokens over jsonwebtoken: which keys are trusted, what a token must say, and what its claims mean here.
//!
//! ```
//! use realtime_adapters::jwt::{Algorithm, JwtConfig, Key, KeySet, TokenVerifier};
//!
//! let key = Key::hmac(Algorithm::HS256, b"a secret of thirty-two bytes or more")?;
//! let verifier = TokenVerifier::new(JwtConfig::default(), KeySet::from(key))?;
//! # let _: &dyn realtime_ports::JwtVerifier = &verifier;
//! # Ok::<(), realtime_adapters::jwt::KeyError>(())
//! ```
//!
//! Three rules hold whatever the configuration is. A key has one algorithm, and the token's `alg` can only agree
//! with it (RFC 8725 section 3.1). Nothing is fetched because a token says so: `jku`, `x5u`, `jwk` and `x5c` in a
//! header are not looked at, and `iss` selects only among issuers that are configured. And a claim of the wrong type
//! refuses the token; only `null` counts as absent.

mod algorithm;
mod claim_error;
mod claim_path;
mod claims;
mod config;
mod error;
mod issuers;
mod jwk;
mod key;
mod key_set;
mod pem;
#[cfg(feature = "jwks")]
mod remote;
mod status;
mod tickets;
mod token;
mod verifier;

pub use algorithm::{Algorithm, MIN_SECRET_BYTES, UnknownAlgorithm};
pub use claims::ClaimPaths;
pub use config::{JwtConfig, MAX_LEEWAY};
pub use error::KeyError;
pub use issuers::{IssuerConfig, IssuerError, Issuers};
pub use key::Key;
pub use key_set::{KeySet, LeftOut, MAX_JWKS_FILE_BYTES};
#[cfg(feature = "jwks")]
pub use remote::{JwksConfig, JwksSource};
pub use status::{AddressStatus, KeyStatus};
pub use tickets::SignedTickets;
pub use verifier::TokenVerifier;
