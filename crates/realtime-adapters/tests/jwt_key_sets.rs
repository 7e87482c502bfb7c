//! Sets of keys: which key verifies a token, which keys of a JWK Set are left out, and why.
#![cfg(feature = "jwt")]

mod jwt_support;

use jsonwebtoken::{EncodingKey, Header, encode, jwk::Jwk};
use jwt_support::{accepted, claims, hs256, jwk, jwks, pem, refused, sign, trusting, verifying_key};
use realtime_adapters::jwt::{Algorithm, Key, KeyError, KeySet};
use serde_json::json;

#[tokio::test]
async fn a_key_with_an_id_verifies_only_tokens_that_name_it() {
    let keys = KeySet::from(verifying_key(Algorithm::HS256).with_kid("a"))
        .with(verifying_key(Algorithm::RS256).with_kid("b"))
        .unwrap();
    let verifier = trusting(keys);
    let said = claims(json!({}));
    accepted(&verifier, &sign(Algorithm::HS256, Some("a"), &said)).await;
    accepted(&verifier, &sign(Algorithm::RS256, Some("b"), &said)).await;
    let elsewhere = refused(&verifier, &sign(Algorithm::HS256, Some("b"), &said)).await;
    assert_eq!(elsewhere, "its `alg` is not the one of its key");
    let unknown = refused(&verifier, &sign(Algorithm::HS256, Some("../../etc/passwd"), &said)).await;
    assert_eq!(unknown, "it names a key (`kid`) that is not known here");
    let unnamed = refused(&verifier, &sign(Algorithm::HS256, None, &said)).await;
    assert_eq!(unnamed, "it must name its key (`kid`), because there are several here");
}

#[tokio::test]
async fn a_lone_key_verifies_tokens_that_name_none_and_none_that_name_another() {
    let verifier = trusting(verifying_key(Algorithm::HS256).with_kid("a").into());
    accepted(&verifier, &hs256(&claims(json!({})))).await;
    refused(&verifier, &sign(Algorithm::HS256, Some("b"), &claims(json!({})))).await;
    // A key without an id is tried for tokens that name one: issuers name keys whose name the operator does not know.
    let verifier = trusting(verifying_key(Algorithm::HS256).into());
    accepted(&verifier, &sign(Algorithm::HS256, Some("b"), &claims(json!({})))).await;
}

#[tokio::test]
async fn one_id_may_have_a_key_for_each_algorithm() {
    let both = KeySet::from(verifying_key(Algorithm::RS256).with_kid("a"))
        .with(verifying_key(Algorithm::PS256).with_kid("a"))
        .unwrap();
    assert_eq!(both.len(), 2);
    let verifier = trusting(both);
    for algorithm in [Algorithm::RS256, Algorithm::PS256] {
        accepted(&verifier, &sign(algorithm, Some("a"), &claims(json!({})))).await;
    }
}

#[tokio::test]
async fn the_same_key_twice_is_one_key_and_spoils_no_other() {
    let (a, b) = (jwk(Algorithm::RS256, json!({"kid": "k1"})), jwk(Algorithm::ES256, json!({"kid": "k2"})));
    let keys = jwks(&[a.clone(), a.clone(), b]).unwrap();
    assert_eq!((keys.len(), keys.left_out().len()), (2, 0));
    let verifier = trusting(keys);
    accepted(&verifier, &sign(Algorithm::RS256, Some("k1"), &claims(json!({})))).await;
    accepted(&verifier, &sign(Algorithm::ES256, Some("k2"), &claims(json!({})))).await;
    // Without an id as well: a lone key that is listed twice is still a lone key.
    let nameless = jwk(Algorithm::RS256, json!({}));
    assert_eq!(jwks(&[nameless.clone(), nameless]).unwrap().len(), 1);
    // A file beside a key that was given.
    let given = KeySet::from(verifying_key(Algorithm::RS256).with_kid("k1"));
    assert_eq!(given.merged(jwks(&[a]).unwrap()).unwrap().len(), 1);
}

#[tokio::test]
async fn different_keys_with_one_id_are_all_tried() {
    let other_key = EncodingKey::from_rsa_pem(pem("test-rsa-stranger.private").as_bytes()).unwrap();
    let mut other = Jwk::from_encoding_key(&other_key, jsonwebtoken::Algorithm::RS256).unwrap();
    other.common.key_id = Some("a".into());
    let other = serde_json::to_value(other).unwrap();
    let keys = jwks(&[jwk(Algorithm::RS256, json!({"kid": "a"})), other]).unwrap();
    assert_eq!(keys.len(), 2);
    let verifier = trusting(keys);
    accepted(&verifier, &sign(Algorithm::RS256, Some("a"), &claims(json!({})))).await;
    let header = Header { kid: Some("a".into()), ..Header::new(jsonwebtoken::Algorithm::RS256) };
    accepted(&verifier, &encode(&header, &claims(json!({})), &other_key).unwrap()).await;
}

#[test]
fn keys_with_one_id_are_limited_and_the_rest_is_left_out() {
    let secret = |n: u8| json!({"kty": "oct", "kid": "a", "k": format!("{n:02}{}", "A".repeat(60))});
    let keys = jwks(&(0..6).map(secret).collect::<Vec<_>>()).unwrap();
    assert_eq!((keys.len(), keys.left_out().len()), (4, 2));
    assert!(keys.left_out()[0].reason.contains("more than 4 keys have the kid `a`"));
    let secrets = (0..16_u8).try_fold(KeySet::new(), |keys, n| keys.with(Key::hmac(Algorithm::HS256, &[n; 32])?));
    let error = secrets.unwrap().with(Key::hmac(Algorithm::HS256, &[99; 32]).unwrap()).unwrap_err();
    assert!(matches!(error, KeyError::TooManyKeys { limit: 16, .. }), "{error}");
}

