//! A client that reads too slowly harms only itself, and learns what it lost.

use realtime_core::policy::Overflow;
use realtime_server::{Config, NamespaceConfig, Span};
use realtime_tests::{Client, World};
use serde_json::{Value, json};

/// Enough to fill every buffer between the two ends.
const BIG: usize = 32 * 1024;
const MANY: usize = 400;

async fn flood(world: &World, reader: &mut Client) {
    flood_to(world, &json!("all"), reader).await;
}

async fn flood_to(world: &World, to: &Value, reader: &mut Client) {
    let text = "x".repeat(BIG);
    for n in 0..MANY {
        world.publish(to.clone(), "flood", json!({"n": n, "text": text})).await;
        let frame = reader.publication().await;
        assert_eq!(frame["payload"]["n"], n, "the quick reader gets all, in order");
    }
}

async fn world(overflow: Overflow) -> World {
    World::with(|config| {
        config.delivery.overflow = overflow;
        config.limits.queue_messages = 16;
        config.limits.queue_bytes = 4 * 1024 * 1024;
        longer_than_a_flood(config);
    })
    .await
}

/// Lets a reader that reads nothing during a flood, or reads what is left slowly, complete its close: on a busy machine
/// a flood takes longer than the default timeouts.
fn longer_than_a_flood(config: &mut Config) {
    config.liveness.write_timeout = Span::secs(120);
    config.liveness.close_timeout = Span::secs(60);
}

#[tokio::test]
async fn by_default_it_is_closed_with_the_limit_named() {
    let world = world(Overflow::Close).await;
    let (mut slow, mut quick) = (world.connect("slow").await, world.connect("quick").await);
    flood(&world, &mut quick).await;
    world.until("realtime_closed_slow_total", 1).await;
    let mut got = 0;
    let closing = loop {
        let frame = slow.next().await;
        if frame["type"] == "closing" {
            break frame["payload"].clone();
        }
        assert_eq!(frame["payload"]["n"], got, "what it did get is in order and without holes");
        got += 1;
    };
    assert!(got < MANY);
    assert_eq!((&closing["code"], &closing["reconnect"]), (&json!(4513), &json!(true)));
    assert!(closing["reason"].as_str().is_some_and(|reason| reason.contains("limits.queue_messages")));
    assert_eq!(slow.closed().await.0, 4513);
    quick.got_nothing().await;
}

#[tokio::test]
async fn or_the_oldest_are_dropped_and_a_gap_says_how_many() {
    let world = world(Overflow::Drop).await;
    let (mut slow, mut quick) = (world.connect("slow").await, world.connect("quick").await);
    flood(&world, &mut quick).await;
    world.publish(json!("all"), "end", json!(null)).await;
    every_gap_is_named(&world, &mut slow, "all").await;
}

#[tokio::test]
async fn what_is_for_a_user_has_the_policy_of_its_namespace() {
    let world = World::with(|config| {
        config.limits.queue_messages = 16;
        config.limits.queue_bytes = 4 * 1024 * 1024;
        longer_than_a_flood(config);
        let mut namespace = NamespaceConfig::new("user".parse().expect("a pattern"));
        namespace.overflow = Some(Overflow::Drop);
        config.namespaces = vec![namespace];
    })
    .await;
    let (mut slow, mut quick) = (world.connect("ann").await, world.connect("ann").await);
    flood_to(&world, &json!({"user": "ann"}), &mut quick).await;
    world.publish(json!({"user": "ann"}), "end", json!(null)).await;
    every_gap_is_named(&world, &mut slow, "user").await;
}

/// Asserts that `slow` gets every message of a flood or a gap in its place, up to the end.
async fn every_gap_is_named(world: &World, slow: &mut Client, stream: &str) {
    let (mut expected, mut missed) = (0, 0);
    loop {
        let frame = slow.next().await;
        match frame["type"].as_str() {
            Some("gap") => {
                assert_eq!(frame["payload"]["reason"], "slow_consumer", "{frame}");
                assert_eq!(frame["payload"]["stream"], stream, "{frame}");
                let n = frame["payload"]["missed"].as_u64().expect("how many");
                missed += n;
                expected += n;
            }
            Some("flood") => {
                assert_eq!(frame["payload"]["n"], expected, "every hole was named");
                expected += 1;
            }
            _ => break,
        }
    }
    assert!(missed > 0 && expected == MANY as u64, "{missed} missed, {expected} accounted for");
    assert_eq!(world.metric("realtime_dropped_total").await, missed);
}

#[tokio::test]
async fn or_only_the_latest_of_each_type_is_kept() {
    let world = world(Overflow::Latest).await;
    let (mut slow, mut quick) = (world.connect("slow").await, world.connect("quick").await);
    flood(&world, &mut quick).await;
    world.publish(json!("all"), "end", json!(null)).await;
    let mut last = Value::Null;
    loop {
        let frame = slow.next().await;
        if frame["type"] == "end" {
            break;
        }
        last = frame["payload"]["n"].clone();
    }
    assert_eq!(last, MANY - 1, "the newest value always arrives");
}
