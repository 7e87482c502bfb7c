//! The life of a connection, with the clock held still: nothing here waits for real time.

mod support;

use std::{sync::Arc, time::Duration};

use realtime_adapters::testing::{TestJwtVerifier, TestWebSocketConnection};
use realtime_core::auth::ConnectRequest;
use realtime_ports::{Incoming, RealtimeService, VerifyError};
use realtime_schema::{ClientLimits, CloseCode, Closing, ErrorCode, JwtClaims, Origin, Payload, Route, Topic};
use realtime_service::{Service, Settings};
use serde_json::json;
use support::{Peer, WALL_S, Written, builder, claims, connect, service, try_connect, with};
use tokio::{sync::mpsc, time::timeout};

fn topic(text: &str) -> Topic {
    text.parse().expect("a topic")
}

async fn publish(service: &Service, to: Route, n: u32) -> u64 {
    let request = realtime_schema::PublishRequest::new(
        to,
        "tick".parse().expect("a type"),
        Payload::of(&json!({"n": n})).expect("JSON"),
    );
    service.publish(request).await.expect("published").delivered
}

/// Nothing of a connection is left on the node.
fn forgotten(service: &Service) {
    let metrics = service.metrics();
    assert_eq!((metrics.connections, metrics.topics, metrics.subscriptions), (0, 0, 0));
}

