//! Tokens without cryptography.

use std::{collections::HashMap, sync::Mutex};

use async_trait::async_trait;
use realtime_ports::{JwtVerifier, VerifyError};
use realtime_schema::JwtClaims;

use crate::lock;

/// Issues tokens and verifies them: a verifier that knows exactly what it has issued. Expiry is judged by the service,
/// on the world's clock, as with any verifier.
#[derive(Debug, Default)]
pub struct TestTokens(Mutex<Issued>);

#[derive(Debug, Default)]
struct Issued {
    results: HashMap<String, Result<JwtClaims, VerifyError>>,
    count: usize,
}

impl TestTokens {
    /// Nothing issued yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A new token for `claims`. Its text means nothing.
    pub fn issue(&self, claims: JwtClaims) -> String {
        let mut issued = lock(&self.0);
        issued.count += 1;
        let token = format!("token-{}-of-{}", issued.count, claims.sub);
        issued.results.insert(token.clone(), Ok(claims));
        token
    }

    /// From now on the verification of `token` fails, for instance with [`VerifyError::Unavailable`].
    pub fn refuse(&self, token: impl Into<String>, error: VerifyError) {
        lock(&self.0).results.insert(token.into(), Err(error));
    }
}

#[async_trait]
impl JwtVerifier for TestTokens {
    async fn verify(&self, token: &str) -> Result<JwtClaims, VerifyError> {
        let unknown = || Err(VerifyError::Invalid("this world has not issued it".into()));
        lock(&self.0).results.get(token).cloned().unwrap_or_else(unknown)
    }
}
