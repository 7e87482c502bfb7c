//! Many publications at once: as if they were published one after the other, but quicker.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    task::{Context, Poll},
    time::Duration,
};

use realtime_adapters::testing::TestJwtVerifier;
use realtime_core::{
    Frame,
    auth::ConnectRequest,
    policy::{Namespace, Namespaces, Overflow},
};
use realtime_ports::{Incoming, PublishError, RealtimeService, Socket, SocketError};
use realtime_schema::{Audience, ClientId, CloseCode, JwtClaims, Payload, PublishRequest, Route, Topic};
use realtime_service::{Service, Settings};
use realtime_testing::{Client, Network, World, to};

fn tick(to: impl Into<Audience>, n: u32) -> PublishRequest {
    PublishRequest::new(to, "tick".parse().expect("a type"), Payload::of(&n).expect("JSON"))
}

async fn gets(client: &mut Client, numbers: impl IntoIterator<Item = u32>) {
    for n in numbers {
        assert_eq!(client.expects("tick").await, n);
    }
    client.expect_nothing().await;
}

async fn delivered(service: &Service, batch: Vec<PublishRequest>) -> Vec<Option<u64>> {
    let results = service.publish_batch(batch).await;
    results.into_iter().map(|result| result.ok().map(|receipt| receipt.delivered)).collect()
}

#[tokio::test(start_paused = true)]
async fn everyone_gets_what_is_theirs_in_the_order_of_the_batch() {
    let world = World::new(1).await;
    let (mut alice, mut bob) = (world.client("alice").connect().await, world.client("bob").connect().await);
    let batch = [
        tick(Route::All, 0),
        tick(Route::All, 1),
        tick(to::user("alice"), 2),
        tick(to::user("alice"), 3),
        tick(to::user("bob"), 4),
        tick(to::user("stranger"), 5),
        tick(Route::All, 6),
    ];
    let counts = delivered(world.service(), batch.to_vec()).await;
    assert_eq!(counts, [2, 2, 1, 1, 1, 0, 2].map(Some));
    gets(&mut alice, [0, 1, 2, 3, 6]).await;
    gets(&mut bob, [0, 1, 4, 6]).await;
    let metrics = world.metrics();
    assert_eq!((metrics.publications_total, metrics.envelopes_total, metrics.deliveries_total), (7, 7, 9));
    assert!(delivered(world.service(), Vec::new()).await.is_empty());
    world.check();
}

#[tokio::test(start_paused = true)]
async fn a_refused_publication_does_not_affect_the_others_and_a_key_still_works_once() {
    let world = World::builder().settings(|settings| settings.publishing.max_bytes = 10).build().await;
    let mut alice = world.client("alice").connect().await;
    let keyed = PublishRequest { idempotency_key: Some("once".into()), ..tick(Route::All, 2) };
    let large = PublishRequest { payload: Payload::of(&"x".repeat(20)).expect("JSON"), ..tick(Route::All, 9) };
    let batch = vec![tick(Route::All, 0), large, tick(Route::All, 1), keyed.clone(), keyed, tick(Route::All, 3)];
    let results = world.service().publish_batch(batch).await;
    assert!(matches!(results[1], Err(PublishError::TooLarge { size: 22, limit: 10 })), "{:?}", results[1]);
    let receipt = |at: usize| results[at].as_ref().expect("published");
    assert_eq!((receipt(3).duplicate, receipt(4).duplicate), (false, true));
    assert_eq!(receipt(3).id, receipt(4).id);
    assert_ne!(receipt(0).id, receipt(2).id, "each has an id of its own");
    gets(&mut alice, [0, 1, 2, 3]).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_is_left_out_of_those_that_name_it_and_of_no_other() {
    let world = World::new(1).await;
    let mut alice = world.client("alice").client_name("tab-1").connect().await;
    let without =
        |n| PublishRequest { except_client: Some(ClientId::new("tab-1").expect("a client")), ..tick(Route::All, n) };
    let batch = vec![tick(Route::All, 0), without(1), without(2), tick(Route::All, 3)];
    assert_eq!(delivered(world.service(), batch).await, [1, 0, 0, 1].map(Some));
    gets(&mut alice, [0, 3]).await;
    world.check();
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_keeps_the_latest_is_handed_each_message() {
    let mut gauges = Namespace::new("topic:gauge:*".parse().expect("a pattern"));
    gauges.overflow = Overflow::Latest;
    let change = |settings: &mut Settings| {
        settings.namespaces = Namespaces::new(vec![gauges], Overflow::Close);
        settings.limits.queue_messages = 4;
    };
    let world = World::builder().settings(change).build().await;
    let mut alice = world.client("alice").network(Network::with_buffer(1)).connect().await;
    let topic: Topic = "gauge:cpu".parse().expect("a topic");
    alice.subscribe("gauge:cpu").await;
    alice.falls_asleep();
    let batch = (0..50).map(|n| tick(Route::Topic(topic.clone()), n)).collect();
    assert_eq!(delivered(world.service(), batch).await, [Some(1); 50]);
    alice.wakes_up();
    let last = loop {
        let frame = alice.next().await;
        if frame["payload"] == 49 {
            break frame;
        }
    };
    assert_eq!(last["topic"], "gauge:cpu");
    assert!(world.metrics().dropped_total > 0, "what was superseded was dropped");
}

/// Takes whatever it is sent at once, and counts it.
struct Counting(Arc<AtomicU64>);

impl Socket for Counting {
    fn poll_receive(&mut self, _: &mut Context<'_>) -> Poll<Result<Incoming, SocketError>> {
        Poll::Pending
    }

    fn poll_send(&mut self, _: &mut Context<'_>, batch: &mut VecDeque<Frame>) -> Poll<Result<(), SocketError>> {
        self.0.fetch_add(batch.drain(..).map(|frame| u64::from(frame.messages())).sum(), SeqCst);
        Poll::Ready(Ok(()))
    }

    async fn ping(&mut self) -> Result<(), SocketError> {
        Ok(())
    }

    async fn close(&mut self, _: CloseCode, _: &str, _: Duration) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_reader_whose_task_had_no_time_to_run_is_not_too_slow() {
    const READERS: usize = 600;
    const EACH: u32 = 500;
    let mut settings = Settings::default();
    settings.admission.connections_per_user = READERS;
    let verifier = TestJwtVerifier::new("t", JwtClaims::new("alice".parse().expect("a user")));
    let builder = Service::builder().verifier(Arc::new(verifier)).settings(settings);
    let service = builder.build().await.expect("a service");
    let read = Arc::new(AtomicU64::new(0));
    for _ in 0..READERS {
        let admission = service.admit(&ConnectRequest::with_token("t")).await.expect("admitted");
        tokio::spawn(service.serve(admission, Counting(read.clone())));
    }
    // On the worker that the readers' tasks have to share.
    let publishers: Vec<_> = (0..2)
        .map(|_| {
            let service = service.clone();
            tokio::spawn(async move { delivered(&service, (0..EACH).map(|n| tick(Route::All, n)).collect()).await })
        })
        .collect();
    for publisher in publishers {
        let counts = publisher.await.expect("no panic");
        assert_eq!(counts, vec![Some(READERS as u64); EACH as usize]);
    }
    assert_eq!(service.metrics().closed_slow_total, 0);
    service.drain(Duration::from_secs(10)).await;
    // Each had its `welcome` first, and `closing` last.
    assert_eq!(read.load(SeqCst), READERS as u64 * (2 * u64::from(EACH) + 2));
}
