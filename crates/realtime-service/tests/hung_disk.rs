//! A disk that does not respond: every wait ends at `store.commit_timeout`, and the result of the commit holds when the disk
//! responds again.

use std::{sync::Arc, time::Duration};

use realtime_adapters::testing::MemoryLogStore;
use realtime_ports::{PublishError, RealtimeService, StoreError};
use realtime_schema::{Audience, CloseCode, Closing, Payload, PublishRequest, Receipt, Topic, UserId};
use realtime_testing::{World, to, with_history};
use tokio::{task::JoinHandle, time::advance};

type Published = Result<Receipt, PublishError>;

const LIMIT: Duration = Duration::from_secs(5);

async fn world(store: &Arc<MemoryLogStore>) -> World {
    let store = store.clone();
    World::builder().settings(with_history(10)).ports(move |_, builder| builder.store(store.clone())).build().await
}

fn request(to: impl Into<Audience>, n: u32) -> PublishRequest {
    PublishRequest::new(to, "news".parse().expect("a type"), Payload::of(&n).expect("JSON"))
}

fn keyed(to: impl Into<Audience>, n: u32) -> PublishRequest {
    PublishRequest { idempotency_key: Some(format!("key-{n}")), ..request(to, n) }
}

fn publish(world: &World, request: PublishRequest) -> JoinHandle<Published> {
    let service = world.service().clone();
    tokio::spawn(async move { service.publish(request).await })
}

/// Time stands still while the store works, so nothing here waits for longer than a test says.
async fn until(holds: impl Fn() -> bool) {
    while !holds() {
        tokio::task::yield_now().await;
    }
}

/// A store whose commits do not return. Ends with the test, or a test that fails would wait for its thread.
struct Hung(Arc<MemoryLogStore>);

impl Hung {
    fn new(store: &Arc<MemoryLogStore>) -> Self {
        store.pause();
        Self(store.clone())
    }
}

impl Drop for Hung {
    fn drop(&mut self) {
        self.0.resume();
    }
}

/// Publishes to a store that does not return, and lets the commit's time expire.
async fn hang(world: &World, store: &Arc<MemoryLogStore>, requests: Vec<PublishRequest>) -> (Hung, Vec<Published>) {
    let hung = Hung::new(store);
    let mut publishing = Vec::new();
    for request in requests {
        publishing.push(publish(world, request));
        until(|| store.is_waiting()).await;
    }
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    advance(LIMIT).await;
    let mut results = Vec::new();
    for publishing in publishing {
        results.push(publishing.await.expect("no panic"));
    }
    until(|| !world.service().can_store()).await;
    (hung, results)
}

