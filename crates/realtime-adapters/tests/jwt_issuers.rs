//! Several issuers: each token is judged with the keys, audiences and claims of its own issuer, and no other.
#![cfg(feature = "jwt")]

mod jwt_support;

use jwt_support::{claims, sign, verifying_key};
use realtime_adapters::jwt::{Algorithm, ClaimPaths, IssuerConfig, Issuers, JwtConfig, Key, KeyError, KeySet};
use realtime_ports::{JwtVerifier, VerifyError};
use realtime_schema::JwtClaims;
use serde_json::{Value, json};

fn entry(name: &str, issuer: Option<&str>, algorithm: Algorithm) -> IssuerConfig {
    let rules = JwtConfig {
        issuers: issuer.map(str::to_owned).into_iter().collect(),
        audiences: vec![format!("{name}-audience")],
        ..JwtConfig::default()
    };
    IssuerConfig {
        name: name.to_owned(),
        rules,
        keys: KeySet::from(verifying_key(algorithm)),
        #[cfg(feature = "jwks")]
        jwks: None,
    }
}

/// A signs with RSA, B with P-256; their audiences differ.
fn two() -> Vec<IssuerConfig> {
    vec![
        entry("a", Some("https://a.example"), Algorithm::RS256),
        entry("b", Some("https://b.example"), Algorithm::ES256),
    ]
}

async fn start(entries: Vec<IssuerConfig>) -> Issuers {
    Issuers::start(entries).await.unwrap_or_else(|error| panic!("{}: {error}", error.name))
}

fn token(algorithm: Algorithm, kid: Option<&str>, issuer: &str, audience: &str) -> String {
    sign(algorithm, kid, &claims(json!({"iss": issuer, "aud": audience})))
}

async fn accepted(issuers: &Issuers, token: &str) -> JwtClaims {
    issuers.verify(token).await.unwrap_or_else(|error| panic!("refused: {error}"))
}

async fn refused(issuers: &Issuers, token: &str) -> String {
    match issuers.verify(token).await {
        Err(VerifyError::Invalid(why)) => why,
        other => panic!("expected Invalid, got {other:?}"),
    }
}

#[tokio::test]
async fn each_issuer_has_its_own_key_and_audience() {
    let issuers = start(two()).await;
    accepted(&issuers, &token(Algorithm::RS256, None, "https://a.example", "a-audience")).await;
    accepted(&issuers, &token(Algorithm::ES256, None, "https://b.example", "b-audience")).await;
    let other_audience = token(Algorithm::RS256, None, "https://a.example", "b-audience");
    assert!(refused(&issuers, &other_audience).await.contains("another audience"));
}

#[tokio::test]
async fn a_token_of_one_issuer_signed_with_the_key_of_another_is_refused() {
    let issuers = start(two()).await;
    let forged = token(Algorithm::ES256, None, "https://a.example", "a-audience");
    assert_eq!(refused(&issuers, &forged).await, "its `alg` is not the one of its key");
    // The same with keys of one kind, and with both under one id.
    let with_secret = |name: &str, issuer: &str, secret: &[u8]| IssuerConfig {
        keys: KeySet::from(Key::hmac(Algorithm::HS256, secret).unwrap().with_kid("k")),
        ..entry(name, Some(issuer), Algorithm::HS256)
    };
    let issuers = start(vec![
        with_secret("a", "https://a.example", jwt_support::OTHER_SECRET),
        with_secret("b", "https://b.example", jwt_support::SECRET),
    ])
    .await;
    for kid in [None, Some("k")] {
        accepted(&issuers, &token(Algorithm::HS256, kid, "https://b.example", "b-audience")).await;
        let forged = token(Algorithm::HS256, kid, "https://a.example", "a-audience");
        assert_eq!(refused(&issuers, &forged).await, "its signature does not verify");
    }
}

