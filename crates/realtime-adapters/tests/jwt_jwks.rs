//! Keys from an address: cached, rotated, kept when the address fails, and never fetched as often as a client wants.
#![cfg(feature = "jwks")]

mod jwks_support;
mod jwt_support;

use std::{sync::Arc, time::Duration};

use jsonwebtoken::jwk::Jwk;
use jwks_support::{DEADLINE, Issuer, Response};
use jwt_support::{accepted, claims, hs256, library, refused, sign, signing_key, verifying_key};
use realtime_adapters::jwt::{Algorithm, JwksConfig, JwksSource, JwtConfig, KeySet, TokenVerifier};
use realtime_ports::{JwtVerifier, VerifyError};
use serde_json::{Value, json};
use tokio::{sync::watch, time::timeout};

fn jwk(algorithm: Algorithm, kid: Option<&str>) -> Value {
    let mut jwk = Jwk::from_encoding_key(&signing_key(algorithm), library(algorithm)).unwrap();
    jwk.common.key_id = kid.map(str::to_owned);
    serde_json::to_value(jwk).unwrap()
}

fn set(keys: &[Value]) -> Response {
    Response::Body(json!({ "keys": keys }).to_string())
}

fn token(algorithm: Algorithm, kid: &str) -> String {
    sign(algorithm, Some(kid), &claims(json!({})))
}

async fn unavailable(verifier: &TokenVerifier, token: &str) -> String {
    match verifier.verify(token).await {
        Err(VerifyError::Unavailable(why)) => why.to_string(),
        other => panic!("expected Unavailable, got {other:?}"),
    }
}

#[tokio::test]
async fn a_hundred_tokens_cost_one_fetch() {
    let issuer = Issuer::serving(set(&[jwk(Algorithm::ES256, Some("a")), jwk(Algorithm::RS256, Some("b"))])).await;
    let verifier = issuer.verifier(issuer.config()).await;
    assert!(verifier.is_ready());
    for _ in 0..50 {
        accepted(&verifier, &token(Algorithm::ES256, "a")).await;
        accepted(&verifier, &token(Algorithm::RS256, "b")).await;
    }
    assert_eq!(issuer.requests(), 1);
}

#[tokio::test]
async fn a_new_key_is_trusted_with_its_first_token_and_the_old_one_no_longer() {
    let issuer = Issuer::serving(set(&[jwk(Algorithm::ES256, Some("a"))])).await;
    let verifier = issuer.verifier(issuer.config()).await;
    accepted(&verifier, &token(Algorithm::ES256, "a")).await;
    issuer.now_responds(set(&[jwk(Algorithm::EdDSA, Some("b"))]));
    accepted(&verifier, &token(Algorithm::EdDSA, "b")).await;
    assert_eq!(issuer.requests(), 2);
    assert_eq!(
        refused(&verifier, &token(Algorithm::ES256, "a")).await,
        "it names a key (`kid`) that is not known here"
    );
}

#[tokio::test]
async fn a_flood_of_made_up_ids_causes_one_fetch_and_few_of_them_wait_for_it() {
    let issuer = Issuer::serving(set(&[jwk(Algorithm::ES256, Some("a"))])).await;
    let verifier = Arc::new(issuer.verifier(issuer.config()).await);
    let (open, gate) = watch::channel(false);
    issuer.now_responds(Response::After(gate, json!({"keys": [jwk(Algorithm::ES256, Some("a"))]}).to_string()));
    let mut flood: tokio::task::JoinSet<_> = (0..200)
        .map(|n| {
            let verifier = Arc::clone(&verifier);
            async move { verifier.verify(&token(Algorithm::ES256, &format!("made-up-{n}"))).await }
        })
        .collect();
    let mut next = async || timeout(DEADLINE, flood.join_next()).await.unwrap().map(Result::unwrap);
    for _ in 0..192 {
        assert!(
            matches!(next().await, Some(Err(VerifyError::Unavailable(_)))),
            "it waits for nothing, and is not judged"
        );
    }
    accepted(&verifier, &token(Algorithm::ES256, "a")).await;
    open.send_replace(true);
    while let Some(judged) = next().await {
        assert!(matches!(judged, Err(VerifyError::Invalid(_))), "{judged:?}");
    }
    assert_eq!(issuer.requests(), 2, "the first fetch, and one for the whole flood");
}

