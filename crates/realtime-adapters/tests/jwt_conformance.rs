//! The suite of the verifier's port, run against the adapter with each kind of key and the test double.
#![cfg(all(feature = "jwt", feature = "testing"))]

mod jwt_support;

use jsonwebtoken::{EncodingKey, Header, encode};
use jwt_support::{OTHER_SECRET, claims, hs256, now, sign, verifying_key};
use realtime_adapters::{
    jwt::{Algorithm, JwtConfig, KeySet, TokenVerifier},
    testing::TestJwtVerifier,
};
use realtime_ports::{
    JwtVerifier, VerifyError,
    conformance::verifier::{VerifierTokens, verifier_conformance},
};
use realtime_schema::{JwtClaims, Role, UserId};
use serde_json::json;

fn tokens(algorithm: Algorithm) -> VerifierTokens {
    let end = now() + 3600;
    let other_key = EncodingKey::from_secret(OTHER_SECRET);
    VerifierTokens {
        valid: sign(algorithm, None, &claims(json!({"exp": end, "roles": ["admin"]}))),
        claims: JwtClaims {
            exp: Some(end),
            roles: vec![Role::new("admin").unwrap()],
            ..JwtClaims::new(UserId::new("alice").unwrap())
        },
        expired: sign(algorithm, None, &claims(json!({"exp": now() - 3600}))),
        forged: vec![
            encode(&Header::default(), &claims(json!({})), &other_key).unwrap(),
            sign(algorithm, None, &claims(json!({"sub": null}))),
            sign(algorithm, None, &claims(json!({"exp": null}))),
        ],
    }
}

#[tokio::test]
async fn the_adapter_conforms_with_each_kind_of_key() {
    for algorithm in [Algorithm::HS256, Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA] {
        let fresh = || TokenVerifier::new(JwtConfig::default(), KeySet::from(verifying_key(algorithm))).unwrap();
        verifier_conformance(fresh, &tokens(algorithm)).await;
    }
}

#[tokio::test]
async fn the_test_double_conforms() {
    let tokens = tokens(Algorithm::HS256);
    let fresh =
        || TestJwtVerifier::new(&tokens.valid, tokens.claims.clone()).failing(&tokens.expired, VerifyError::Expired);
    verifier_conformance(fresh, &tokens).await;
}

#[tokio::test]
async fn the_test_double_counts_its_calls() {
    let verifier = TestJwtVerifier::new("secret-word", JwtClaims::new(UserId::new("alice").unwrap()));
    assert_eq!(verifier.verify("secret-word").await.unwrap().sub.as_str(), "alice");
    assert!(matches!(verifier.verify("other-word").await, Err(VerifyError::Invalid(_))));
    assert_eq!(verifier.calls(), 2);
}

/// Accepts every token: the suite must detect it.
struct AcceptsAll;

#[async_trait::async_trait]
impl JwtVerifier for AcceptsAll {
    async fn verify(&self, _token: &str) -> Result<JwtClaims, VerifyError> {
        Ok(JwtClaims::new(UserId::new("alice").unwrap()))
    }
}

/// Repeats the token in its error: the suite must detect it.
struct RepeatsTokens(TokenVerifier);

#[async_trait::async_trait]
impl JwtVerifier for RepeatsTokens {
    async fn verify(&self, token: &str) -> Result<JwtClaims, VerifyError> {
        match self.0.verify(token).await {
            Err(VerifyError::Invalid(_)) => Err(VerifyError::Invalid(format!("can't read {token}"))),
            other => other,
        }
    }
}

#[tokio::test]
#[should_panic(expected = "the claims of a valid token")]
async fn a_verifier_that_makes_claims_up_does_not_conform() {
    verifier_conformance(|| AcceptsAll, &tokens(Algorithm::HS256)).await;
}

#[tokio::test]
#[should_panic(expected = "repeats a part of the token")]
async fn a_verifier_that_repeats_tokens_does_not_conform() {
    let inner = || TokenVerifier::new(JwtConfig::default(), verifying_key(Algorithm::HS256).into()).unwrap();
    assert!(inner().verify(&hs256(&claims(json!({})))).await.is_ok());
    verifier_conformance(|| RepeatsTokens(inner()), &tokens(Algorithm::HS256)).await;
}
