//! Why a user received a message, or did not.

use realtime_tests::{Client, World};
use serde_json::{Value, json};

async fn publish(world: &World, to: Value, except: Option<&str>) -> Value {
    let mut body = json!({"to": to, "type": "a", "payload": 1});
    if let Some(client) = except {
        body["except_client"] = json!(client);
    }
    world.post("/api/v1/publish", body).await.ok("receipt")["id"].clone()
}

async fn explain(world: &World, user: &str, message: &Value) -> Value {
    world.post("/api/v1/explain", json!({"user": user, "message": message})).await.ok("explanation")
}

/// The reasons of the user's connections, oldest first.
fn reasons(explanation: &Value) -> Vec<&str> {
    let connections = explanation["connections"].as_array().expect("connections").iter();
    connections.map(|connection| connection["reason"].as_str().expect("a reason")).collect()
}

async fn tab(world: &World, user: &str, tab: &str) -> Client {
    let token = world.token(user, &json!({"roles": ["staff"], "grants": ["subscribe:order:*"]}));
    world.try_connect(&format!("/ws?token={token}&client={tab}"), &[]).await.expect("admitted")
}

#[tokio::test]
async fn each_connection_of_a_user_has_its_reason() {
    let world = World::start().await;
    let (mut first, mut second) = (tab(&world, "alice", "one").await, tab(&world, "alice", "two").await);
    first.subscribe("order:1").await;
    second.subscribe("order:2").await;
    let message = publish(&world, json!({"topic": "order:1"}), None).await;
    let mut third = tab(&world, "alice", "three").await;
    third.subscribe("order:1").await;
    second.subscribe("order:1").await;

    let explained = explain(&world, "alice", &message).await;
    assert_eq!(reasons(&explained), ["written", "subscribed_later", "connected_later"]);
    assert_eq!((&explained["matched"], &explained["to"]), (&json!(true), &json!({"topic": "order:1"})));
    assert_eq!((&explained["message"]["id"], &explained["message"]["delivered"]), (&message, &json!(1)));
    assert_eq!(explained["connections"][0]["connection"], first.id());
    assert_eq!(explained["connections"][1]["topics"], json!(["order:1", "order:2"]));
    first.publication().await;
}

#[tokio::test]
async fn a_connection_that_left_since_counts_as_it_was() {
    let world = World::start().await;
    let mut alice = tab(&world, "alice", "one").await;
    alice.subscribe("order:1").await;
    let message = publish(&world, json!({"topic": "order:1"}), None).await;
    alice.publication().await;
    alice.command(json!({"action": "unsubscribe", "topic": "order:1"})).await;
    assert_eq!(reasons(&explain(&world, "alice", &message).await), ["written"]);
    let later = publish(&world, json!({"topic": "order:1"}), None).await;
    let explained = explain(&world, "alice", &later).await;
    assert_eq!((reasons(&explained), &explained["matched"]), (vec!["not_subscribed"], &json!(false)));
    let detail = explained["connections"][0]["detail"].as_str().expect("a detail");
    assert!(detail.contains("No namespace lets the client subscribe"), "{detail}");
}

#[tokio::test]
async fn other_recipients_the_client_left_out_and_nobody_there_are_told_apart() {
    let world = World::start().await;
    let _alice = tab(&world, "alice", "one").await;
    for (to, except, reason) in [
        (json!({"user": "bob"}), None, "not_a_recipient"),
        (json!({"role": "admin"}), None, "not_a_recipient"),
        (json!({"role": "staff"}), None, "written"),
        (json!("all"), Some("one"), "origin_left_out"),
        (json!("all"), Some("two"), "written"),
        (json!([{"user": "bob"}, {"topic": "order:1"}]), None, "not_subscribed"),
    ] {
        let message = publish(&world, to.clone(), except).await;
        assert_eq!(reasons(&explain(&world, "alice", &message).await), [reason], "{to}");
    }
    let message = publish(&world, json!({"user": "bob"}), None).await;
    let explained = explain(&world, "bob", &message).await;
    assert_eq!((&explained["matched"], &explained["connections"]), (&json!(false), &json!([])));
    let detail = explained["detail"].as_str().expect("a detail");
    assert!(detail.contains("no connection to this node now; whether an earlier connection received"), "{detail}");
}

#[tokio::test]
async fn a_message_that_is_not_published_is_explained_as_of_now_and_is_not_sent() {
    let world = World::start().await;
    let mut alice = tab(&world, "alice", "one").await;
    alice.subscribe("order:1").await;
    for (to, except, reason) in [
        (json!({"topic": "order:1"}), Value::Null, "would_receive"),
        (json!({"topic": "order:2"}), Value::Null, "not_subscribed"),
        (json!({"user": "alice"}), Value::Null, "would_receive"),
        (json!("all"), json!("one"), "origin_left_out"),
        (json!({"connection": alice.id()}), Value::Null, "would_receive"),
    ] {
        let body = json!({"user": "alice", "to": to, "except_client": except});
        let explained = world.post("/api/v1/explain", body).await.ok("explanation");
        assert_eq!((reasons(&explained), &explained["message"]), (vec![reason], &Value::Null), "{to}");
    }
    alice.got_nothing().await;
}

#[tokio::test]
async fn only_the_last_publications_are_remembered_and_a_bad_question_says_what_to_give() {
    let world = World::with(|config| config.limits.explained_publications = 2).await;
    let first = publish(&world, json!("all"), None).await;
    let second = publish(&world, json!("all"), None).await;
    let third = publish(&world, json!("all"), None).await;
    let problem = world.post("/api/v1/explain", json!({"user": "alice", "message": first})).await.refused("not_found");
    let detail = problem["detail"].as_str().expect("a detail");
    assert!(detail.contains("last 2") && detail.contains("limits.explained_publications"), "{detail}");
    for message in [second, third.clone()] {
        explain(&world, "alice", &message).await;
    }
    for (body, path) in [
        (json!({"user": "alice"}), "/message"),
        (json!({"user": "alice", "message": third, "to": "all"}), "/to"),
        (json!({"user": "alice", "message": third, "except_client": "x"}), "/except_client"),
        (json!({"user": "", "to": "all"}), "/user"),
    ] {
        let problem = world.post("/api/v1/explain", body.clone()).await.refused("bad_request");
        assert_eq!(problem["errors"][0]["path"], path, "{body}: {problem}");
    }
    let none = World::with(|config| config.limits.explained_publications = 0).await;
    let message = publish(&none, json!("all"), None).await;
    none.post("/api/v1/explain", json!({"user": "alice", "message": message})).await.refused("not_found");
}
