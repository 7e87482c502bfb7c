//! The suite of the verifier's port, run against the adapter with each kind of key and the test double.
#![cfg(all(feature = "jwt", feature = "testing"))]

mod jwt_support;

use std::panic::{AssertUnwindSafe, catch_unwind};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{EncodingKey, Header, encode};
use jwt_support::{OTHER_SECRET, claims, hs256, now, sign, verifying_key};
use realtime_adapters::{
    jwt::{Algorithm, JwtConfig, KeySet, SignedTickets, TokenVerifier},
    testing::TestJwtVerifier,
};
use realtime_core::ticket::Ticket;
use realtime_ports::{
    JwtVerifier, TicketError, Tickets, VerifyError,
    conformance::{
        tickets::tickets_conformance,
        verifier::{VerifierTokens, verifier_conformance},
    },
};
use realtime_schema::{JwtClaims, Role, Timestamp, UserId};
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

#[test]
fn signed_tickets_keep_the_ports_promises() {
    let with = |secret: [u8; 32]| move || SignedTickets::new([secret]).expect("a secret of 32 bytes");
    tickets_conformance(with([1; 32]), SignedTickets::random);
    tickets_conformance(with([1; 32]), with([2; 32]));
}

#[derive(Clone, Copy, PartialEq)]
enum TicketFault {
    None,
    NeverExpires,
    IgnoresTheSignature,
    IgnoresAnEnd,
    LeavesOutInSilence,
}

struct FaultyTickets(SignedTickets, TicketFault);

impl Tickets for FaultyTickets {
    fn seal(&self, ticket: &Ticket) -> String {
        let mut ticket = ticket.clone();
        if self.1 == TicketFault::LeavesOutInSilence {
            ticket.streams.truncate(60);
        }
        self.0.seal(&ticket)
    }

    fn open(&self, text: &str, now: Timestamp) -> Result<Ticket, TicketError> {
        match self.1 {
            TicketFault::NeverExpires => self.0.open(text, Timestamp::from_millis(0)),
            TicketFault::IgnoresAnEnd => self.0.open(text.trim_end(), now),
            TicketFault::IgnoresTheSignature => {
                let body = text.split('.').nth(1).and_then(|body| BASE64_URL_SAFE_NO_PAD.decode(body).ok());
                let ticket: Option<Ticket> = body.and_then(|body| serde_json::from_slice(&body).ok());
                ticket.filter(|ticket| now < ticket.expires_at).ok_or(TicketError)
            }
            _ => self.0.open(text, now),
        }
    }
}

#[test]
fn the_suite_of_tickets_notices_each_fault() {
    let fails = |fault| {
        let with = |secret: [u8; 32]| move || FaultyTickets(SignedTickets::new([secret]).expect("a secret"), fault);
        catch_unwind(AssertUnwindSafe(|| tickets_conformance(with([1; 32]), with([2; 32])))).is_err()
    };
    assert!(!fails(TicketFault::None));
    for (at, fault) in [
        TicketFault::NeverExpires,
        TicketFault::IgnoresTheSignature,
        TicketFault::IgnoresAnEnd,
        TicketFault::LeavesOutInSilence,
    ]
    .into_iter()
    .enumerate()
    {
        assert!(fails(fault), "fault {at} goes unnoticed");
    }
}
