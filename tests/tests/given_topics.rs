//! Topics that the backend gives, with history: what a client that comes back receives of them.

use std::sync::Arc;

use async_trait::async_trait;
use realtime_ports::{ConnectionHandler, HookContext, HookError};
use realtime_schema::Origin;
use realtime_server::{Config, NamespaceConfig, NamespaceHistory};
use realtime_tests::{Client, World};
use serde_json::{Value, json};

/// Only the orders have a history.
fn kept(config: &mut Config) {
    let mut namespace = NamespaceConfig::new("topic:order:*".parse().expect("a pattern"));
    namespace.history = Some(NamespaceHistory::default());
    config.namespaces = vec![namespace];
}

/// An application that subscribes each connection to `order:1` when it opens.
struct Orders;

#[async_trait]
impl ConnectionHandler for Orders {
    async fn on_open(&self, context: HookContext) -> Result<(), HookError> {
        context.service.subscribe(context.connection.id, &"order:1".parse()?, Origin::Server).await?;
        Ok(())
    }
}

async fn publish(world: &World, n: u64) {
    let request = json!({"to": {"topic": "order:1"}, "type": "news", "payload": n});
    world.post("/api/v1/publish", request).await.ok("receipt");
}

/// Comes back with the ticket of an earlier connection.
async fn comes_back(world: &World, earlier: &Client) -> Client {
    let ticket = earlier.welcome()["resume"].as_str().expect("a ticket");
    let path = format!("/ws?token={}&resume={ticket}", world.token("alice", &json!({})));
    world.try_connect(&path, &[]).await.expect("admitted")
}

/// The frames until the reply to the command with the id 1: offsets, types and reasons.
async fn seen(client: &mut Client) -> Vec<Value> {
    let mut seen = Vec::new();
    loop {
        let frame = client.next().await;
        let payload = &frame["payload"];
        match frame["type"].as_str().expect("a type") {
            "ack" => return seen,
            "news" => seen.push(frame["offset"].clone()),
            "gap" => seen.push(payload["reason"].clone()),
            kind => seen.push(json!(kind)),
        }
    }
}

async fn resumes(client: &mut Client, position: &Value) -> Vec<Value> {
    client.send(&json!({"action": "resume", "id": 1, "since": {"topic:order:1": position}}).to_string()).await;
    seen(client).await
}

/// A client that received the first message of the topic that it was given, and its position; then the second one was
/// published without it.
async fn left_behind(world: &World) -> (Client, Value) {
    let mut alice = world.connect("alice").await;
    let given = alice.next().await;
    assert_eq!(given["type"], "subscribed", "{given}");
    let mut position = given["payload"]["position"].clone();
    publish(world, 1).await;
    position["offset"] = alice.publication().await["offset"].clone();
    world.delete(&format!("/api/v1/connections/{}", alice.id())).await.ok("disconnected");
    publish(world, 2).await;
    (alice, position)
}

#[tokio::test]
async fn a_topic_of_the_user_stands_still_until_the_client_says_where_it_stopped() {
    let world = World::with(kept).await;
    world.put("/api/v1/users/alice/topics/order%3A1").await;
    let (earlier, position) = left_behind(&world).await;
    let mut alice = comes_back(&world, &earlier).await;
    assert_eq!(alice.welcome()["resumed"], true);
    publish(&world, 3).await;
    assert_eq!(resumes(&mut alice, &position).await, [json!(2), json!(3), json!("subscribed")]);
    publish(&world, 4).await;
    assert_eq!(alice.publication().await["offset"], 4);
}

#[tokio::test]
async fn a_topic_that_the_application_gives_at_opening_stands_still_too() {
    let world = World::with_handler(Arc::new(Orders), kept).await;
    let (earlier, position) = left_behind(&world).await;
    let mut alice = comes_back(&world, &earlier).await;
    // The application is asked before the client's first command is read.
    assert_eq!(alice.command(json!({"action": "ping"})).await["code"], Value::Null);
    publish(&world, 3).await;
    alice.got_nothing().await;
    assert_eq!(resumes(&mut alice, &position).await, [json!(2), json!(3), json!("subscribed")]);
}

#[tokio::test]
async fn without_the_ticket_it_is_live_at_once_and_what_was_missed_is_a_gap() {
    let world = World::with_handler(Arc::new(Orders), kept).await;
    let (_, position) = left_behind(&world).await;
    let mut alice = world.connect("alice").await;
    assert_eq!(alice.next().await["type"], "subscribed");
    publish(&world, 3).await;
    assert_eq!(alice.publication().await["offset"], 3);
    assert_eq!(resumes(&mut alice, &position).await, ["not_granted"], "and the subscription stays");
    publish(&world, 4).await;
    assert_eq!(alice.publication().await["offset"], 4);
}

#[tokio::test]
async fn to_give_a_topic_twice_changes_nothing_and_sends_nothing() {
    let world = World::with(kept).await;
    let mut alice = world.connect("alice").await;
    let path = format!("/api/v1/connections/{}/topics/order%3A1", alice.id());
    assert_eq!(world.put(&path).await.ok("subscription-change"), json!({"changed": true}));
    assert_eq!(alice.next().await["type"], "subscribed");
    assert_eq!(world.put(&path).await.ok("subscription-change"), json!({"changed": false}));
    alice.got_nothing().await;
    publish(&world, 1).await;
    assert_eq!(alice.publication().await["offset"], 1);
}

/// A ticket names no topic: a topic that was given to one connection ends with it, and the client is notified.
#[tokio::test]
async fn a_topic_that_was_given_to_one_connection_ends_with_it_and_the_client_is_notified() {
    let world = World::with(kept).await;
    let mut alice = world.connect("alice").await;
    let path = format!("/api/v1/connections/{}/topics/order%3A1", alice.id());
    world.put(&path).await.ok("subscription-change");
    let position = alice.next().await["payload"]["position"].clone();
    world.delete(&format!("/api/v1/connections/{}", alice.id())).await.ok("disconnected");
    publish(&world, 1).await;
    let mut alice = comes_back(&world, &alice).await;
    assert_eq!(resumes(&mut alice, &position).await, ["unsubscribed"]);
    publish(&world, 2).await;
    alice.got_nothing().await;
}
