//! The HTTP API, as a backend uses and misuses it.

use std::collections::BTreeSet;

use realtime_tests::World;
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn nothing_of_the_api_is_open_without_a_key_and_a_clients_token_is_none() {
    let world = World::start().await;
    let token = world.token("alice", &json!({"roles": ["admin"]}));
    for key in [None, Some("wrong"), Some(""), Some(token.as_str())] {
        for (method, path) in [
            (Method::POST, "/api/v1/publish"),
            (Method::POST, "/api/v1/publish/batch"),
            (Method::GET, "/api/v1/users/alice/connections"),
            (Method::DELETE, "/api/v1/users/alice/connections"),
            (Method::GET, "/api/v1/topics"),
            (Method::GET, "/api/v1/no-such-path"),
        ] {
            let answer = world.call_as(key, method.clone(), path, Some("{}".to_owned())).await;
            answer.refused("unauthorized");
            assert_eq!(answer.headers["www-authenticate"], "Bearer", "{method} {path}");
        }
    }
    let path = "/ws?token=an-api-key-of-the-tests";
    assert!(world.try_connect(path, &[]).await.is_err(), "and an API key is no token");
}

#[tokio::test]
async fn a_publication_that_is_wrong_is_refused_with_the_path_of_the_field() {
    let world = World::start().await;
    let good = json!({"to": "all", "type": "a", "payload": 1});
    for (field, value, code) in [
        ("to", Value::Null, "bad_request"),
        ("to", json!("everyone"), "bad_request"),
        ("to", json!({"usr": "alice"}), "bad_request"),
        ("to", json!({"user": ""}), "bad_request"),
        ("to", json!({"connection": "not-a-uuid"}), "bad_request"),
        ("to", json!([]), "bad_request"),
        ("to", json!({"topic": "x".repeat(256)}), "bad_request"),
        ("type", json!(""), "bad_request"),
        ("type", json!("welcome"), "bad_request"),
        ("type", json!("rt.later"), "bad_request"),
        ("type", json!("x".repeat(256)), "bad_request"),
        ("timestamp", json!("yesterday"), "bad_request"),
        ("idempotency_key", json!(""), "payload_invalid"),
        ("idempotency_key", json!("x".repeat(129)), "payload_invalid"),
        ("except_client", json!("x".repeat(65)), "bad_request"),
        ("colour", json!("red"), "bad_request"),
    ] {
        let mut body = good.clone();
        body[field] = value.clone();
        let answer = world.post("/api/v1/publish", body).await;
        let problem = answer.refused(code);
        let path = problem["errors"][0]["path"].as_str().expect("a path");
        assert!(path.starts_with(&format!("/{field}")), "{field} = {value}: {problem}");
        assert!(answer.text.contains(field), "{field} = {value}: {problem}");
    }
    let wrong = json!({"to": {"topic": "a b"}, "type": "welcome", "timestamp": "now", "colour": "red"});
    let problem = world.post("/api/v1/publish", wrong).await.refused("bad_request");
    let paths: Vec<_> = problem["errors"].as_array().expect("errors").iter().map(|error| &error["path"]).collect();
    assert_eq!(paths, ["/payload", "/colour", "/timestamp", "/to/topic", "/type"], "all at once: {problem}");
    for missing in ["to", "type", "payload"] {
        let mut body = good.clone();
        body.as_object_mut().expect("an object").remove(missing);
        let problem = world.post("/api/v1/publish", body).await.refused("bad_request");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(missing)), "{problem}");
    }
    for text in ["", "{", "[]", r#"["all","a",1,null,null,null]"#, "null", "{\"to\":\"all\"} {}"] {
        let answer = world
            .call_as(Some("an-api-key-of-the-tests"), Method::POST, "/api/v1/publish", Some(text.to_owned()))
            .await;
        answer.refused("bad_request");
    }
}

#[tokio::test]
async fn what_is_too_large_is_refused_with_the_limits_name() {
    let world = World::with(|config| {
        config.limits.max_publish_bytes = 1_000;
        config.api.max_body_bytes = 10_000;
    })
    .await;
    let publish = async |size: usize| {
        let body = json!({"to": "all", "type": "a", "payload": "x".repeat(size)});
        world.post("/api/v1/publish", body).await
    };
    publish(998).await.ok("receipt");
    let problem = publish(999).await.refused("too_large");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("limits.max_publish_bytes")));
    let problem = publish(20_000).await.refused("too_large");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("api.max_body_bytes")));
}

