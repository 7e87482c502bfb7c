//! What the service asks of each port, and how often: told with the mocks of the ports.

use std::{
    error::Error,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use realtime_adapters::{
    local::LocalBus,
    testing::{TestJwtVerifier, TestWebSocketConnection},
};
use realtime_core::{
    auth::{ConnectDecision, ConnectRequest},
    client_message::Handled,
};
use realtime_ports::{
    BusError, MessageBus, MockClock, MockConnectionHandler, MockConnectionRegistry, MockDelivery, MockIdGenerator,
    MockJwtVerifier, MockMessageBus, MockPubSubManager, MockRealtimeService, MockWebSocketConnection, Published,
    RealtimeService, RegisterError,
};
use realtime_schema::{
    CloseCode, ConnectionId, ErrorCode, JwtClaims, MessageId, NodeId, Origin, Payload, Receipt, Route, Timestamp,
    Topic, UserId,
};
use realtime_service::{BuildError, Service, ServiceBuilder};
use realtime_testing::World;
use serde_json::json;
use tokio::sync::Notify;

const ID: &str = "019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d8e";

fn topic(text: &str) -> Topic {
    text.parse().expect("a topic")
}

fn unavailable() -> BusError {
    let source: Arc<dyn Error + Send + Sync> = Arc::new(io::Error::other("no link"));
    BusError::Unavailable(source)
}

/// A bus that delivers only what it is asked for.
fn selective_bus() -> MockMessageBus {
    let mut bus = MockMessageBus::new();
    bus.expect_is_selective().return_const(true);
    bus.expect_reaches_other_nodes().return_const(true);
    bus.expect_start().returning(|_| Ok(()));
    bus
}

async fn with_bus(bus: MockMessageBus) -> World {
    let bus = Arc::new(bus);
    World::builder().ports(move |_, builder| builder.bus(bus.clone())).build().await
}

fn alice() -> JwtClaims {
    JwtClaims::new(UserId::new("alice").expect("a user"))
}

/// A service without a world, which knows alice by the token `alice`.
fn builder() -> ServiceBuilder {
    Service::builder().verifier(Arc::new(TestJwtVerifier::new("alice", alice())))
}

#[tokio::test(start_paused = true)]
async fn a_selective_bus_is_asked_for_a_topic_once_and_asked_to_stop_after_the_last_subscriber() {
    let mut bus = selective_bus();
    let wanted = [Route::Topic(topic("order:1"))];
    let left = Arc::new(Notify::new());
    let (listened, stopped, notify) = (wanted.clone(), wanted, left.clone());
    bus.expect_listen().withf(move |routes| routes == listened).times(1).returning(|_| Ok(()));
    // The first attempt fails, and is repeated.
    let mut attempts = 0;
    bus.expect_unlisten().withf(move |routes| routes == stopped).times(2).returning(move |_| {
        attempts += 1;
        if attempts == 1 {
            return Err(unavailable());
        }
        notify.notify_one();
        Ok(())
    });
    let world = with_bus(bus).await;
    let (mut alice, mut bob) = (world.client("alice").connect().await, world.client("bob").connect().await);
    alice.subscribe("order:1").await;
    bob.subscribe("order:1").await;
    alice.unsubscribe("order:1").await;
    // The other one leaves by its connection's end.
    bob.node_task().abort();
    left.notified().await;
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_that_the_bus_can_not_serve_is_told_so_and_is_not_subscribed() {
    let mut bus = selective_bus();
    bus.expect_listen().returning(|_| Err(unavailable()));
    bus.expect_unlisten().returning(|_| Ok(()));
    let world = with_bus(bus).await;
    let mut alice = world.client("alice").connect().await;
    let error = alice.command(json!({"action": "subscribe", "topic": "order:1"})).await.expect_err("no link");
    assert_eq!(error.code, ErrorCode::Unavailable);
    assert_eq!(world.metrics().subscriptions, 0);
}

#[tokio::test(start_paused = true)]
async fn a_bus_that_is_not_selective_is_not_asked_for_topics() {
    let mut bus = MockMessageBus::new();
    bus.expect_is_selective().return_const(false);
    bus.expect_reaches_other_nodes().return_const(true);
    bus.expect_start().returning(|_| Ok(()));
    bus.expect_listen().never();
    bus.expect_unlisten().never();
    let world = with_bus(bus).await;
    world.client("alice").connect().await.subscribe("order:1").await;
}

#[tokio::test]
async fn a_bus_that_serves_one_delivery_is_not_taken_for_a_second() {
    let bus = Arc::new(LocalBus::new());
    let mut first = MockDelivery::new();
    first.expect_deliver().never();
    bus.start(Arc::new(first)).await.expect("a fresh bus");
    let built = builder().bus(bus).build().await;
    assert!(matches!(built, Err(BuildError::Bus(BusError::Misused(_)))), "{built:?}");
}

#[tokio::test(start_paused = true)]
async fn a_token_is_verified_once_for_a_connection_and_not_at_all_where_no_permit_is_left() {
    let mut verifier = MockJwtVerifier::new();
    verifier.expect_verify().withf(|token| token == "t").times(1).returning(|_| Ok(alice()));
    let settings = |settings: &mut realtime_service::Settings| settings.admission.connections = 1;
    let world = World::builder().verifier(Arc::new(verifier)).settings(settings).build().await;
    let _admitted = world.client("alice").token("t").connect().await;
    world.client("alice").token("t").try_connect().await.expect_err("the only permit is taken");
}

#[tokio::test(start_paused = true)]
async fn each_hook_is_called_once_and_in_its_order() {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let mut handler = MockConnectionHandler::new();
    let note = |call: &'static str| {
        let calls = calls.clone();
        move || calls.lock().expect("no panic").push(call)
    };
    let (open, message, close) = (note("open"), note("message"), note("close"));
    let connect = note("connect");
    handler.expect_on_connect().times(1).returning(move |_| {
        connect();
        Ok(ConnectDecision::default())
    });
    handler.expect_on_open().times(1).returning(move |_| {
        open();
        Ok(())
    });
    handler.expect_on_message().withf(|_, message| message.text().contains("ping")).times(1).returning(move |_, _| {
        message();
        Ok(Handled::Pass)
    });
    handler.expect_on_close().withf(|_, code| *code == Some(CloseCode::NORMAL)).times(1).returning(move |_, _| {
        close();
        Ok(())
    });
    let world = World::builder().handler(Arc::new(handler)).build().await;
    let mut alice = world.client("alice").connect().await;
    alice.command(json!({"action": "ping"})).await.expect("done");
    alice.disconnects().await;
    alice.node_task().await.expect("no panic");
    assert_eq!(*calls.lock().expect("no panic"), ["connect", "open", "message", "close"]);
}

#[tokio::test]
async fn an_envelope_has_the_node_the_id_and_the_time_of_the_ports() {
    let id: ConnectionId = ID.parse().expect("an id");
    let mut ids = MockIdGenerator::new();
    ids.expect_node_id().times(1).returning(move || NodeId(id.0));
    ids.expect_random().return_const(7_u64);
    ids.expect_message_id().times(1).returning(move || MessageId(id.0));
    let mut clock = MockClock::new();
    clock.expect_now().return_const(Timestamp::from_millis(1_795_438_800_123));
    clock.expect_monotonic().return_const(Duration::ZERO);
    let mut bus = MockMessageBus::new();
    bus.expect_is_selective().return_const(false);
    bus.expect_reaches_other_nodes().return_const(true);
    bus.expect_start().returning(|_| Ok(()));
    bus.expect_publish()
        .withf(move |envelope| {
            let message = envelope.message().expect("a message");
            (envelope.node.0, message.id.0, message.timestamp.as_millis()) == (id.0, id.0, 1_795_438_800_123)
        })
        .times(1)
        .returning(|_| Ok(Published::locally(3)));
    let builder = builder().ids(Arc::new(ids)).clock(Arc::new(clock)).bus(Arc::new(bus));
    let service = builder.build().await.expect("a service");
    let receipt = service.send_to_all("tick".parse().expect("a type"), Payload::of(&1).expect("JSON")).await;
    assert_eq!(receipt.expect("published").delivered, 3);
}

#[tokio::test]
async fn a_duplicate_id_is_refused_and_touches_nothing_of_the_connection_that_has_it() {
    let id: ConnectionId = ID.parse().expect("an id");
    let mut registry = MockConnectionRegistry::new();
    registry.expect_register().times(1).returning(move |_, _| Err(RegisterError(id)));
    registry.expect_unregister().never();
    let mut pubsub = MockPubSubManager::new();
    pubsub.expect_attach().never();
    pubsub.expect_detach().never();
    let builder = builder().registry(Arc::new(registry)).pubsub(Arc::new(pubsub));
    let service = builder.build().await.expect("a service");
    let socket = Arc::new(TestWebSocketConnection::new(id));
    let refused = service.connect(ConnectRequest::with_token("alice"), socket).await.expect_err("a duplicate");
    assert_eq!(refused.code, ErrorCode::Internal);
}

#[tokio::test(start_paused = true)]
async fn a_drain_closes_a_connection_of_the_applications_own_once() {
    let mut socket = MockWebSocketConnection::new();
    socket.expect_id().returning(|| ID.parse().expect("an id"));
    socket.expect_client().returning(|| None);
    socket.expect_send().times(1).returning(|_| Ok(()));
    socket.expect_close().withf(|closing| closing.code == CloseCode::DRAINING).times(1).return_const(());
    // The close handshake that follows: only the first call counts.
    socket.expect_close().times(0..=1).return_const(());
    let world = World::new(1).await;
    world.service().connect(world.client("alice").request(), Arc::new(socket)).await.expect("admitted");
    assert_eq!(world.drain().await, 0);
}

/// What an application may do with the service: it needs no more of it than the port.
async fn greet(service: &dyn RealtimeService, id: ConnectionId, user: UserId) -> Receipt {
    service.subscribe(id, &topic("greetings"), Origin::Server).await.expect("connected");
    let payload = Payload::of(&"hello").expect("JSON");
    service.send_to_user(user, "greeting".parse().expect("a type"), payload).await.expect("published")
}

#[tokio::test]
async fn an_application_is_tested_without_a_service() {
    let id: ConnectionId = ID.parse().expect("an id");
    let mut service = MockRealtimeService::new();
    service
        .expect_subscribe()
        .withf(move |to, topic, _| *to == id && topic.as_str() == "greetings")
        .times(1)
        .returning(|_, _, _| Ok(true));
    let receipt = Receipt { id: MessageId(id.0), delivered: 1, other_nodes: false, position: None, duplicate: false };
    service.expect_send_to_user().times(1).returning(move |_, _, _| Ok(receipt.clone()));
    let alice = UserId::new("alice").expect("a user");
    assert_eq!(greet(&service, id, alice).await.delivered, 1);
}
