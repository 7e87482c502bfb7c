//! Tokens: the check of the signature, and the claims.

use std::{error::Error, sync::Arc};

use async_trait::async_trait;
use realtime_schema::JwtClaims;

/// Verifies tokens. Cold: called once per connection and once per `refresh`, never per message.
///
/// It is responsible for the signature and for every claim that it returns; a wrong `Ok` admits an
/// attacker. The service checks expiry, roles and permissions again, with its own clock and policy.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait JwtVerifier: Send + Sync {
    /// The claims of `token`, if it is valid.
    ///
    /// # Errors
    /// See [`VerifyError`]; no error may contain the token or a part of it.
    async fn verify(&self, token: &str) -> Result<JwtClaims, VerifyError>;
}

/// Why a token was refused.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The token was valid and has expired.
    #[error("the token has expired")]
    Expired,
    /// The token's `nbf` is in the future.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// The token is not accepted here, for this reason.
    #[error("the token is not accepted: {0}")]
    Invalid(String),
    /// The keys are unavailable now, so the token can't be verified. No client is admitted then.
    #[error("tokens can't be verified now")]
    Unavailable(#[source] Arc<dyn Error + Send + Sync>),
}