#[tokio::test]
async fn an_issuer_is_compared_exactly_and_an_unknown_one_is_refused() {
    let issuers = start(two()).await;
    for issuer in ["https://a.example/", "https://A.example", "https://a.example.evil", "", "a", "default"] {
        let token = token(Algorithm::RS256, None, issuer, "a-audience");
        assert_eq!(refused(&issuers, &token).await, "its issuer (`iss`) is not one that is configured here");
    }
    let without = sign(Algorithm::RS256, None, &claims(json!({"aud": "a-audience"})));
    assert_eq!(refused(&issuers, &without).await, "it has no issuer (`iss`), and there are several here");
    for issuer in [json!(["https://a.example"]), json!(5), json!({})] {
        let token = sign(Algorithm::RS256, None, &claims(json!({"iss": issuer, "aud": "a-audience"})));
        assert_eq!(refused(&issuers, &token).await, "claim `iss` is not a string");
    }
}

#[tokio::test]
async fn an_entry_without_issuers_is_for_tokens_of_no_listed_issuer_alone() {
    let mut entries = two();
    entries.push(IssuerConfig { rules: JwtConfig::default(), ..entry("own", None, Algorithm::HS256) });
    let issuers = start(entries).await;
    accepted(&issuers, &sign(Algorithm::HS256, None, &claims(json!({})))).await;
    accepted(&issuers, &sign(Algorithm::HS256, None, &claims(json!({"iss": "https://own.example"})))).await;
    // Its key does not vouch for tokens of a listed issuer.
    let forged = sign(Algorithm::HS256, None, &claims(json!({"iss": "https://a.example"})));
    assert_eq!(refused(&issuers, &forged).await, "its `alg` is not the one of its key");
}

#[tokio::test]
async fn each_issuer_has_its_own_paths_of_claims() {
    let mut entries = two();
    entries[0].rules.claims = ClaimPaths { roles: vec!["realm_access.roles".into()], ..ClaimPaths::default() };
    entries[1].rules.claims = ClaimPaths { subject: vec!["oid".into()], ..ClaimPaths::default() };
    let issuers = start(entries).await;
    let said = |issuer: &str, audience: &str| {
        claims(json!({
            "iss": issuer, "aud": audience, "oid": "object", "roles": ["b"], "realm_access": {"roles": ["a"]},
        }))
    };
    let a = accepted(&issuers, &sign(Algorithm::RS256, None, &said("https://a.example", "a-audience"))).await;
    assert_eq!((a.sub.as_str(), a.roles[0].as_str()), ("alice", "a"));
    let b = accepted(&issuers, &sign(Algorithm::ES256, None, &said("https://b.example", "b-audience"))).await;
    assert_eq!((b.sub.as_str(), b.roles[0].as_str()), ("object", "b"));
}

#[tokio::test]
async fn entries_that_contradict_each_other_are_refused_by_name() {
    let same_issuer = vec![two().remove(0), entry("c", Some("https://a.example"), Algorithm::ES256)];
    let same_name = vec![two().remove(0), entry("a", Some("https://c.example"), Algorithm::ES256)];
    let two_open = vec![entry("a", None, Algorithm::RS256), entry("b", None, Algorithm::ES256)];
    let no_keys = vec![IssuerConfig { keys: KeySet::new(), ..two().remove(0) }];
    for (entries, name, hint) in [
        (same_issuer, "c", "lists `https://a.example`, which another entry lists"),
        (same_name, "a", "the name of another entry"),
        (two_open, "b", "is empty here and in another entry"),
        (no_keys, "a", "no verification key"),
        (Vec::new(), "", "no verification key"),
    ] {
        let checked = Issuers::check(&entries).unwrap_err();
        let started = Issuers::start(entries).await.err().unwrap();
        assert_eq!(checked.to_string(), started.to_string());
        assert_eq!(started.name, name);
        assert!(started.to_string().contains(hint), "{started}");
    }
}

#[tokio::test]
async fn a_reload_replaces_every_entry_or_none() {
    let issuers = start(two()).await;
    let a = token(Algorithm::RS256, None, "https://a.example", "a-audience");
    let b = token(Algorithm::ES256, None, "https://b.example", "b-audience");
    let broken = vec![two().remove(1), IssuerConfig { keys: KeySet::new(), ..two().remove(0) }];
    let error = issuers.reload(broken).await.unwrap_err();
    assert!(matches!(error.problem, KeyError::NoKeys) && error.name == "a");
    accepted(&issuers, &a).await;
    accepted(&issuers, &b).await;
    // From here on A signs with P-256 as well, and B is gone.
    issuers.reload(vec![entry("a", Some("https://a.example"), Algorithm::ES256)]).await.unwrap();
    assert!(refused(&issuers, &a).await.contains("`alg`"));
    assert!(refused(&issuers, &b).await.contains("issuer"));
    accepted(&issuers, &token(Algorithm::ES256, None, "https://a.example", "a-audience")).await;
}

