//! A kick that holds: users and tokens that an operator refuses for a time.

use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::StreamExt;
use realtime_schema::Timestamp;
use realtime_tests::{Client, DEADLINE, Refusal, World};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

/// Connects with `token`, and returns the refusal.
async fn refusal(world: &World, token: &str) -> Refusal {
    let Err(refusal) = world.try_connect(&format!("/ws?token={token}"), &[]).await else { panic!("it was admitted") };
    refusal
}

/// Connects as a browser with `token`, and returns the close code and the reason.
async fn browser_closed(world: &World, token: &str) -> (u16, String) {
    let protocols = [("sec-websocket-protocol", format!("realtime.v1, bearer.{token}"))];
    let (mut socket, _) = Client::open(world.address, "/ws", &protocols).await.expect("an upgrade");
    loop {
        let message = timeout(DEADLINE, socket.next()).await.expect("a frame in time");
        if let Message::Close(close) = message.expect("a close first").expect("no error") {
            return close.map(|close| (close.code.into(), close.reason.to_string())).expect("a code");
        }
    }
}

fn seconds() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()).expect("a time")
}

#[tokio::test]
async fn a_blocked_user_stays_out_over_reconnects_and_new_tokens_until_the_block_ends() {
    let world = World::start().await;
    let mut mallory = world.connect_granted("mallory", "**").await;
    mallory.subscribe("order:1").await;
    let _alice = world.connect("alice").await;

    let body = json!({"block_for": "1h", "reason": "spam"});
    let answer = world.call(Method::DELETE, "/api/v1/users/mallory/connections", Some(body)).await.ok("disconnected");
    assert_eq!((&answer["disconnected"], &answer["revocation"]["user"]), (&json!(1), &json!("mallory")), "{answer}");
    assert_eq!(world.publish(json!({"topic": "order:1"}), "a", json!(1)).await, 0, "the subscription ended with it");
    let closing = mallory.closing().await;
    assert_eq!((&closing["code"], &closing["reason"]), (&json!(4403), &json!("spam")));

    for device in ["phone", "laptop"] {
        let refusal = refusal(&world, &world.token("mallory", &json!({"jti": device}))).await;
        assert_eq!((refusal.status, &refusal.problem["detail"]), (403, &json!("spam")));
    }
    assert_eq!(browser_closed(&world, &world.token("mallory", &json!({}))).await, (4403, "spam".to_owned()));
    assert_eq!(world.metric("realtime_refusals_total{reason=\"blocked\"}").await, 3);
    let _bystander = world.connect("bob").await;

    let eve = world.connect("eve").await;
    world.delete(&format!("/api/v1/connections/{}?block_for=1s", eve.id())).await.ok("disconnected");
    world.until("realtime_revocations", 1).await;
    let _back = world.connect("eve").await;
}

#[tokio::test]
async fn a_kick_of_one_connection_blocks_its_token_or_else_its_user_and_says_which() {
    let world = World::start().await;
    let phone = world.token("alice", &json!({"jti": "phone"}));
    let mut alice = world.try_connect(&format!("/ws?token={phone}"), &[]).await.unwrap_or_else(|_| panic!("refused"));
    let record = world.get(&format!("/api/v1/connections/{}", alice.id())).await.ok("connection-info");
    assert_eq!(record["token"]["jti"], "phone", "{record}");

    let path = format!("/api/v1/connections/{}?block_for=10m&code=4603", alice.id());
    let answer = world.delete(&path).await.ok("disconnected");
    let revocation = &answer["revocation"];
    assert_eq!((&revocation["jti"], &revocation["user"]), (&json!("phone"), &Value::Null), "{answer}");
    assert_eq!(alice.closing().await["code"], 4603);
    assert_eq!(refusal(&world, &phone).await.status, 401);
    let mut alice = world.connect("alice").await;

    let path = format!("/api/v1/connections/{}?block_for=10m", alice.id());
    let answer = world.delete(&path).await.ok("disconnected");
    assert_eq!((&answer["revocation"]["user"], &answer["disconnected"]), (&json!("alice"), &json!(1)), "{answer}");
    assert_eq!(alice.closing().await["code"], 4403);
    assert_eq!(refusal(&world, &world.token("alice", &json!({"jti": "laptop"}))).await.status, 403);
    world.delete(&path).await.refused("not_found");
}

