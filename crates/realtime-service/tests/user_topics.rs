//! The topics of users, over a bus that is slow or away for a while.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use realtime_adapters::local::LocalBus;
use realtime_ports::{BusError, Delivery, MessageBus, Published, RealtimeService, UserTopicError};
use realtime_schema::{Envelope, Route, Topic, UserId};
use realtime_testing::{Client, World};
use serde_json::json;
use tokio::sync::Semaphore;

/// A bus that is asked for topics: it responds when the test lets it, and fails a number of times first.
struct SlowBus {
    inner: LocalBus,
    responses: Semaphore,
    failures: AtomicUsize,
}

impl SlowBus {
    fn new(responses: usize, failures: usize) -> Arc<Self> {
        Arc::new(Self {
            inner: LocalBus::default(),
            responses: Semaphore::new(responses),
            failures: AtomicUsize::new(failures),
        })
    }
}

#[async_trait::async_trait]
impl MessageBus for SlowBus {
    async fn start(&self, delivery: Arc<dyn Delivery>) -> Result<(), BusError> {
        self.inner.start(delivery).await
    }

    async fn publish(&self, envelope: Arc<Envelope>) -> Result<Published, BusError> {
        self.inner.publish(envelope).await
    }

    fn is_selective(&self) -> bool {
        true
    }

    async fn listen(&self, _: &[Route]) -> Result<(), BusError> {
        self.responses.acquire().await.expect("an open semaphore").forget();
        let failed = self.failures.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok();
        if failed { Err(BusError::Unavailable(Arc::new(std::io::Error::other("no link")))) } else { Ok(()) }
    }
}

async fn world(bus: Arc<SlowBus>) -> World {
    World::builder().ports(move |_, builder| builder.bus(bus.clone())).build().await
}

fn alice() -> UserId {
    UserId::new("alice").expect("a user")
}

fn topic() -> Topic {
    Topic::new("order:1").expect("a topic")
}

async fn notified(client: &mut Client, kind: &str) {
    let frame = client.next().await;
    assert_eq!((&frame["type"], &frame["payload"]["topic"]), (&json!(kind), &json!("order:1")), "{frame}");
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_is_taken_away_while_a_new_connection_is_subscribed_to_it_does_not_stay() {
    let bus = SlowBus::new(0, 0);
    let world = world(bus.clone()).await;
    world.service().subscribe_user(&alice(), &topic()).await.expect("given");
    // The bus is asked for the topic of the new connection, and has not responded.
    let mut client = world.client("alice").connect().await;
    assert!(world.service().unsubscribe_user(&alice(), &topic()).await.expect("taken").changed);
    bus.responses.add_permits(1);
    notified(&mut client, "subscribed").await;
    notified(&mut client, "unsubscribed").await;
    assert_eq!(world.metrics().subscriptions, 0);
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_is_given_while_a_new_connection_is_subscribed_to_another_is_subscribed_too() {
    let bus = SlowBus::new(0, 0);
    let world = world(bus.clone()).await;
    world.service().subscribe_user(&alice(), &topic()).await.expect("given");
    let client = world.client("alice").connect().await;
    let service = world.service().clone();
    let giving = tokio::spawn(async move {
        let other = Topic::new("order:2").expect("a topic");
        service.subscribe_user(&alice(), &other).await
    });
    bus.responses.add_permits(2);
    let change = giving.await.expect("a task that ends").expect("given");
    assert_eq!((change.connections, change.refused), (1, 0));
    let settled = async {
        while world.metrics().subscriptions < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), settled).await.expect("both are subscribed");
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_opened_while_the_bus_is_away_has_its_topics_once_it_is_back() {
    let bus = SlowBus::new(100, 3);
    let world = world(bus.clone()).await;
    world.service().subscribe_user(&alice(), &topic()).await.expect("given: the user has no connection yet");
    let mut client = world.client("alice").connect().await;
    notified(&mut client, "subscribed").await;
    assert_eq!(bus.failures.load(SeqCst), 0, "it was asked again");
}

#[tokio::test(start_paused = true)]
async fn a_backend_learns_that_the_bus_is_away_and_repeats_the_request() {
    let bus = SlowBus::new(100, 1);
    let world = world(bus.clone()).await;
    let mut client = world.client("alice").connect().await;
    let failed = world.service().subscribe_user(&alice(), &topic()).await;
    assert!(matches!(failed, Err(UserTopicError::Unavailable)), "{failed:?}");
    let change = world.service().subscribe_user(&alice(), &topic()).await.expect("given");
    assert_eq!((change.changed, change.connections), (false, 1));
    notified(&mut client, "subscribed").await;
}