fn timed_out(result: &Published) -> bool {
    matches!(result, Err(PublishError::Store(StoreError::TimedOut(LIMIT))))
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_does_not_return_fails_in_time_and_its_result_holds_afterwards() {
    let store = Arc::new(MemoryLogStore::new());
    let world = world(&store).await;
    let mut alice = world.client("alice").connect().await;
    alice.subscribe("order:1").await;
    let topic = || to::topic("order:1");
    // One in the commit; one behind it with a key, and one without.
    let (hung, results) = hang(&world, &store, vec![keyed(topic(), 1), keyed(topic(), 2), request(topic(), 3)]).await;
    assert!(results.iter().all(timed_out), "{results:?}");
    let refused = world.service().publish(request(topic(), 4)).await;
    assert!(matches!(refused, Err(PublishError::Store(StoreError::Unavailable(_)))), "at once: {refused:?}");
    let again = publish(&world, keyed(topic(), 1));
    tokio::task::yield_now().await;
    advance(LIMIT).await;
    assert!(timed_out(&again.await.expect("no panic")), "a retry waits no longer");
    assert!(alice.unread().is_empty(), "nothing is seen before it is stored");

    drop(hung);
    until(|| world.service().can_store()).await;
    let retries = [world.service().publish(keyed(topic(), 1)).await, world.service().publish(keyed(topic(), 2)).await];
    let offsets = retries.map(|retry| {
        let receipt = retry.expect("published");
        (receipt.duplicate, receipt.position.expect("a position").offset)
    });
    assert_eq!(offsets, [(true, 1), (true, 2)]);
    let next = world.publish(topic(), "news", 5).await;
    assert_eq!(next.position.expect("a position").offset, 3, "no offset is left out");
    world.settle().await;
    assert_eq!(alice.seen(), ["topic:order:1 1", "topic:order:1 2", "topic:order:1 3"]);
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_fails_after_its_time_uses_no_offset_and_frees_the_key() {
    let store = Arc::new(MemoryLogStore::new());
    let world = world(&store).await;
    let topic = || to::topic("order:1");
    let (hung, _) = hang(&world, &store, vec![keyed(topic(), 1)]).await;
    store.fail_with(StoreError::Full);
    drop(hung);
    let refused = world.service().publish(keyed(topic(), 1)).await;
    assert!(matches!(refused, Err(PublishError::Store(_))), "{refused:?}");
    store.fail_with(None);
    let receipt = world.service().publish(keyed(topic(), 1)).await.expect("published");
    assert_eq!((receipt.duplicate, receipt.position.expect("a position").offset), (false, 1));
}

#[tokio::test(start_paused = true)]
async fn a_block_holds_at_once_and_is_stored_when_the_disk_responds() {
    let store = Arc::new(MemoryLogStore::new());
    let world = world(&store).await;
    let hung = Hung::new(&store);
    let service = world.service().clone();
    let closing = Closing::new(CloseCode::FORBIDDEN, "no");
    let bob = "bob".parse().expect("a user");
    let block = tokio::spawn(async move { service.block_user(bob, Duration::from_secs(600), closing).await });
    until(|| store.is_waiting()).await;
    advance(LIMIT).await;
    assert!(block.await.expect("no panic").is_err(), "it is not stored yet");
    drop(hung);
    until(|| store.commits() > 0 && world.service().can_store()).await;
    assert!(world.client("bob").try_connect().await.is_err());
    assert!(store.batches().iter().flatten().any(|record| matches!(record, realtime_ports::Record::Revoked(_))));
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_was_given_meanwhile_is_the_users_when_the_disk_responds() {
    let store = Arc::new(MemoryLogStore::new());
    let world = world(&store).await;
    let (alice, topic): (UserId, Topic) = ("alice".parse().expect("a user"), "chat:1".parse().expect("a topic"));
    let give = || {
        let (service, alice, topic) = (world.service().clone(), alice.clone(), topic.clone());
        tokio::spawn(async move { service.subscribe_user(&alice, &topic).await })
    };
    let hung = Hung::new(&store);
    let (first, second) = (give(), give());
    until(|| store.is_waiting()).await;
    advance(LIMIT).await;
    assert!(first.await.expect("no panic").is_err() && second.await.expect("no panic").is_err());
    assert!(world.service().user_topics(&alice).is_empty(), "not before it is stored");
    drop(hung);
    until(|| world.service().user_topics(&alice) == [topic.clone()]).await;
    assert!(!give().await.expect("no panic").expect("given").changed, "as stored");
}

#[tokio::test(start_paused = true)]
async fn a_node_ends_although_its_disk_does_not_respond() {
    let store = Arc::new(MemoryLogStore::new());
    let world = world(&store).await;
    let _hung = hang(&world, &store, vec![request(to::topic("order:1"), 1)]).await;
    let service = world.service().clone();
    let closing = tokio::spawn(async move { service.close_store().await });
    tokio::task::yield_now().await;
    advance(LIMIT).await;
    closing.await.expect("no panic");
    assert!(!store.is_closed(), "the next start treats it as a crash");
}

/// A message without history needs no store: its key alone does.
#[tokio::test(start_paused = true)]
async fn a_message_without_history_is_published_once_while_nothing_can_be_stored() {
    let store = Arc::new(MemoryLogStore::new());
    let world = world(&store).await;
    let mut alice = world.client("alice").connect().await;
    alice.subscribe("chat:1").await;
    store.fail_with(StoreError::Full);
    let published = world.service().publish(keyed(to::topic("chat:1"), 1)).await;
    assert!(!published.expect("published").duplicate);
    assert!(world.service().publish(keyed(to::topic("chat:1"), 1)).await.expect("published").duplicate);
    store.fail_with(None);
    let (_hung, mut results) = hang(&world, &store, vec![keyed(to::topic("chat:1"), 2)]).await;
    assert!(!results.remove(0).expect("published").duplicate);
    assert!(world.service().publish(keyed(to::topic("chat:1"), 2)).await.expect("published").duplicate);
    assert_eq!((alice.next().await["payload"].as_u64(), alice.next().await["payload"].as_u64()), (Some(1), Some(2)));
    assert!(alice.unread().is_empty());
}

/// A batch waits for the commits of its own messages, and delays no batch without history.
#[tokio::test(start_paused = true)]
async fn a_batch_without_history_does_not_wait_for_the_commit_of_another_batch() {
    let store = Arc::new(MemoryLogStore::new());
    let world = world(&store).await;
    let mut alice = world.client("alice").connect().await;
    alice.subscribe("chat:1").await;
    let hung = Hung::new(&store);
    let slow = ["1", "2"].map(|n| {
        let topic = || to::topic(&format!("order:{n}"));
        vec![request(topic(), 1), keyed(topic(), n.parse().expect("a number")), request(topic(), 3)]
    });
    let batches = slow.map(|batch| {
        let service = world.service().clone();
        tokio::spawn(async move { service.publish_batch(batch).await })
    });
    until(|| store.is_waiting()).await;
    let batch = [1, 2].map(|n| request(to::topic("chat:1"), n)).to_vec();
    let results = world.service().publish_batch(batch).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!((alice.next().await["payload"].as_u64(), alice.next().await["payload"].as_u64()), (Some(1), Some(2)));
    drop(hung);
    for batch in batches {
        let offsets: Vec<_> = batch
            .await
            .expect("no panic")
            .into_iter()
            .map(|result| result.expect("published").position.expect("a position").offset)
            .collect();
        assert_eq!(offsets, [1, 2, 3], "in the order of the batch");
    }
}
