//! A stream whose history is switched off and on again: what was published meanwhile is kept nowhere, and a client that
//! comes back gets a gap for it.

use std::sync::Arc;

use realtime_adapters::testing::MemoryLogStore;
use realtime_core::policy::Namespaces;
use realtime_service::Settings;
use realtime_testing::{World, to, with_history};
use serde_json::{Value, json};

fn without_history(settings: &mut Settings) {
    settings.namespaces = Namespaces::default();
}

/// Applies new settings to a node that runs.
fn reload(world: &World, change: impl Fn(&mut Settings)) {
    let mut settings = (*world.service().settings()).clone();
    change(&mut settings);
    world.service().reload(settings);
}

async fn publish(world: &World, n: u64) -> Option<Value> {
    world.publish(to::topic("order:1"), "news", n).await.position.map(|position| json!(position))
}

/// What a client gets that subscribes since a position, before the `ack`.
async fn since(world: &World, position: &Value) -> Vec<Value> {
    let mut client = world.client("alice").connect().await;
    let command = json!({"action": "subscribe", "topic": "order:1", "since": position});
    client.command(command).await.expect("an ack");
    client.unread()
}

fn is_forgotten_position(frames: &[Value]) -> bool {
    frames.first().is_some_and(|first| first["payload"]["reason"] == "position_forgotten")
}

#[tokio::test(start_paused = true)]
async fn what_is_published_while_a_stream_has_no_history_is_a_gap_for_a_client_that_was_away() {
    let world = World::builder().settings(with_history(10)).build().await;
    let mut live = world.client("bob").connect().await;
    live.subscribe("order:1").await;
    let position = publish(&world, 1).await.expect("a history");
    reload(&world, without_history);
    assert_eq!(publish(&world, 2).await, None);
    reload(&world, with_history(10));
    assert!(is_forgotten_position(&since(&world, &position).await), "before the next message");
    let next = publish(&world, 3).await.expect("a history");
    let frames = since(&world, &position).await;
    assert!(is_forgotten_position(&frames), "{frames:?}");
    let rest = frames[1..].iter().map(|frame| &frame["payload"]).collect::<Vec<_>>();
    assert_eq!(rest, [3], "and then what is kept");
    assert_eq!(since(&world, &next).await, Vec::<Value>::new(), "a client that is up to date");
    world.settle().await;
    assert_eq!(live.unread().len(), 3, "a live subscriber gets all of them");
}

#[tokio::test(start_paused = true)]
async fn a_reload_that_leaves_the_namespaces_alone_forgets_nothing() {
    let world = World::builder().settings(with_history(10)).build().await;
    let position = publish(&world, 1).await.expect("a history");
    publish(&world, 2).await;
    reload(&world, |settings| settings.limits.subscriptions = 7);
    let frames = since(&world, &position).await;
    assert_eq!(frames.iter().map(|frame| frame["payload"].clone()).collect::<Vec<_>>(), [2]);
}

#[tokio::test(start_paused = true)]
async fn a_restart_without_the_history_and_one_with_it_are_a_gap_too() {
    let store = Arc::new(MemoryLogStore::new());
    let start = async |store: &Arc<MemoryLogStore>, settings: fn(&mut Settings)| {
        let store = store.clone();
        World::builder().settings(settings).ports(move |_, builder| builder.store(store.clone())).build().await
    };
    let first = start(&store, |settings| with_history(10)(settings)).await;
    let position = publish(&first, 1).await.expect("a history");
    let killed = Arc::new(store.reopened());
    drop(first);
    let second = start(&killed, without_history).await;
    publish(&second, 2).await;
    let killed = Arc::new(killed.reopened());
    drop(second);
    let third = start(&killed, |settings| with_history(10)(settings)).await;
    let frames = since(&third, &position).await;
    assert!(is_forgotten_position(&frames), "{frames:?}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_from_before_the_history_was_switched_off_gets_a_gap_for_its_position_too() {
    let world = World::builder().settings(with_history(10)).build().await;
    let mut old = world.client("alice").connect().await;
    let position = publish(&world, 1).await.expect("a history");
    world.settle().await;
    reload(&world, without_history);
    let command = json!({"action": "subscribe", "topic": "order:1", "since": position});
    old.command(command).await.expect("an ack");
    let gaps = old.unread();
    assert_eq!(gaps.iter().map(|gap| gap["payload"]["reason"].clone()).collect::<Vec<_>>(), ["no_history"]);
}
