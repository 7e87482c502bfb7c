//! The topics of users in a durable store: after a `kill -9`, and while nothing can be stored.

use std::sync::Arc;

use realtime_adapters::testing::MemoryLogStore;
use realtime_ports::{RealtimeService, Record, StoreError, UserTopicError};
use realtime_schema::{Topic, UserId};
use realtime_testing::{Client, World, to, with_history};
use serde_json::{Value, json};

async fn world(store: &Arc<MemoryLogStore>) -> World {
    let store = store.clone();
    World::builder().settings(with_history(10)).ports(move |_, builder| builder.store(store.clone())).build().await
}

async fn killed(world: World, store: &mut Arc<MemoryLogStore>) -> World {
    *store = Arc::new(store.reopened());
    drop(world);
    self::world(store).await
}

fn alice() -> UserId {
    UserId::new("alice").expect("a user")
}

fn topic(name: &str) -> Topic {
    Topic::new(name).expect("a topic")
}

async fn give(world: &World, name: &str) -> bool {
    world.service().subscribe_user(&alice(), &topic(name)).await.expect("given").changed
}

async fn take(world: &World, name: &str) -> bool {
    world.service().unsubscribe_user(&alice(), &topic(name)).await.expect("taken").changed
}

async fn notified(client: &mut Client, kind: &str, topic: &str) -> Value {
    let frame = client.next().await;
    assert_eq!((&frame["type"], &frame["payload"]["topic"]), (&json!(kind), &json!(topic)), "{frame}");
    frame["payload"]["position"].clone()
}

#[tokio::test(start_paused = true)]
async fn the_topics_of_a_user_outlive_a_kill_and_those_that_were_taken_away_do_not_come_back() {
    let mut store = Arc::new(MemoryLogStore::new());
    let first = world(&store).await;
    for name in ["order:1", "order:2"] {
        assert!(give(&first, name).await);
    }
    assert!(take(&first, "order:2").await);
    let second = killed(first, &mut store).await;
    assert_eq!(second.service().user_topics(&alice()), [topic("order:1")]);
    let mut client = second.client("alice").connect().await;
    notified(&mut client, "subscribed", "order:1").await;
    assert_eq!(client.unread(), Vec::<Value>::new());
    assert!(!give(&second, "order:1").await && !take(&second, "order:2").await, "nothing has changed");
    assert!(take(&second, "order:1").await);
    let third = killed(second, &mut store).await;
    assert_eq!(third.service().user_topics(&alice()), []);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_resumes_after_a_kill_has_what_it_missed_of_the_topics_of_its_user() {
    let mut store = Arc::new(MemoryLogStore::new());
    let first = world(&store).await;
    give(&first, "order:1").await;
    let mut alice = first.client("alice").connect().await;
    let ticket = alice.welcome().resume.clone().expect("a ticket");
    let position = notified(&mut alice, "subscribed", "order:1").await;
    drop(alice);
    first.publish(to::topic("order:1"), "news", 1).await;
    let second = killed(first, &mut store).await;
    second.publish(to::topic("order:1"), "news", 2).await;
    let mut alice = second.client("alice").ticket(ticket).connect().await;
    second.publish(to::topic("order:1"), "news", 3).await;
    let since = json!({"topic:order:1": position});
    let ack = alice.command(json!({"action": "resume", "since": since})).await.expect("an ack");
    assert_eq!(ack["streams"]["topic:order:1"]["offset"], 3, "{ack}");
    let offsets: Vec<_> = alice.unread().iter().filter_map(|frame| frame["offset"].as_u64()).collect();
    assert_eq!(offsets, [1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_change_that_can_not_be_stored_is_refused_and_changes_nothing() {
    let mut store = Arc::new(MemoryLogStore::new());
    let first = world(&store).await;
    let mut client = first.client("alice").connect().await;
    give(&first, "order:1").await;
    notified(&mut client, "subscribed", "order:1").await;
    store.fail_with(StoreError::Full);
    let refused = first.service().subscribe_user(&alice(), &topic("order:2")).await;
    assert!(matches!(refused, Err(UserTopicError::Store(StoreError::Full))), "{refused:?}");
    let refused = first.service().unsubscribe_user(&alice(), &topic("order:1")).await;
    assert!(matches!(refused, Err(UserTopicError::Store(StoreError::Full))), "{refused:?}");
    assert_eq!(first.service().user_topics(&alice()), [topic("order:1")]);
    assert_eq!(client.unread(), Vec::<Value>::new());
    assert_eq!(first.metrics().subscriptions, 1);
    // What needs no store still works: subscribing the connections anew.
    assert!(!give(&first, "order:1").await);
    store.fail_with(None);
    assert!(give(&first, "order:2").await, "the slot was given back");
    notified(&mut client, "subscribed", "order:2").await;
    drop(client);
    let second = killed(first, &mut store).await;
    assert_eq!(second.service().user_topics(&alice()), [topic("order:1"), topic("order:2")]);
}

/// Neither the response nor a connection comes before the store.
#[tokio::test(start_paused = true)]
async fn a_topic_is_given_and_taken_away_only_once_that_is_stored_even_if_the_caller_goes_away() {
    let store = Arc::new(MemoryLogStore::new());
    let world = world(&store).await;
    let mut client = world.client("alice").connect().await;
    for (given, kind) in [(true, "subscribed"), (false, "unsubscribed")] {
        store.pause();
        let service = world.service().clone();
        let changing = tokio::spawn(async move {
            let (user, topic) = (alice(), topic("order:1"));
            let changed = if given {
                service.subscribe_user(&user, &topic).await
            } else {
                service.unsubscribe_user(&user, &topic).await
            };
            drop(changed);
        });
        while !store.is_waiting() {
            tokio::task::yield_now().await;
        }
        assert_eq!(client.unread(), Vec::<Value>::new());
        assert_eq!(world.service().user_topics(&alice()).is_empty(), given);
        changing.abort();
        store.resume();
        notified(&mut client, kind, "order:1").await;
        assert_eq!(world.service().user_topics(&alice()).is_empty(), !given);
    }
    let records: Vec<_> = store.batches().into_iter().flatten().collect();
    let changes =
        records.iter().filter(|record| matches!(record, Record::TopicGiven { .. } | Record::TopicTaken { .. }));
    assert_eq!(changes.count(), 2);
}
