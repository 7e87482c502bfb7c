//! Keys, signing and a clock for the tests of tokens.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{EncodingKey, Header, encode, jwk::Jwk};
use realtime_adapters::jwt::{Algorithm, ClaimPaths, JwtConfig, Key, KeyError, KeySet, TokenVerifier};
use realtime_ports::{JwtVerifier, VerifyError};
use realtime_schema::JwtClaims;
use serde_json::{Value, json};

pub(crate) const SECRET: &[u8] = b"a test secret of more than thirty-two bytes";
pub(crate) const OTHER_SECRET: &[u8] = b"another test secret of over thirty-two bytes";

/// The text of a key under `tests/keys`.
pub(crate) fn pem(name: &str) -> String {
    let path = format!("{}/tests/keys/{name}.pem", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

pub(crate) fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

/// `{"sub":"alice","exp":<in an hour>}` with the members of `more` over it; a `null` in `more` removes a member.
pub(crate) fn claims(more: Value) -> Value {
    let mut claims = json!({"sub": "alice", "exp": now() + 3600});
    let Value::Object(more) = more else { panic!("claims are an object") };
    for (name, value) in more {
        match value {
            Value::Null => claims.as_object_mut().unwrap().remove(&name),
            _ => claims.as_object_mut().unwrap().insert(name, value),
        };
    }
    claims
}

pub(crate) fn library(algorithm: Algorithm) -> jsonwebtoken::Algorithm {
    algorithm.as_str().parse().unwrap()
}

/// The signing half of the test key for `algorithm`.
pub(crate) fn signing_key(algorithm: Algorithm) -> EncodingKey {
    match &algorithm.as_str()[..2] {
        "HS" => EncodingKey::from_secret(SECRET),
        "RS" | "PS" => EncodingKey::from_rsa_pem(pem("test-rsa.private").as_bytes()).unwrap(),
        "ES" if algorithm == Algorithm::ES256 => EncodingKey::from_ec_pem(pem("test-p256.private").as_bytes()).unwrap(),
        "ES" => EncodingKey::from_ec_pem(pem("test-p384.private").as_bytes()).unwrap(),
        _ => EncodingKey::from_ed_pem(pem("test-ed25519.private").as_bytes()).unwrap(),
    }
}

/// The verifying half.
pub(crate) fn verifying_key(algorithm: Algorithm) -> Key {
    let name = match &algorithm.as_str()[..2] {
        "HS" => return Key::hmac(algorithm, SECRET).unwrap(),
        "RS" | "PS" => "test-rsa.public",
        "ES" if algorithm == Algorithm::ES256 => "test-p256.public",
        "ES" => "test-p384.public",
        _ => "test-ed25519.public",
    };
    Key::from_pem(&pem(name), Some(algorithm)).unwrap()
}

pub(crate) fn sign(algorithm: Algorithm, kid: Option<&str>, claims: &Value) -> String {
    let header = Header { kid: kid.map(str::to_owned), ..Header::new(library(algorithm)) };
    encode(&header, claims, &signing_key(algorithm)).unwrap()
}

/// A token of the usual secret.
pub(crate) fn hs256(claims: &Value) -> String {
    sign(Algorithm::HS256, None, claims)
}

/// A verifier of the usual secret.
pub(crate) fn verifier(config: JwtConfig) -> TokenVerifier {
    TokenVerifier::new(config, KeySet::from(verifying_key(Algorithm::HS256))).unwrap()
}

pub(crate) async fn accepted(verifier: &TokenVerifier, token: &str) -> JwtClaims {
    verifier.verify(token).await.unwrap_or_else(|e| panic!("refused: {e}"))
}

/// The reason of an `Invalid`.
pub(crate) async fn refused(verifier: &TokenVerifier, token: &str) -> String {
    match verifier.verify(token).await {
        Err(VerifyError::Invalid(why)) => why,
        other => panic!("expected Invalid, got {other:?}"),
    }
}

pub(crate) fn trusting(keys: KeySet) -> TokenVerifier {
    TokenVerifier::new(JwtConfig::default(), keys).unwrap()
}

/// The test key of an algorithm as an entry of a JWK Set.
pub(crate) fn jwk(algorithm: Algorithm, more: Value) -> Value {
    let jwk = Jwk::from_encoding_key(&signing_key(algorithm), library(algorithm)).unwrap();
    let mut jwk = serde_json::to_value(jwk).unwrap();
    let Value::Object(more) = more else { panic!("a JWK is an object") };
    for (name, value) in more {
        match value {
            Value::Null => jwk.as_object_mut().unwrap().remove(&name),
            _ => jwk.as_object_mut().unwrap().insert(name, value),
        };
    }
    jwk
}

pub(crate) fn jwks(keys: &[Value]) -> Result<KeySet, KeyError> {
    KeySet::from_jwks(json!({ "keys": keys }).to_string().as_bytes())
}

pub(crate) fn with_paths(claims: ClaimPaths) -> JwtConfig {
    JwtConfig { claims, ..JwtConfig::default() }
}

pub(crate) fn roles(claims: &JwtClaims) -> Vec<&str> {
    claims.roles.iter().map(|role| role.as_str()).collect()
}

pub(crate) async fn judged(config: JwtConfig, said: Value) -> Result<JwtClaims, VerifyError> {
    verifier(config).verify(&hs256(&claims(said))).await
}

/// The refusal, which must begin so.
pub(crate) async fn refuses(config: JwtConfig, said: Value, beginning: &str) {
    let shown = said.to_string();
    let why = refused(&verifier(config), &hs256(&claims(said))).await;
    assert!(why.starts_with(beginning), "{shown}: {why}");
}
