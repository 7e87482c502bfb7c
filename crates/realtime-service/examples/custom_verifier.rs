//! Replaces the JWT adapter with a verifier of the application: here, for opaque session tokens that it stores.
//!
//! `cargo run -p realtime-service --example custom_verifier`

use std::{collections::HashMap, sync::Arc};

use realtime_core::auth::ConnectRequest;
use realtime_ports::{JwtVerifier, VerifyError};
use realtime_schema::{JwtClaims, UserId};
use realtime_service::Service;

/// Sessions by their opaque token.
struct Sessions(HashMap<String, UserId>);

#[async_trait::async_trait]
impl JwtVerifier for Sessions {
    async fn verify(&self, token: &str) -> Result<JwtClaims, VerifyError> {
        match self.0.get(token) {
            Some(user) => Ok(JwtClaims::new(user.clone())),
            None => Err(VerifyError::Invalid("unknown session".into())),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sessions = Sessions(HashMap::from([("s3cr3t".to_owned(), UserId::new("alice")?)]));
    let service = Service::builder().verifier(Arc::new(sessions)).build().await?;

    let admitted = service.admit(&ConnectRequest::with_token("s3cr3t")).await?;
    println!("admitted: {}", admitted.claims().sub);
    let refused = service.admit(&ConnectRequest::with_token("guess")).await.expect_err("an unknown session");
    println!("refused: {refused}");
    Ok(())
}
