//! What an application does from its hooks: it publishes, and answers its clients' calls.

use std::{sync::Arc, time::Duration};

use realtime_core::client_message::{ClientMessage, Handled};
use realtime_ports::{ConnectionHandler, HookContext, HookError};
use realtime_schema::{CloseCode, ErrorCode, ErrorReply, Origin, Payload, Topic};
use realtime_service::Settings;
use realtime_testing::{Network, World, to};
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// Subscribes each connection to a topic, doubles numbers, and publishes texts in capitals.
struct Application;

#[async_trait::async_trait]
impl ConnectionHandler for Application {
    async fn on_open(&self, HookContext { service, connection, .. }: HookContext) -> Result<(), HookError> {
        service.subscribe(connection.id, &Topic::new("square")?, Origin::Server).await?;
        Ok(())
    }

    async fn on_message(&self, context: HookContext, message: &ClientMessage) -> Result<Handled, HookError> {
        let Some(call) = message.call() else { return Ok(Handled::Pass) };
        match call.name {
            Some("double") => match call.read::<i64>() {
                Ok(number) => Ok(Handled::ack(&(number * 2))?),
                Err(_) => Ok(Handled::error(ErrorCode::PayloadInvalid, "`payload` must be a number")),
            },
            Some("shout") => {
                let payload = Payload::of(&call.read::<String>()?.to_uppercase())?;
                let topic = Topic::new("square")?;
                let receipt = context.service.publish_to_topic(topic, "shout".parse()?, payload).await?;
                Ok(Handled::ack(&json!({"delivered": receipt.delivered}))?)
            }
            Some("long") => Ok(Handled::ack(&"x".repeat(100))?),
            Some("never") => std::future::pending().await,
            _ => Ok(Handled::Pass),
        }
    }
}

async fn application(change: impl FnOnce(&mut Settings)) -> World {
    World::builder().settings(change).handler(Arc::new(Application)).build().await
}

fn call(name: &str, payload: impl Into<Value>) -> Value {
    json!({"action": "call", "name": name, "payload": payload.into()})
}

#[tokio::test(start_paused = true)]
async fn a_handler_publishes_with_the_service_that_it_is_called_with() {
    let world = application(|_| {}).await;
    let (mut alice, mut bob) = (world.client("alice").connect().await, world.client("bob").connect().await);
    for client in [&mut alice, &mut bob] {
        assert_eq!(client.expects("subscribed").await["topic"], "square");
    }
    let ack = alice.command(call("shout", "hello")).await.expect("done");
    assert_eq!(ack["result"], json!({"delivered": 2}));
    assert_eq!(bob.expects("shout").await, "HELLO");
    assert_eq!(alice.expects("shout").await, "HELLO");
    world.check();
}

/// The error that a client gets for a call.
async fn error_of(change: impl FnOnce(&mut Settings), refused: Value) -> ErrorReply {
    let world = application(change).await;
    let mut alice = world.client("alice").connect().await;
    let error = alice.command(refused).await.expect_err("refused");
    let ack = alice.command(call("double", 21)).await.expect("the connection goes on");
    assert_eq!(ack["result"], 42);
    error
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_not_answered_in_time_is_unavailable_and_may_be_repeated() {
    let error = error_of(|settings| settings.hook_timeout = Duration::from_secs(2), call("never", ())).await;
    assert_eq!((error.code, error.retry), (ErrorCode::Unavailable, true));
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_hook_fails_gets_an_error_that_does_not_show_the_applications_own() {
    let error = error_of(|_| {}, call("shout", json!({"not": "a text"}))).await;
    assert_eq!(error.code, ErrorCode::Internal);
    assert!(!error.message.contains("invalid type"), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_result_over_the_limit_of_a_publication_is_not_sent() {
    let error = error_of(|settings| settings.publishing.max_bytes = 50, call("long", ())).await;
    assert_eq!(error.code, ErrorCode::Internal);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_no_handler_takes_is_an_unknown_action() {
    assert_eq!(error_of(|_| {}, call("fly", ())).await.code, ErrorCode::UnknownAction);
}

#[tokio::test(start_paused = true)]
async fn a_service_with_hooks_is_freed_when_the_application_drops_it() {
    let handler = Arc::new(Application);
    let world = World::builder().handler(handler.clone()).build().await;
    let mut alice = world.client("alice").connect().await;
    alice.command(call("double", 21)).await.expect("done");
    drop((alice, world));
    // The task of the connection sees the end of the stream.
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(Arc::strong_count(&handler), 1, "nothing of the service is left");
}

/// Records its calls, and fails at every one.
struct Failing(mpsc::Sender<String>);

#[async_trait::async_trait]
impl ConnectionHandler for Failing {
    async fn on_open(&self, context: HookContext) -> Result<(), HookError> {
        let _ = self.0.send(format!("open {}", context.connection.user)).await;
        Err("on_open is broken".into())
    }

    async fn on_message(&self, _: HookContext, message: &ClientMessage) -> Result<Handled, HookError> {
        let _ = self.0.send(format!("message {}", message.text())).await;
        std::future::pending().await
    }

    async fn on_close(&self, _: HookContext, code: Option<CloseCode>) -> Result<(), HookError> {
        let _ = self.0.send(format!("close {code:?}")).await;
        Err("on_close is broken".into())
    }
}

#[tokio::test(start_paused = true)]
async fn hooks_that_fail_or_hang_drop_nothing() {
    let (calls, mut called) = mpsc::channel(16);
    let world = World::builder().handler(Arc::new(Failing(calls))).build().await;
    let mut alice = world.client("alice").connect().await;
    assert_eq!(called.recv().await.as_deref(), Some("open alice"));
    alice.sends(r#"{"action":"ping","id":1}"#).await;
    assert_eq!(alice.expects("ack").await["id"], 1, "acted on after the hook was given up");
    alice.disconnects().await;
    assert_eq!(called.recv().await.as_deref(), Some(r#"message {"action":"ping","id":1}"#));
    assert_eq!(called.recv().await.as_deref(), Some("close Some(CloseCode(1000))"));
    world.settle().await;
    assert_eq!(world.metrics().hook_errors_total, 3);
}

/// Never finishes with a message.
struct NeverDone;

#[async_trait::async_trait]
impl ConnectionHandler for NeverDone {
    async fn on_message(&self, _: HookContext, _: &ClientMessage) -> Result<Handled, HookError> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_hook_does_not_keep_a_slow_reader_beyond_its_tokens_expiry() {
    let world = World::builder()
        .settings(|settings| {
            settings.hook_timeout = Duration::from_secs(600);
            settings.liveness.write_timeout = Duration::from_secs(600);
        })
        .handler(Arc::new(NeverDone))
        .build()
        .await;
    let client = world.client("alice").tokens_last(Duration::from_secs(20)).network(Network::with_buffer(1));
    let mut alice = client.connect().await;
    alice.sends(r#"{"action":"ping","id":1}"#).await;
    world.advance(Duration::from_secs(1)).await;
    alice.falls_asleep();
    assert_eq!(world.publish(to::all(), "tick", 1).await.delivered, 1);
    world.advance(Duration::from_secs(20)).await;
    assert_eq!(world.publish(to::all(), "tick", 2).await.delivered, 0, "the token has expired");
}