#[tokio::test]
async fn a_revoked_token_ends_its_connections_and_subscriptions_and_is_refused_until_it_expires() {
    let world = World::start().await;
    let exp = seconds() + 1800;
    let stolen = json!({"jti": "stolen", "exp": exp, "grants": ["subscribe:**"]});
    let mut thief = world.connect_with("alice", &stolen).await;
    thief.subscribe("order:1").await;
    let mut owner = world.connect_with("alice", &json!({"jti": "good", "grants": ["subscribe:**"]})).await;
    owner.subscribe("order:1").await;

    let answer = world.post("/api/v1/revocations", json!({"jti": "stolen", "reason": "stolen"})).await.ok("revoked");
    assert_eq!(answer["disconnected"], 1);
    let leeway = 5;
    let until = Timestamp::from_millis((exp + leeway) * 1000);
    assert_eq!(answer["until"], json!(until), "kept until the token has expired: {answer}");
    assert_eq!(world.publish(json!({"topic": "order:1"}), "a", json!(1)).await, 1, "only the owner gets it");
    assert_eq!(owner.publication().await["type"], "a");
    let closing = thief.closing().await;
    assert_eq!((&closing["code"], &closing["reason"]), (&json!(4603), &json!("stolen")));

    let token = world.token("alice", &stolen);
    let refused = refusal(&world, &token).await;
    assert_eq!((refused.status, &refused.problem["code"]), (401, &json!("unauthorized")));
    assert_eq!(browser_closed(&world, &token).await, (4603, "stolen".to_owned()));
    let reply = owner.command(json!({"action": "refresh", "token": token})).await;
    assert_eq!((&reply["code"], &reply["message"]), (&json!("unauthorized"), &json!("stolen")), "{reply}");
    owner.got_nothing().await;
}

#[tokio::test]
async fn a_connection_is_known_by_the_token_that_refreshed_it_last() {
    let world = World::start().await;
    let mut alice = world.connect_with("alice", &json!({"jti": "first"})).await;
    let token = world.token("alice", &json!({"jti": "second"}));
    let reply = alice.command(json!({"action": "refresh", "token": token})).await;
    assert_eq!(reply["code"], Value::Null, "{reply}");
    let first = world.post("/api/v1/revocations", json!({"jti": "first"})).await.ok("revoked");
    assert_eq!(first["disconnected"], 0);
    alice.got_nothing().await;
    let second = world.post("/api/v1/revocations", json!({"jti": "second"})).await.ok("revoked");
    assert_eq!(second["disconnected"], 1);
    assert_eq!(alice.closing().await["code"], 4603);
}

#[tokio::test]
async fn all_tokens_issued_before_a_time_end_and_newer_ones_are_admitted() {
    let world = World::start().await;
    let now = seconds();
    let old = json!({"iat": now - 100});
    let mut alice = world.connect_with("alice", &old).await;
    let mut bob = world.connect_with("bob", &old).await;
    let mut carol = world.connect_with("carol", &json!({"iat": now - 10})).await;
    let mut undated = world.connect("dave").await;

    let before = json!(Timestamp::from_millis((now - 50) * 1000));
    let of_alice = json!({"issued_before": before, "user": "alice"});
    assert_eq!(world.post("/api/v1/revocations", of_alice).await.ok("revoked")["disconnected"], 1);
    assert_eq!(alice.closing().await["code"], 4603);
    bob.got_nothing().await;

    let of_all = world.post("/api/v1/revocations", json!({"issued_before": before})).await.ok("revoked");
    assert_eq!(of_all["disconnected"], 2);
    assert_eq!(bob.closing().await["code"], 4603);
    assert_eq!(undated.closing().await["code"], 4603, "a token that does not say when it was issued");
    carol.got_nothing().await;
    assert_eq!(refusal(&world, &world.token("bob", &old)).await.status, 401);
    let _bob = world.connect_with("bob", &json!({"iat": now})).await;
}

