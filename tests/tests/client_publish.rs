//! Clients that publish: as granted, within their limits, and once however often they repeat it.

use std::sync::Arc;

use async_trait::async_trait;
use realtime_core::client_message::{ClientMessage, Handled};
use realtime_ports::{ConnectionHandler, HookContext, HookError};
use realtime_schema::{Action, ErrorCode};
use realtime_tests::{Client, World};
use serde_json::{Value, json};

/// A member of the rooms, in a tab of its own.
async fn member(world: &World, user: &str, tab: &str) -> Client {
    let token = world.token(user, &json!({"grants": ["subscribe:room:*", "publish:room:*"]}));
    let connected = world.try_connect(&format!("/ws?token={token}&client={tab}"), &[]).await;
    connected.unwrap_or_else(|refusal| panic!("{user} was refused: {}", refusal.problem))
}

fn said(text: &str) -> Value {
    json!({"action": "publish", "topic": "room:1", "type": "said", "payload": {"text": text}})
}

/// The command with one more field.
fn with(mut command: Value, name: &str, value: impl Into<Value>) -> Value {
    command[name] = value.into();
    command
}

/// Sends a command whose id is given, and returns the payload of the reply.
async fn send(client: &mut Client, command: &Value) -> Value {
    client.send(&command.to_string()).await;
    let reply = client.next().await;
    assert_eq!(reply["payload"]["id"], command["id"], "{reply} is no reply to {command}");
    reply["payload"].clone()
}

#[tokio::test]
async fn what_a_client_publishes_reaches_every_subscriber_itself_included_and_no_bystander() {
    let world = World::start().await;
    let (mut alice, mut bob) = (member(&world, "alice", "a").await, member(&world, "bob", "b").await);
    let mut bystander = member(&world, "carol", "c").await;
    alice.subscribe("room:1").await;
    bob.subscribe("room:1").await;
    bystander.subscribe("room:2").await;
    alice.send(&with(said("hello"), "id", "m1").to_string()).await;
    let own = alice.publication().await;
    let ack = alice.next().await;
    assert_eq!((&ack["type"], &ack["payload"]["id"]), (&json!("ack"), &json!("m1")));
    assert_eq!(ack["payload"]["message"], own["id"], "the ack has the id of the message");
    assert_eq!(ack["payload"]["duplicate"], Value::Null);
    let received = bob.publication().await;
    assert_eq!(received, own);
    assert_eq!((&received["topic"], &received["payload"]), (&json!("room:1"), &json!({"text": "hello"})));
    bystander.got_nothing().await;
}

#[tokio::test]
async fn a_publisher_need_not_be_subscribed_and_may_leave_its_tab_out() {
    let world = World::start().await;
    let (mut alice, mut phone) = (member(&world, "alice", "a").await, member(&world, "alice", "phone").await);
    assert_eq!(alice.command(said("one")).await["code"], Value::Null);
    alice.subscribe("room:1").await;
    phone.subscribe("room:1").await;
    assert_eq!(alice.command(with(said("two"), "echo", false)).await["code"], Value::Null);
    alice.got_nothing().await;
    assert_eq!(phone.publication().await["payload"]["text"], "two");
    // Without a client id there is nobody to leave out.
    let token = world.token("dave", &json!({"grants": ["publish:room:*"]}));
    let mut dave = world.try_connect(&format!("/ws?token={token}"), &[]).await.expect("admitted");
    let refused = dave.command(with(said("three"), "echo", false)).await;
    assert_eq!((&refused["code"], &refused["errors"][0]["path"]), (&json!("payload_invalid"), &json!("/echo")));
    phone.got_nothing().await;
}

