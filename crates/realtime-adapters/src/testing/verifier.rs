//! A verifier with a fixed list of tokens.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use realtime_ports::{JwtVerifier, VerifyError};
use realtime_schema::JwtClaims;

/// Returns the configured result for each token that it expects, and `Invalid` for every other text. No cryptography.
#[derive(Debug, Default)]
pub struct TestJwtVerifier {
    results: HashMap<String, Result<JwtClaims, VerifyError>>,
    calls: AtomicU64,
}

impl TestJwtVerifier {
    /// Expects `token`, and returns `claims` for it.
    pub fn new(token: impl Into<String>, claims: JwtClaims) -> Self {
        Self::default().and(token, claims)
    }

    /// Expects `token` as well.
    #[must_use]
    pub fn and(mut self, token: impl Into<String>, claims: JwtClaims) -> Self {
        self.results.insert(token.into(), Ok(claims));
        self
    }

    /// Returns `error` for `token`, for instance [`VerifyError::Expired`].
    #[must_use]
    pub fn failing(mut self, token: impl Into<String>, error: VerifyError) -> Self {
        self.results.insert(token.into(), Err(error));
        self
    }

    /// Number of calls, whatever the result.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl JwtVerifier for TestJwtVerifier {
    async fn verify(&self, token: &str) -> Result<JwtClaims, VerifyError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        match self.results.get(token) {
            Some(result) => result.clone(),
            None => Err(VerifyError::Invalid("it is not a token that this test expects".to_owned())),
        }
    }
}
