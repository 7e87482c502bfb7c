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
//! header are not looked at. And a claim of the wrong type refuses the token; it never counts as absent.

mod algorithm;
mod claims;
mod config;
mod error;
mod key;
mod key_set;
#[cfg(feature = "jwks")]
mod remote;
mod verifier;

pub use algorithm::Algorithm;
pub use claims::ClaimPaths;
pub use config::{JwtConfig, MAX_LEEWAY};
pub use error::KeyError;
pub use key::{Key, MIN_SECRET_BYTES};
pub use key_set::{KeySet, MAX_JWKS_FILE_BYTES};
#[cfg(feature = "jwks")]
pub use remote::{JwksConfig, JwksSource};
pub use verifier::TokenVerifier;