#[tokio::test]
async fn after_the_pause_another_unknown_id_may_cause_another_fetch() {
    let issuer = Issuer::serving(set(&[jwk(Algorithm::ES256, Some("a"))])).await;
    let config = JwksConfig { min_refresh: Duration::from_millis(1), ..issuer.config() };
    let verifier = issuer.verifier(config).await;
    refused(&verifier, &token(Algorithm::ES256, "made-up")).await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    issuer.now_responds(set(&[jwk(Algorithm::EdDSA, Some("b"))]));
    accepted(&verifier, &token(Algorithm::EdDSA, "b")).await;
}

#[tokio::test]
async fn a_client_that_disconnects_does_not_use_up_the_refresh() {
    let mut issuer = Issuer::serving(set(&[jwk(Algorithm::ES256, Some("a"))])).await;
    let verifier = Arc::new(issuer.verifier(issuer.config()).await);
    let (open, gate) = watch::channel(false);
    issuer.now_responds(Response::After(gate, json!({"keys": [jwk(Algorithm::EdDSA, Some("b"))]}).to_string()));
    let disconnecting = {
        let verifier = Arc::clone(&verifier);
        tokio::spawn(async move { verifier.verify(&token(Algorithm::EdDSA, "made-up")).await.is_ok() })
    };
    issuer.has_received(2).await;
    disconnecting.abort();
    assert!(disconnecting.await.unwrap_err().is_cancelled());
    open.send(true).unwrap();
    // The fetch went on without its client, and its keys serve the next one.
    accepted(&verifier, &token(Algorithm::EdDSA, "b")).await;
    assert_eq!(issuer.requests(), 2);
}

