//! Clients that call the application, over real sockets.

use std::sync::Arc;

use async_trait::async_trait;
use realtime_core::client_message::{ClientMessage, Handled};
use realtime_ports::{ConnectionHandler, HookContext, HookError};
use realtime_schema::{ErrorCode, Payload, PublishRequest, Route};
use realtime_tests::World;
use serde::Deserialize;
use serde_json::{Value, json};

/// A shop with one item left, whose clients are notified when it is sold.
struct Shop;

#[derive(Deserialize)]
struct Order {
    item: String,
    count: u32,
}

#[async_trait]
impl ConnectionHandler for Shop {
    async fn on_message(&self, context: HookContext, message: &ClientMessage) -> Result<Handled, HookError> {
        let call = match message.call() {
            Some(call) if call.name == Some("order.place") => call,
            Some(call) if call.name == Some("basket.clear") => return Ok(Handled::ack(&())?),
            _ => return Ok(Handled::Pass),
        };
        let order: Order = match call.read() {
            Ok(order) => order,
            Err(error) => return Ok(Handled::error(ErrorCode::PayloadInvalid, format!("payload: {error}"))),
        };
        if order.count > 1 {
            return Ok(Handled::error(ErrorCode::Conflict, "only 1 is left; order fewer"));
        }
        let buyer = &context.connection.user;
        let payload = Payload::of(&json!({"item": order.item, "buyer": buyer}))?;
        context.service.publish(PublishRequest::new(Route::All, "sold".parse()?, payload)).await?;
        Ok(Handled::ack(&json!({"total": 9.5}))?)
    }
}

async fn shop() -> World {
    World::with_handler(Arc::new(Shop), |_| {}).await
}

fn order(count: u32) -> Value {
    json!({"action": "call", "name": "order.place", "payload": {"item": "tea", "count": count}})
}

#[tokio::test]
async fn a_client_calls_the_application_and_every_client_gets_what_it_published() {
    let world = shop().await;
    let (mut alice, mut bob) = (world.connect("alice").await, world.connect("bob").await);
    alice.send(r#"{"action":"call","id":"o1","name":"order.place","payload":{"item":"tea","count":1}}"#).await;
    assert_eq!(alice.publication().await["payload"], json!({"item": "tea", "buyer": "alice"}));
    let ack = alice.next().await;
    assert_eq!((&ack["type"], &ack["payload"]), (&json!("ack"), &json!({"id": "o1", "result": {"total": 9.5}})));
    assert_eq!(bob.publication().await["payload"]["buyer"], "alice");
    bob.got_nothing().await;
}

#[tokio::test]
async fn a_call_that_is_refused_says_why_and_changes_nothing() {
    let world = shop().await;
    let (mut alice, mut bob) = (world.connect("alice").await, world.connect("bob").await);
    for (call, code, words) in [
        (order(2), "conflict", "order fewer"),
        (json!({"action": "call", "name": "order.place"}), "payload_invalid", "payload: "),
        (json!({"action": "call", "name": "order.cancel"}), "unknown_action", "no handler"),
        (json!({"action": "call"}), "unknown_action", "no handler"),
        (json!({"action": "call", "name": 5}), "bad_request", "name: "),
        (json!({"action": "call", "data": 5}), "bad_request", "data: is not a field of this action"),
    ] {
        let refused = alice.command(call.clone()).await;
        assert_eq!(refused["code"], code, "{call}: {refused}");
        assert!(refused["message"].as_str().is_some_and(|message| message.contains(words)), "{call}: {refused}");
    }
    bob.got_nothing().await;
}

#[tokio::test]
async fn a_call_without_a_result_is_acknowledged_with_null() {
    let world = shop().await;
    let mut alice = world.connect("alice").await;
    let ack = alice.command(json!({"action": "call", "name": "basket.clear"})).await;
    assert_eq!(ack.get("result"), Some(&Value::Null), "{ack}");
}

#[tokio::test]
async fn a_call_is_not_nested_deeper_than_what_a_client_may_publish() {
    let world = shop().await;
    let mut alice = world.connect("alice").await;
    let deep = |levels: usize| (1..levels).fold(json!([]), |inner, _| json!([inner]));
    let call = |levels| json!({"action": "call", "name": "basket.clear", "payload": deep(levels)});
    assert_eq!(alice.command(call(64)).await["code"], Value::Null);
    let refused = alice.command(call(65)).await;
    assert_eq!((&refused["code"], &refused["errors"][0]["path"]), (&json!("payload_invalid"), &json!("/payload")));
}

#[tokio::test]
async fn calls_are_answered_in_their_order() {
    let world = shop().await;
    let mut alice = world.connect("alice").await;
    for id in 1..=10 {
        let call = json!({"action": "call", "id": id, "name": "order.place", "payload": {"item": "tea", "count": 2}});
        alice.send(&call.to_string()).await;
    }
    for id in 1..=10 {
        let reply = alice.next().await["payload"].clone();
        assert_eq!((&reply["id"], &reply["code"]), (&json!(id), &json!("conflict")));
    }
}

#[tokio::test]
async fn a_server_without_an_application_refuses_a_call_clearly() {
    let world = World::start().await;
    let refused = world.connect("alice").await.command(order(1)).await;
    assert_eq!((&refused["code"], &refused["retry"]), (&json!("unknown_action"), &json!(false)));
    assert!(refused["message"].as_str().is_some_and(|message| message.contains("no handler")), "{refused}");
}