async fn subscribe(peer: &mut Peer, name: &str) {
    peer.says(&json!({"action": "subscribe", "id": 1, "topic": name}).to_string()).await;
    peer.expects("ack").await;
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_gets_what_is_published_and_nothing_after_its_unsubscribe_was_acknowledged() {
    let service = service(Settings::default()).await;
    let mut alice = connect(&service, "alice").await;
    let mut bob = connect(&service, "bob").await;
    subscribe(&mut alice, "order:1").await;

    assert_eq!(publish(&service, Route::Topic(topic("order:1")), 1).await, 1);
    assert_eq!(alice.expects("tick").await, json!({"n": 1}));

    alice.says(r#"{"action":"unsubscribe","id":2,"topic":"order:1"}"#).await;
    alice.expects("ack").await;
    assert_eq!(publish(&service, Route::Topic(topic("order:1")), 2).await, 0);
    for peer in [&mut alice, &mut bob] {
        peer.says(r#"{"action":"ping","id":"fence"}"#).await;
        assert_eq!(peer.expects("ack").await["id"], "fence", "nothing came before the fence");
    }
}

#[tokio::test(start_paused = true)]
async fn a_union_of_routes_reaches_each_connection_once() {
    let service = service(Settings::default()).await;
    let mut alice = connect(&service, "alice").await;
    let mut bob = connect(&service, "bob").await;
    subscribe(&mut alice, "order:1").await;
    let to = realtime_schema::Audience::union(vec![
        Route::Topic(topic("order:1")),
        Route::User("alice".parse().expect("a user")),
        Route::Role("member".parse().expect("a role")),
    ])
    .expect("an audience");
    let request =
        realtime_schema::PublishRequest::new(to, "tick".parse().expect("a type"), Payload::of(&1).expect("JSON"));
    assert_eq!(service.publish(request).await.expect("published").delivered, 2);
    for peer in [&mut alice, &mut bob] {
        peer.expects("tick").await;
        peer.says(r#"{"action":"ping","id":"fence"}"#).await;
        assert_eq!(peer.expects("ack").await["id"], "fence");
    }
}

#[tokio::test(start_paused = true)]
async fn the_server_subscribes_and_unsubscribes_and_the_client_is_told() {
    let service = service(Settings::default()).await;
    let mut alice = try_connect(&service, ConnectRequest::with_token("alice")).await.expect("admitted");
    let id = alice.expects("welcome").await["connection"].as_str().expect("an id").parse().expect("an id");
    assert_eq!(service.subscribe(id, &topic("given"), Origin::Server).await, Ok(true));
    assert_eq!(service.subscribe(id, &topic("given"), Origin::Server).await, Ok(false));
    assert_eq!(alice.expects("subscribed").await["topic"], "given");
    assert!(service.unsubscribe(id, &topic("given")).await);
    let told = alice.expects("unsubscribed").await;
    assert_eq!((told["topic"].as_str(), told["reason"].as_str()), (Some("given"), Some("server")));
}

#[tokio::test(start_paused = true)]
async fn whatever_ends_a_connection_the_node_forgets_it() {
    let service = service(Settings::default()).await;
    // The peer closes, vanishes, or the task that serves it is dropped half-way.
    for end in 0..3 {
        let mut peer = connect(&service, "alice").await;
        subscribe(&mut peer, "order:1").await;
        match end {
            0 => peer.incoming.send(Incoming::Closed(Some(CloseCode::NORMAL))).await.expect("sent"),
            1 => drop(std::mem::replace(&mut peer.incoming, mpsc::channel(1).0)),
            _ => peer.task.abort(),
        }
        let _ = peer.task.await;
        forgotten(&service);
    }
    assert_eq!(service.drain(Duration::from_secs(1)).await, 0, "every permit was returned");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_ends_ends_its_connection_and_a_refresh_keeps_it() {
    let exp = |seconds| JwtClaims { exp: Some(WALL_S + seconds), ..claims("alice", &["subscribe:a"]) };
    let verifier = TestJwtVerifier::new("old", exp(60)).and("new", exp(600)).and("mallory", claims("mallory", &[]));
    let service = builder(Settings::default()).verifier(Arc::new(verifier)).build().await.expect("a service");

    let mut expires = connect(&service, "old").await;
    let mut renews = connect(&service, "old").await;
    renews.says(r#"{"action":"refresh","id":1,"token":"mallory"}"#).await;
    assert_eq!(renews.expects("error").await["code"], "forbidden");
    renews.says(r#"{"action":"refresh","id":2,"token":"new"}"#).await;
    let ack = renews.expects("ack").await;
    assert!(ack["token_expires_in_ms"].as_u64().is_some_and(|ms| ms > 500_000), "{ack}");

    loop {
        match expires.next().await {
            Some(Written::Ping) => expires.incoming.send(Incoming::Alive).await.expect("sent"),
            Some(Written::Frame(frame)) => {
                assert_eq!((&frame["type"], &frame["payload"]["code"]), (&json!("closing"), &json!(4610)));
                break;
            }
            other => panic!("unexpected: {other:?}"),
        }
    }
    assert_eq!(
        expires.next().await,
        Some(Written::Close(CloseCode::EXPIRED, "the token has expired; connect with a new one".into()))
    );
    renews.says(r#"{"action":"ping","id":3}"#).await;
    loop {
        match renews.next().await {
            Some(Written::Ping) => {}
            Some(Written::Frame(frame)) => break assert_eq!(frame["payload"]["id"], 3),
            other => panic!("unexpected: {other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_no_ping_is_closed() {
    let service = service(Settings::default()).await;
    let mut peer = connect(&service, "alice").await;
    assert_eq!((peer.next().await, peer.next().await), (Some(Written::Ping), Some(Written::Ping)));
    assert_eq!(peer.expects_close().await, 4508);
    forgotten(&service);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_stalls_is_closed_as_too_slow_and_the_others_notice_nothing() {
    let limits = ClientLimits { queue_messages: 5, ..ClientLimits::default() };
    let service = service(with(|settings| settings.limits = limits)).await;
    let mut slow = connect(&service, "alice").await;
    let mut quick = connect(&service, "bob").await;
    slow.stalled.send_replace(true);
    for n in 0..20 {
        publish(&service, Route::All, n).await;
        assert_eq!(quick.expects("tick").await["n"], n);
    }
    assert_eq!(service.metrics().closed_slow_total, 1);
    // It reads again within the write timeout: the frame in progress comes, then why it is closed.
    slow.stalled.send_replace(false);
    let mut last = slow.frame().await;
    while last["type"] == "tick" {
        last = slow.frame().await;
    }
    assert_eq!((&last["type"], &last["payload"]["code"]), (&json!("closing"), &json!(4513)));
}

#[tokio::test(start_paused = true)]
async fn a_write_that_never_ends_is_given_up() {
    let service = service(Settings::default()).await;
    let slow = connect(&service, "alice").await;
    slow.stalled.send_replace(true);
    publish(&service, Route::All, 1).await;
    timeout(Duration::from_secs(11), slow.task).await.expect("within write_timeout").expect("no panic");
    assert_eq!(service.metrics().closed_slow_total, 1);
    forgotten(&service);
}

#[tokio::test(start_paused = true)]
async fn a_drain_closes_every_connection_and_admits_no_client() {
    let service = service(Settings::default()).await;
    let mut peers = [connect(&service, "alice").await, connect(&service, "bob").await];
    let draining = tokio::spawn({
        let service = service.clone();
        async move { service.drain(Duration::from_secs(10)).await }
    });
    for peer in &mut peers {
        let told = peer.expects("closing").await;
        assert_eq!((&told["code"], &told["reconnect"]), (&json!(4503), &json!(true)));
        assert!(told["spread_ms"].as_u64().is_some_and(|ms| ms >= 1_000), "{told}");
        let reason = told["reason"].as_str().expect("a reason");
        assert!(!reason.contains("another"), "a lone node can't promise that another one will answer: {reason}");
    }
    assert_eq!(draining.await.expect("no panic"), 0);
    let refused = service.admit(&ConnectRequest::with_token("carol")).await.expect_err("draining");
    assert_eq!((refused.code, refused.close), (ErrorCode::Unavailable, CloseCode::DRAINING));
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_at_its_deadline_and_says_who_was_left() {
    let service = service(with(|settings| settings.liveness.close_timeout = Duration::from_secs(60))).await;
    let stuck = connect(&service, "alice").await;
    stuck.stalled.send_replace(true);
    assert_eq!(service.drain(Duration::from_secs(1)).await, 1);
}

#[tokio::test(start_paused = true)]
async fn each_limit_of_admission_is_refused_by_its_name_and_its_permit_is_returned() {
    let settings = with(|settings| {
        settings.admission.connections = 3;
        settings.admission.connections_per_user = 1;
        settings.admission.connections_per_address = 2;
    });
    let service = service(settings).await;
    let from = |token: &str, last: u8| {
        let mut request = ConnectRequest::with_token(token);
        request.remote = Some([192, 0, 2, last].into());
        request
    };
    let alice = try_connect(&service, from("alice", 1)).await.expect("admitted");
    let refused = |request| {
        let service = service.clone();
        async move { service.admit(&request).await.expect_err("over a limit").message }
    };
    assert!(refused(from("alice", 1)).await.contains("limits.connections_per_user is 1"));
    let _bob = try_connect(&service, from("bob", 1)).await.expect("admitted");
    assert!(refused(from("carol", 1)).await.contains("limits.connections_per_address is 2"));
    let _carol = try_connect(&service, from("carol", 2)).await.expect("admitted");
    assert!(refused(from("carol", 3)).await.contains("limits.connections is 3"));
    assert_eq!(service.metrics().refusals.connections(), 3);

    alice.task.abort();
    let _ = alice.task.await;
    try_connect(&service, from("alice", 1)).await.expect("the permit was returned");
}

#[tokio::test(start_paused = true)]
async fn no_client_is_admitted_when_its_token_can_not_be_verified() {
    let source: Arc<dyn std::error::Error + Send + Sync> = Arc::new(std::io::Error::other("no keys"));
    let verifier =
        TestJwtVerifier::default().failing("t", VerifyError::Unavailable(source)).failing("e", VerifyError::Expired);
    let service = builder(Settings::default()).verifier(Arc::new(verifier)).build().await.expect("a service");
    let refused = service.admit(&ConnectRequest::with_token("t")).await.expect_err("no keys");
    assert_eq!((refused.code, refused.after_ms), (ErrorCode::Unavailable, Some(1_000)));
    let refused = service.admit(&ConnectRequest::with_token("e")).await.expect_err("expired");
    assert_eq!((refused.code, refused.close), (ErrorCode::TokenExpired, CloseCode::EXPIRED));
}

#[tokio::test(start_paused = true)]
async fn a_socket_of_ones_own_connects_gets_messages_and_is_disconnected() {
    let service = service(Settings::default()).await;
    let id = "019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d8e".parse().expect("an id");
    let socket = Arc::new(TestWebSocketConnection::new(id));
    service.connect(ConnectRequest::with_token("alice"), socket.clone()).await.expect("admitted");
    assert_eq!(publish(&service, Route::User("alice".parse().expect("a user")), 1).await, 1);
    let has = |kinds: &[&str]| socket.kinds() == kinds;
    timeout(Duration::from_secs(1), async {
        while !has(&["welcome", "tick"]) {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the welcome, then the message");
    assert!(service.disconnect(id, Closing::new(CloseCode::FORBIDDEN, "enough")).await);
    assert!(!service.disconnect(id, Closing::new(CloseCode::FORBIDDEN, "enough")).await, "it is gone");
    forgotten(&service);
    assert_eq!(service.drain(Duration::from_secs(1)).await, 0, "its permit was returned");
    assert_eq!(socket.closing(), Some(Closing::new(CloseCode::FORBIDDEN, "enough")));
    assert_eq!(socket.kinds(), ["welcome", "tick"], "the port's own close says why, once");
}

#[tokio::test]
async fn what_is_too_large_or_not_valid_is_not_published() {
    let service = service(with(|settings| settings.publishing.max_bytes = 10)).await;
    let kind = || "tick".parse().expect("a type");
    let large = service.send_to_all(kind(), Payload::of(&"x".repeat(20)).expect("JSON")).await;
    assert!(large.expect_err("too large").to_string().contains("limits.max_publish_bytes is 10"));
    let mut request = realtime_schema::PublishRequest::new(Route::All, kind(), Payload::of(&1).expect("JSON"));
    request.idempotency_key = Some(String::new());
    assert!(service.publish(request).await.is_err());
    assert_eq!(service.metrics().publications_total, 0);
}

#[tokio::test]
async fn a_builder_without_a_verifier_says_so() {
    let error = Service::builder().build().await.expect_err("no verifier");
    assert!(error.to_string().contains("ServiceBuilder::verifier"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_sent_messages_without_pause_can_still_send_commands() {
    let service = service(Settings::default()).await;
    let mut peer = connect(&service, "alice").await;
    for n in 0..200 {
        publish(&service, Route::All, n).await;
    }
    peer.says(r#"{"action":"ping","id":1}"#).await;
    for n in 200..2000 {
        let frame = peer.frame().await;
        if frame["type"] == "ack" {
            return;
        }
        publish(&service, Route::All, n).await;
    }
    panic!("1,800 messages later the command was not answered");
}

#[tokio::test(start_paused = true)]
async fn a_write_that_takes_its_time_is_no_missing_pong() {
    let settings = with(|settings| {
        settings.liveness.ping_interval = Duration::from_secs(1);
        settings.liveness.pong_misses = 1;
    });
    let service = service(settings).await;
    let mut peer = connect(&service, "alice").await;
    peer.stalled.send_replace(true);
    publish(&service, Route::All, 1).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    peer.stalled.send_replace(false);
    peer.expects("tick").await;
    peer.says(r#"{"action":"ping","id":1}"#).await;
    let mut next = peer.next().await;
    while next == Some(Written::Ping) {
        next = peer.next().await;
    }
    assert!(matches!(&next, Some(Written::Frame(frame)) if frame["type"] == "ack"), "{next:?}");
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_the_application_serves_itself_ends_with_its_token_too() {
    let claims = JwtClaims { exp: Some(WALL_S + 60), ..claims("alice", &[]) };
    let service = builder(Settings::default())
        .verifier(Arc::new(TestJwtVerifier::new("short", claims)))
        .build()
        .await
        .expect("complete");
    let id = "019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d8e".parse().expect("an id");
    let socket = Arc::new(TestWebSocketConnection::new(id));
    service.connect(ConnectRequest::with_token("short"), socket.clone()).await.expect("admitted");
    tokio::time::sleep(Duration::from_secs(59)).await;
    assert_eq!(socket.closing(), None, "it is pinged meanwhile, and open");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(socket.closing().map(|closing| closing.code), Some(CloseCode::EXPIRED));
    forgotten(&service);
    assert_eq!(service.drain(Duration::ZERO).await, 0, "its permit was returned");
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_the_application_serves_itself_is_forgotten_when_it_is_gone() {
    let service = service(Settings::default()).await;
    let id = "019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d8e".parse().expect("an id");
    let socket = Arc::new(TestWebSocketConnection::new(id));
    service.connect(ConnectRequest::with_token("alice"), socket.clone()).await.expect("admitted");
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(service.metrics().connections, 1, "an open socket is alive");
    socket.vanish();
    tokio::time::sleep(Duration::from_secs(60)).await;
    forgotten(&service);
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_that_is_closed_is_sent_why_if_it_reads_again_within_the_write_timeout() {
    let settings = with(|settings| {
        settings.limits.queue_messages = 5;
        settings.liveness.write_timeout = Duration::from_secs(10);
        settings.liveness.close_timeout = Duration::from_secs(1);
    });
    let service = service(settings).await;
    let mut slow = connect(&service, "alice").await;
    slow.stalled.send_replace(true);
    for n in 0..20 {
        publish(&service, Route::All, n).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(service.metrics().closed_slow_total, 1);
    tokio::time::sleep(Duration::from_secs(5)).await;
    slow.stalled.send_replace(false);
    let mut last = slow.frame().await;
    while last["type"] == "tick" {
        last = slow.frame().await;
    }
    assert_eq!((&last["type"], &last["payload"]["code"]), (&json!("closing"), &json!(4513)));
    assert!(matches!(slow.next().await, Some(Written::Close(CloseCode::TOO_SLOW, _))));
}

#[tokio::test(start_paused = true)]
async fn new_settings_hold_for_new_connections_and_publications_and_close_no_connection() {
    let service = service(with(|settings| settings.publishing.max_bytes = 10)).await;
    let mut old = connect(&service, "alice").await;
    let changed = with(|settings| {
        settings.admission.connections_per_user = 1;
        settings.limits.subscriptions = 7;
        settings.publishing.max_bytes = 100;
    });
    service.reload(changed);
    assert_eq!(service.settings().admission.connections_per_user, 1);
    let refused = service.admit(&ConnectRequest::with_token("alice")).await.expect_err("over the new limit");
    assert!(refused.message.contains("limits.connections_per_user is 1"), "{refused}");
    let mut new = try_connect(&service, ConnectRequest::with_token("bob")).await.expect("admitted");
    assert_eq!(new.expects("welcome").await["limits"]["subscriptions"], 7);
    let large = Payload::of(&"x".repeat(50)).expect("JSON");
    service.send_to_all("tick".parse().expect("a type"), large).await.expect("no longer too large");
    old.expects("tick").await;
}