#[tokio::test]
async fn the_status_names_each_entry() {
    let status = start(two()).await.status();
    let named: Vec<_> = status.iter().map(|(name, status)| (name.as_str(), status.keys)).collect();
    assert_eq!(named, [("a", 1), ("b", 1)]);
}

#[cfg(feature = "jwks")]
mod addresses {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use jsonwebtoken::jwk::Jwk;
    use realtime_adapters::jwt::JwksConfig;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::{
        jwt_support::{library, signing_key},
        *,
    };

    /// Serves one key set; counts the requests.
    async fn address(algorithm: Algorithm) -> (JwksConfig, Arc<AtomicUsize>) {
        let mut jwk = Jwk::from_encoding_key(&signing_key(algorithm), library(algorithm)).unwrap();
        jwk.common.key_id = Some("k".into());
        let body = json!({ "keys": [jwk] }).to_string();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = JwksConfig::new(format!("http://{}/keys", listener.local_addr().unwrap()));
        let requests = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let Ok(byte) = socket.read_u8().await else { return };
                    request.push(byte);
                }
                let head = format!("HTTP/1.1 200 -\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
                let _ = socket.write_all((head + &body).as_bytes()).await;
            }
        });
        (config, requests)
    }

    fn fetched(name: &str, jwks: JwksConfig) -> IssuerConfig {
        let issuer = format!("https://{name}.example");
        IssuerConfig { keys: KeySet::new(), jwks: Some(jwks), ..entry(name, Some(&issuer), Algorithm::RS256) }
    }

    #[tokio::test]
    async fn a_token_causes_fetches_of_its_own_issuer_alone() {
        let (a, a_requests) = address(Algorithm::RS256).await;
        let (b, b_requests) = address(Algorithm::ES256).await;
        let issuers = start(vec![fetched("a", a), fetched("b", b)]).await;
        accepted(&issuers, &token(Algorithm::RS256, Some("k"), "https://a.example", "a-audience")).await;
        let forged = token(Algorithm::ES256, Some("k"), "https://a.example", "a-audience");
        assert_eq!(refused(&issuers, &forged).await, "its `alg` is not the one of its key");
        refused(&issuers, &token(Algorithm::RS256, Some("made-up"), "https://a.example", "a-audience")).await;
        refused(&issuers, &token(Algorithm::RS256, Some("made-up"), "https://c.example", "a-audience")).await;
        let requests = (a_requests.load(Ordering::SeqCst), b_requests.load(Ordering::SeqCst));
        assert_eq!(requests, (2, 1), "at start, and one for the made-up kid of A");
    }

    #[tokio::test]
    async fn a_reload_keeps_the_keys_of_an_address_that_stays() {
        let (a, requests) = address(Algorithm::RS256).await;
        let issuers = start(vec![fetched("a", a.clone())]).await;
        let mut changed = fetched("a", a);
        changed.rules.audiences = vec!["new".into()];
        issuers.reload(vec![changed]).await.unwrap();
        accepted(&issuers, &token(Algorithm::RS256, Some("k"), "https://a.example", "new")).await;
        assert_eq!(requests.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_reload_to_an_address_without_keys_changes_nothing() {
        let (a, _) = address(Algorithm::RS256).await;
        let issuers = start(vec![fetched("a", a)]).await;
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let error = issuers.reload(vec![fetched("a", JwksConfig::new(format!("http://{closed}/")))]).await.unwrap_err();
        assert!(error.to_string().contains("serves no keys"), "{error}");
        accepted(&issuers, &token(Algorithm::RS256, Some("k"), "https://a.example", "a-audience")).await;
    }
}

/// What a claim says is never taken for the entry's name.
#[tokio::test]
async fn a_refusal_does_not_repeat_the_issuer_of_the_token() {
    let issuers = start(two()).await;
    let said: Value = claims(json!({"iss": "sesame"}));
    assert!(!refused(&issuers, &sign(Algorithm::RS256, None, &said)).await.contains("sesame"));
}
