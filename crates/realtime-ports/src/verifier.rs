//! Tokens: the check of the signature, and the claims.

use std::{error::Error, sync::Arc};

use async_trait::async_trait;
use realtime_schema::JwtClaims;

/// Verifies tokens. Cold: called once per connection and once per `refresh`, off the path of messages.
///
/// It is responsible for the signature and for every claim that it returns; a wrong `Ok` admits a stranger.
/// The service judges expiry, roles and permissions again, by its own clock and policy.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait JwtVerifier: Send + Sync {
    /// The claims of `token`, if it is valid.
    ///
    /// # Errors
    /// See [`VerifyError`]; none of them may hold the token or a part of it.
    async fn verify(&self, token: &str) -> Result<JwtClaims, VerifyError>;
}

/// Why a token was refused.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// It was valid once and has expired.
    #[error("the token has expired")]
    Expired,
    /// Its `nbf` is still to come.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// It is not a token that is accepted here.
    #[error("the token is not accepted: {0}")]
    Invalid(String),
    /// It could not be verified, because the keys are unavailable now. No client is admitted then.
    #[error("tokens can't be verified now")]
    Unavailable(#[source] Arc<dyn Error + Send + Sync>),
}
