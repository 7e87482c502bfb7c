//! Which keys are taken, which are refused and in what words, and that a key verifies its own algorithm alone.
#![cfg(feature = "jwt")]

mod jwt_support;

use jsonwebtoken::jwk::Jwk;
use jwt_support::{
    OTHER_SECRET, SECRET, accepted, claims, hs256, library, pem, refused, sign, signing_key, verifying_key,
};
use realtime_adapters::jwt::{Algorithm, JwtConfig, Key, KeyError, KeySet, TokenVerifier};
use serde_json::{Value, json};

fn trusting(keys: KeySet) -> TokenVerifier {
    TokenVerifier::new(JwtConfig::default(), keys).unwrap()
}

/// The test key of an algorithm as an entry of a JWK Set.
fn jwk(algorithm: Algorithm, more: Value) -> Value {
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

fn jwks(keys: &[Value]) -> Result<KeySet, KeyError> {
    KeySet::from_jwks(json!({ "keys": keys }).to_string().as_bytes())
}

// A missing or doubled crypto back end shows here as a panic.
#[tokio::test]
async fn a_signature_of_every_algorithm_verifies_and_is_no_other_keys() {
    for algorithm in Algorithm::ALL {
        let token = sign(algorithm, None, &claims(json!({})));
        for trusted in Algorithm::ALL {
            let verifier = trusting(verifying_key(trusted).into());
            if trusted == algorithm {
                assert_eq!(accepted(&verifier, &token).await.sub.as_str(), "alice", "{algorithm}");
            } else {
                assert_eq!(refused(&verifier, &token).await, "its `alg` is not the one of its key", "{algorithm}");
            }
        }
    }
}

#[tokio::test]
async fn a_jwk_of_every_algorithm_verifies() {
    for algorithm in Algorithm::ALL {
        let keys = jwks(&[jwk(algorithm, json!({"kid": "a", "use": "sig"}))]).unwrap();
        let token = sign(algorithm, Some("a"), &claims(json!({})));
        accepted(&trusting(keys), &token).await;
    }
}

#[tokio::test]
async fn a_pem_without_an_algorithm_gets_the_one_of_its_kind() {
    for (name, algorithm) in [
        ("test-rsa.public", Algorithm::RS256),
        ("test-rsa.public-pkcs1", Algorithm::RS256),
        ("test-p256.public", Algorithm::ES256),
        ("test-p384.public", Algorithm::ES384),
        ("test-ed25519.public", Algorithm::EdDSA),
    ] {
        let key = Key::from_pem(&pem(name), None).unwrap();
        assert_eq!(key.algorithm(), algorithm, "{name}");
        accepted(&trusting(key.into()), &sign(algorithm, None, &claims(json!({})))).await;
    }
}

#[test]
fn a_pem_that_is_no_fit_public_key_is_refused_with_what_to_do() {
    for (name, algorithm, hint) in [
        ("test-rsa.private", None, "openssl pkey -pubout"),
        ("test-p256.private", None, "openssl pkey -pubout"),
        ("test-rsa.certificate", None, "openssl x509 -pubkey"),
        ("test-p521.public", None, "only RSA, P-256, P-384 and Ed25519"),
        ("test-secp256k1.public", None, "only RSA, P-256, P-384 and Ed25519"),
        ("test-rsa-1024.public", None, "1024 bits"),
        ("test-rsa.public", Some(Algorithm::ES256), "ES256 can't be used with an RSA key"),
        ("test-p256.public", Some(Algorithm::ES384), "ES384 can't be used with a P-256 key"),
        // The classic confusion: a public key taken for a shared secret.
        ("test-rsa.public", Some(Algorithm::HS256), "HS256 can't be used with an RSA key"),
    ] {
        let error = Key::from_pem(&pem(name), algorithm).unwrap_err().to_string();
        assert!(error.contains(hint), "{name}: {error}");
    }
    for (text, hint) in [
        ("", "no `-----BEGIN PUBLIC KEY-----` line"),
        ("-----BEGIN PUBLIC KEY", "cut off"),
        ("-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----", "only RSA"),
        ("-----BEGIN RSA PUBLIC KEY-----\n????\n-----END RSA PUBLIC KEY-----", "can't be decoded"),
    ] {
        let error = Key::from_pem(text, None).unwrap_err().to_string();
        assert!(error.contains(hint), "{text}: {error}");
    }
    let two = pem("test-p256.public") + &pem("test-p384.public");
    assert!(Key::from_pem(&two, None).unwrap_err().to_string().contains("more than one block"));
}

#[test]
fn a_secret_below_32_bytes_is_refused_and_never_shown() {
    let error = Key::hmac(Algorithm::HS256, b"hunter2hunter2hunter2hunter2hun").unwrap_err();
    assert!(matches!(error, KeyError::ShortSecret { bytes: 31 }));
    assert!(error.to_string().contains("openssl rand"));
    assert!(!format!("{error} {error:?}").contains("hunter2"));
    let key = Key::hmac(Algorithm::HS512, b"hunter2hunter2hunter2hunter2hunt").unwrap();
    assert!(!format!("{key:?} {:?}", KeySet::from(key.clone())).contains("hunter2"));
    assert!(Key::hmac(Algorithm::RS256, SECRET).is_err());
}

#[test]
fn a_verifier_without_keys_does_not_start() {
    let error = TokenVerifier::new(JwtConfig::default(), KeySet::new()).err().unwrap();
    assert!(matches!(error, KeyError::NoKeys));
    let verifier = trusting(verifying_key(Algorithm::HS256).into());
    assert!(verifier.replace_keys(KeySet::new()).is_err());
}

#[test]
fn names_of_algorithms_are_read_and_others_answered_with_the_list() {
    for algorithm in Algorithm::ALL {
        assert_eq!(algorithm.to_string().parse::<Algorithm>().unwrap(), algorithm);
    }
    for name in ["none", "hs256", "ES512", ""] {
        assert!(name.parse::<Algorithm>().unwrap_err().to_string().contains("HS256, HS384"), "{name}");
    }
}

#[tokio::test]
async fn while_secrets_are_rotated_both_are_trusted_and_afterwards_one() {
    let old = Key::hmac(Algorithm::HS256, SECRET).unwrap();
    let new = Key::hmac(Algorithm::HS256, OTHER_SECRET).unwrap();
    let token = hs256(&claims(json!({})));
    let verifier = trusting(KeySet::from(new.clone()).with(old).unwrap());
    accepted(&verifier, &token).await;
    verifier.replace_keys(new.into()).unwrap();
    assert_eq!(refused(&verifier, &token).await, "its signature does not verify");
}

#[tokio::test]
async fn a_key_with_an_id_answers_to_that_id_alone() {
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
    assert_eq!(unnamed, "it must name its key (`kid`), for there are several here");
}

#[tokio::test]
async fn a_lone_key_needs_no_naming_but_another_name_is_not_its() {
    let verifier = trusting(verifying_key(Algorithm::HS256).with_kid("a").into());
    accepted(&verifier, &hs256(&claims(json!({})))).await;
    refused(&verifier, &sign(Algorithm::HS256, Some("b"), &claims(json!({})))).await;
    // A key without an id is tried for tokens that name one: issuers name keys that operators know by no name.
    let verifier = trusting(verifying_key(Algorithm::HS256).into());
    accepted(&verifier, &sign(Algorithm::HS256, Some("b"), &claims(json!({})))).await;
}

#[tokio::test]
async fn one_id_may_have_a_key_for_each_algorithm_but_not_two_for_one() {
    let both = KeySet::from(verifying_key(Algorithm::RS256).with_kid("a"))
        .with(verifying_key(Algorithm::PS256).with_kid("a"))
        .unwrap();
    assert_eq!(both.len(), 2);
    let twice = both.clone().with(verifying_key(Algorithm::RS256).with_kid("a")).unwrap_err();
    assert!(matches!(twice, KeyError::DuplicateKid { .. }));
    let verifier = trusting(both);
    for algorithm in [Algorithm::RS256, Algorithm::PS256] {
        accepted(&verifier, &sign(algorithm, Some("a"), &claims(json!({})))).await;
    }
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
    let nameless = jwks(&[keys[0].clone(), keys[0].clone()]).unwrap_err().to_string();
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
fn a_text_that_is_no_jwk_set_is_refused() {
    for text in ["", "{}", "[]", "{\"keys\":{}}", "{\"keys\":5}", "nonsense"] {
        assert!(matches!(KeySet::from_jwks(text.as_bytes()), Err(KeyError::NotJwks)), "{text}");
    }
    assert!(jwks(&[]).unwrap_err().to_string().contains("`keys` is empty"));
}
