//! Subscribing: only as granted, told truly, and never orphaned.

use realtime_core::policy::SubscribePolicy;
use realtime_server::NamespaceConfig;
use realtime_tests::World;
use serde_json::{Value, json};

#[tokio::test]
async fn a_client_without_a_grant_is_refused() {
    let world = World::start().await;
    let mut alice = world.connect_granted("alice", "order:*").await;
    for topic in ["invoice:1", "order", "order:1:items", "orders:1", "order:*"] {
        let answer = alice.command(json!({"action": "subscribe", "topic": topic})).await;
        let expected = if topic == "order:*" { "bad_request" } else { "forbidden" };
        assert_ne!(answer["code"], Value::Null, "{topic}");
        if topic != "order:*" {
            assert_eq!(answer["code"], expected, "{topic}: {answer}");
        }
    }
    alice.subscribe("order:1").await;
    assert_eq!(world.metric("realtime_subscriptions").await, 1);
}

#[tokio::test]
async fn a_grant_with_sub_is_for_ones_own() {
    let world = World::start().await;
    let mut alice = world.connect_granted("alice", "user:{sub}:**").await;
    alice.subscribe("user:alice:inbox").await;
    let answer = alice.command(json!({"action": "subscribe", "topic": "user:bob:inbox"})).await;
    assert_eq!(answer["code"], "forbidden");
}

#[tokio::test]
async fn a_namespace_may_be_open_to_every_valid_token() {
    let world = World::with(|config| {
        let mut namespace = NamespaceConfig::new("topic:news:**".parse().expect("a pattern"));
        namespace.subscribe = SubscribePolicy::Authenticated;
        config.namespaces = vec![namespace];
    })
    .await;
    let mut alice = world.connect("alice").await;
    alice.subscribe("news:sport:today").await;
    let answer = alice.command(json!({"action": "subscribe", "topic": "order:1"})).await;
    assert_eq!(answer["code"], "forbidden");
}

#[tokio::test]
async fn after_the_ack_nothing_is_missed_and_after_the_unsubscribe_nothing_arrives() {
    let world = World::start().await;
    let mut alice = world.connect_granted("alice", "**").await;
    for round in 0..20 {
        alice.subscribe("order:1").await;
        alice.subscribe("order:1").await;
        assert_eq!(world.publish(json!({"topic": "order:1"}), "a", json!(round)).await, 1, "and only once");
        assert_eq!(alice.publication().await["payload"], round);
        let answer = alice.command(json!({"action": "unsubscribe", "topic": "order:1"})).await;
        assert_eq!(answer["code"], Value::Null);
        assert_eq!(world.publish(json!({"topic": "order:1"}), "a", json!("late")).await, 0);
        alice.got_nothing().await;
    }
    assert_eq!(world.metric("realtime_topics").await, 0, "an empty topic leaves no trace");
}

#[tokio::test]
async fn the_backend_subscribes_a_connection_and_the_client_is_told() {
    let world = World::start().await;
    let mut alice = world.connect("alice").await;
    let path = format!("/api/v1/connections/{}/topics/order%3A1%2Fa", alice.id());
    assert_eq!(world.put(&path).await.ok("subscription-change")["changed"], true);
    let told = alice.next().await;
    assert_eq!((&told["type"], &told["payload"]["topic"]), (&json!("subscribed"), &json!("order:1/a")));
    assert_eq!(world.put(&path).await.ok("subscription-change")["changed"], false);
    assert_eq!(world.publish(json!({"topic": "order:1/a"}), "a", json!(1)).await, 1);
    assert_eq!(alice.publication().await["payload"], 1);
    assert_eq!(world.delete(&path).await.ok("subscription-change")["changed"], true);
    assert_eq!(alice.next().await["type"], "unsubscribed");
    assert_eq!(world.delete(&path).await.ok("subscription-change")["changed"], false);
    assert_eq!(world.publish(json!({"topic": "order:1/a"}), "a", json!(2)).await, 0);
    alice.got_nothing().await;
}

