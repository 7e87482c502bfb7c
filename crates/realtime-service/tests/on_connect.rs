//! What an application decides on a client before it is connected: its hook refuses it, or gives it more than its token.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use realtime_adapters::local::LocalBus;
use realtime_core::{
    auth::{ConnectAttempt, ConnectDecision, ConnectGrant, ConnectRefusal, Refusal, RefusalReason},
    policy::{Namespace, Namespaces, Overflow, Retention},
};
use realtime_ports::{BusError, ConnectionHandler, Delivery, HookError, MessageBus, Published};
use realtime_schema::{CloseCode, Envelope, ErrorCode, Role, Route, Topic};
use realtime_service::Settings;
use realtime_testing::World;
use serde_json::json;

/// Decides by the user's name, and keeps what it was asked.
#[derive(Default)]
struct Application {
    asked: Mutex<Vec<ConnectAttempt>>,
}

fn role(name: &str) -> Role {
    name.parse().expect("a role")
}

#[async_trait::async_trait]
impl ConnectionHandler for Application {
    async fn on_connect(&self, attempt: ConnectAttempt) -> Result<ConnectDecision, HookError> {
        let user = attempt.claims.sub.clone();
        let first = attempt.connection.is_none();
        self.asked.lock().expect("the list").push(attempt);
        match user.as_str() {
            "alice" => Ok(ConnectDecision::Admit(ConnectGrant {
                roles: vec![role(if first { "beta" } else { "gamma" })],
                subscriptions: vec![Topic::new("orders:alice")?, Topic::new("news")?],
                metadata: json!({"plan": "gold"}).as_object().cloned().unwrap_or_default(),
            })),
            "mallory" => Ok(ConnectDecision::Refuse(ConnectRefusal {
                code: CloseCode(4001),
                ..ConnectRefusal::new("the account is closed")
            })),
            "slow" => std::future::pending().await,
            "broken" => Err("the database is away".into()),
            "greedy" => {
                let topic = |n| Topic::new(format!("topic:{n}"));
                let subscriptions = (0..101).map(topic).collect::<Result<_, _>>()?;
                Ok(ConnectDecision::Admit(ConnectGrant { subscriptions, ..ConnectGrant::default() }))
            }
            _ => Ok(ConnectDecision::default()),
        }
    }
}

async fn world() -> (World, Arc<Application>) {
    let application = Arc::new(Application::default());
    let world = World::builder()
        .settings(|settings| settings.hook_timeout = Duration::from_secs(2))
        .handler(application.clone())
        .build()
        .await;
    (world, application)
}

async fn refused(world: &World, user: &str) -> Refusal {
    world.client(user).try_connect().await.expect_err("refused")
}

