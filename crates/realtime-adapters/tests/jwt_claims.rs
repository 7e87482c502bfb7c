//! What a token must say to be accepted.
#![cfg(feature = "jwt")]

mod jwt_support;

use std::time::Duration;

use jsonwebtoken::{Header, encode};
use jwt_support::{accepted, claims, hs256, judged, now, refused, refuses, roles, signing_key, verifier, with_paths};
use realtime_adapters::jwt::{Algorithm, ClaimPaths, JwtConfig, KeyError, KeySet, TokenVerifier};
use realtime_ports::VerifyError;
use realtime_schema::JwtClaims;
use serde_json::{Value, json};

fn strict() -> JwtConfig {
    JwtConfig { issuers: vec!["me".into()], audiences: vec!["rt".into()], ..JwtConfig::default() }
}

// What the library accepts or refuses by default, row by row; here each must be refused.

#[tokio::test]
async fn configured_issuers_and_audiences_make_the_claims_required() {
    accepted(&verifier(strict()), &hs256(&claims(json!({"iss": "me", "aud": "rt"})))).await;
    refuses(strict(), json!({"aud": "rt"}), "claim `iss` is missing").await;
    refuses(strict(), json!({"iss": "me"}), "claim `aud` is missing").await;
    assert!(judged(strict(), json!({})).await.is_err());
}

#[tokio::test]
async fn issuers_and_audiences_of_the_wrong_type_are_refused_not_absent() {
    refuses(strict(), json!({"iss": 5, "aud": "rt"}), "claim `iss` is not a string").await;
    refuses(strict(), json!({"iss": "me", "aud": 7}), "claim `aud` is neither").await;
    refuses(strict(), json!({"iss": ["me"], "aud": "rt"}), "claim `iss` is not a string").await;
    refuses(strict(), json!({"iss": "me", "aud": ["rt", 7]}), "claim `aud`").await;
    // The same with nothing configured, where the library does not look.
    refuses(JwtConfig::default(), json!({"iss": 5}), "claim `iss` is not a string").await;
    refuses(JwtConfig::default(), json!({"aud": 7}), "claim `aud` is neither").await;
    refuses(JwtConfig::default(), json!({"aud": {"rt": true}}), "claim `aud` is neither").await;
}

#[tokio::test]
async fn another_issuer_or_audience_is_refused_and_one_of_several_is_enough() {
    refuses(strict(), json!({"iss": "you", "aud": "rt"}), "its issuer").await;
    refuses(strict(), json!({"iss": "me", "aud": "other"}), "it is for another audience").await;
    refuses(strict(), json!({"iss": "me", "aud": []}), "it is for another audience").await;
    let several = JwtConfig { issuers: vec!["you".into(), "me".into()], ..strict() };
    let read = judged(several, json!({"iss": "me", "aud": ["other", "rt"]})).await.unwrap();
    assert_eq!(read.iss.as_deref(), Some("me"));
}

#[tokio::test]
async fn a_token_with_an_audience_is_refused_where_none_is_configured() {
    refuses(JwtConfig::default(), json!({"aud": "rt"}), "it is for an audience (`aud`), and the server").await;
    judged(JwtConfig::default(), json!({"iss": "any issuer"})).await.unwrap();
}

#[tokio::test]
async fn an_expired_token_is_expired_beyond_five_seconds_of_grace() {
    for ago in [45, 8] {
        let result = judged(JwtConfig::default(), json!({"exp": now() - ago})).await;
        assert!(matches!(result, Err(VerifyError::Expired)), "{ago} s: {result:?}");
    }
    judged(JwtConfig::default(), json!({"exp": now() - 2})).await.unwrap();
    let lenient = JwtConfig { leeway: Duration::from_secs(60), ..JwtConfig::default() };
    judged(lenient, json!({"exp": now() - 45})).await.unwrap();
}

#[tokio::test]
async fn a_token_that_is_not_valid_yet_is_refused() {
    let early = judged(JwtConfig::default(), json!({"nbf": now() + 3600})).await;
    assert!(matches!(early, Err(VerifyError::NotYetValid)), "{early:?}");
    let read = judged(JwtConfig::default(), json!({"nbf": now() + 2, "iat": now()})).await.unwrap();
    assert!(read.nbf.is_some() && read.iat.is_some());
}

