//! What a world promises to the tests of an application.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use realtime_adapters::local::LocalRegistry;
use realtime_core::connection::ConnectionUpdate;
use realtime_ports::{
    Clock, ConnectionHandler, ConnectionRegistry, HookContext, HookError, JwtVerifier, RealtimeService, RegisterError,
    Selection, SocketVisitor, VerifyError, WebSocketConnection,
    conformance::{bus::bus_conformance, clock::clock_conformance, ids::ids_conformance},
};
use realtime_schema::{CloseCode, Closing, Connection, ConnectionId, JwtClaims, Origin, Timestamp, UserId};
use realtime_testing::{Broker, Network, SeededIds, VirtualClock, World, run, to};
use serde_json::json;
use tokio::time::Instant;

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sleeps_gets_what_it_missed_if_the_buffers_hold_it() {
    let world = World::new(1).await;
    let mut alice = world.client("alice").connect().await;
    alice.subscribe("order:1").await;
    let before = Instant::now();
    let publisher = tokio::spawn({
        let world = world.clone();
        async move {
            world.advance(seconds(1)).await;
            world.publish(to::topic("order:1"), "tick", 1).await.delivered
        }
    });
    alice.sleeps(seconds(40)).await;
    assert_eq!(before.elapsed(), seconds(40), "of virtual time");
    assert_eq!(alice.expects("tick").await, 1);
    assert_eq!(publisher.await.expect("no panic"), 1);
    assert_eq!(alice.pings(), 1, "one ping came, and was answered on waking up");
    world.check();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sleeps_too_long_is_closed_and_reads_why_when_it_wakes_up() {
    let world = World::builder().settings(|settings| settings.liveness.close_timeout = seconds(60)).build().await;
    let mut alice = world.client("alice").connect().await;
    alice.sleeps(seconds(85)).await;
    let closed = alice.closed().await;
    assert_eq!(closed.code, CloseCode::NO_PONG);
    assert_eq!(closed.closing.map(|closing| closing.code), Some(CloseCode::NO_PONG));
}

#[tokio::test(start_paused = true)]
async fn buffers_are_bounded_and_a_reader_that_stops_holds_up_the_node_not_the_others() {
    let world = World::builder().settings(|settings| settings.limits.queue_messages = 10).build().await;
    let mut slow = world.client("slow").network(Network::with_buffer(300)).connect().await;
    let mut quick = world.client("quick").connect().await;
    slow.falls_asleep();
    for n in 0..100 {
        world.publish(to::all(), "tick", n).await;
        assert_eq!(quick.expects("tick").await, n);
    }
    assert_eq!(world.metrics().closed_slow_total, 1, "300 bytes and 10 messages are not 100 messages");
    slow.wakes_up();
    assert_eq!(slow.closed().await.code, CloseCode::TOO_SLOW);
}

#[tokio::test(start_paused = true)]
async fn a_half_open_connection_is_noticed_by_pings_and_a_cut_one_at_once() {
    let world = World::new(1).await;
    let mut alice = world.client("alice").connect().await;
    alice.drops_network();
    world.advance(seconds(40)).await;
    assert_eq!(world.metrics().connections, 1, "the node has no way to know");
    alice.reconnects().await;
    assert_eq!(world.metrics().connections, 2, "so it has both for a while");
    world.advance(seconds(50)).await;
    assert_eq!(world.metrics().connections, 1);
    assert!(!alice.is_closed());

    alice.cuts_connection();
    assert_eq!(alice.closed().await.code, CloseCode(1006));
    world.settle().await;
    assert_eq!(world.metrics().connections, 0);
    world.check();
}

#[tokio::test(start_paused = true)]
async fn latency_delays_each_direction_and_order_is_kept() {
    let network = Network::with_latency(Duration::from_millis(100)).and_jitter(Duration::from_millis(50));
    let world = World::builder().network(network).build().await;
    let mut alice = world.client("alice").connect().await;
    let before = Instant::now();
    alice.subscribe("order:1").await;
    let round_trip = before.elapsed();
    assert!(round_trip >= Duration::from_millis(200) && round_trip <= Duration::from_millis(304), "{round_trip:?}");
    for n in 0..50 {
        world.publish(to::topic("order:1"), "tick", n).await;
    }
    for n in 0..50 {
        assert_eq!(alice.expects("tick").await, n);
    }
    alice.expect_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn a_token_expires_on_the_worlds_clock_and_a_refresh_keeps_the_connection() {
    let world = World::new(1).await;
    let mut expires = world.client("alice").tokens_last(seconds(60)).connect().await;
    let mut renews = world.client("bob").tokens_last(seconds(60)).connect().await;
    assert_eq!(expires.welcome().token_expires_in_ms, Some(60_000));
    world.advance(seconds(50)).await;
    renews.refresh().await.expect("accepted");
    assert_eq!(expires.closed().await.code, CloseCode::EXPIRED);
    world.advance(seconds(20)).await;
    assert!(!renews.is_closed());
    expires.reconnects().await;

    // An hour forward by an operator: tokens that are presented now have expired, open connections have not.
    world.clock().step(3_600_000);
    let old = JwtClaims { exp: Some(VirtualClock::START + 600), ..JwtClaims::new(expires.user().clone()) };
    let refused = world.client("alice").token(world.token(old)).try_connect().await.expect_err("expired");
    assert_eq!(refused.close, CloseCode::EXPIRED);
    assert!(!expires.is_closed());
}

/// Admits those whose token is the name of a user, and subscribes them to a topic of their own.
struct Application;

#[async_trait]
impl JwtVerifier for Application {
    async fn verify(&self, token: &str) -> Result<JwtClaims, VerifyError> {
        match token {
            "alice" | "bob" => Ok(JwtClaims::new(UserId::new(token).expect("a user"))),
            _ => Err(VerifyError::Invalid("unknown".into())),
        }
    }
}

#[async_trait]
impl ConnectionHandler for Application {
    async fn on_open(&self, context: HookContext) -> Result<(), HookError> {
        let topic = format!("inbox:{}", context.connection.user).parse()?;
        context.service.subscribe(context.connection.id, &topic, Origin::Server).await?;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn an_applications_own_verifier_and_handler_are_used() {
    let world = World::builder().verifier(Arc::new(Application)).handler(Arc::new(Application)).build().await;
    let mut alice = world.client("alice").token("alice").connect().await;
    assert_eq!(alice.expects("subscribed").await["topic"], "inbox:alice");
    assert_eq!(world.publish(to::topic("inbox:alice"), "mail", "hello").await.delivered, 1);
    assert_eq!(alice.expects("mail").await, "hello");
    let refused = world.client("mallory").token("mallory").try_connect().await.expect_err("unknown");
    assert_eq!(refused.close, CloseCode::UNAUTHORIZED);
    world.check();
}

#[tokio::test(start_paused = true)]
async fn every_node_gets_every_publication_in_order_unless_its_link_is_cut() {
    let world = World::builder().nodes(3).build().await;
    let mut readers = Vec::new();
    for node in 0..3 {
        readers.push(world.client("alice").on_node(node).connect().await);
    }
    world.broker().delay(1, seconds(2));
    world.broker().cut(2);
    for n in 0..5 {
        let receipt = world.publish(to::user("alice"), "tick", n).await;
        assert_eq!((receipt.delivered, receipt.other_nodes), (1, true));
    }
    for n in 0..5 {
        assert_eq!(readers[0].expects("tick").await, n);
    }
    readers[1].expect_nothing().await;
    world.advance(seconds(2)).await;
    for n in 0..5 {
        assert_eq!(readers[1].expects("tick").await, n);
    }
    readers[2].expect_nothing().await;
    assert_eq!(world.broker().lost(2), 5);
    world.publish_on(2, to::all(), "tick", 9).await.expect_err("its link is cut");

    world.broker().restore(2);
    world.publish_on(1, to::all(), "tick", 6).await.expect("published");
    assert_eq!(readers[2].expects("tick").await, 6);
    world.check();
    assert_eq!(world.drain().await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_client_reconnects_to_another_node_when_its_node_drains() {
    let world = World::builder().nodes(2).build().await;
    let mut alice = world.client("alice").connect().await;
    let drain = tokio::spawn({
        let service = world.service().clone();
        async move { service.drain(seconds(10)).await }
    });
    assert_eq!(alice.closed().await.code, CloseCode::DRAINING);
    assert_eq!(drain.await.expect("no panic"), 0);
    alice.try_reconnect().await.expect_err("this node drains");
    alice.reconnects_to(1).await;
    world.publish_on(1, to::user("alice"), "tick", 1).await.expect("published");
    assert_eq!(alice.expects("tick").await, 1);
}

/// Takes a user for everyone, and shows each connection twice.
#[derive(Default)]
struct Careless(LocalRegistry);

impl ConnectionRegistry for Careless {
    fn register(&self, connection: Arc<Connection>, socket: Arc<dyn WebSocketConnection>) -> Result<(), RegisterError> {
        self.0.register(connection, socket)
    }

    fn unregister(&self, id: ConnectionId) -> Option<Arc<Connection>> {
        self.0.unregister(id)
    }

    fn get(&self, id: ConnectionId) -> Option<(Arc<Connection>, Arc<dyn WebSocketConnection>)> {
        self.0.get(id)
    }

    fn update(&self, id: ConnectionId, change: ConnectionUpdate) -> Option<Arc<Connection>> {
        self.0.update(id, change)
    }

    fn visit(&self, _: &Selection, visit: &mut dyn SocketVisitor) {
        self.0.visit(&Selection::All, visit);
        self.0.visit(&Selection::All, visit);
    }

    fn page(&self, selection: &Selection, after: Option<ConnectionId>, limit: usize) -> Vec<ConnectionId> {
        self.0.page(selection, after, limit)
    }

    fn count(&self) -> usize {
        self.0.count()
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_not_for_a_client_or_comes_twice_is_a_violation() {
    let world = World::builder().ports(|_, builder| builder.registry(Arc::new(Careless::default()))).build().await;
    let mut alice = world.client("alice").connect().await;
    world.publish(to::user("bob"), "tick", 1).await;
    alice.expects("tick").await;
    alice.expects("tick").await;
    let wrong = world.try_check().expect_err("delivered wrongly");
    assert!(wrong.contains("which is not for it") && wrong.contains("twice"), "{wrong}");
}

#[test]
fn a_connection_that_the_application_ends_is_told_why() {
    run(async {
        let world = World::new(3).await;
        let mut alice = world.client("alice").connect().await;
        world.service().disconnect(alice.id(), Closing::new(CloseCode::FORBIDDEN, "enough")).await;
        let closed = alice.closed().await;
        assert_eq!((closed.code, closed.reason.as_str()), (CloseCode::FORBIDDEN, "enough"));
        let mut bob = world.client("bob").connect().await;
        assert_eq!(bob.disconnects().await.code, CloseCode::NORMAL);
        world.settle().await;
        assert_eq!((world.metrics().admitted, world.metrics().connections), (0, 0));
    });
}

#[tokio::test(start_paused = true)]
async fn text_pings_are_answered_and_a_client_that_answers_none_is_closed() {
    let world = World::new(3).await;
    let mut browser = world.client("alice").text_pings().connect().await;
    let mut rude = world.client("bob").ignores_pings().connect().await;
    assert_eq!(rude.closed().await.code, CloseCode::NO_PONG);
    world.advance(seconds(300)).await;
    assert!(browser.pings() > 10 && !browser.is_closed());
    browser.expect_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn a_command_that_is_refused_says_why() {
    let world = World::new(3).await;
    let mut alice = world.client("alice").grants(["subscribe:order:*"]).connect().await;
    alice.subscribe("order:1").await;
    let refused = alice.command(json!({"action": "subscribe", "topic": "secret"})).await.expect_err("no grant");
    assert_eq!(refused.code.as_str(), "forbidden");
}

#[tokio::test]
#[should_panic(expected = "time is not frozen")]
async fn a_runtime_whose_clock_is_not_paused_is_refused() {
    World::new(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
#[should_panic(expected = "a runtime with one thread")]
async fn a_runtime_with_many_threads_is_refused() {
    World::new(1).await;
}

#[tokio::test(start_paused = true)]
async fn the_broker_keeps_the_ports_promises() {
    bus_conformance(|| Broker::new(1).bus(0)).await;
    bus_conformance(|| Broker::new(3).bus(1)).await;
}

#[test]
fn the_clock_keeps_the_ports_promises() {
    clock_conformance(|| VirtualClock::starting_at(Timestamp::from_millis(VirtualClock::START * 1000)));
}

#[test]
fn the_id_generator_keeps_the_ports_promises() {
    let seed = std::sync::atomic::AtomicU64::new(0);
    ids_conformance(|| {
        let clock: Arc<dyn Clock> = Arc::new(VirtualClock::starting_at(Timestamp::EPOCH));
        SeededIds::new(seed.fetch_add(1, std::sync::atomic::Ordering::Relaxed), clock)
    });
}
