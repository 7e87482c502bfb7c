//! Getting in: with a token on each of three ways, with each kind of key, and not without one.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use axum::{Router, routing::get};
use realtime_tests::{Client, Issuer, Kind, World};
use serde_json::{Value, json};

fn header(name: &'static str, value: impl Into<String>) -> (&'static str, String) {
    (name, value.into())
}

#[tokio::test]
async fn a_token_may_come_in_the_query_the_header_or_a_subprotocol() {
    let world = World::start().await;
    let token = world.token("alice", &json!({"roles": ["admin"]}));

    let client = world.try_connect(&format!("/ws?token={token}"), &[]).await.expect("admitted");
    assert_eq!(client.welcome()["user"], "alice");
    assert_eq!(client.welcome()["roles"], json!(["admin"]));
    assert_eq!(client.welcome()["protocol"], "realtime.v1");
    assert_eq!(client.protocol(), None, "it offered none");

    let authorization = header("authorization", format!("Bearer {token}"));
    let client = world.try_connect("/ws", &[authorization]).await.expect("admitted");
    assert_eq!(client.welcome()["user"], "alice");

    let offered = header("sec-websocket-protocol", format!("realtime.v1, bearer.{token}"));
    let client = world.try_connect("/ws", &[offered]).await.expect("admitted");
    assert_eq!(client.protocol(), Some("realtime.v1"), "and never the token");
}

#[tokio::test]
async fn two_tokens_are_one_too_many() {
    let world = World::start().await;
    let token = world.token("alice", &json!({}));
    let authorization = || header("authorization", format!("Bearer {token}"));
    let offered = || header("sec-websocket-protocol", format!("realtime.v2, bearer.{token}"));
    let path = format!("/ws?token={token}");
    for (path, headers) in [
        (path.clone(), vec![authorization()]),
        (format!("{path}&token={token}"), vec![]),
        ("/ws".to_owned(), vec![authorization(), authorization()]),
    ] {
        let Err(refusal) = world.try_connect(&path, &headers).await else { panic!("{path} was admitted") };
        assert_eq!(refusal.status, 401);
        assert!(refusal.problem["detail"].as_str().is_some_and(|detail| detail.contains("more than one")));
    }
    let Err(refusal) = world.try_connect("/ws", &[offered()]).await else { panic!("admitted") };
    assert_eq!(refusal.status, 400, "a client that speaks only realtime.v2 is refused: {}", refusal.problem);
}

