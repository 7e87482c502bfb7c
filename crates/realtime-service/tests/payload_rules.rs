//! The application's rules for payloads: every publication of this node is checked once, before anything else is done
//! with it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use async_trait::async_trait;
use realtime_core::client_message::{ClientMessage, Handled};
use realtime_ports::{
    ConnectionHandler, HookContext, HookError, MAX_PAYLOAD_ERRORS, PayloadRules, PublishError, RealtimeService,
};
use realtime_schema::{Audience, ErrorCode, FieldError, MessageType, Payload, PublishRequest, Topic};
use realtime_testing::{World, to};
use serde_json::json;

/// Refuses payloads that contain `bad`, with as many errors as it is made with, and counts the checks.
#[derive(Default)]
struct Rules {
    errors: usize,
    checks: AtomicUsize,
}

impl Rules {
    fn new(errors: usize) -> Arc<Self> {
        Arc::new(Self { errors, checks: AtomicUsize::default() })
    }

    fn checks(&self) -> usize {
        self.checks.swap(0, SeqCst)
    }
}

impl PayloadRules for Rules {
    fn check(&self, _: &Audience, _: &MessageType, payload: &Payload) -> Result<(), Vec<FieldError>> {
        self.checks.fetch_add(1, SeqCst);
        if !payload.as_str().contains("bad") {
            return Ok(());
        }
        Err((0..self.errors).map(|at| FieldError::new("payload", "must be good").under(&at.to_string())).collect())
    }
}

/// Publishes what a client calls it with.
struct Relay;

#[async_trait]
impl ConnectionHandler for Relay {
    async fn on_message(&self, context: HookContext, message: &ClientMessage) -> Result<Handled, HookError> {
        let Some(call) = message.call() else { return Ok(Handled::Pass) };
        let payload = Payload::of(&call.read::<String>()?)?;
        match context.service.publish_to_topic(Topic::new("square")?, "relayed".parse()?, payload).await {
            Ok(_) => Ok(Handled::ack(&())?),
            Err(PublishError::Invalid(errors)) => Ok(Handled::error(ErrorCode::PayloadInvalid, errors[0].to_string())),
            Err(error) => Err(error.into()),
        }
    }
}

async fn world(rules: &Arc<Rules>) -> World {
    let rules = rules.clone();
    World::builder()
        .handler(Arc::new(Relay))
        .ports(move |_, builder| builder.payload_rules(rules.clone()))
        .build()
        .await
}

fn message(payload: &str) -> PublishRequest {
    PublishRequest::new(to::topic("square"), "t".parse().expect("a type"), Payload::of(&payload).expect("JSON"))
}

fn keyed(payload: &str) -> PublishRequest {
    PublishRequest { idempotency_key: Some("k".into()), ..message(payload) }
}

#[tokio::test(start_paused = true)]
async fn every_source_is_checked_once_and_no_delivery_is() {
    let rules = Rules::new(1);
    let world = world(&rules).await;
    let mut readers = Vec::new();
    for user in ["bob", "carol", "dave"] {
        let mut reader = world.client(user).grants(["subscribe:square"]).connect().await;
        reader.subscribe("square").await;
        readers.push(reader);
    }
    let mut alice = world.client("alice").grants(["publish:square"]).connect().await;
    assert_eq!(rules.checks(), 0, "nothing was published yet");

    let service = world.service();
    service.publish(message("good")).await.expect("published");
    assert!(matches!(service.publish(message("bad")).await, Err(PublishError::Invalid(_))));
    assert_eq!(rules.checks(), 2, "one check for each, however many receive it");

    let results = service.publish_batch(vec![message("good"), message("bad"), keyed("good"), keyed("bad")]).await;
    assert_eq!(results.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true, false]);
    assert_eq!(rules.checks(), 4, "one check for each, with a key and without");

    let publish = |payload: &str| json!({"action": "publish", "topic": "square", "type": "said", "payload": payload});
    alice.command(publish("good")).await.expect("published");
    let refused = alice.command(publish("bad")).await.expect_err("refused");
    assert_eq!((refused.code, refused.errors[0].path.as_str()), (ErrorCode::PayloadInvalid, "/0/payload"));
    assert_eq!(rules.checks(), 2);

    alice.command(json!({"action": "call", "name": "relay", "payload": "good"})).await.expect("published");
    let refused = alice.command(json!({"action": "call", "name": "relay", "payload": "bad"})).await;
    assert_eq!(refused.expect_err("refused").code, ErrorCode::PayloadInvalid);
    assert_eq!(rules.checks(), 2, "what a hook publishes is checked too");

    for reader in &mut readers {
        for kind in ["t", "t", "t", "said", "relayed"] {
            assert_eq!(reader.expects(kind).await, "good");
        }
        reader.expect_nothing().await;
    }
    assert_eq!(world.metrics().payloads_refused_total, 5);
}

#[tokio::test(start_paused = true)]
async fn a_refused_message_takes_neither_its_key_nor_a_position() {
    let rules = Rules::new(1);
    let world = world(&rules).await;
    for _ in 0..2 {
        assert!(matches!(world.service().publish(keyed("bad")).await, Err(PublishError::Invalid(_))));
    }
    let repaired = world.service().publish(keyed("good")).await.expect("the key is free");
    assert!(!repaired.duplicate);
    let repeated = world.service().publish(keyed("good")).await.expect("published before");
    assert!(repeated.duplicate && repeated.id == repaired.id);
    assert_eq!(world.metrics().publications_total, 1);
}

#[tokio::test(start_paused = true)]
async fn a_message_of_another_node_was_checked_there() {
    let rules = Rules::new(1);
    let strict = rules.clone();
    let builder = World::builder().nodes(2).ports(move |node, builder| match node {
        0 => builder,
        _ => builder.payload_rules(strict.clone()),
    });
    let world = builder.build().await;
    let mut bob = world.client("bob").on_node(1).connect().await;
    world.publish_on(0, to::user("bob"), "t", "bad").await.expect("this node has no rules");
    assert_eq!(bob.expects("t").await, "bad");
    assert_eq!(rules.checks(), 0);
    assert!(world.publish_on(1, to::user("bob"), "t", "bad").await.is_err());
    bob.expect_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn rules_are_replaced_whole_while_clients_stay() {
    let world = World::new(0).await;
    let mut alice = world.client("alice").connect().await;
    let service = world.service();
    let greeting =
        || async { service.publish(PublishRequest { to: to::user("alice").into(), ..message("bad") }).await };
    assert!(greeting().await.is_ok(), "without rules everything is published");
    service.set_payload_rules(Some(Rules::new(1)));
    assert!(greeting().await.is_err());
    service.set_payload_rules(None);
    assert!(greeting().await.is_ok());
    for _ in 0..2 {
        assert_eq!(alice.expects("t").await, "bad");
    }
    alice.expect_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn no_more_errors_are_passed_on_than_the_port_allows() {
    let world = world(&Rules::new(100)).await;
    let Err(PublishError::Invalid(errors)) = world.service().publish(message("bad")).await else { panic!("refused") };
    assert_eq!(errors.len(), MAX_PAYLOAD_ERRORS);
}