#[tokio::test(start_paused = true)]
async fn a_client_gets_the_roles_the_topics_and_the_data_that_the_application_gives_it() {
    let (world, application) = world().await;
    let mut alice = world.client("alice").roles(["member"]).client_name("tab-1").connect().await;
    let topics = [alice.expects("subscribed").await, alice.expects("subscribed").await];
    assert_eq!(topics.map(|frame| frame["topic"].clone()), ["news", "orders:alice"]);
    assert_eq!(alice.welcome().roles, [role("beta"), role("member")]);
    let record = world.service().connection(alice.id()).expect("connected").connection;
    assert_eq!(serde_json::to_value(&record.metadata).expect("JSON"), json!({"plan": "gold"}));

    world.publish(Route::Role(role("beta")), "hello", 1).await;
    assert_eq!(alice.expects("hello").await, 1);
    world.publish(Route::Topic(Topic::new("news").expect("a topic")), "news", 2).await;
    assert_eq!(alice.expects("news").await, 2);
    let asked = application.asked.lock().expect("the list");
    let asked = asked.first().expect("one question");
    assert_eq!((asked.client.as_ref().map(AsRef::as_ref), asked.connection), (Some("tab-1"), None));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_the_application_refuses_is_not_connected() {
    let (world, _) = world().await;
    let refusal = refused(&world, "mallory").await;
    assert_eq!((refusal.reason, refusal.close), (RefusalReason::Hook, CloseCode(4001)));
    assert_eq!((refusal.code, refusal.message.as_str()), (ErrorCode::Forbidden, "the account is closed"));
    assert_eq!(world.metrics().connections, 0);
    world.check();
}

#[tokio::test(start_paused = true)]
async fn no_client_is_admitted_while_the_application_fails_and_each_may_try_again() {
    let (world, _) = world().await;
    for user in ["slow", "broken", "greedy"] {
        let refusal = refused(&world, user).await;
        assert_eq!((refusal.reason, refusal.after_ms), (RefusalReason::HookUnavailable, Some(1_000)), "{user}");
        assert!(!refusal.message.contains("database"), "the client is not sent the text of the error");
    }
    assert_eq!(world.metrics().hook_errors_total, 3);
    world.check();
}

#[tokio::test(start_paused = true)]
async fn a_refresh_asks_the_application_again_and_has_the_roles_that_it_gives_then() {
    let (world, application) = world().await;
    let mut alice = world.client("alice").roles(["member"]).connect().await;
    let ack = alice.refresh().await.expect("refreshed");
    assert_eq!(ack["roles"], json!(["gamma", "member"]));
    let asked = application.asked.lock().expect("the list");
    assert_eq!(asked.iter().map(|attempt| attempt.connection).collect::<Vec<_>>(), [None, Some(alice.id())]);
}

#[tokio::test(start_paused = true)]
async fn a_client_resumes_the_topics_that_the_application_gives_it_without_a_loss_and_in_order() {
    let application = Arc::new(Application::default());
    let history = |settings: &mut Settings| {
        let mut namespace = Namespace::new("topic:orders:*".parse().expect("a pattern"));
        namespace.history = Some(Retention { size: 10, age: Duration::from_secs(600), bytes: 1 << 20 });
        namespace.overflow = Overflow::Drop;
        settings.namespaces = Namespaces::new(vec![namespace], Overflow::Close);
    };
    let world = World::builder().settings(history).handler(application).build().await;
    let mut alice = world.client("alice").client_name("tab-1").connect().await;
    world.settle().await;
    alice.unread();
    let orders = || Route::Topic(Topic::new("orders:alice").expect("a topic"));
    let first = world.publish(orders(), "order", 1).await.position.expect("a position");
    world.settle().await;
    alice.disconnects().await;
    world.publish(orders(), "order", 2).await;
    alice.reconnects_with_ticket().await;
    world.settle().await;
    world.publish(orders(), "order", 3).await;
    world.settle().await;
    let early: Vec<_> = alice.unread().into_iter().filter(|frame| frame["type"] == "order").collect();
    assert!(early.is_empty(), "before the client has said where it stopped: {early:?}");

    let since = json!({"topic:orders:alice": first});
    alice.sends(&json!({"action": "resume", "id": 1, "since": since}).to_string()).await;
    world.settle().await;
    world.publish(orders(), "order", 4).await;
    world.settle().await;
    let frames = alice.unread();
    let offsets: Vec<_> = frames.iter().filter_map(|frame| frame["offset"].as_u64()).collect();
    assert_eq!(offsets, [2, 3, 4], "{frames:?}");
    assert!(frames.iter().all(|frame| frame["type"] != "gap"), "{frames:?}");
}

/// A bus that can't listen to any topic.
struct DeafBus(LocalBus);

#[async_trait::async_trait]
impl MessageBus for DeafBus {
    async fn start(&self, delivery: Arc<dyn Delivery>) -> Result<(), BusError> {
        self.0.start(delivery).await
    }

    async fn publish(&self, envelope: Arc<Envelope>) -> Result<Published, BusError> {
        self.0.publish(envelope).await
    }

    fn is_selective(&self) -> bool {
        true
    }

    async fn listen(&self, _: &[Route]) -> Result<(), BusError> {
        Err(BusError::Unavailable(Arc::new(std::io::Error::other("no link"))))
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_can_not_have_a_topic_that_it_was_given_is_closed_to_connect_again() {
    let application = Arc::new(Application::default());
    let world = World::builder()
        .handler(application)
        .ports(|_, builder| builder.bus(Arc::new(DeafBus(LocalBus::default()))))
        .build()
        .await;
    let mut alice = world.client("alice").connect().await;
    let closing = alice.expects("closing").await;
    assert_eq!((&closing["code"], &closing["reconnect"]), (&json!(4500), &json!(true)));
    world.client("bob").connect().await.expect_nothing().await;
}
