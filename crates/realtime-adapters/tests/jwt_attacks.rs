//! Tokens made by an attacker: confused algorithms, unsigned tokens, headers that ask for a fetch,
//! and random bytes.
#![cfg(feature = "jwt")]

mod jwt_support;

use jsonwebtoken::{EncodingKey, Header, encode};
use jwt_support::{OTHER_SECRET, SECRET, accepted, claims, hs256, pem, refused, sign, verifier, verifying_key};
use proptest::prelude::*;
use realtime_adapters::jwt::{Algorithm, JwtConfig, KeySet, TokenVerifier};
use realtime_ports::{JwtVerifier, VerifyError};
use serde_json::json;

fn trusting_rsa() -> TokenVerifier {
    TokenVerifier::new(JwtConfig::default(), KeySet::from(verifying_key(Algorithm::RS256))).unwrap()
}

#[tokio::test]
async fn a_public_key_is_not_a_secret() {
    // The verifier's own public key, which any attacker may have, used as an HMAC secret (RFC 8725 section 2.1).
    let said = claims(json!({}));
    for public in [pem("test-rsa.public"), pem("test-rsa.public-pkcs1")] {
        for header in [Header::default(), Header { kid: Some("a".into()), ..Header::default() }] {
            let token = encode(&header, &said, &EncodingKey::from_secret(public.as_bytes())).unwrap();
            assert_eq!(refused(&trusting_rsa(), &token).await, "its `alg` is not the one of its key");
        }
    }
}

#[tokio::test]
async fn an_unsigned_token_is_refused() {
    let token = hs256(&claims(json!({})));
    let payload = token.split('.').nth(1).unwrap();
    // An unsigned token: {"alg":"none"}, {"alg":"None","typ":"JWT"}, {"alg":""}, {}, and HS256 with its signature taken off.
    for header in [
        "eyJhbGciOiJub25lIn0",
        "eyJhbGciOiJOb25lIiwidHlwIjoiSldUIn0",
        "eyJhbGciOiIifQ",
        "e30",
        // Arrays whose entries would be the header's members.
        "WyJIUzI1NiJd",
        "W10",
        token.split('.').next().unwrap(),
    ] {
        for verifier in [verifier(JwtConfig::default()), trusting_rsa()] {
            refused(&verifier, &format!("{header}.{payload}.")).await;
            refused(&verifier, &format!("{header}.{payload}")).await;
        }
    }
}

#[tokio::test]
async fn the_signature_of_an_unknown_key_is_refused() {
    let said = claims(json!({}));
    let token = encode(&Header::default(), &said, &EncodingKey::from_secret(OTHER_SECRET)).unwrap();
    assert_eq!(refused(&verifier(JwtConfig::default()), &token).await, "its signature does not verify");
    let other_key = EncodingKey::from_rsa_pem(pem("test-rsa-stranger.private").as_bytes()).unwrap();
    let token = encode(&Header::new(jsonwebtoken::Algorithm::RS256), &said, &other_key).unwrap();
    assert_eq!(refused(&trusting_rsa(), &token).await, "its signature does not verify");
}

#[tokio::test]
async fn claims_are_not_judged_before_the_signature() {
    // Otherwise a refusal would tell an attacker which issuers and claims are expected.
    let config = JwtConfig { issuers: vec!["me".into()], ..JwtConfig::default() };
    let said = claims(json!({"exp": 1, "iss": "you", "roles": 7}));
    let token = encode(&Header::default(), &said, &EncodingKey::from_secret(OTHER_SECRET)).unwrap();
    assert_eq!(refused(&verifier(config), &token).await, "its signature does not verify");
}

#[tokio::test]
async fn a_critical_extension_is_refused() {
    let secret = EncodingKey::from_secret(SECRET);
    for crit in [vec![], vec!["exp".to_owned()], vec!["b64".to_owned()]] {
        let header = Header { crit: Some(crit), ..Header::default() };
        let token = encode(&header, &claims(json!({})), &secret).unwrap();
        assert!(refused(&verifier(JwtConfig::default()), &token).await.contains("`crit`"));
    }
}