#[tokio::test]
async fn nothing_is_published_without_a_grant() {
    let world = World::start().await;
    let mut bob = member(&world, "bob", "b").await;
    bob.subscribe("room:1").await;
    for grants in [json!([]), json!(["subscribe:**"]), json!(["publish:room:2", "publish:other:**"])] {
        let mut alice = world.connect_with("alice", &json!({"grants": grants})).await;
        let refused = alice.command(said("hello")).await;
        assert_eq!(
            (&refused["code"], &refused["status"], &refused["retry"]),
            (&json!("forbidden"), &json!(403), &json!(false))
        );
    }
    bob.got_nothing().await;
}

#[tokio::test]
async fn a_command_that_is_repeated_after_a_reconnect_is_published_once() {
    let world = World::start().await;
    let mut bob = member(&world, "bob", "b").await;
    bob.subscribe("room:1").await;
    let command = with(said("once"), "id", 41);
    let first = send(&mut member(&world, "alice", "a").await, &command).await;
    let mut alice = member(&world, "alice", "a").await;
    let second = send(&mut alice, &command).await;
    assert_eq!((&second["message"], &second["duplicate"]), (&first["message"], &json!(true)));
    assert_eq!(bob.publication().await["id"], first["message"]);
    bob.got_nothing().await;
    // Another tab, another user and another id are other commands.
    for (user, tab, id) in [("alice", "a2", 41), ("carol", "a", 41), ("alice", "a", 42)] {
        let other = send(&mut member(&world, user, tab).await, &with(said("once"), "id", id)).await;
        assert_eq!(other["duplicate"], Value::Null, "{user} {tab} {id}");
        assert_eq!(bob.publication().await["id"], other["message"]);
    }
    let conflict = send(&mut alice, &with(said("something else"), "id", 41)).await;
    assert_eq!((&conflict["code"], &conflict["status"]), (&json!("conflict"), &json!(409)));
    bob.got_nothing().await;
}

#[tokio::test]
async fn an_idempotency_key_is_of_one_user_on_all_connections_and_of_no_backend() {
    let world = World::start().await;
    let mut bob = member(&world, "bob", "b").await;
    bob.subscribe("room:1").await;
    let keyed = with(said("hello"), "idempotency_key", "k1");
    let first = member(&world, "alice", "a").await.command(keyed.clone()).await;
    assert_eq!(first["duplicate"], Value::Null);
    assert_eq!(bob.publication().await["id"], first["message"]);
    let phone = member(&world, "alice", "phone").await.command(keyed.clone()).await;
    assert_eq!((&phone["message"], &phone["duplicate"]), (&first["message"], &json!(true)));
    bob.got_nothing().await;
    let carol = member(&world, "carol", "c").await.command(keyed.clone()).await;
    assert_eq!(carol["duplicate"], Value::Null, "the key of another user");
    bob.publication().await;
    // A backend with the same key, and with the text under which the client's key is kept.
    for key in ["k1", "client:5:alice:key:k1"] {
        let body =
            json!({"to": {"topic": "room:1"}, "type": "said", "payload": {"text": "hello"}, "idempotency_key": key});
        let receipt = world.post("/api/v1/publish", body).await.ok("receipt");
        assert_eq!(receipt["duplicate"], Value::Null, "the backend's key {key}");
        bob.publication().await;
    }
    let refused = member(&world, "alice", "a").await.command(with(said("x"), "idempotency_key", "")).await;
    assert_eq!(
        (&refused["code"], &refused["errors"][0]["path"]),
        (&json!("payload_invalid"), &json!("/idempotency_key"))
    );
    bob.got_nothing().await;
}

