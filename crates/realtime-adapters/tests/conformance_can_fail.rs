//! Each suite notices an adapter that breaks a promise: a suite that can't fail protects nothing.
#![cfg(all(feature = "local", feature = "testing"))]

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use async_trait::async_trait;
use realtime_adapters::{
    local::{LocalBus, LocalPubSub, LocalRegistry, SystemClock, UuidGenerator},
    testing::TestWebSocketConnection,
};
use realtime_core::connection::ConnectionUpdate;
use realtime_ports::{
    BusError, Clock, ConnectionRegistry, Delivery, IdGenerator, MessageBus, PubSubManager, PubSubStats, Published,
    RegisterError, Selection, SocketVisitor, SubscribeError, WebSocketConnection,
    conformance::{
        bus::bus_conformance,
        clock::clock_conformance,
        connection::{ConnectionSpec, ConnectionUnderTest, connection_conformance},
        ids::ids_conformance,
        pubsub::pubsub_conformance,
        registry::registry_conformance,
    },
};
use realtime_schema::{
    Closing, Connection, ConnectionId, Envelope, MessageId, NodeId, Origin, Subscription, Timestamp, Topic, TopicInfo,
};

/// An adapter that keeps every promise but one.
struct Faulty<T, F> {
    inner: T,
    fault: F,
}

fn fails(suite: impl Fn()) -> bool {
    catch_unwind(AssertUnwindSafe(&suite)).is_err()
}

