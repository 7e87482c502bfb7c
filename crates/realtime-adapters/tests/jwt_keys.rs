//! Which keys are accepted, which are refused and with what message, and that a key verifies its own algorithm alone.
#![cfg(feature = "jwt")]

mod jwt_support;

use jsonwebtoken::{EncodingKey, Header, encode};
use jwt_support::{
    OTHER_SECRET, SECRET, accepted, claims, hs256, jwk, jwks, library, pem, refused, sign, signing_key, trusting,
    verifying_key,
};
use realtime_adapters::jwt::{Algorithm, JwtConfig, Key, KeyError, KeySet, TokenVerifier};
use serde_json::{Value, json};

const ED448: &str = "-----BEGIN PUBLIC KEY-----
MEMwBQYDK2VxAzoAX9dEm1m0Yf0s54fsYWrUah2hNCSFpw4fig6nXYDpZ3jt8SR2m0bHBhvWeD3x5Q9s0foavq/oJWGA
-----END PUBLIC KEY-----";

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
fn a_pem_that_is_not_a_supported_public_key_is_refused_with_what_to_do() {
    for (name, algorithm, hint) in [
        ("test-rsa.private", None, "openssl pkey -pubout"),
        ("test-p256.private", None, "openssl pkey -pubout"),
        ("test-rsa.certificate", None, "openssl x509 -pubkey"),
        ("test-p521.public", None, "a P-521 key (ES512)"),
        ("test-secp256k1.public", None, "a secp256k1 key (ES256K)"),
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
        ("", "`-----BEGIN PUBLIC KEY-----` is missing"),
        ("-----BEGIN PUBLIC KEY", "cut off"),
        ("-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----", "only RSA"),
        ("-----BEGIN PUBLIC KEY-----\nMFkw\n", "last line"),
        (ED448, "an Ed448 key"),
        ("-----BEGIN RSA PUBLIC KEY-----\n????\n-----END RSA PUBLIC KEY-----", "can't be decoded"),
    ] {
        let error = Key::from_pem(text, None).unwrap_err().to_string();
        assert!(error.contains(hint), "{text}: {error}");
    }
    let two = pem("test-p256.public") + &pem("test-p384.public");
    assert!(Key::from_pem(&two, None).unwrap_err().to_string().contains("more than one block"));
}

#[tokio::test]
async fn a_pem_may_be_on_one_line_with_escaped_line_ends() {
    for (name, algorithm) in [("test-rsa.public", Algorithm::RS256), ("test-p256.public", Algorithm::ES256)] {
        let pem = pem(name);
        for given in [
            pem.replace('\n', "\\n"),
            pem.replace('\n', "\\r\\n"),
            pem.replace('\n', "\r\n"),
            pem.replace('\n', " "),
            format!("\n\n  {}  \n", pem.trim().replace('\n', "  \n  ")),
            format!("\"{}\"", pem.replace('\n', "\\n")),
        ] {
            let key = Key::from_pem(&given, None).unwrap_or_else(|error| panic!("{given}: {error}"));
            accepted(&trusting(key.into()), &sign(algorithm, None, &claims(json!({})))).await;
        }
        let private = pem.replace("PUBLIC", "PRIVATE").replace('\n', "\\n");
        assert!(Key::from_pem(&private, None).unwrap_err().to_string().contains("openssl pkey -pubout"));
    }
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
fn an_unknown_name_of_an_algorithm_is_refused_with_the_list_of_known_ones() {
    for algorithm in Algorithm::ALL {
        assert_eq!(algorithm.to_string().parse::<Algorithm>().unwrap(), algorithm);
    }
    for (name, hint) in [
        ("none", "unsigned"),
        ("hs256", "case"),
        ("ES512", "P-521"),
        ("ES256K", "secp256k1"),
        ("Ed448", "curve Ed448"),
        ("", ""),
    ] {
        let error = name.parse::<Algorithm>().unwrap_err().to_string();
        assert!(error.contains("HS256, HS384") && error.contains(hint), "{name}: {error}");
    }
}

/// A token with this `alg` in its header, signed as `algorithm` is.
fn sign_as(alg: &str, algorithm: Algorithm, kid: &str) -> String {
    let part = |value: Value| {
        // The library makes base64url of a claims set; a header is made of one here.
        let header = Header::new(jsonwebtoken::Algorithm::HS256);
        let token = encode(&header, &value, &EncodingKey::from_secret(SECRET)).unwrap();
        token.split('.').nth(1).unwrap().to_owned()
    };
    let message = format!("{}.{}", part(json!({"alg": alg, "kid": kid})), part(claims(json!({}))));
    let signature =
        jsonwebtoken::crypto::sign(message.as_bytes(), &signing_key(algorithm), library(algorithm)).unwrap();
    format!("{message}.{signature}")
}

#[tokio::test]
async fn ed25519_and_eddsa_are_two_names_of_one_algorithm() {
    assert_eq!("Ed25519".parse::<Algorithm>().unwrap(), Algorithm::EdDSA);
    for alg in ["Ed25519", "EdDSA"] {
        let keys = jwks(&[jwk(Algorithm::EdDSA, json!({"kid": "e", "alg": alg}))]).unwrap();
        for name in ["Ed25519", "EdDSA"] {
            accepted(&trusting(keys.clone()), &sign_as(name, Algorithm::EdDSA, "e")).await;
        }
    }
    // The name is not believed: a key of another kind does not verify it, and the key's own algorithm decides.
    for trusted in [Algorithm::HS256, Algorithm::RS256, Algorithm::ES256] {
        let verifier = trusting(verifying_key(trusted).into());
        for signed in [Algorithm::EdDSA, trusted] {
            let why = refused(&verifier, &sign_as("Ed25519", signed, "e")).await;
            assert_eq!(why, "its `alg` is not the one of its key");
        }
    }
    let verifier = trusting(verifying_key(Algorithm::EdDSA).into());
    for alg in ["ES256", "HS256"] {
        assert_eq!(
            refused(&verifier, &sign_as(alg, Algorithm::EdDSA, "e")).await,
            "its `alg` is not the one of its key"
        );
    }
}

#[tokio::test]
async fn an_algorithm_that_is_not_supported_is_refused_by_name() {
    let verifier = trusting(verifying_key(Algorithm::EdDSA).into());
    for (alg, hint) in [
        ("Ed448", "`alg` Ed448 is not supported"),
        ("ES512", "`alg` ES512 (P-521) is not supported"),
        ("ES256K", "`alg` ES256K (secp256k1) is not supported"),
        ("none", "not signed"),
        ("ed25519", "its `alg` is not one that is supported"),
        ("sesame", "its `alg` is not one that is supported"),
    ] {
        let why = refused(&verifier, &sign_as(alg, Algorithm::EdDSA, "e")).await;
        assert!(why.contains(hint) && !why.contains("sesame"), "{alg}: {why}");
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
async fn settings_and_keys_are_replaced_together_or_not_at_all() {
    let verifier = trusting(verifying_key(Algorithm::HS256).into());
    let token = hs256(&claims(json!({"iss": "me"})));
    let strict = JwtConfig { issuers: vec!["you".into()], ..JwtConfig::default() };
    let invalid = JwtConfig { issuers: vec![String::new()], ..JwtConfig::default() };
    assert!(verifier.replace(invalid, verifying_key(Algorithm::RS256).into()).is_err());
    assert!(verifier.replace(strict.clone(), KeySet::new()).is_err());
    accepted(&verifier, &token).await;
    verifier.replace(strict, verifying_key(Algorithm::HS256).into()).unwrap();
    assert!(refused(&verifier, &token).await.contains("issuer"));
}