#[tokio::test]
async fn sub_and_exp_are_required_always() {
    refuses(JwtConfig::default(), json!({"sub": null}), "claim `sub` is missing").await;
    refuses(JwtConfig::default(), json!({"exp": null}), "claim `exp` is missing").await;
    let lax = JwtConfig { allow_expired: true, ..JwtConfig::default() };
    refuses(lax, json!({"exp": null}), "claim `exp` is missing").await;
}

#[tokio::test]
async fn expired_tokens_pass_where_they_are_allowed_and_keep_their_expiry() {
    let lax = JwtConfig { allow_expired: true, ..JwtConfig::default() };
    let read = judged(lax.clone(), json!({"exp": 1_000_000_000})).await.unwrap();
    assert_eq!(read.exp, Some(1_000_000_000));
    refuses(lax, json!({"exp": "never"}), "claim `exp` is not a number of seconds").await;
}

#[tokio::test]
async fn times_of_the_wrong_type_or_out_of_range_are_refused() {
    for (name, value) in [
        ("exp", json!("2099-01-01")),
        ("exp", json!(true)),
        ("exp", json!(-5)),
        ("nbf", json!("1")),
        ("nbf", json!(-1)),
        ("iat", json!("1")),
        ("jti", json!(7)),
        // Milliseconds taken for seconds, and worse.
        ("exp", json!((now() + 60) * 1000)),
        ("exp", json!(i64::MAX)),
        ("exp", json!(u64::MAX)),
        ("iat", json!(1e300)),
    ] {
        refuses(JwtConfig::default(), json!({name: value}), &format!("claim `{name}`")).await;
    }
    for (name, value) in [("exp", json!([now() + 60])), ("nbf", json!({})), ("exp", json!({"a": [1]}))] {
        refuses(JwtConfig::default(), json!({name: value}), &format!("claim `{name}` is not a number of seconds"))
            .await;
    }
}

/// The claims of [`claims`] with members that are `null`.
fn with_nulls(names: &[&str]) -> Value {
    let mut said = claims(json!({}));
    for name in names {
        said[name] = Value::Null;
    }
    said
}

#[tokio::test]
async fn an_optional_claim_that_is_null_is_absent() {
    let optional = ["roles", "role", "permissions", "scope", "grants", "metadata", "nbf", "iat", "iss", "jti", "aud"];
    for name in optional {
        let read = accepted(&verifier(JwtConfig::default()), &hs256(&with_nulls(&[name]))).await;
        assert_eq!(JwtClaims { exp: None, ..read.clone() }, JwtClaims::new(read.sub), "{name}");
    }
    accepted(&verifier(JwtConfig::default()), &hs256(&with_nulls(&optional))).await;
    // A null does not hide the next path, and ends a path that leads through it.
    let read = judged(JwtConfig::default(), json!({"roles": null, "role": "admin"})).await.unwrap();
    assert_eq!(roles(&read), ["admin"]);
    let mut said = claims(json!({"role": "admin"}));
    said["realm_access"] = Value::Null;
    let nested = with_paths(ClaimPaths { roles: vec!["realm_access.roles".into()], ..ClaimPaths::default() });
    assert_eq!(roles(&accepted(&verifier(nested), &hs256(&said)).await), ["admin"]);
}

#[tokio::test]
async fn a_required_claim_that_is_null_is_missing() {
    for (config, name) in [
        (JwtConfig::default(), "exp"),
        (JwtConfig::default(), "sub"),
        (JwtConfig { allow_expired: true, ..JwtConfig::default() }, "exp"),
        (strict(), "iss"),
        (strict(), "aud"),
    ] {
        let mut said = claims(json!({"iss": "me", "aud": "rt"}));
        said[name] = Value::Null;
        if config.issuers.is_empty() {
            said.as_object_mut().unwrap().remove("aud");
        }
        let why = refused(&verifier(config), &hs256(&said)).await;
        assert_eq!(why, format!("claim `{name}` is missing"));
    }
}

#[tokio::test]
async fn a_time_may_have_a_fraction() {
    let end = now() + 60;
    let read = judged(JwtConfig::default(), json!({"exp": end as f64 + 0.75})).await.unwrap();
    assert_eq!(read.exp, Some(end));
}

#[tokio::test]
async fn a_user_has_1_to_255_characters() {
    for good in ["a", "ä", &"x".repeat(255)] {
        assert_eq!(judged(JwtConfig::default(), json!({"sub": good})).await.unwrap().sub.as_str(), good);
    }
    for bad in [json!(""), json!("x".repeat(256)), json!("x".repeat(5000)), json!("a\u{0}b"), json!("a\u{200B}b")] {
        refuses(JwtConfig::default(), json!({"sub": bad}), "claim `sub`").await;
    }
}