#[tokio::test]
async fn the_limit_of_subscriptions_is_named() {
    let world = World::with(|config| config.limits.subscriptions = 2).await;
    let mut alice = world.connect_granted("alice", "**").await;
    assert_eq!(alice.welcome()["limits"]["subscriptions"], 2);
    alice.subscribe("a").await;
    alice.subscribe("b").await;
    let answer = alice.command(json!({"action": "subscribe", "topic": "c"})).await;
    assert_eq!(answer["code"], "limit_exceeded");
    assert!(answer["message"].as_str().is_some_and(|message| message.contains("limits.subscriptions")));
    let path = format!("/api/v1/connections/{}/topics/c", alice.id());
    world.put(&path).await.refused("limit_exceeded");
    alice.command(json!({"action": "unsubscribe", "topic": "a"})).await;
    alice.subscribe("c").await;
}

#[tokio::test]
async fn a_topic_that_is_one_too_many_is_not_resumed_and_the_reason_is_the_limit() {
    let world = World::with(|config| config.limits.subscriptions = 2).await;
    let mut alice = world.connect_granted("alice", "order:*").await;
    let position = json!({"epoch": "k3f", "offset": 1});
    let since = json!({"topic:order:1": position, "topic:order:2": position, "topic:order:3": position});
    alice.send(&json!({"action": "resume", "id": 1, "since": since}).to_string()).await;
    let refused = loop {
        let frame = alice.next().await;
        if frame["type"] == "unsubscribed" {
            break frame;
        }
        assert_eq!(frame["payload"]["reason"], "no_history", "{frame}");
    };
    assert_eq!(refused["payload"], json!({"topic": "order:3", "reason": "limit_exceeded"}));
    assert_eq!(alice.next().await["payload"]["id"], 1);
}

#[tokio::test]
async fn a_new_token_that_ends_more_subscriptions_than_the_queue_holds_does_not_end_the_connection() {
    let world = World::with(|config| config.limits.queue_messages = 8).await;
    let mut alice = world.connect_granted("alice", "order:*").await;
    for n in 0..50 {
        alice.subscribe(&format!("order:{n:02}")).await;
    }
    let token = world.token("alice", &json!({}));
    alice.send(&json!({"action": "refresh", "id": "r", "token": token}).to_string()).await;
    for n in 0..50 {
        let ended = json!({"topic": format!("order:{n:02}"), "reason": "revoked"});
        assert_eq!(alice.next().await["payload"], ended);
    }
    assert_eq!(alice.next().await["payload"]["id"], "r", "the reply comes last");
    alice.got_nothing().await;
}

#[tokio::test]
async fn a_new_token_brings_new_rights_and_takes_those_it_lacks() {
    let world = World::start().await;
    let mut alice = world.connect_with("alice", &json!({"roles": ["admin"], "grants": ["subscribe:order:*"]})).await;
    alice.subscribe("order:1").await;
    let path = format!("/api/v1/connections/{}/topics/given", alice.id());
    world.put(&path).await;
    assert_eq!(alice.next().await["type"], "subscribed");

    let token = world.token("alice", &json!({"roles": ["member"], "grants": ["subscribe:invoice:*"]}));
    alice.send(&json!({"action": "refresh", "id": "r", "token": token}).to_string()).await;
    let revoked = alice.next().await;
    assert_eq!(revoked["type"], "unsubscribed");
    assert_eq!(revoked["payload"], json!({"topic": "order:1", "reason": "revoked"}));
    let answer = alice.next().await;
    assert_eq!((&answer["type"], &answer["payload"]["id"]), (&json!("ack"), &json!("r")));
    alice.subscribe("invoice:1").await;
    assert_eq!(world.publish(json!({"role": "admin"}), "a", json!(1)).await, 0);
    assert_eq!(world.publish(json!({"role": "member"}), "a", json!(2)).await, 1);
    assert_eq!(alice.publication().await["payload"], 2);
    assert_eq!(world.publish(json!({"topic": "given"}), "a", json!(3)).await, 1, "the server's subscription stays");
    assert_eq!(alice.publication().await["payload"], 3);

    let other = world.token("bob", &json!({}));
    let answer = alice.command(json!({"action": "refresh", "token": other})).await;
    assert_eq!(answer["code"], "forbidden", "a token of another user");
    let answer = alice.command(json!({"action": "refresh", "token": "nonsense"})).await;
    assert_eq!(answer["code"], "unauthorized");
    alice.got_nothing().await;
}