#[tokio::test]
async fn each_limit_is_in_welcome_and_refuses_with_its_name() {
    let world = World::with(|config| {
        config.limits.max_publish_bytes = 40;
        config.limits.publishes_per_second = 1;
        config.limits.publish_burst = 3;
        config.limits.user_publishes_per_second = 1;
        config.limits.user_publish_burst = 5;
    })
    .await;
    let (mut alice, mut phone) = (member(&world, "alice", "a").await, member(&world, "alice", "phone").await);
    assert_eq!(alice.welcome()["features"], json!(["publish"]));
    let limits = &alice.welcome()["limits"];
    assert_eq!(
        (&limits["max_publish_bytes"], &limits["publishes_per_second"], &limits["publish_burst"]),
        (&json!(40), &json!(1), &json!(3))
    );
    assert_eq!((&limits["user_publishes_per_second"], &limits["user_publish_burst"]), (&json!(1), &json!(5)));

    let refused = alice.command(said(&"x".repeat(40))).await;
    assert_eq!((&refused["code"], &refused["status"]), (&json!("too_large"), &json!(413)));
    for _ in 0..3 {
        assert_eq!(alice.command(said("hello")).await["code"], Value::Null);
    }
    let refused = alice.command(said("hello")).await;
    assert_eq!((&refused["code"], &refused["retry"]), (&json!("rate_limited"), &json!(true)));
    assert!(refused["message"].as_str().is_some_and(|text| text.contains("limits.publishes_per_second")), "{refused}");
    // The other connection has a limit of its own, and the user's in common.
    for _ in 0..2 {
        assert_eq!(phone.command(said("hello")).await["code"], Value::Null);
    }
    let refused = phone.command(said("hello")).await;
    assert_eq!(refused["code"], "rate_limited");
    assert!(
        refused["message"].as_str().is_some_and(|text| text.contains("limits.user_publishes_per_second")),
        "{refused}"
    );
    assert!(refused["after_ms"].as_u64().is_some_and(|ms| (1..=1_000).contains(&ms)), "{refused}");
    // Another user is not affected.
    assert_eq!(member(&world, "bob", "b").await.command(said("hello")).await["code"], Value::Null);
}

#[tokio::test]
async fn what_is_not_a_message_is_refused_with_the_path_of_the_field() {
    let world = World::start().await;
    let mut alice = member(&world, "alice", "a").await;
    for (field, value, path) in [
        ("type", json!("welcome"), "/type"),
        ("type", json!(""), "/type"),
        ("topic", json!("room:*"), "/topic"),
        ("echo", json!("no"), "/echo"),
        ("to", json!("all"), "/to"),
    ] {
        let refused = alice.command(with(said("hello"), field, value.clone())).await;
        assert_eq!(refused["code"], "bad_request", "{field} {value}: {refused}");
        assert_eq!(refused["errors"][0]["path"], path, "{refused}");
    }
    let refused = alice.command(json!({"action": "publish", "topic": "room:1", "type": "said"})).await;
    assert_eq!(refused["errors"][0]["path"], "/payload");
    assert_eq!(alice.command(with(said(""), "payload", Value::Null)).await["code"], Value::Null, "null is a payload");
}

/// Refuses messages that contain a word.
struct Moderator;

#[async_trait]
impl ConnectionHandler for Moderator {
    async fn on_message(&self, _: HookContext, message: &ClientMessage) -> Result<Handled, HookError> {
        let Some(Action::Publish { payload, .. }) = message.command().map(|command| &command.action) else {
            return Ok(Handled::Pass);
        };
        if payload.as_str().contains("rude") {
            return Ok(Handled::error(ErrorCode::Forbidden, "be polite"));
        }
        Ok(Handled::Pass)
    }
}

#[tokio::test]
async fn the_application_sees_each_message_first_and_may_refuse_it() {
    let world = World::with_handler(Arc::new(Moderator), |_| {}).await;
    let mut alice = member(&world, "alice", "a").await;
    let mut bob = member(&world, "bob", "b").await;
    bob.subscribe("room:1").await;
    let refused = alice.command(said("rude")).await;
    assert_eq!((&refused["code"], &refused["message"]), (&json!("forbidden"), &json!("be polite")));
    assert_eq!(alice.command(said("hello")).await["code"], Value::Null);
    assert_eq!(bob.publication().await["payload"]["text"], "hello");
    bob.got_nothing().await;
}