#[tokio::test]
async fn revocations_are_listed_by_page_and_a_removed_one_has_no_effect_any_more() {
    let world = World::start().await;
    for n in 0..3 {
        world.post("/api/v1/revocations", json!({"jti": format!("t{n}"), "for": "1h"})).await.ok("revoked");
    }
    let again = world.post("/api/v1/revocations", json!({"jti": "t0", "for": "1m"})).await.ok("revoked");
    let first = world.get("/api/v1/revocations?limit=2").await.ok("revocation-page");
    let jtis = |page: &Value| -> Vec<Value> {
        page["revocations"].as_array().expect("a list").iter().map(|revocation| revocation["jti"].clone()).collect()
    };
    assert_eq!(jtis(&first), ["t0", "t1"]);
    assert_eq!(first["revocations"][0], {
        let mut same = again.clone();
        same.as_object_mut().expect("an object").remove("disconnected");
        same
    });
    let next = first["next"].as_str().expect("another page");
    let second = world.get(&format!("/api/v1/revocations?limit=2&after={next}")).await.ok("revocation-page");
    assert_eq!((jtis(&second), &second["next"]), (vec![json!("t2")], &Value::Null));

    let token = world.token("alice", &json!({"jti": "t0"}));
    assert_eq!(refusal(&world, &token).await.status, 401);
    let path = format!("/api/v1/revocations/{}", again["id"].as_str().expect("an id"));
    assert_eq!(world.delete(&path).await.ok("revocation")["jti"], "t0");
    world.delete(&path).await.refused("not_found");
    let _alice = world.connect_with("alice", &json!({"jti": "t0"})).await;
    assert_eq!(world.metric("realtime_revocations").await, 2);
}

#[tokio::test]
async fn a_full_list_refuses_the_next_and_drops_none() {
    let world = World::with(|config| config.limits.revocations = 2).await;
    assert_eq!(world.metric("realtime_limit{name=\"revocations\"}").await, 2);
    let mut alice = world.connect("alice").await;
    let first = world.post("/api/v1/revocations", json!({"jti": "t1"})).await.ok("revoked");
    world.post("/api/v1/revocations", json!({"jti": "t2", "for": "1h"})).await.ok("revoked");
    for answer in [
        world.post("/api/v1/revocations", json!({"jti": "t3"})).await,
        world.delete("/api/v1/users/alice/connections?block_for=1h").await,
        world.delete(&format!("/api/v1/connections/{}?block_for=1h", alice.id())).await,
    ] {
        let problem = answer.refused("limit_exceeded");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("limits.revocations is 2")));
    }
    alice.got_nothing().await;
    world.post("/api/v1/revocations", json!({"jti": "t2", "for": "2h"})).await.ok("revoked");
    for jti in ["t1", "t2"] {
        assert_eq!(refusal(&world, &world.token("bob", &json!({"jti": jti}))).await.status, 401);
    }
    world.delete(&format!("/api/v1/revocations/{}", first["id"].as_str().expect("an id"))).await.ok("revocation");
    world.post("/api/v1/revocations", json!({"jti": "t3"})).await.ok("revoked");
}

#[tokio::test]
async fn what_is_wrong_with_a_revocation_is_named_at_its_field() {
    let world = World::start().await;
    for (body, path) in [
        (json!({}), ""),
        (json!({"jti": ""}), "/jti"),
        (json!({"jti": 7}), "/jti"),
        (json!({"jti": "x".repeat(1025)}), "/jti"),
        (json!({"jti": "t", "user": "alice"}), "/user"),
        (json!({"jti": "t", "issued_before": "2026-11-23T13:00:00Z"}), "/issued_before"),
        (json!({"issued_before": "yesterday"}), "/issued_before"),
        (json!({"user": ""}), "/user"),
        (json!({"user": "alice", "until": "2001-01-01T00:00:00Z"}), "/until"),
        (json!({"user": "alice", "for": "10"}), "/for"),
        (json!({"user": "alice", "for": "0s"}), "/for"),
        (json!({"user": "alice", "for": "1h", "until": "2999-01-01T00:00:00Z"}), "/for"),
        (json!({"user": "alice", "reason": "x".repeat(101)}), "/reason"),
        (json!({"user": "alice", "colour": "red"}), "/colour"),
    ] {
        let problem = world.post("/api/v1/revocations", body.clone()).await.refused("bad_request");
        assert_eq!(problem["errors"][0]["path"], path, "{body}: {problem}");
    }
    for (path, field) in [
        ("/api/v1/users/alice/connections?block_for=10", "/block_for"),
        ("/api/v1/users/alice/connections?block_for=0s", "/block_for"),
        ("/api/v1/revocations/7", "/id"),
    ] {
        let problem = world.delete(path).await.refused("bad_request");
        assert_eq!(problem["errors"][0]["path"], field, "{path}: {problem}");
    }
    let problem = world.get("/api/v1/revocations?limit=0").await.refused("bad_request");
    assert_eq!(problem["errors"][0]["path"], "/limit");
    assert_eq!(world.metric("realtime_revocations").await, 0, "and nothing was revoked");
}
