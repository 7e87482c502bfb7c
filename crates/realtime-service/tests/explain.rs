//! Why a slow or a returning client has not received a message yet.

use realtime_core::policy::{Namespace, Namespaces, Overflow, Retention, SubscribePolicy};
use realtime_schema::{ExplainReason, ExplainRequest, MessageId, UserId};
use realtime_service::Settings;
use realtime_testing::{Network, World, to};

fn settings(overflow: Overflow, history: Option<Retention>) -> impl FnOnce(&mut Settings) {
    move |settings| {
        let mut namespace = Namespace::new("topic:**".parse().expect("a pattern"));
        namespace.subscribe = SubscribePolicy::Authenticated;
        namespace.overflow = overflow;
        namespace.history = history;
        settings.namespaces = Namespaces::new(vec![namespace], overflow);
        settings.limits.queue_messages = 4;
    }
}

async fn publish(world: &World, n: usize) -> Vec<MessageId> {
    let mut ids = Vec::new();
    for n in 0..n {
        ids.push(world.publish(to::topic("order:1"), "tick", n).await.id);
    }
    ids
}

fn reason(world: &World, message: MessageId) -> ExplainReason {
    let user = UserId::new("alice").expect("a user");
    let request = ExplainRequest { user, message: Some(message), to: None, except_client: None };
    let explained = world.service().explain(&request).expect("a recent message");
    let [connection] = explained.connections.as_slice() else { panic!("{explained:?}") };
    connection.reason.clone()
}

#[tokio::test(start_paused = true)]
async fn a_message_of_a_slow_reader_is_queued_or_dropped_and_written_once_it_reads() {
    let world = World::builder().settings(settings(Overflow::Drop, None)).build().await;
    let mut alice = world.client("alice").network(Network::with_buffer(1)).connect().await;
    alice.subscribe("order:1").await;
    alice.falls_asleep();
    let ids = publish(&world, 20).await;
    assert_eq!(reason(&world, ids[19]), ExplainReason::Queued);
    assert_eq!(reason(&world, ids[10]), ExplainReason::Dropped);
    alice.wakes_up();
    world.settle().await;
    assert_eq!(reason(&world, ids[19]), ExplainReason::Written);
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_of_a_stream_with_a_history_catches_up() {
    let world = World::builder().settings(settings(Overflow::Drop, Some(Retention::default()))).build().await;
    let mut alice = world.client("alice").network(Network::with_buffer(1)).connect().await;
    alice.subscribe("order:1").await;
    alice.falls_asleep();
    let ids = publish(&world, 20).await;
    assert_eq!(reason(&world, ids[19]), ExplainReason::CatchingUp);
    alice.wakes_up();
    world.settle().await;
    assert_eq!(reason(&world, ids[19]), ExplainReason::Written);
}

#[tokio::test(start_paused = true)]
async fn it_says_that_more_has_changed_than_is_remembered() {
    let world = World::builder()
        .settings(|change| {
            settings(Overflow::Close, None)(change);
            change.publishing.explained = 3;
        })
        .build()
        .await;
    let mut alice = world.client("alice").connect().await;
    alice.subscribe("order:1").await;
    let ids = publish(&world, 1).await;
    let user = UserId::new("alice").expect("a user");
    let request = ExplainRequest { user, message: Some(ids[0]), to: None, except_client: None };
    let detail = |world: &World| world.service().explain(&request).expect("recent").connections[0].detail.clone();
    assert!(!detail(&world).contains("limits.explained_publications"), "{}", detail(&world));
    alice.expects("tick").await;
    for n in 0..4 {
        alice.subscribe(&format!("other:{n}")).await;
    }
    assert!(detail(&world).contains("limits.explained_publications"), "{}", detail(&world));
}
