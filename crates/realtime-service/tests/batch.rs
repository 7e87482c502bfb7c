//! Many publications at once: as if they were published one after the other, but quicker.

mod support;

use std::time::Duration;

use realtime_core::{
    auth::ConnectRequest,
    policy::{Namespace, Namespaces, Overflow, SubscribePolicy},
};
use realtime_ports::{PublishError, RealtimeService};
use realtime_schema::{Audience, ClientId, Payload, PublishRequest, Route, Topic};
use realtime_service::{Service, Settings};
use support::{Peer, connect, service, try_connect, with};
use tokio::time::timeout;

fn tick(to: impl Into<Audience>, n: u32) -> PublishRequest {
    PublishRequest::new(to, "tick".parse().expect("a type"), Payload::of(&n).expect("JSON"))
}

async fn gets(peer: &mut Peer, numbers: impl IntoIterator<Item = u32>) {
    for n in numbers {
        let frame = timeout(Duration::from_secs(5), peer.frame()).await.expect("a frame in time");
        assert_eq!((&frame["type"], &frame["payload"]), (&"tick".into(), &n.into()));
    }
}

async fn nothing_more(peer: &mut Peer) {
    peer.says(r#"{"action":"ping","id":"last"}"#).await;
    assert_eq!(peer.frame().await["payload"]["id"], "last", "nothing else came before the answer");
}

async fn delivered(service: &Service, batch: Vec<PublishRequest>) -> Vec<Option<u64>> {
    let results = service.publish_batch(batch).await;
    results.into_iter().map(|result| result.ok().map(|receipt| receipt.delivered)).collect()
}

#[tokio::test]
async fn everyone_gets_what_is_theirs_in_the_order_of_the_batch() {
    let service = service(Settings::default()).await;
    let (mut alice, mut bob) = (connect(&service, "alice").await, connect(&service, "bob").await);
    let user = |name: &str| Route::User(name.parse().expect("a user"));
    let batch = [
        tick(Route::All, 0),
        tick(Route::All, 1),
        tick(user("alice"), 2),
        tick(user("alice"), 3),
        tick(user("bob"), 4),
        tick(user("stranger"), 5),
        tick(Route::All, 6),
    ];
    let counts = delivered(&service, batch.to_vec()).await;
    assert_eq!(counts, [2, 2, 1, 1, 1, 0, 2].map(Some));
    gets(&mut alice, [0, 1, 2, 3, 6]).await;
    gets(&mut bob, [0, 1, 4, 6]).await;
    nothing_more(&mut alice).await;
    nothing_more(&mut bob).await;
    let metrics = service.metrics();
    assert_eq!((metrics.publications_total, metrics.envelopes_total, metrics.deliveries_total), (7, 7, 9));
    assert!(delivered(&service, Vec::new()).await.is_empty());
}

#[tokio::test]
async fn a_refused_publication_does_not_affect_the_others_and_a_key_still_works_once() {
    let service = service(with(|settings| settings.publishing.max_bytes = 10)).await;
    let mut alice = connect(&service, "alice").await;
    let keyed = PublishRequest { idempotency_key: Some("once".into()), ..tick(Route::All, 2) };
    let large = PublishRequest { payload: Payload::of(&"x".repeat(20)).expect("JSON"), ..tick(Route::All, 9) };
    let batch = vec![tick(Route::All, 0), large, tick(Route::All, 1), keyed.clone(), keyed, tick(Route::All, 3)];
    let results = service.publish_batch(batch).await;
    assert!(matches!(results[1], Err(PublishError::TooLarge { size: 22, limit: 10 })), "{:?}", results[1]);
    let receipt = |at: usize| results[at].as_ref().expect("published");
    assert_eq!((receipt(3).duplicate, receipt(4).duplicate), (false, true));
    assert_eq!(receipt(3).id, receipt(4).id);
    assert_ne!(receipt(0).id, receipt(2).id, "each has an id of its own");
    gets(&mut alice, [0, 1, 2, 3]).await;
    nothing_more(&mut alice).await;
}

#[tokio::test]
async fn a_client_is_left_out_of_those_that_name_it_and_of_no_other() {
    let service = service(Settings::default()).await;
    let mut request = ConnectRequest::with_token("alice");
    request.query.client = Some(ClientId::new("tab-1").expect("a client"));
    let mut alice = try_connect(&service, request).await.expect("admitted");
    alice.expects("welcome").await;
    let without =
        |n| PublishRequest { except_client: Some(ClientId::new("tab-1").expect("a client")), ..tick(Route::All, n) };
    let batch = vec![tick(Route::All, 0), without(1), without(2), tick(Route::All, 3)];
    assert_eq!(delivered(&service, batch).await, [1, 0, 0, 1].map(Some));
    gets(&mut alice, [0, 3]).await;
    nothing_more(&mut alice).await;
}

#[tokio::test]
async fn a_queue_that_keeps_the_latest_is_handed_each_message() {
    let gauges = Namespace {
        pattern: "topic:gauge:*".parse().expect("a pattern"),
        subscribe: SubscribePolicy::Granted,
        overflow: Overflow::Latest,
    };
    let mut settings = Settings::default();
    settings.namespaces = Namespaces::new(vec![gauges], Overflow::Close);
    settings.limits.queue_messages = 4;
    let service = service(settings).await;
    let mut alice = connect(&service, "alice").await;
    let topic: Topic = "gauge:cpu".parse().expect("a topic");
    alice.says(r#"{"action":"subscribe","id":1,"topic":"gauge:cpu"}"#).await;
    alice.expects("ack").await;
    alice.stalled.send_replace(true);
    let batch = (0..50).map(|n| tick(Route::Topic(topic.clone()), n)).collect();
    assert_eq!(delivered(&service, batch).await, [Some(1); 50]);
    alice.stalled.send_replace(false);
    let last = loop {
        let frame = timeout(Duration::from_secs(5), alice.frame()).await.expect("a frame in time");
        if frame["payload"] == 49 {
            break frame;
        }
    };
    assert_eq!(last["topic"], "gauge:cpu");
    assert!(service.metrics().dropped_total > 0, "what was superseded was dropped");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_reader_whose_task_had_no_time_to_run_is_not_too_slow() {
    const READERS: usize = 600;
    const EACH: u32 = 500;
    let service = service(with(|settings| settings.admission.connections_per_user = READERS)).await;
    let mut readers = Vec::new();
    for _ in 0..READERS {
        readers.push(connect(&service, "alice").await);
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
    for peer in &mut readers {
        for _ in 0..2 * EACH {
            assert_eq!(peer.frame().await["type"], "tick");
        }
    }
}