#[tokio::test]
async fn a_retry_with_the_same_key_is_answered_and_not_published_again() {
    let world = World::start().await;
    let mut alice = world.connect("alice").await;
    let body = json!({"to": "all", "type": "a", "payload": 1, "idempotency_key": "order-1"});
    let first = world.post("/api/v1/publish", body.clone()).await.ok("receipt");
    let again = world.post("/api/v1/publish", body.clone()).await.ok("receipt");
    assert_eq!((&again["id"], &again["delivered"]), (&first["id"], &first["delivered"]));
    assert_eq!(again["duplicate"], true);
    assert_eq!(alice.publication().await["id"], first["id"]);
    alice.got_nothing().await;
    let mut other = body;
    other["payload"] = json!(2);
    world.post("/api/v1/publish", other).await.refused("conflict");
}

#[tokio::test]
async fn a_batch_has_one_result_each_and_one_that_is_wrong_spoils_no_other() {
    let world = World::start().await;
    let mut alice = world.connect("alice").await;
    let publications = json!([
        {"to": "all", "type": "a", "payload": 1},
        {"to": "all", "type": "welcome", "payload": 2},
        ["all", "a", 2, null, null, null],
        {"to": {"user": "alice"}, "type": "a", "payload": 3},
    ]);
    let answer = world.post("/api/v1/publish/batch", json!({"publications": publications})).await;
    let results = answer.ok("batch-response")["results"].clone();
    assert_eq!(results.as_array().map(Vec::len), Some(4));
    assert_eq!((&results[0]["delivered"], &results[3]["delivered"]), (&json!(1), &json!(1)));
    assert_eq!((&results[1]["code"], &results[2]["code"]), (&json!("bad_request"), &json!("bad_request")));
    for expected in [1, 3] {
        assert_eq!(alice.publication().await["payload"], expected);
    }
    alice.got_nothing().await;
    for size in [0, 1001] {
        let publications = vec![json!({"to": "all", "type": "a", "payload": 1}); size];
        let answer = world.post("/api/v1/publish/batch", json!({"publications": publications})).await;
        assert_eq!(answer.refused("bad_request")["errors"][0]["path"], "/publications");
    }
    alice.got_nothing().await;
}

#[tokio::test]
async fn connections_are_shown_with_what_they_are_subscribed_to() {
    let world = World::start().await;
    let token = world.token("alice", &json!({"roles": ["admin"], "grants": ["subscribe:**"], "metadata": {"plan": 3}}));
    let mut alice = world.try_connect(&format!("/ws?token={token}&client=tab-1"), &[]).await.expect("admitted");
    alice.subscribe("b").await;
    alice.subscribe("a").await;
    let info = world.get(&format!("/api/v1/connections/{}", alice.id())).await.ok("connection-info");
    assert_eq!(
        (&info["user"], &info["client"], &info["metadata"]["plan"]),
        (&json!("alice"), &json!("tab-1"), &json!(3))
    );
    assert_eq!(info["subscriptions"], json!([{"topic": "a", "origin": "client"}, {"topic": "b", "origin": "client"}]));
    let _second = world.connect("alice").await;
    let list = world.get("/api/v1/users/alice/connections").await.ok("connection-list");
    assert_eq!(list["connections"].as_array().map(Vec::len), Some(2));
    assert_eq!(list["connections"][0]["id"], alice.id(), "oldest first");
    let none = world.get("/api/v1/users/unknown/connections").await.ok("connection-list");
    assert_eq!(none["connections"], json!([]));
    world.get("/api/v1/connections/00000000-0000-7000-8000-000000000000").await.refused("not_found");
    world.get("/api/v1/connections/nonsense").await.refused("bad_request");
}

#[tokio::test]
async fn topics_come_in_pages() {
    let world = World::start().await;
    let mut alice = world.connect_granted("alice", "**").await;
    let mut bob = world.connect_granted("bob", "**").await;
    let all: BTreeSet<String> = (0..25).map(|n| format!("topic:{n}")).collect();
    for topic in &all {
        alice.subscribe(topic).await;
    }
    bob.subscribe("topic:7").await;
    let (mut found, mut path) = (Vec::new(), "/api/v1/topics?limit=10".to_owned());
    loop {
        let page = world.get(&path).await.ok("topic-page");
        for entry in page["topics"].as_array().expect("topics") {
            let topic = entry["topic"].as_str().expect("a topic").to_owned();
            assert_eq!(entry["subscribers"], if topic == "topic:7" { 2 } else { 1 });
            found.push(topic);
        }
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/v1/topics?limit=10&after={next}");
    }
    assert_eq!(found, all.into_iter().collect::<Vec<_>>(), "each once, in order");
    for bad in ["limit=0", "limit=1001", "limit=ten", "after=", "page=2"] {
        world.get(&format!("/api/v1/topics?{bad}")).await.refused("bad_request");
    }
}

