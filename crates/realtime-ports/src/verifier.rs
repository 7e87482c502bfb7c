//! Tokens: is the signature right, and what does the token say?

use std::{error::Error, sync::Arc};

use async_trait::async_trait;
use realtime_schema::JwtClaims;

/// Verifies tokens. Cold: called once per connection and once per `refresh`, off the path of messages.
///
/// It answers for the signature and for every claim that it hands on; a wrong "yes" lets a stranger in.
/// The service judges expiry, roles and permissions again, by its own clock and policy.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait JwtVerifier: Send + Sync {
    /// The claims of `token`, if it is to be believed.
    ///
    /// # Errors
    /// See [`VerifyError`]; none of them may hold the token or a part of it.
    async fn verify(&self, token: &str) -> Result<JwtClaims, VerifyError>;
}

/// Why a token was not believed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// It was right once; its time is over.
    #[error("the token's time is over")]
    Expired,
    /// Its time has not begun.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// It is not a token that is accepted here.
    #[error("the token is not accepted: {0}")]
    Invalid(String),
    /// It could not be judged, because the keys are not to be had now. Nobody is let in for that.
    #[error("tokens can't be verified now")]
    Unavailable(#[source] Arc<dyn Error + Send + Sync>),
}
