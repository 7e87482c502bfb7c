//! What has broken recovery elsewhere, or in a draft of it here: each a story.

use std::time::Duration;

use realtime_core::policy::{Namespace, Namespaces, Overflow, Retention};
use realtime_service::Settings;
use realtime_testing::{Client, World, to};
use serde_json::{Value, json};

fn history(size: u32) -> impl Fn(&mut Settings) {
    move |settings: &mut Settings| {
        let kept = ["topic:order:*", "user", "role:*", "all"].map(|pattern| {
            let mut namespace = Namespace::new(pattern.parse().expect("a pattern"));
            namespace.history = Some(Retention { size, age: Duration::from_secs(600), bytes: 1 << 20 });
            namespace.overflow = Overflow::Drop;
            namespace
        });
        settings.namespaces = Namespaces::new(kept.into(), Overflow::Close);
    }
}

/// The offsets of messages, and the kinds of everything else, in the order received.
fn seen(client: &mut Client) -> Vec<String> {
    let short = |frame: Value| match frame["offset"].as_u64() {
        Some(offset) => format!("{} {offset}", frame["stream"].as_str().unwrap_or_default()),
        None => frame["type"].as_str().unwrap_or_default().to_owned(),
    };
    client.unread().into_iter().map(short).collect()
}

async fn publish(world: &World, route: impl Into<realtime_schema::Audience>, n: u64) -> u64 {
    world.publish(route, "news", n).await.position.expect("a position").offset
}

#[tokio::test(start_paused = true)]
async fn commands_that_wait_behind_pages_of_history_are_all_answered() {
    let world = World::builder().settings(history(10)).build().await;
    let mut alice = world.client("alice").connect().await;
    for n in 0..40 {
        let command = json!({"action": "subscribe", "id": n, "topic": format!("order:{n}")});
        alice.sends(&command.to_string()).await;
    }
    world.settle().await;
    assert_eq!(seen(&mut alice), vec!["ack"; 40]);
}

#[tokio::test(start_paused = true)]
async fn a_resume_of_more_topics_than_allowed_is_answered_once() {
    let settings = |settings: &mut Settings| {
        history(10)(settings);
        settings.limits.subscriptions = 1;
    };
    let world = World::builder().settings(settings).build().await;
    let mut alice = world.client("alice").connect().await;
    let epoch = alice.welcome().streams[&realtime_schema::Stream::All].epoch.clone();
    for n in 1..=3 {
        publish(&world, to::topic(&format!("order:{n}")), 1).await;
    }
    let after = json!({"epoch": epoch, "offset": 0});
    let since = json!({"topic:order:1": after, "topic:order:2": after, "topic:order:3": after});
    alice.sends(&json!({"action": "resume", "id": 1, "since": since}).to_string()).await;
    world.settle().await;
    let mut seen = seen(&mut alice);
    seen.sort_unstable();
    assert_eq!(seen, ["ack", "topic:order:1 1", "unsubscribed", "unsubscribed"]);
}

/// The position of a stream without a message is not remembered, and other streams are forgotten before its first one.
#[tokio::test(start_paused = true)]
async fn a_position_remains_true_while_other_streams_are_forgotten() {
    let settings = |settings: &mut Settings| {
        history(10)(settings);
        settings.history.total_streams = 1;
    };
    let world = World::builder().settings(settings).build().await;
    let mut alice = world.client("alice").connect().await;
    let ack = alice.command(json!({"action": "subscribe", "topic": "order:1"})).await.expect("an ack");
    for n in 2..=4 {
        publish(&world, to::topic(&format!("order:{n}")), 1).await;
    }
    assert!(world.metrics().history_forgotten_total > 0);
    let position = world.publish(to::topic("order:1"), "news", 1).await.position.expect("a position");
    world.settle().await;
    assert_eq!(alice.unread().len(), 1);
    // What the client knows: the epoch of the `ack`, and the offset of the message.
    let since = json!({"epoch": ack["position"]["epoch"], "offset": position.offset});
    alice.reconnects().await;
    let again =
        alice.command(json!({"action": "subscribe", "topic": "order:1", "since": since})).await.expect("an ack");
    assert_eq!(again["position"], json!(position));
    assert_eq!(seen(&mut alice), [""; 0], "nothing is lost, and nothing comes twice");
}