#[tokio::test]
async fn a_numeric_user_is_refused_with_what_to_set_and_accepted_where_it_is_set() {
    let why = refused(&verifier(JwtConfig::default()), &hs256(&claims(json!({"sub": 42})))).await;
    assert!(why.contains("`claims.integer_subject`") && why.contains("`claims.subject`"), "{why}");
    let integers = with_paths(ClaimPaths { integer_subject: true, ..ClaimPaths::default() });
    for (given, user) in [(json!(42), "42"), (json!(u64::MAX), "18446744073709551615"), (json!("42"), "42")] {
        assert_eq!(judged(integers.clone(), json!({"sub": given})).await.unwrap().sub.as_str(), user);
    }
    for given in [json!(4.5), json!(1e300)] {
        refuses(integers.clone(), json!({"sub": given}), "claim `sub` is not a whole number").await;
    }
    for given in [json!(-7), json!(i64::MIN)] {
        refuses(integers.clone(), json!({"sub": given}), "claim `sub` is a negative number").await;
    }
    for given in [json!(true), json!([42]), json!({"id": 42})] {
        refuses(integers.clone(), json!({"sub": given}), "claim `sub` is not a string").await;
    }
}

#[tokio::test]
async fn the_user_may_stand_in_another_claim() {
    let paths = |names: &[&str]| ClaimPaths {
        subject: names.iter().map(|name| (*name).to_owned()).collect(),
        ..ClaimPaths::default()
    };
    let entra = with_paths(paths(&["oid", "sub"]));
    let read = judged(entra.clone(), json!({"oid": "0f1e", "sub": "pairwise"})).await.unwrap();
    assert_eq!(read.sub.as_str(), "0f1e");
    assert_eq!(judged(entra, json!({"sub": "pairwise"})).await.unwrap().sub.as_str(), "pairwise");
    refuses(with_paths(paths(&["oid"])), json!({"sub": "pairwise"}), "claim `oid` is missing").await;
    let nested = with_paths(paths(&["user.id"]));
    assert_eq!(judged(nested, json!({"user": {"id": "u"}})).await.unwrap().sub.as_str(), "u");
}

#[tokio::test]
async fn a_type_can_be_required() {
    let config = JwtConfig { types: vec!["at+jwt".into()], ..JwtConfig::default() };
    let verifier = verifier(config);
    let typed = |typ: Option<&str>| {
        let header = Header { typ: typ.map(str::to_owned), ..Header::default() };
        encode(&header, &claims(json!({})), &signing_key(Algorithm::HS256)).unwrap()
    };
    for good in ["at+jwt", "AT+JWT", "application/at+jwt"] {
        accepted(&verifier, &typed(Some(good))).await;
    }
    for bad in [None, Some("JWT"), Some("logout+jwt"), Some("")] {
        refused(&verifier, &typed(bad)).await;
    }
}

#[test]
fn invalid_settings_are_refused_by_name() {
    let bad = [
        ("leeway", JwtConfig { leeway: Duration::from_secs(3601), ..JwtConfig::default() }),
        ("max_token_bytes", JwtConfig { max_token_bytes: 0, ..JwtConfig::default() }),
        ("issuers", JwtConfig { issuers: vec![String::new()], ..JwtConfig::default() }),
        ("audiences", JwtConfig { audiences: vec![String::new()], ..JwtConfig::default() }),
        ("audience_claim", JwtConfig { audience_claim: "client_id".into(), ..JwtConfig::default() }),
        ("audience_claim", JwtConfig { audience_claim: String::new(), ..JwtConfig::default() }),
        ("required_claims", JwtConfig { required_claims: vec![(String::new(), "x".into())], ..JwtConfig::default() }),
        ("claims.subject", with_paths(ClaimPaths { subject: Vec::new(), ..ClaimPaths::default() })),
        ("claims.roles", with_paths(ClaimPaths { roles: vec![String::new()], ..ClaimPaths::default() })),
        ("claims.grants", with_paths(ClaimPaths { grants: vec![".".repeat(17)], ..ClaimPaths::default() })),
    ];
    for (expected, config) in bad {
        let keys = KeySet::from(jwt_support::verifying_key(Algorithm::HS256));
        match TokenVerifier::new(config, keys) {
            Err(KeyError::Setting { name, .. }) => assert_eq!(name, expected),
            _ => panic!("{expected} was accepted"),
        }
    }
}