/// Shows to `visit` what was there a moment ago.
fn show_late(gather: impl FnOnce(&mut dyn SocketVisitor), visit: &mut dyn SocketVisitor) {
    let mut sockets = Vec::new();
    gather(&mut |socket: &Arc<dyn WebSocketConnection>| sockets.push(Arc::clone(socket)));
    thread::yield_now();
    sockets.iter().for_each(|socket| visit.visit(socket));
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum RegistryFault {
    None,
    ShowsTwice,
    ShowsTheLate,
    TakesAnIdTwice,
    KeepsLostRoles,
    SkipsAtPages,
    Miscounts,
}

impl ConnectionRegistry for Faulty<LocalRegistry, RegistryFault> {
    fn register(&self, connection: Arc<Connection>, socket: Arc<dyn WebSocketConnection>) -> Result<(), RegisterError> {
        if self.fault == RegistryFault::TakesAnIdTwice {
            self.inner.unregister(connection.id);
        }
        self.inner.register(connection, socket)
    }

    fn unregister(&self, id: ConnectionId) -> Option<Arc<Connection>> {
        self.inner.unregister(id)
    }

    fn get(&self, id: ConnectionId) -> Option<(Arc<Connection>, Arc<dyn WebSocketConnection>)> {
        self.inner.get(id)
    }

    fn update(&self, id: ConnectionId, mut change: ConnectionUpdate) -> Option<Arc<Connection>> {
        if self.fault == RegistryFault::KeepsLostRoles
            && let Some(roles) = &mut change.roles
        {
            roles.extend(self.inner.get(id)?.0.roles.iter().cloned());
        }
        self.inner.update(id, change)
    }

    fn visit(&self, selection: &Selection, visit: &mut dyn SocketVisitor) {
        match self.fault {
            RegistryFault::ShowsTheLate => show_late(|early| self.inner.visit(selection, early), visit),
            RegistryFault::ShowsTwice => {
                self.inner.visit(selection, visit);
                self.inner.visit(selection, visit);
            }
            _ => self.inner.visit(selection, visit),
        }
    }

    fn page(&self, selection: &Selection, after: Option<ConnectionId>, limit: usize) -> Vec<ConnectionId> {
        let mut page = self.inner.page(selection, after, limit);
        if self.fault == RegistryFault::SkipsAtPages && after.is_some() && !page.is_empty() {
            page.remove(0);
        }
        page
    }

    fn count(&self) -> usize {
        self.inner.count() + usize::from(self.fault == RegistryFault::Miscounts)
    }
}

#[test]
fn a_registry_with_a_fault_is_caught() {
    use RegistryFault as Fault;
    let run = |fault| fails(|| registry_conformance(|| Faulty { inner: LocalRegistry::new(), fault }));
    assert!(!run(Fault::None), "the wrapper itself breaks nothing");
    for fault in
        [Fault::ShowsTwice, Fault::TakesAnIdTwice, Fault::KeepsLostRoles, Fault::SkipsAtPages, Fault::Miscounts]
    {
        assert!(run(fault), "{fault:?} was not noticed");
    }
    // A race: it shows itself within a few runs.
    assert!((0..50).any(|_| run(Fault::ShowsTheLate)), "a socket shown too late was not noticed");
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum PubSubFault {
    None,
    ShowsTwice,
    ShowsTheLate,
    HasNoLimit,
    ForgetsToDetach,
    LetsAnyoneSubscribe,
    ReplacesTheOrigin,
    OverfillsPages,
    RepeatsAtPages,
    Miscounts,
}

impl PubSubManager for Faulty<LocalPubSub, PubSubFault> {
    fn attach(&self, socket: Arc<dyn WebSocketConnection>, max_topics: u32) {
        let max_topics = if self.fault == PubSubFault::HasNoLimit { u32::MAX } else { max_topics };
        self.inner.attach(socket, max_topics);
    }

    fn detach(&self, id: ConnectionId) -> Vec<Subscription> {
        if self.fault == PubSubFault::ForgetsToDetach {
            return self.inner.subscriptions(id);
        }
        self.inner.detach(id)
    }

    fn subscribe(&self, id: ConnectionId, topic: &Topic, origin: Origin) -> Result<bool, SubscribeError> {
        match self.fault {
            PubSubFault::LetsAnyoneSubscribe => self.inner.attach(Arc::new(TestWebSocketConnection::new(id)), 10),
            PubSubFault::ReplacesTheOrigin if self.inner.unsubscribe(id, topic) => {
                return self.inner.subscribe(id, topic, origin).map(|_| false);
            }
            _ => {}
        }
        self.inner.subscribe(id, topic, origin)
    }

    fn unsubscribe(&self, id: ConnectionId, topic: &Topic) -> bool {
        self.inner.unsubscribe(id, topic)
    }

    fn subscriptions(&self, id: ConnectionId) -> Vec<Subscription> {
        self.inner.subscriptions(id)
    }

    fn visit(&self, topic: &Topic, visit: &mut dyn SocketVisitor) {
        match self.fault {
            PubSubFault::ShowsTheLate => show_late(|early| self.inner.visit(topic, early), visit),
            PubSubFault::ShowsTwice => {
                self.inner.visit(topic, visit);
                self.inner.visit(topic, visit);
            }
            _ => self.inner.visit(topic, visit),
        }
    }

    fn subscribers(&self, topic: &Topic, after: Option<ConnectionId>, limit: usize) -> Vec<ConnectionId> {
        let mut page = self.inner.subscribers(topic, after, limit);
        if self.fault == PubSubFault::RepeatsAtPages && !page.is_empty() {
            page.extend(after);
            page.sort_unstable();
        }
        page
    }

    fn topics(&self, prefix: &str, after: Option<Topic>, limit: usize) -> Vec<TopicInfo> {
        let more = usize::from(self.fault == PubSubFault::OverfillsPages);
        self.inner.topics(prefix, after, limit.saturating_add(more))
    }

    fn stats(&self) -> PubSubStats {
        let stats = self.inner.stats();
        let more = usize::from(self.fault == PubSubFault::Miscounts && stats.topics > 0);
        PubSubStats { topics: stats.topics + more, ..stats }
    }
}

#[test]
fn a_pubsub_manager_with_a_fault_is_caught() {
    use PubSubFault as Fault;
    let run = |fault| fails(|| pubsub_conformance(|| Faulty { inner: LocalPubSub::new(), fault }));
    assert!(!run(Fault::None), "the wrapper itself breaks nothing");
    for fault in [
        Fault::ShowsTwice,
        Fault::HasNoLimit,
        Fault::ForgetsToDetach,
        Fault::LetsAnyoneSubscribe,
        Fault::ReplacesTheOrigin,
        Fault::OverfillsPages,
        Fault::RepeatsAtPages,
        Fault::Miscounts,
    ] {
        assert!(run(fault), "{fault:?} was not noticed");
    }
    // A race: it shows itself within a few runs.
    assert!((0..50).any(|_| run(Fault::ShowsTheLate)), "a socket shown too late was not noticed");
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum BusFault {
    None,
    StartsTwice,
    DeliversTwice,
    DeliversNothing,
    Miscounts,
    Scrambles,
}

/// Where nothing arrives.
struct Nowhere;

impl Delivery for Nowhere {
    fn deliver(&self, _: &Envelope) -> u64 {
        0
    }
}

#[async_trait]
impl MessageBus for Faulty<LocalBus, BusFault> {
    async fn start(&self, delivery: Arc<dyn Delivery>) -> Result<(), BusError> {
        match self.fault {
            BusFault::StartsTwice => self.inner.start(delivery).await.or(Ok(())),
            BusFault::DeliversNothing => self.inner.start(Arc::new(Nowhere)).await,
            _ => self.inner.start(delivery).await,
        }
    }

    async fn publish(&self, envelope: Arc<Envelope>) -> Result<Published, BusError> {
        let mut envelope = envelope;
        if self.fault == BusFault::Scrambles {
            let mut other = (*envelope).clone();
            other.node.0 = uuid::Uuid::nil();
            envelope = Arc::new(other);
        }
        let mut published = self.inner.publish(Arc::clone(&envelope)).await?;
        match self.fault {
            BusFault::DeliversTwice => published = self.inner.publish(envelope).await?,
            BusFault::Miscounts => published.delivered += 1,
            _ => {}
        }
        Ok(published)
    }
}

/// For futures that never wait.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("an in-memory bus waits for nothing"),
    }
}

#[test]
fn a_bus_with_a_fault_is_caught() {
    use BusFault as Fault;
    let run = |fault| fails(|| now(bus_conformance(|| Faulty { inner: LocalBus::new(), fault })));
    assert!(!run(Fault::None), "the wrapper itself breaks nothing");
    for fault in [Fault::StartsTwice, Fault::DeliversTwice, Fault::DeliversNothing, Fault::Miscounts, Fault::Scrambles]
    {
        assert!(run(fault), "{fault:?} was not noticed");
    }
}

/// Goes back by a second at each tenth call.
struct Backwards(SystemClock, AtomicU64);

impl Clock for Backwards {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn monotonic(&self) -> Duration {
        Duration::from_secs(10 + 1 - self.1.fetch_add(1, Relaxed) / 10 % 2)
    }
}

#[test]
fn a_clock_that_goes_back_is_caught() {
    assert!(fails(|| clock_conformance(|| Backwards(SystemClock::new(), AtomicU64::new(0)))));
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum IdFault {
    None,
    Repeats,
    NotVersion7,
    LowBitsOnly,
    SameOnEveryNode,
}

impl IdGenerator for Faulty<UuidGenerator, (IdFault, AtomicU64)> {
    fn connection_id(&self) -> ConnectionId {
        let id = self.inner.connection_id();
        match self.fault.0 {
            IdFault::NotVersion7 => ConnectionId(uuid::Uuid::from_u128(id.0.as_u128() ^ 1 << 76)),
            _ => id,
        }
    }

    fn message_id(&self) -> MessageId {
        match self.fault.0 {
            IdFault::Repeats => MessageId(uuid::Uuid::from_u128(0x019a_b1c2_7b1e_7c3a_9d54_3f2a_1b0c_9d8f)),
            _ => self.inner.message_id(),
        }
    }

    fn node_id(&self) -> NodeId {
        self.inner.node_id()
    }

    fn random(&self) -> u64 {
        match self.fault.0 {
            IdFault::LowBitsOnly => self.inner.random() >> 1,
            IdFault::SameOnEveryNode => self.fault.1.fetch_add(1, Relaxed).wrapping_mul(0x9E37_79B9_7F4A_7C15),
            _ => self.inner.random(),
        }
    }
}

#[test]
fn an_id_generator_with_a_fault_is_caught() {
    use IdFault as Fault;
    let run =
        |fault| fails(|| ids_conformance(|| Faulty { inner: UuidGenerator::new(), fault: (fault, AtomicU64::new(0)) }));
    assert!(!run(Fault::None), "the wrapper itself breaks nothing");
    for fault in [Fault::Repeats, Fault::NotVersion7, Fault::LowBitsOnly, Fault::SameOnEveryNode] {
        assert!(run(fault), "{fault:?} was not noticed");
    }
}

#[test]
fn a_socket_with_a_fault_is_caught() {
    let under_test = |socket: TestWebSocketConnection, closing: fn(&TestWebSocketConnection) -> Option<Closing>| {
        let socket = Arc::new(socket);
        let (reader, watcher) = (Arc::clone(&socket), Arc::clone(&socket));
        ConnectionUnderTest {
            socket,
            texts: Box::new(move || reader.texts()),
            closing: Box::new(move || closing(&watcher)),
        }
    };
    let made = |spec: &ConnectionSpec| match spec.client.clone() {
        Some(client) => TestWebSocketConnection::new(spec.id).with_client(client),
        None => TestWebSocketConnection::new(spec.id),
    };
    let closing = TestWebSocketConnection::closing;
    assert!(!fails(|| connection_conformance(|s| under_test(made(&s).with_capacity(s.capacity), closing))));
    let unbounded = || connection_conformance(|s| under_test(made(&s), closing));
    let nameless = || connection_conformance(|s| under_test(TestWebSocketConnection::new(s.id), closing));
    let silent = || connection_conformance(|s| under_test(made(&s).with_capacity(s.capacity), |_| None));
    assert!(fails(unbounded), "a queue without a bound was not noticed");
    assert!(fails(nameless), "a client that was forgotten was not noticed");
    assert!(fails(silent), "a close without a frame was not noticed");
}