#[tokio::test]
async fn a_disconnect_takes_only_codes_that_advise_the_client_rightly() {
    let world = World::start().await;
    let mut alice = world.connect("alice").await;
    for code in ["1000", "3999", "4400", "4503", "5000", "nonsense"] {
        let answer = world.delete(&format!("/api/v1/connections/{}?code={code}", alice.id())).await;
        answer.refused("bad_request");
    }
    let long = "x".repeat(101);
    world.delete(&format!("/api/v1/connections/{}?reason={long}", alice.id())).await.refused("bad_request");
    alice.got_nothing().await;
    let path = format!("/api/v1/connections/{}", alice.id());
    let fractional = world.call(Method::DELETE, &path, Some(json!({"code": 4463.0}))).await.refused("bad_request");
    assert!(fractional["errors"][0]["message"].as_str().is_some_and(|said| said.starts_with("is 4463; give 4403")));
    let body = json!({"code": 4603, "reason": "the token was revoked"});
    world.call(Method::DELETE, &path, Some(body)).await.ok("disconnected");
    assert_eq!(alice.closing().await["code"], 4603);
}

#[tokio::test]
async fn a_close_code_may_come_in_the_query_or_with_a_fraction_of_zero() {
    let world = World::start().await;
    let mut alice = world.connect("alice").await;
    world.delete(&format!("/api/v1/connections/{}?code=4200", alice.id())).await.ok("disconnected");
    assert_eq!(alice.closing().await["code"], 4200);
    let mut bob = world.connect("bob").await;
    let path = format!("/api/v1/connections/{}", bob.id());
    world.call(Method::DELETE, &path, Some(json!({"code": 4201.0}))).await.ok("disconnected");
    assert_eq!(bob.closing().await["code"], 4201);
}

#[tokio::test]
async fn every_path_of_the_openapi_document_is_served_and_no_other() {
    let world = World::start().await;
    let document = world.call_as(None, Method::GET, "/api/openapi.json", None).await.json();
    let paths = document["paths"].as_object().expect("paths");
    assert!(paths.len() >= 10, "{paths:?}");
    for (path, item) in paths {
        let path = path.replace("{id}", "00000000-0000-7000-8000-000000000000").replace("{topic}", "a");
        for method in ["GET", "PUT", "POST", "DELETE"] {
            let described = item.get(method.to_lowercase()).is_some();
            let answer = world.call(method.parse().expect("a method"), &path, Some(json!({}))).await;
            let served = answer.status != 405
                && !(answer.status == 404 && answer.text.contains("/api/openapi.json lists them all"));
            assert_eq!(served, described, "{method} {path}: {} {}", answer.status, answer.text);
        }
    }
}

#[tokio::test]
async fn what_is_not_there_is_answered_as_a_problem() {
    let world = World::start().await;
    for path in ["/", "/nowhere", "/api/v2/publish", "/api/v1/nowhere", "/dev/session", "/dev/token"] {
        world.get(path).await.refused("not_found");
    }
    let answer = world.call(Method::PATCH, "/api/v1/topics", None).await;
    assert_eq!(answer.status, 405);
    answer.refused("bad_request");
}

#[tokio::test]
async fn metrics_count_what_happened() {
    let world = World::start().await;
    let mut alice = world.connect_granted("alice", "**").await;
    alice.subscribe("a").await;
    world.publish(json!({"topic": "a"}), "t", json!(1)).await;
    alice.publication().await;
    for (name, value) in [
        ("realtime_connections", 1),
        ("realtime_topics", 1),
        ("realtime_subscriptions", 1),
        ("realtime_accepted_connections_total", 1),
        ("realtime_publications_total", 1),
        ("realtime_deliveries_total", 1),
        ("realtime_commands_total", 1),
    ] {
        assert_eq!(world.metric(name).await, value, "{name}");
    }
}