#[tokio::test]
async fn the_last_good_keys_serve_while_the_address_fails() {
    let failures = [
        Response::Status(500),
        Response::Status(404),
        Response::Body("no json".into()),
        Response::Body(r#"{"keys":[]}"#.into()),
        Response::Huge { with_length: true },
        Response::Huge { with_length: false },
    ];
    for failure in failures {
        let issuer = Issuer::serving(set(&[jwk(Algorithm::ES256, Some("a"))])).await;
        let verifier = issuer.verifier(issuer.config()).await;
        issuer.now_responds(failure);
        // Whether this key is new or made up can't be known now, and the error says so.
        unavailable(&verifier, &token(Algorithm::EdDSA, "b")).await;
        assert_eq!(issuer.requests(), 2);
        accepted(&verifier, &token(Algorithm::ES256, "a")).await;
        assert!(verifier.is_ready());
    }
}

#[tokio::test]
async fn a_rotation_that_lists_a_key_twice_loads_the_new_key() {
    let old = jwk(Algorithm::RS256, Some("k1"));
    let issuer = Issuer::serving(set(std::slice::from_ref(&old))).await;
    let verifier = issuer.verifier(issuer.config()).await;
    issuer.now_responds(set(&[old.clone(), old, jwk(Algorithm::ES256, Some("k2"))]));
    accepted(&verifier, &token(Algorithm::ES256, "k2")).await;
    accepted(&verifier, &token(Algorithm::RS256, "k1")).await;
}

#[tokio::test]
async fn the_status_tells_how_many_keys_there_are_and_what_was_left_out() {
    let mut bad = jwk(Algorithm::RS256, Some("bad"));
    bad["n"] = json!("AQAB");
    let issuer = Issuer::serving(set(&[jwk(Algorithm::ES256, Some("a")), bad])).await;
    let source = JwksSource::start(issuer.config()).await.unwrap();
    let given = KeySet::from(verifying_key(Algorithm::HS256));
    let status = TokenVerifier::with_address(JwtConfig::default(), given, source).unwrap().status();
    assert_eq!(status.keys, 2);
    assert_eq!(status.left_out.len(), 1);
    assert_eq!(status.left_out[0].kid.as_deref(), Some("bad"));
    let address = status.address.unwrap();
    assert_eq!((address.fetches, address.failures), (1, 0));
    assert!(address.last_success.is_some() && address.age.is_some());
    assert!(!address.stale && address.last_error.is_none());
}

#[tokio::test]
async fn the_status_tells_that_fetches_fail_and_when_the_keys_are_stale() {
    let mut issuer = Issuer::serving(set(&[jwk(Algorithm::ES256, Some("a"))])).await;
    let config = JwksConfig { refresh: Duration::from_millis(20), ..issuer.config() };
    let verifier = issuer.verifier(config).await;
    issuer.now_responds(Response::Status(500));
    let requests = issuer.requests();
    issuer.has_received(requests + 4).await;
    let status = verifier.status();
    let address = status.address.unwrap();
    assert_eq!(status.keys, 1, "the last good keys stay in use");
    assert!(address.stale && address.failures > 0, "{address:?}");
    assert_eq!(address.last_error.as_deref(), Some("the JWKS address responded with status 500"));

    let issuer = Issuer::serving(Response::Status(500)).await;
    let verifier = issuer.verifier(issuer.config()).await;
    let address = verifier.status().address.unwrap();
    assert!(address.stale && address.last_success.is_none() && !verifier.is_ready());
}

#[tokio::test]
async fn an_oversized_response_is_not_read() {
    for with_length in [true, false] {
        let issuer = Issuer::serving(Response::Huge { with_length }).await;
        let verifier = issuer.verifier(issuer.config()).await;
        let why = unavailable(&verifier, &token(Algorithm::ES256, "a")).await;
        assert_eq!(why, "the JWKS address sent more than 262144 bytes");
    }
}

#[tokio::test]
async fn an_address_that_hangs_is_abandoned_at_the_deadline() {
    let issuer = Issuer::serving(Response::Silence).await;
    let config = JwksConfig { timeout: Duration::from_millis(50), ..issuer.config() };
    let verifier = timeout(DEADLINE, issuer.verifier(config)).await.unwrap();
    assert!(!verifier.is_ready());
    let why = timeout(DEADLINE, unavailable(&verifier, &token(Algorithm::ES256, "a"))).await.unwrap();
    assert_eq!(why, "the JWKS address took longer than 50ms");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Issuer::serving(set(&[jwk(Algorithm::ES256, Some("a"))])).await;
    let issuer = Issuer::serving(Response::RedirectTo(elsewhere.url.clone())).await;
    let verifier = issuer.verifier(issuer.config()).await;
    assert_eq!(
        unavailable(&verifier, &token(Algorithm::ES256, "a")).await,
        "the JWKS address responded with status 302"
    );
    assert_eq!(elsewhere.requests(), 0);
}

#[tokio::test]
async fn an_address_that_fails_at_start_is_requested_until_it_responds() {
    let mut issuer = Issuer::serving(Response::Status(503)).await;
    let config = JwksConfig { min_refresh: Duration::from_millis(10), ..issuer.config() };
    let verifier = issuer.verifier(config).await;
    assert!(!verifier.is_ready());
    issuer.has_received(3).await;
    issuer.now_responds(set(&[jwk(Algorithm::ES256, Some("a"))]));
    // No token is shown meanwhile: the retries come by themselves.
    timeout(DEADLINE, async {
        while !verifier.is_ready() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .unwrap();
    accepted(&verifier, &token(Algorithm::ES256, "a")).await;
}

#[tokio::test]
async fn the_timer_drops_a_key_that_is_no_longer_served() {
    let mut issuer = Issuer::serving(set(&[jwk(Algorithm::ES256, Some("a"))])).await;
    let config = JwksConfig { refresh: Duration::from_millis(10), ..issuer.config() };
    let verifier = issuer.verifier(config).await;
    issuer.now_responds(set(&[jwk(Algorithm::EdDSA, Some("b"))]));
    let requests = issuer.requests();
    issuer.has_received(requests + 3).await;
    refused(&verifier, &token(Algorithm::ES256, "a")).await;
    accepted(&verifier, &token(Algorithm::EdDSA, "b")).await;
}

#[tokio::test]
async fn fetching_ends_with_the_verifier() {
    let mut issuer = Issuer::serving(set(&[jwk(Algorithm::ES256, Some("a"))])).await;
    let config = JwksConfig { refresh: Duration::from_millis(5), ..issuer.config() };
    let verifier = issuer.verifier(config).await;
    issuer.has_received(3).await;
    drop(verifier);
    // A request that was being sent may still arrive; none after it does.
    let quiet = async {
        loop {
            let before = issuer.requests();
            tokio::time::sleep(Duration::from_millis(100)).await;
            if issuer.requests() == before {
                break;
            }
        }
    };
    timeout(DEADLINE, quiet).await.unwrap();
}

#[tokio::test]
async fn a_secret_served_by_an_address_is_ignored() {
    let oct = jwk(Algorithm::HS256, Some("a"));
    assert_eq!(oct["kty"], "oct");
    // In a file the same entry is a key, and the right one.
    let file = KeySet::from_jwks(json!({ "keys": [oct] }).to_string().as_bytes()).unwrap();
    let trusting = TokenVerifier::new(JwtConfig::default(), file).unwrap();
    accepted(&trusting, &token(Algorithm::HS256, "a")).await;

    let issuer = Issuer::serving(set(&[oct, jwk(Algorithm::ES256, Some("b"))])).await;
    let verifier = issuer.verifier(issuer.config()).await;
    accepted(&verifier, &token(Algorithm::ES256, "b")).await;
    refused(&verifier, &token(Algorithm::HS256, "a")).await;
}

#[tokio::test]
async fn keys_given_at_start_and_keys_of_the_address_serve_side_by_side() {
    let issuer = Issuer::serving(set(&[jwk(Algorithm::ES256, Some("a"))])).await;
    let source = JwksSource::start(issuer.config()).await.unwrap();
    let given = KeySet::from(verifying_key(Algorithm::HS256));
    let verifier = TokenVerifier::with_address(JwtConfig::default(), given, source).unwrap();
    accepted(&verifier, &hs256(&claims(json!({})))).await;
    accepted(&verifier, &token(Algorithm::ES256, "a")).await;
    assert_eq!(refused(&verifier, &token(Algorithm::RS256, "a")).await, "its `alg` is not the one of its key");
    assert_eq!(issuer.requests(), 1);
}

#[tokio::test]
async fn a_token_that_names_no_key_causes_no_fetch() {
    let issuer = Issuer::serving(set(&[jwk(Algorithm::ES256, Some("a")), jwk(Algorithm::RS256, Some("b"))])).await;
    let verifier = issuer.verifier(issuer.config()).await;
    let unnamed = sign(Algorithm::ES256, None, &claims(json!({})));
    assert!(refused(&verifier, &unnamed).await.contains("must name its key"));
    assert_eq!(issuer.requests(), 1);
}

// A TLS back end that is missing or doubled shows here as a panic.
#[tokio::test]
async fn an_https_address_is_requested_over_tls_alone() {
    let issuer = Issuer::serving(set(&[jwk(Algorithm::ES256, Some("a"))])).await;
    let url = issuer.url.replace("http://", "https://");
    let config = JwksConfig { url, timeout: Duration::from_millis(200), ..issuer.config() };
    let verifier = issuer.verifier(config).await;
    assert!(!verifier.is_ready());
    unavailable(&verifier, &token(Algorithm::ES256, "a")).await;
}

#[tokio::test]
async fn an_address_that_is_not_safe_is_refused_with_the_setting_to_change() {
    for (url, hint) in [
        ("http://keys.example/jwks", "insecure_http"),
        ("ftp://keys.example/jwks", "neither https nor http"),
        ("file:///etc/passwd", "neither https nor http"),
        ("https://user:hunter2@keys.example/jwks", "remove it"),
        ("keys.example", "is not a URL"),
        ("", "is not a URL"),
    ] {
        let error = JwksSource::start(JwksConfig::new(url)).await.unwrap_err().to_string();
        assert!(error.contains(hint) && error.contains("jwks.url"), "{url}: {error}");
        assert!(!error.contains("hunter2"));
    }
    let zero = JwksConfig { timeout: Duration::ZERO, ..JwksConfig::new("https://keys.example") };
    assert!(JwksSource::start(zero).await.unwrap_err().to_string().contains("jwks.timeout"));
    let confused = JwksConfig { rsa_algorithm: Algorithm::HS256, ..JwksConfig::new("https://keys.example") };
    assert!(JwksSource::start(confused).await.unwrap_err().to_string().contains("jwks.rsa_algorithm"));
}