#[tokio::test]
async fn a_key_or_an_address_in_the_header_is_ignored() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap());
    let other_key = EncodingKey::from_rsa_pem(pem("test-rsa-stranger.private").as_bytes()).unwrap();
    let jwk = jsonwebtoken::jwk::Jwk::from_encoding_key(&other_key, jsonwebtoken::Algorithm::RS256).unwrap();
    let header = Header {
        jku: Some(url.clone()),
        x5u: Some(url.clone()),
        jwk: Some(jwk),
        kid: Some(url),
        ..Header::new(jsonwebtoken::Algorithm::RS256)
    };
    let forged = encode(&header, &claims(json!({})), &other_key).unwrap();
    assert_eq!(refused(&trusting_rsa(), &forged).await, "its signature does not verify");
    let own = EncodingKey::from_rsa_pem(pem("test-rsa.private").as_bytes()).unwrap();
    accepted(&trusting_rsa(), &encode(&header, &claims(json!({})), &own).unwrap()).await;
    assert!(listener.accept().is_err(), "the address in the header was requested");
}

#[tokio::test]
async fn a_token_over_eight_kibibytes_is_refused_by_name_of_the_limit() {
    let verifier = verifier(JwtConfig::default());
    let fits = hs256(&claims(json!({"padding": "x".repeat(5900)})));
    assert!(fits.len() > 7900 && fits.len() <= 8192, "{}", fits.len());
    accepted(&verifier, &fits).await;
    let over = hs256(&claims(json!({"padding": "x".repeat(6200)})));
    assert!(refused(&verifier, &over).await.contains("at most 8192"));
}

#[tokio::test]
async fn claims_that_are_not_an_object_are_refused() {
    let secret = EncodingKey::from_secret(SECRET);
    for said in [json!([]), json!("alice"), json!(7), json!(null)] {
        let token = encode(&Header::default(), &said, &secret).unwrap();
        let why = refused(&verifier(JwtConfig::default()), &token).await;
        assert!(why.starts_with("its claims are not a JSON object"), "{said}: {why}");
    }
    // Nested far deeper than any claims are.
    let deep = "[".repeat(2000) + &"]".repeat(2000);
    let deep = serde_json::value::RawValue::from_string(format!("{{\"sub\":{deep}}}")).unwrap();
    let token = encode(&Header::default(), &deep, &secret).unwrap();
    refused(&verifier(JwtConfig::default()), &token).await;
}

fn now_or_panic(verifier: &TokenVerifier, token: &str) -> Result<realtime_schema::JwtClaims, VerifyError> {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(verifier.verify(token))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_text_is_refused_without_a_panic(text in "\\PC{0,200}", dotted in "[A-Za-z0-9_=.-]{0,300}") {
        let verifier = verifier(JwtConfig::default());
        for token in [text, dotted] {
            prop_assert!(matches!(now_or_panic(&verifier, &token), Err(VerifyError::Invalid(_))));
        }
    }

    #[test]
    fn a_mutated_token_is_refused_without_a_panic(
        algorithm in prop::sample::select(Algorithm::ALL.to_vec()),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0..4_u8, "[A-Za-z0-9_.-]{1,3}"), 1..4),
    ) {
        let valid = sign(algorithm, None, &claims(json!({"roles": ["admin"]})));
        let mut token = valid.clone();
        for (at, what, text) in cuts {
            let at = at.index(token.len());
            match what {
                0 => token.insert_str(at, &text),
                1 => token.truncate(at.max(1)),
                2 => { token.remove(at); if token.is_empty() { token.push('.'); } }
                _ => token.replace_range(at..=at, &text),
            }
        }
        let trusted = KeySet::from(verifying_key(algorithm));
        let verifier = TokenVerifier::new(JwtConfig::default(), trusted).unwrap();
        let answer = now_or_panic(&verifier, &token);
        prop_assert_eq!(answer.is_ok(), token == valid, "{:?}", answer);
    }

    #[test]
    fn random_claims_under_a_right_signature_do_not_panic(
        name in prop::sample::select(vec![
            "sub", "exp", "nbf", "iat", "iss", "aud", "jti", "roles", "role", "scope", "grants", "metadata",
        ]),
        number in any::<f64>(), whole in any::<i64>(), text in "\\PC{0,40}", nested in any::<bool>(),
    ) {
        let verifier = verifier(JwtConfig::default());
        let values = [json!(number), json!(whole), json!(text), json!([text, whole]), json!({"a": [nested, number]})];
        for value in values {
            if let Ok(read) = now_or_panic(&verifier, &hs256(&claims(json!({name: value})))) {
                prop_assert!(read.exp.is_some_and(|exp| (0..=253_402_300_799).contains(&exp)));
            }
        }
    }
}
