//! The life of a connection, on virtual time: nothing here waits.

use std::{sync::Arc, time::Duration};

use realtime_ports::{RealtimeService, VerifyError};
use realtime_schema::{Audience, CloseCode, ErrorCode, JwtClaims, Origin, Topic};
use realtime_service::Service;
use realtime_testing::{Client, Network, World, to};
use serde_json::json;
use tokio::time::timeout;

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Nothing of a connection is left on the node.
fn forgotten(service: &Service) {
    let metrics = service.metrics();
    assert_eq!((metrics.connections, metrics.topics, metrics.subscriptions), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_gets_what_is_published_and_nothing_after_its_unsubscribe_was_acknowledged() {
    let world = World::new(1).await;
    let mut alice = world.client("alice").connect().await;
    let mut bob = world.client("bob").connect().await;
    alice.subscribe("order:1").await;
    assert_eq!(world.publish(to::topic("order:1"), "tick", 1).await.delivered, 1);
    assert_eq!(alice.expects("tick").await, 1);

    alice.unsubscribe("order:1").await;
    assert_eq!(world.publish(to::topic("order:1"), "tick", 2).await.delivered, 0);
    alice.expect_nothing().await;
    bob.expect_nothing().await;
    world.check();
}

#[tokio::test(start_paused = true)]
async fn a_union_of_routes_reaches_each_connection_once() {
    let world = World::new(1).await;
    let mut alice = world.client("alice").roles(["member"]).connect().await;
    let mut bob = world.client("bob").roles(["member"]).connect().await;
    alice.subscribe("order:1").await;
    let routes = vec![to::topic("order:1"), to::user("alice"), to::role("member")];
    let union = Audience::union(routes).expect("an audience");
    assert_eq!(world.publish(union, "tick", 1).await.delivered, 2);
    for client in [&mut alice, &mut bob] {
        client.expects("tick").await;
        client.expect_nothing().await;
    }
    world.check();
}

#[tokio::test(start_paused = true)]
async fn the_server_subscribes_and_unsubscribes_and_the_client_is_notified() {
    let world = World::new(1).await;
    let (service, topic) = (world.service(), Topic::new("given").expect("a topic"));
    let mut alice = world.client("alice").connect().await;
    assert_eq!(service.subscribe(alice.id(), &topic, Origin::Server).await, Ok(true));
    assert_eq!(service.subscribe(alice.id(), &topic, Origin::Server).await, Ok(false));
    assert_eq!(alice.expects("subscribed").await["topic"], "given");
    assert!(service.unsubscribe(alice.id(), &topic).await);
    assert_eq!(alice.expects("unsubscribed").await, json!({"topic": "given", "reason": "server"}));
}

#[tokio::test(start_paused = true)]
async fn whatever_ends_a_connection_the_node_forgets_it() {
    let world = World::new(1).await;
    for end in 0..4 {
        let mut alice = world.client("alice").connect().await;
        alice.subscribe("order:1").await;
        match end {
            0 => assert_eq!(alice.disconnects().await.code, CloseCode::NORMAL),
            1 => alice.cuts_connection(),
            // Its process ends.
            2 => drop(alice),
            // The task that serves it is dropped half-way.
            _ => alice.node_task().abort(),
        }
        world.settle().await;
        forgotten(world.service());
        world.check();
    }
    assert_eq!(world.drain().await, 0, "every permit was returned");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_ends_ends_its_connection_and_a_refresh_keeps_it() {
    let world = World::new(1).await;
    let mut expires = world.client("alice").tokens_last(seconds(60)).connect().await;
    let mut renews = world.client("alice").tokens_last(seconds(60)).connect().await;
    let mallory = world.token(JwtClaims::new("mallory".parse().expect("a user")));
    let refused = renews.refresh_with(&mallory).await.expect_err("another user");
    assert_eq!(refused.code, ErrorCode::Forbidden);
    world.advance(seconds(30)).await;
    let ack = renews.refresh().await.expect("accepted");
    assert_eq!(ack["token_expires_in_ms"], 60_000);

    let closed = expires.closed().await;
    assert_eq!(closed.code, CloseCode::EXPIRED);
    assert_eq!(closed.reason, "the token has expired; connect with a new one");
    assert_eq!(closed.closing.map(|closing| closing.code), Some(CloseCode::EXPIRED));
    renews.command(json!({"action": "ping"})).await.expect("it lives on");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_no_ping_is_closed() {
    let world = World::new(1).await;
    let mut rude = world.client("alice").ignores_pings().connect().await;
    assert_eq!(rude.closed().await.code, CloseCode::NO_PONG);
    assert_eq!(rude.pings(), 2);
    forgotten(world.service());
}

#[tokio::test(start_paused = true)]
async fn a_drain_closes_every_connection_and_admits_no_client() {
    let world = World::new(1).await;
    let mut clients = [world.client("alice").connect().await, world.client("bob").connect().await];
    assert_eq!(world.drain().await, 0);
    for client in &mut clients {
        let closing = client.closed().await.closing.expect("a `closing` frame");
        assert_eq!((closing.code, closing.reconnect), (CloseCode::DRAINING, true));
        assert!(closing.spread_ms >= 1_000, "{closing:?}");
        let reason = closing.reason;
        assert!(!reason.contains("another"), "a lone node can't promise that another one will answer: {reason}");
    }
    let refused = world.client("carol").try_connect().await.expect_err("draining");
    assert_eq!((refused.code, refused.close), (ErrorCode::Unavailable, CloseCode::DRAINING));
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_at_its_deadline_and_says_who_was_left() {
    let world = World::builder().settings(|settings| settings.liveness.close_timeout = seconds(60)).build().await;
    let mut stuck = world.client("alice").network(Network::with_buffer(1)).connect().await;
    stuck.falls_asleep();
    assert_eq!(world.service().drain(seconds(1)).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_sent_messages_without_pause_can_still_send_commands() {
    let world = World::new(1).await;
    let mut alice = world.client("alice").connect().await;
    for n in 0..200 {
        world.publish(to::all(), "tick", n).await;
    }
    alice.sends(r#"{"action":"ping","id":1}"#).await;
    for n in 200..2000 {
        if alice.next().await["type"] == "ack" {
            return;
        }
        world.publish(to::all(), "tick", n).await;
    }
    panic!("1,800 messages later the command was not answered");
}

// --- admission

#[tokio::test(start_paused = true)]
async fn each_limit_of_admission_is_refused_by_its_name_and_its_permit_is_returned() {
    let world = World::builder()
        .settings(|settings| {
            settings.admission.connections = 3;
            settings.admission.connections_per_user = 1;
            settings.admission.connections_per_address = 2;
        })
        .build()
        .await;
    let from = |user: &str, last: u8| world.client(user).address([192, 0, 2, last]);
    let refused = async |user: &str, last: u8| from(user, last).try_connect().await.expect_err("over a limit").message;
    let alice = from("alice", 1).connect().await;
    assert!(refused("alice", 1).await.contains("limits.connections_per_user is 1"));
    let _bob = from("bob", 1).connect().await;
    assert!(refused("carol", 1).await.contains("limits.connections_per_address is 2"));
    let _carol: Client = from("carol", 2).connect().await;
    assert!(refused("dave", 3).await.contains("limits.connections is 3"));
    assert_eq!(world.metrics().refusals.connections(), 3);

    drop(alice);
    world.settle().await;
    from("alice", 1).try_connect().await.expect("the permit was returned");
}

#[tokio::test(start_paused = true)]
async fn no_client_is_admitted_when_its_token_can_not_be_verified() {
    let world = World::new(1).await;
    let source: Arc<dyn std::error::Error + Send + Sync> = Arc::new(std::io::Error::other("no keys"));
    world.tokens().refuse("t", VerifyError::Unavailable(source));
    world.tokens().refuse("e", VerifyError::Expired);
    let refused = world.client("alice").token("t").try_connect().await.expect_err("no keys");
    assert_eq!((refused.code, refused.after_ms), (ErrorCode::Unavailable, Some(1_000)));
    let refused = world.client("alice").token("e").try_connect().await.expect_err("expired");
    assert_eq!((refused.code, refused.close), (ErrorCode::TokenExpired, CloseCode::EXPIRED));
}

#[tokio::test]
async fn a_builder_without_a_verifier_says_so() {
    let error = Service::builder().build().await.expect_err("no verifier");
    assert!(error.to_string().contains("ServiceBuilder::verifier"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn new_settings_hold_for_new_connections_and_publications_and_close_no_connection() {
    let world = World::builder().settings(|settings| settings.publishing.max_bytes = 10).build().await;
    let mut old = world.client("alice").connect().await;
    let mut changed = (*world.service().settings()).clone();
    changed.admission.connections_per_user = 1;
    changed.limits.subscriptions = 7;
    changed.publishing.max_bytes = 100;
    world.service().reload(changed);
    assert_eq!(world.service().settings().admission.connections_per_user, 1);
    let refused = world.client("alice").try_connect().await.expect_err("over the new limit");
    assert!(refused.message.contains("limits.connections_per_user is 1"), "{refused}");
    let new = world.client("bob").connect().await;
    assert_eq!(new.welcome().limits.subscriptions, 7);
    world.publish(to::all(), "tick", "x".repeat(50)).await;
    old.expects("tick").await;
}

// --- slow readers

#[tokio::test(start_paused = true)]
async fn a_reader_that_stalls_is_closed_as_too_slow_and_the_others_notice_nothing() {
    let world = World::builder().settings(|settings| settings.limits.queue_messages = 5).build().await;
    let mut slow = world.client("alice").network(Network::with_buffer(1)).connect().await;
    let mut quick = world.client("bob").connect().await;
    slow.falls_asleep();
    for n in 0..20 {
        world.publish(to::all(), "tick", n).await;
        assert_eq!(quick.expects("tick").await, n);
    }
    assert_eq!(world.metrics().closed_slow_total, 1);
    world.check();
    // It reads again within the write timeout, which is longer than the close timeout: the frame in progress comes,
    // then why it is closed.
    world.advance(seconds(5)).await;
    slow.wakes_up();
    assert_eq!(slow.expects("tick").await, 0);
    assert_eq!(slow.expects("closing").await["code"], 4513);
    assert_eq!(slow.closed().await.code, CloseCode::TOO_SLOW);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_never_ends_is_given_up() {
    let world = World::new(1).await;
    let mut slow = world.client("alice").network(Network::with_buffer(1)).connect().await;
    slow.falls_asleep();
    world.publish(to::all(), "tick", 1).await;
    timeout(seconds(11), slow.node_task()).await.expect("within write_timeout").expect("no panic");
    assert_eq!(world.metrics().closed_slow_total, 1);
    forgotten(world.service());
}

#[tokio::test(start_paused = true)]
async fn a_write_that_takes_its_time_is_no_missing_pong() {
    let world = World::builder()
        .settings(|settings| {
            settings.liveness.ping_interval = seconds(1);
            settings.liveness.pong_misses = 1;
        })
        .build()
        .await;
    let mut alice = world.client("alice").network(Network::with_buffer(1)).connect().await;
    alice.falls_asleep();
    world.publish(to::all(), "tick", 1).await;
    world.advance(seconds(5)).await;
    alice.wakes_up();
    alice.expects("tick").await;
    alice.command(json!({"action": "ping"})).await.expect("it lives");
}

#[tokio::test(start_paused = true)]
async fn what_is_too_large_or_not_valid_is_not_published() {
    let world = World::builder().settings(|settings| settings.publishing.max_bytes = 10).build().await;
    let large = world.try_publish(to::all(), "tick", "x".repeat(20)).await;
    assert!(large.expect_err("too large").to_string().contains("limits.max_publish_bytes is 10"));
    let (kind, payload) = ("tick".parse().expect("a type"), realtime_schema::Payload::of(&1).expect("JSON"));
    let mut request = realtime_schema::PublishRequest::new(to::all(), kind, payload);
    request.idempotency_key = Some(String::new());
    assert!(world.service().publish(request).await.is_err());
    assert_eq!(world.metrics().publications_total, 0);
}