#[test]
fn an_unusable_key_is_left_out_with_its_id_and_a_reason() {
    let keys = jwks(&[
        jwk(Algorithm::RS256, json!({"kid": "good"})),
        jwk(Algorithm::RS256, json!({"kid": "small", "n": "AQAB"})),
        jwk(Algorithm::ES256, json!({"kid": "future", "alg": "ML-DSA-44"})),
        jwk(Algorithm::RS256, json!({"kid": "no\nlog line", "n": "?"})),
        jwk(Algorithm::RS256, json!({})),
        jwk(Algorithm::RS256, json!({"kid": "enc", "use": "enc", "alg": "RSA-OAEP"})),
    ])
    .unwrap();
    assert_eq!(keys.len(), 1);
    let left_out: Vec<_> = keys.left_out().iter().map(|key| (key.kid.as_deref(), key.reason.as_str())).collect();
    assert_eq!(left_out.len(), 4, "a key for encryption is no key of tokens: {left_out:?}");
    assert!(left_out[0].0 == Some("small") && left_out[0].1.contains("bits"), "{left_out:?}");
    assert!(left_out[1].0 == Some("future") && left_out[1].1.contains("`alg` is not supported"), "{left_out:?}");
    assert_eq!(left_out[2].0, Some("no\\nlog line"));
    assert!(left_out[3].0.is_none() && left_out[3].1.contains("no `kid`"), "{left_out:?}");
}

#[test]
fn keys_of_a_set_that_are_not_for_verifying_here_are_left_out() {
    let other = [
        jwk(Algorithm::RS256, json!({"kid": "enc", "use": "enc"})),
        jwk(Algorithm::RS256, json!({"kid": "ops", "key_ops": ["encrypt"]})),
        jwk(Algorithm::RS256, json!({"kid": "oaep", "alg": "RSA-OAEP"})),
        jwk(Algorithm::RS256, json!({"kid": "future", "alg": "ML-DSA-44"})),
        jwk(Algorithm::RS256, json!({"kid": "confused", "alg": "HS256"})),
        jwk(Algorithm::ES256, json!({"kid": "curve", "alg": "ES384"})),
        jwk(Algorithm::ES256, json!({"kid": "short", "x": "AAAA"})),
        jwk(Algorithm::EdDSA, json!({"kid": "x25519", "crv": "X25519"})),
        jwk(Algorithm::RS256, json!({"kid": "small", "n": "AQAB"})),
        jwk(Algorithm::RS256, json!({"kid": "broken", "n": "?"})),
        jwk(Algorithm::HS256, json!({"kid": "guessable", "k": "c2VjcmV0"})),
        json!({"kty": "future", "kid": "kty"}),
        json!("not even an object"),
        json!(null),
    ];
    for key in &other {
        let error = jwks(std::slice::from_ref(key)).unwrap_err();
        assert!(matches!(error, KeyError::NoUsableKey { total: 1, .. }), "{key}: {error}");
    }
    let good = jwk(Algorithm::RS256, json!({"kid": "good", "key_ops": ["verify"]}));
    assert_eq!(jwks(&[other.as_slice(), &[good]].concat()).unwrap().len(), 1);
}

#[tokio::test]
async fn a_set_with_several_keys_gives_only_those_with_an_id() {
    let keys = [jwk(Algorithm::RS256, json!({})), jwk(Algorithm::ES256, json!({"kid": "a"}))];
    assert_eq!(jwks(&keys).unwrap().len(), 1);
    assert_eq!(jwks(&keys[..1]).unwrap().len(), 1);
    let nameless = jwks(&[keys[0].clone(), jwk(Algorithm::ES256, json!({}))]).unwrap_err().to_string();
    assert!(nameless.contains("no `kid`"), "{nameless}");
}

#[tokio::test]
async fn an_rsa_key_without_alg_is_rs256_and_nothing_else() {
    let verifier = trusting(jwks(&[jwk(Algorithm::RS256, json!({"alg": null}))]).unwrap());
    accepted(&verifier, &sign(Algorithm::RS256, None, &claims(json!({})))).await;
    refused(&verifier, &sign(Algorithm::PS256, None, &claims(json!({})))).await;
    refused(&verifier, &sign(Algorithm::RS512, None, &claims(json!({})))).await;
}

#[tokio::test]
async fn a_jwks_file_is_read_and_a_missing_one_named() {
    let path = std::env::temp_dir().join(format!("realtime-jwks-{}.json", std::process::id()));
    std::fs::write(&path, json!({"keys": [jwk(Algorithm::ES256, json!({"kid": "a"}))]}).to_string()).unwrap();
    let keys = KeySet::from_jwks_file(&path);
    std::fs::write(&path, vec![b' '; 1024 * 1024 + 1]).unwrap();
    let oversized = KeySet::from_jwks_file(&path);
    std::fs::remove_file(&path).unwrap();
    accepted(&trusting(keys.unwrap()), &sign(Algorithm::ES256, Some("a"), &claims(json!({})))).await;
    assert!(oversized.unwrap_err().to_string().contains("1048576 bytes"));
    let missing = KeySet::from_jwks_file(&path).unwrap_err();
    assert!(missing.to_string().contains(path.to_str().unwrap()));
}

#[test]
fn a_text_that_is_not_a_jwk_set_is_refused() {
    for text in ["", "{}", "[]", "{\"keys\":{}}", "{\"keys\":5}", "nonsense"] {
        assert!(matches!(KeySet::from_jwks(text.as_bytes()), Err(KeyError::NotJwks)), "{text}");
    }
    assert!(jwks(&[]).unwrap_err().to_string().contains("`keys` is empty"));
}