#[tokio::test]
async fn a_bad_token_is_answered_with_401_and_a_reason_that_does_not_repeat_it() {
    let world = World::start().await;
    let good = world.token("alice", &json!({}));
    let (head, _) = good.rsplit_once('.').expect("three parts");
    let forged = format!("{head}.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    let expired = world.token("alice", &json!({"exp": 1_000_000_000}));
    let nameless = world.token("", &json!({}));
    let later = world.token("alice", &json!({"nbf": 4_000_000_000_u64}));
    for (what, token, code) in [
        ("missing", None, "unauthorized"),
        ("empty", Some(String::new()), "unauthorized"),
        ("not a token", Some("token".to_owned()), "unauthorized"),
        ("forged", Some(forged), "unauthorized"),
        ("expired", Some(expired), "token_expired"),
        ("without a user", Some(nameless), "unauthorized"),
        ("not yet valid", Some(later), "unauthorized"),
    ] {
        let path = token.as_ref().map_or_else(|| "/ws".to_owned(), |token| format!("/ws?token={token}"));
        let Err(refusal) = world.try_connect(&path, &[]).await else { panic!("{what}: admitted") };
        assert_eq!((refusal.status, &refusal.problem["code"]), (401, &json!(code)), "{what}");
        assert_eq!(refusal.headers["www-authenticate"], "Bearer", "{what}");
        if let Some(token) = token.filter(|token| token.len() > 5) {
            assert!(!refusal.problem.to_string().contains(&token), "{what}: the token is repeated");
        }
    }
    assert_eq!(world.metric("realtime_refused_connections_total").await, 7);
}

#[tokio::test]
async fn a_browser_learns_why_by_a_close_code() {
    let world = World::start().await;
    let expired = world.token("alice", &json!({"exp": 1_000_000_000}));
    for (token, path, code) in
        [("nonsense", "/ws", 4601), (expired.as_str(), "/ws", 4610), ("nonsense", "/nowhere", 4404)]
    {
        let offered = header("sec-websocket-protocol", format!("realtime.v1, bearer.{token}"));
        let (mut socket, protocol) = Client::open(world.address, path, &[offered]).await.expect("accepted");
        assert_eq!(protocol.as_deref(), Some("realtime.v1"));
        let closing = next(&mut socket).await.into_text().expect("a closing frame");
        let closing: Value = serde_json::from_str(&closing).expect("JSON");
        assert_eq!((&closing["type"], &closing["payload"]["code"]), (&json!("closing"), &json!(code)));
        let tokio_tungstenite::tungstenite::Message::Close(Some(close)) = next(&mut socket).await else {
            panic!("not closed")
        };
        assert_eq!(u16::from(close.code), code);
    }
}

async fn next(
    socket: &mut tokio_tungstenite::WebSocketStream<tokio::net::TcpStream>,
) -> tokio_tungstenite::tungstenite::Message {
    use futures_util::StreamExt;
    let message = tokio::time::timeout(realtime_tests::DEADLINE, socket.next()).await.expect("in time");
    message.expect("a message").expect("no error")
}

#[tokio::test]
async fn a_page_of_an_origin_that_is_not_listed_is_refused_with_the_name_of_the_setting() {
    let closed = World::start().await;
    let token = closed.token("alice", &json!({}));
    let path = format!("/ws?token={token}");
    let page = || header("origin", "https://app.example.com");
    let Err(refusal) = closed.try_connect(&path, &[page()]).await else { panic!("admitted") };
    assert_eq!((refusal.status, &refusal.problem["code"]), (403, &json!("forbidden")));
    assert!(refusal.problem["detail"].as_str().is_some_and(|detail| detail.contains("server.allowed_origins")));

    let open = World::with(|config| config.server.allowed_origins = vec!["https://app.example.com".into()]).await;
    assert!(open.try_connect(&path, &[page()]).await.is_ok());
    assert!(open.try_connect(&path, &[header("origin", "https://app.example.com.evil.example")]).await.is_err());
    assert!(open.try_connect(&path, &[]).await.is_ok(), "who sends no origin is no browser");
}

#[tokio::test]
async fn tokens_of_every_kind_of_key_are_accepted_and_those_of_other_keys_are_not() {
    let kinds = [
        Kind::Hmac("HS256"),
        Kind::Hmac("HS384"),
        Kind::Hmac("HS512"),
        Kind::Rsa("RS256"),
        Kind::Rsa("RS384"),
        Kind::Rsa("RS512"),
        Kind::Rsa("PS256"),
        Kind::Es256,
        Kind::Es384,
        Kind::EdDsa,
    ];
    for kind in kinds {
        let world = World::trusting(Issuer::of(kind), |_| {}).await;
        let client = world.connect("alice").await;
        assert_eq!(client.welcome()["user"], "alice", "{kind:?}");
        for other in kinds.into_iter().filter(|other| *other != kind) {
            let token = Issuer::of(other).token("mallory", &json!({}));
            let Err(refusal) = world.try_connect(&format!("/ws?token={token}"), &[]).await else {
                panic!("a server for {kind:?} admitted a token of {other:?}")
            };
            assert_eq!(refusal.status, 401);
        }
    }
}

#[tokio::test]
async fn keys_in_files_are_trusted_a_pem_and_a_jwks() {
    let folder = tempfile::tempdir().expect("a folder");
    let pem = folder.path().join("key.pem");
    std::fs::write(&pem, include_str!("../../crates/realtime-adapters/tests/keys/test-p256.public.pem"))
        .expect("a file");
    let es256 = Issuer::of(Kind::Es256);
    let world = World::with(|config| {
        config.auth.hmac_secret = None;
        config.auth.public_key_file = Some(pem);
    })
    .await;
    let token = es256.token("alice", &json!({}));
    assert!(world.try_connect(&format!("/ws?token={token}"), &[]).await.is_ok());

    let jwks = folder.path().join("keys.json");
    let (first, second) = (es256.with_kid("first"), Issuer::of(Kind::EdDsa).with_kid("second"));
    std::fs::write(&jwks, json!({"keys": [first.jwk(), second.jwk()]}).to_string()).expect("a file");
    let world = World::with(|config| {
        config.auth.hmac_secret = None;
        config.auth.jwks_file = Some(jwks);
    })
    .await;
    for issuer in [first, second] {
        let token = issuer.token("alice", &json!({}));
        assert!(world.try_connect(&format!("/ws?token={token}"), &[]).await.is_ok());
    }
}

#[tokio::test]
async fn a_jwks_address_may_rotate_its_keys_and_fail_without_harm() {
    let (old, new) = (Issuer::of(Kind::Rsa("RS256")).with_kid("old"), Issuer::of(Kind::Es256).with_kid("new"));
    let asked = Arc::new(AtomicUsize::new(0));
    let address = serve_keys(asked.clone(), [json!([old.jwk()]), json!([new.jwk()])]).await;
    let world = World::with(|config| {
        config.auth.hmac_secret = None;
        config.auth.jwks.url = Some(format!("http://{address}/jwks.json"));
    })
    .await;
    let connect = async |issuer: &Issuer| {
        let token = issuer.token("alice", &json!({}));
        world.try_connect(&format!("/ws?token={token}"), &[]).await.is_ok()
    };
    assert!(connect(&old).await);
    assert_eq!(asked.load(SeqCst), 1, "the keys are cached");
    assert!(connect(&new).await, "an unknown kid makes the server ask again");
    assert_eq!(asked.load(SeqCst), 2);
    assert!(!connect(&Issuer::of(Kind::EdDsa).with_kid("never")).await);
    assert_eq!(asked.load(SeqCst), 2, "and at most once a minute");
    assert!(connect(&new).await, "the last good keys serve on, though the address would now fail");
}

/// Serves the JWK Sets one after the other, and then errors.
async fn serve_keys(asked: Arc<AtomicUsize>, sets: [Value; 2]) -> SocketAddr {
    let answer = async move || {
        let set = sets.get(asked.fetch_add(1, SeqCst)).cloned();
        set.map(|keys| axum::Json(json!({"keys": keys}))).ok_or(axum::http::StatusCode::BAD_GATEWAY)
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/jwks.json", get(answer))).await });
    address
}

#[tokio::test]
async fn issuer_audience_and_claim_paths_are_the_configs() {
    let world = World::with(|config| {
        config.auth.issuers = vec!["https://id.example.com/".into()];
        config.auth.audiences = vec!["realtime".into()];
        config.auth.claims.roles = vec!["realm_access.roles".into()];
        config.auth.required_roles = vec!["member".into()];
    })
    .await;
    let good = json!({
        "iss": "https://id.example.com/", "aud": ["realtime", "other"], "realm_access": {"roles": ["member", "admin"]},
    });
    let client = world.connect_with("alice", &good).await;
    assert_eq!(client.welcome()["roles"], json!(["admin", "member"]), "in their order as text");
    for (claim, value, status) in [
        ("iss", json!("https://evil.example/"), 401),
        ("aud", json!("other"), 401),
        ("aud", Value::Null, 401),
        ("realm_access", json!({"roles": ["guest"]}), 403),
        ("realm_access", json!({"roles": 5}), 401),
    ] {
        let mut claims = good.clone();
        claims[claim] = value.clone();
        let token = world.token("alice", &claims);
        let Err(refusal) = world.try_connect(&format!("/ws?token={token}"), &[]).await else {
            panic!("{claim} = {value} was admitted")
        };
        assert_eq!(refusal.status, status, "{claim} = {value}: {}", refusal.problem);
    }
}

#[tokio::test]
async fn a_resume_ticket_of_any_text_is_ignored_unless_it_is_longer_than_any_ticket() {
    let world = World::start().await;
    let token = world.token("alice", &json!({}));
    for ticket in ["", "rt1.e30.c2ln", &"A".repeat(4096)] {
        world.try_connect(&format!("/ws?token={token}&resume={ticket}"), &[]).await.expect("admitted without a ticket");
    }
    let long = "A".repeat(4097);
    let refused = world.try_connect(&format!("/ws?token={token}&resume={long}"), &[]).await;
    let refusal = refused.err().expect("a longer text is refused");
    assert_eq!(refusal.status, 400);
    assert!(refusal.problem.to_string().contains("4096"), "{}", refusal.problem);
}
