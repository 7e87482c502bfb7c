//! A node with a durable store: what is there after a restart, a `kill -9`, a power loss and a full disk.

use std::{sync::Arc, time::Duration};

use realtime_adapters::testing::MemoryLogStore;
use realtime_ports::{PublishError, RealtimeService, StoreError};
use realtime_schema::{Payload, PublishRequest, StreamPosition};
use realtime_testing::{World, to, with_history};
use serde_json::{Value, json};

async fn world(store: &Arc<MemoryLogStore>) -> World {
    let store = store.clone();
    World::builder().settings(with_history(10)).ports(move |_, builder| builder.store(store.clone())).build().await
}

async fn publish(world: &World, n: u64) -> StreamPosition {
    world.publish(to::topic("order:1"), "news", n).await.position.expect("a position")
}

/// Subscribes since a position; returns what comes before the `ack`, and its position.
async fn catch_up(world: &World, since: &StreamPosition) -> (Vec<Value>, StreamPosition) {
    let mut client = world.client("alice").connect().await;
    let command = json!({"action": "subscribe", "topic": "order:1", "since": since});
    let ack = client.command(command).await.expect("an ack");
    (client.unread(), serde_json::from_value(ack["position"].clone()).expect("a position"))
}

fn offsets(frames: &[Value]) -> Vec<u64> {
    frames.iter().filter_map(|frame| frame["offset"].as_u64()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_client_that_comes_back_after_a_kill_has_everything_and_no_gap() {
    let store = Arc::new(MemoryLogStore::new());
    let first = world(&store).await;
    let seen = publish(&first, 1).await;
    publish(&first, 2).await;
    // The process is gone: nothing was closed.
    let killed = Arc::new(store.reopened());
    drop(first);
    let second = world(&killed).await;
    assert_eq!(publish(&second, 3).await, StreamPosition { offset: 3, ..seen.clone() });
    let (frames, position) = catch_up(&second, &seen).await;
    assert_eq!(offsets(&frames), [2, 3]);
    assert_eq!(frames.len(), 2, "{frames:?}");
    assert_eq!(frames[0]["payload"], 2);
    assert_eq!(position, StreamPosition { offset: 3, ..seen });
}

#[tokio::test(start_paused = true)]
async fn nothing_is_seen_before_it_is_stored() {
    let store = Arc::new(MemoryLogStore::new());
    let world = world(&store).await;
    let mut alice = world.client("alice").connect().await;
    alice.subscribe("order:1").await;
    store.pause();
    let service = world.service().clone();
    let request =
        PublishRequest::new(to::topic("order:1"), "news".parse().expect("a type"), Payload::of(&1).expect("JSON"));
    let publishing = tokio::spawn(async move { service.publish(request).await });
    while !store.is_waiting() {
        tokio::task::yield_now().await;
    }
    assert_eq!(alice.unread(), Vec::<Value>::new());
    store.resume();
    assert_eq!(alice.next().await["offset"], 1);
    assert!(publishing.await.expect("no panic").is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_refuses_without_an_offset_and_recovers() {
    let store = Arc::new(MemoryLogStore::new());
    let world = world(&store).await;
    let before = publish(&world, 1).await;
    store.fail_with(StoreError::Full);
    let refused = world.try_publish(to::topic("order:1"), "news", 2).await.expect_err("refused");
    assert!(matches!(refused, PublishError::Store(StoreError::Full)), "{refused:?}");
    assert!(!world.service().can_store());
    let (frames, position) = catch_up(&world, &StreamPosition { offset: 0, ..before.clone() }).await;
    assert_eq!((offsets(&frames), position), (vec![1], before.clone()), "reading goes on");
    store.fail_with(None);
    world.advance(Duration::from_secs(3)).await;
    assert!(world.service().can_store(), "it is tried again without a publication");
    assert_eq!(publish(&world, 3).await, StreamPosition { offset: 2, ..before });
}

#[tokio::test(start_paused = true)]
async fn after_a_power_loss_every_stream_tells_and_no_offset_means_two_messages() {
    let store = Arc::new(MemoryLogStore::that_can_lose(1));
    let first = world(&store).await;
    publish(&first, 1).await;
    let seen = publish(&first, 2).await;
    let after = Arc::new(store.after_power_loss(1));
    drop(first);
    let second = world(&after).await;
    let again = publish(&second, 3).await;
    assert_eq!(again.offset, 2);
    assert_ne!(again.epoch, seen.epoch);
    let (frames, position) = catch_up(&second, &seen).await;
    assert_eq!(frames[0]["payload"]["reason"], "store_rolled_back", "{frames:?}");
    assert_eq!(frames[0]["payload"]["to"], 1);
    assert_eq!((offsets(&frames), position), (vec![2], again.clone()));
    // Another restart keeps the new epoch.
    let third = Arc::new(after.reopened());
    drop(second);
    let third = world(&third).await;
    assert_eq!(publish(&third, 4).await, StreamPosition { offset: 3, ..again });
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_a_restart_gets_the_first_receipt() {
    let store = Arc::new(MemoryLogStore::new());
    let first = world(&store).await;
    let kind = || "news".parse().expect("a type");
    let keyed = |to, n: u32| PublishRequest {
        idempotency_key: Some("key".into()),
        ..PublishRequest::new(to, kind(), Payload::of(&n).expect("JSON"))
    };
    let receipt = first.service().publish(keyed(to::topic("order:1"), 1)).await.expect("published");
    let live = PublishRequest { idempotency_key: Some("live".into()), ..keyed(to::topic("news:1"), 1) };
    let live_receipt = first.service().publish(live.clone()).await.expect("published");
    let reopened = Arc::new(store.reopened());
    drop(first);
    let second = world(&reopened).await;
    let again = second.service().publish(keyed(to::topic("order:1"), 1)).await.expect("published");
    assert!(again.duplicate);
    assert_eq!((again.id, again.position), (receipt.id, receipt.position));
    let again = second.service().publish(live).await.expect("published");
    assert_eq!((again.id, again.duplicate), (live_receipt.id, true));
    let other = second.service().publish(keyed(to::topic("order:1"), 2)).await;
    assert!(matches!(other, Err(PublishError::KeyReused)), "{other:?}");
}

#[tokio::test(start_paused = true)]
async fn a_ticket_and_a_block_outlive_a_restart() {
    let store = Arc::new(MemoryLogStore::new());
    let first = world(&store).await;
    let alice = first.client("alice").connect().await;
    let (ticket, streams) = (alice.welcome().resume.clone().expect("a ticket"), alice.welcome().streams.clone());
    first.publish(to::user("alice"), "news", 1).await;
    let closing = realtime_schema::Closing::new(realtime_schema::CloseCode::FORBIDDEN, "no");
    let bob = "bob".parse().expect("a user");
    first.service().block_user(bob, Duration::from_secs(600), closing).await.expect("blocked");
    let reopened = Arc::new(store.reopened());
    drop((alice, first));
    let second = world(&reopened).await;
    assert!(second.client("bob").try_connect().await.is_err());
    let mut alice = second.client("alice").ticket(ticket).connect().await;
    assert!(alice.welcome().resumed);
    alice.command(json!({"action": "resume", "since": streams})).await.expect("an ack");
    assert_eq!(offsets(&alice.unread()), [1]);
}

#[tokio::test(start_paused = true)]
async fn what_expired_and_what_was_forgotten_does_not_come_back() {
    let store = Arc::new(MemoryLogStore::new());
    let first = world(&store).await;
    for n in 1..=15 {
        publish(&first, n).await;
    }
    let position = publish(&first, 16).await;
    first.advance(Duration::from_secs(700)).await;
    let reopened = Arc::new(store.reopened());
    drop(first);
    let second = world(&reopened).await;
    assert_eq!(second.metrics().history_bytes, 0);
    let (frames, top) = catch_up(&second, &position).await;
    assert_eq!((frames.len(), top), (0, position));
}

#[tokio::test(start_paused = true)]
async fn a_clean_end_closes_the_store() {
    let store = Arc::new(MemoryLogStore::new());
    let world = world(&store).await;
    publish(&world, 1).await;
    world.service().close_store().await;
    assert!(store.is_closed());
    let refused = world.try_publish(to::topic("order:1"), "news", 2).await.expect_err("refused");
    assert!(matches!(refused, PublishError::Store(_)), "{refused:?}");
}

/// The connection of the publisher ends while its message is being stored: the message is published, and a retry finds that.
#[tokio::test(start_paused = true)]
async fn a_publisher_that_goes_away_and_repeats_its_key_publishes_once() {
    let store = Arc::new(MemoryLogStore::new());
    let world = world(&store).await;
    let mut alice = world.client("alice").connect().await;
    alice.subscribe("order:1").await;
    let request = PublishRequest {
        idempotency_key: Some("key".into()),
        ..PublishRequest::new(to::topic("order:1"), "news".parse().expect("a type"), Payload::of(&1).expect("JSON"))
    };
    store.pause();
    let (service, first) = (world.service().clone(), request.clone());
    let publishing = tokio::spawn(async move { service.publish(first).await });
    while !store.is_waiting() {
        tokio::task::yield_now().await;
    }
    publishing.abort();
    store.resume();
    let receipt = world.service().publish(request).await.expect("published");
    assert!(receipt.duplicate, "{receipt:?}");
    world.settle().await;
    assert_eq!(alice.seen(), ["topic:order:1 1"]);
}
