//! What an application does from its hooks: it publishes, and answers its clients' calls.

mod support;

use std::{sync::Arc, time::Duration};

use realtime_adapters::testing::TestJwtVerifier;
use realtime_core::client_message::{ClientMessage, Handled};
use realtime_ports::{ConnectionHandler, HookContext, HookError, Incoming, RealtimeService};
use realtime_schema::{CloseCode, ErrorCode, JwtClaims, Origin, Payload, Topic};
use realtime_service::{Service, Settings};
use serde_json::{Value, json};
use support::{WALL_S, builder, claims, connect, with};
use tokio::sync::mpsc;

const CALL: &str = r#"{"action":"call","id":7,"name":"double","payload":21}"#;

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

async fn application(settings: Settings) -> Service {
    builder(settings).handler(Arc::new(Application)).build().await.expect("a service")
}

#[tokio::test(start_paused = true)]
async fn a_handler_publishes_with_the_service_that_it_is_called_with() {
    let service = application(Settings::default()).await;
    let (mut alice, mut bob) = (connect(&service, "alice").await, connect(&service, "bob").await);
    for peer in [&mut alice, &mut bob] {
        assert_eq!(peer.expects("subscribed").await["topic"], "square");
    }
    alice.says(r#"{"action":"call","id":1,"name":"shout","payload":"hello"}"#).await;
    assert_eq!(bob.expects("shout").await, "HELLO");
    assert_eq!(alice.expects("shout").await, "HELLO");
    assert_eq!(alice.expects("ack").await, json!({"id": 1, "result": {"delivered": 2}}));
}

/// The error that a client gets for a call.
async fn error_of(settings: Settings, call: Value) -> Value {
    let service = application(settings).await;
    let mut alice = connect(&service, "alice").await;
    alice.expects("subscribed").await;
    alice.says(&call.to_string()).await;
    let error = alice.expects("error").await;
    alice.says(CALL).await;
    assert_eq!(alice.expects("ack").await, json!({"id": 7, "result": 42}), "the connection goes on");
    error
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_not_answered_in_time_is_unavailable_and_may_be_repeated() {
    let settings = with(|settings| settings.hook_timeout = Duration::from_secs(2));
    let error = error_of(settings, json!({"action": "call", "id": 1, "name": "never"})).await;
    assert_eq!((&error["id"], &error["code"], &error["retry"]), (&json!(1), &json!("unavailable"), &json!(true)));
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_hook_fails_gets_an_error_that_does_not_show_the_applications_own() {
    let call = json!({"action": "call", "id": 1, "name": "shout", "payload": {"not": "a text"}});
    let error = error_of(Settings::default(), call).await;
    assert_eq!((&error["id"], &error["code"]), (&json!(1), &json!("internal")));
    assert!(!error.to_string().contains("invalid type"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_result_over_the_limit_of_a_publication_is_not_sent() {
    let settings = with(|settings| settings.publishing.max_bytes = 50);
    let error = error_of(settings, json!({"action": "call", "id": 1, "name": "long"})).await;
    assert_eq!((&error["id"], &error["code"]), (&json!(1), &json!("internal")));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_no_handler_takes_is_an_unknown_action() {
    let error = error_of(Settings::default(), json!({"action": "call", "id": 1, "name": "fly"})).await;
    assert_eq!((&error["id"], &error["code"]), (&json!(1), &json!("unknown_action")));
}

#[tokio::test(start_paused = true)]
async fn a_service_with_hooks_is_freed_when_the_application_drops_it() {
    let handler = Arc::new(Application);
    let service = builder(Settings::default()).handler(handler.clone()).build().await.expect("a service");
    let mut alice = connect(&service, "alice").await;
    alice.expects("subscribed").await;
    alice.says(CALL).await;
    alice.expects("ack").await;
    drop((alice.incoming, service));
    alice.task.await.expect("no panic");
    assert_eq!(Arc::strong_count(&handler), 1, "nothing of the service is left");
}

/// Publishes to every connection; returns how many took it.
async fn publish(service: &Service) -> u64 {
    let payload = Payload::of(&1).expect("JSON");
    service.send_to_all("tick".parse().expect("a type"), payload).await.expect("published").delivered
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
    let short = JwtClaims { exp: Some(WALL_S + 20), ..claims("alice", &[]) };
    let settings = with(|settings| {
        settings.hook_timeout = Duration::from_secs(600);
        settings.liveness.write_timeout = Duration::from_secs(600);
    });
    let service = builder(settings)
        .verifier(Arc::new(TestJwtVerifier::new("short", short)))
        .handler(Arc::new(NeverDone))
        .build()
        .await
        .expect("a service");
    let peer = connect(&service, "short").await;
    peer.says(r#"{"action":"ping","id":1}"#).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    peer.stalled.send_replace(true);
    assert_eq!(publish(&service).await, 1);
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(publish(&service).await, 0, "the token has expired");
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
    let (tell, mut told) = mpsc::channel(16);
    let service = builder(Settings::default()).handler(Arc::new(Failing(tell))).build().await.expect("a service");
    let mut peer = connect(&service, "alice").await;
    assert_eq!(told.recv().await.as_deref(), Some("open alice"));
    peer.says(r#"{"action":"ping","id":1}"#).await;
    assert_eq!(peer.expects("ack").await["id"], 1, "acted on after the hook was given up");
    peer.incoming.send(Incoming::Closed(Some(CloseCode::NORMAL))).await.expect("sent");
    peer.task.await.expect("no panic");
    assert_eq!(told.recv().await.as_deref(), Some(r#"message {"action":"ping","id":1}"#));
    assert_eq!(told.recv().await.as_deref(), Some("close Some(CloseCode(1000))"));
    assert_eq!(service.metrics().hook_errors_total, 3);
}
