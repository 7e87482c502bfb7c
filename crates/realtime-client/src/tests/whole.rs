//! Stories of the whole client over a scripted server: presence, a restart, typed payloads, panics, and what is left.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{net::TcpListener, time::timeout};
use tokio_tungstenite::tungstenite::Message;

use crate::{
    Client, ClientOptions, ConnectionPhase, ConnectionState, Delivery, Session, SubscribeOptions, TokenProvider,
    presence::{Follows, Frame, PresenceUser, Roster},
};

fn frame(value: Value) -> Frame {
    serde_json::from_value(value).expect("a frame")
}

fn user(name: &str) -> Value {
    json!({"user": name, "connections": 1})
}

fn names(roster: &Roster) -> Vec<&str> {
    roster.users.values().map(|user: &PresenceUser| user.user.as_str()).collect()
}

#[test]
fn s31_a_user_who_joined_before_the_list_is_on_it_and_a_reconnect_is_not_empty() {
    let mut roster = Roster::default();
    roster.begin();
    let joined = frame(json!({"version": 8, "count": 2, "joined": [user("__proto__")]}));
    assert_eq!(roster.frame(joined), Follows::Nothing);
    let page = frame(json!({"version": 7, "count": 3, "users": [user("bob")], "next": "bob"}));
    assert_eq!(roster.list(page), Follows::Page("bob".into()));
    assert_eq!(roster.list(frame(json!({"version": 7, "count": 1, "users": [user("carol")]}))), Follows::Changed);
    assert_eq!((names(&roster), roster.count), (vec!["__proto__", "bob", "carol"], 2));
    let older = frame(json!({"version": 8, "count": 0, "left": ["bob"]}));
    assert_eq!(roster.frame(older), Follows::Nothing, "it is in the list already");
    roster.interrupt();
    roster.begin();
    assert_eq!(names(&roster).len(), 3, "no flicker");
    roster.list(frame(json!({"version": 1, "count": 1, "users": [user("dave")]})));
    assert_eq!(names(&roster), ["dave"]);
}

#[derive(Debug, Deserialize)]
struct Order {
    total: u64,
}

#[test]
fn a_payload_that_does_not_fit_has_its_pointer_and_never_its_value() {
    let text = json!({"id": "1", "type": "order-updated", "topic": "order:1", "payload": {"total": "a secret"}});
    let message: crate::Message = serde_json::from_str(&text.to_string()).expect("a message");
    let error = message.decode::<Order>().expect_err("no number");
    assert_eq!((error.code.as_str(), error.errors[0].path.as_str()), ("bad_payload", "/total"));
    assert!(error.message.contains("expected u64") && !error.message.contains("secret"), "{error}");
    let text = text.to_string().replace("\"a secret\"", "7");
    let message: crate::Message = serde_json::from_str(&text).expect("a message");
    assert_eq!(message.decode::<Order>().expect("it fits").total, 7);
}

/// A server that accepts each connection, replies to every command, and sends `script` after `welcome`. Returns its port.
async fn server(script: Vec<Value>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    tokio::spawn(async move {
        use futures_util::{SinkExt, StreamExt};
        while let Ok((stream, _)) = listener.accept().await {
            let script = script.clone();
            tokio::spawn(async move {
                #[expect(clippy::result_large_err, reason = "the type of the callback is the library's")]
                let callback = |_: &_, mut response: tokio_tungstenite::tungstenite::handshake::server::Response| {
                    response.headers_mut().insert("sec-websocket-protocol", "realtime.v1".parse().expect("a header"));
                    Ok(response)
                };
                let Ok(mut socket) = tokio_tungstenite::accept_hdr_async(stream, callback).await else { return };
                let welcome = json!({"type": "welcome", "payload": {"user": "alice", "streams": {}, "resume": "t"}});
                let mut text = vec![welcome];
                text.extend(script);
                for frame in text {
                    _ = socket.send(Message::Text(frame.to_string().into())).await;
                }
                while let Some(Ok(received)) = socket.next().await {
                    let Message::Text(text) = received else { continue };
                    let command: Value = serde_json::from_str(&text).expect("JSON");
                    let position = json!({"epoch": "a", "offset": 0});
                    let ack = json!({"type": "ack", "payload": {"id": command["id"], "position": position}});
                    _ = socket.send(Message::Text(ack.to_string().into())).await;
                    if command["action"] == "subscribe" {
                        for offset in 1..=3 {
                            let message = json!({"id": offset.to_string(), "type": "order-updated", "topic": command["topic"],
                                "stream": format!("topic:{}", command["topic"].as_str().expect("a topic")),
                                "offset": offset, "payload": {"total": offset}});
                            _ = socket.send(Message::Text(message.to_string().into())).await;
                        }
                    }
                }
            });
        }
    });
    port
}

fn options(port: u16) -> ClientOptions {
    ClientOptions::new(format!("ws://127.0.0.1:{port}/ws"), TokenProvider::fixed("jwt"))
}

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_session_continues_before_what_no_reader_had_room_for() {
    let port = server(Vec::new()).await;
    let client = Client::connect(options(port).queue(1)).expect("a client");
    let mut order = client.subscribe("order:1").await.expect("it runs");
    timeout(SOON, order.ready()).await.expect("in time").expect("subscribed");
    // One message has room; the second and the third have not.
    let first = timeout(SOON, async {
        while order.deliveries.is_empty() {
            tokio::task::yield_now().await;
        }
        client.close().await
    });
    let session = first.await.expect("in time").expect("a session");
    let mut read = 0;
    while let Some(Delivery::Message(message)) = order.next().await {
        read = message.offset.expect("an offset");
    }
    assert_eq!(session.positions()["topic:order:1"].offset, read, "what follows is what was not read");
    let stored = serde_json::to_string(&session).expect("JSON");
    assert!(!format!("{session:?}").contains("ticket"));
    let carried: Session = serde_json::from_str(&stored).expect("a session");
    assert_eq!(carried, session);
    let next = Client::connect(options(port).session(carried)).expect("a client");
    assert_eq!(next.session().await.expect("it runs").client(), session.client());
}

#[tokio::test]
async fn typed_messages_come_decoded_and_the_others_are_reported() {
    let wrong = json!({"id": "9", "type": "order-updated", "topic": "order:9", "payload": {"total": -1}});
    let other = json!({"id": "8", "type": "note", "topic": "order:9", "payload": 1});
    let right = json!({"id": "7", "type": "order-updated", "topic": "order:9", "payload": {"total": 5}});
    let client = Client::connect(options(server(vec![wrong, other, right]).await)).expect("a client");
    let mut errors = client.errors();
    let mut orders = client.on::<Order>("order:*", "order-updated").await.expect("it runs");
    let order = timeout(SOON, orders.next()).await.expect("in time").expect("a message");
    assert_eq!((order.payload.total, order.message.kind.as_str()), (5, "order-updated"));
    let error = errors.recv().await.expect("an error");
    assert_eq!((error.code.as_str(), errors.is_empty()), ("bad_payload", true), "the note is no order");
}

#[tokio::test]
async fn s16_a_task_that_panics_ends_alone() {
    let port = server(Vec::new()).await;
    let provider = TokenProvider::new(|_| async { Ok::<_, String>(Some("jwt".into())) });
    let client = Client::connect(ClientOptions::new(format!("ws://127.0.0.1:{port}/ws"), provider)).expect("a client");
    let mut errors = client.errors();
    let load = SubscribeOptions::default()
        .load(|_| -> std::future::Ready<Result<_, String>> { panic!("a fault of the application") });
    let _broken = client.subscribe_with("order:2", load).await.expect("it runs");
    let mut one = client.subscribe("order:1").await.expect("it runs");
    let reader = tokio::spawn(async move {
        one.next().await;
        panic!("a fault of the application");
    });
    let mut two = client.subscribe("order:1").await.expect("it runs");
    for offset in 1..=3 {
        let delivery = timeout(SOON, two.next()).await.expect("in time");
        assert!(matches!(delivery, Some(Delivery::Message(message)) if message.offset == Some(offset)));
    }
    assert!(reader.await.is_err());
    assert_eq!(timeout(SOON, errors.recv()).await.expect("in time").expect("an error").code, "load_failed");
    client.close().await;
}

/// What a client has left when it has stopped: timers, and subscriptions of the machine.
fn left(state: &crate::machine::State) -> (usize, usize, usize) {
    (state.timers_left(), state.subscriptions.iter().count(), state.positions.len())
}

#[test]
fn s32_nothing_is_left_of_starts_and_of_subscriptions() {
    use crate::machine::{Effect, Event, Options, State, Timer, step};
    let options = Options { client: "c".into(), first_id: 1, max_offline: 100, max_offline_bytes: 262_144 };
    let mut state = State::new(options);
    let mut now = 0.0;
    for _ in 0..1_000 {
        step(&mut state, Event::Start, now, 0.5);
        now += 1_000.0;
        step(&mut state, Event::Stop, now, 0.5);
    }
    assert_eq!(left(&state), (0, 0, 0));
    step(&mut state, Event::Start, now, 0.5);
    for i in 0..10_000 {
        let topic = format!("order:{i}");
        step(&mut state, Event::Subscribe { topic: topic.clone(), since: None, load: false }, now, 0.5);
        for effect in step(&mut state, Event::Unsubscribe { topic }, now, 0.5) {
            assert!(!matches!(effect, Effect::Arm { timer: Timer::Linger, .. }), "nothing is on the wire");
        }
    }
    step(&mut state, Event::Stop, now, 0.5);
    assert_eq!(left(&state), (0, 0, 0));
}

#[tokio::test]
async fn s32_a_client_that_is_closed_leaves_no_task() {
    let port = server(Vec::new()).await;
    let metrics = tokio::runtime::Handle::current().metrics();
    let before = metrics.num_alive_tasks();
    for i in 0..50 {
        let client = Client::connect(options(port)).expect("a client");
        let mut order = client.subscribe(format!("order:{i}")).await.expect("it runs");
        timeout(SOON, order.ready()).await.expect("in time").expect("subscribed");
        client.close().await;
    }
    // The tasks of the server end when they have seen the close.
    let ended = timeout(SOON, async {
        while metrics.num_alive_tasks() > before {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    assert!(ended.await.is_ok(), "{} tasks are left of {before}", metrics.num_alive_tasks());
}

#[test]
fn s10_a_thousand_clients_come_back_evenly_over_the_time_that_the_server_asks_for() {
    use crate::machine::{Effect, Event, Options, State, Timer, step};
    let mut tenths = [0; 10];
    for seed in 0..1_000 {
        let random = super::random::Random::new(seed).next();
        let options = Options { client: "c".into(), first_id: 1, max_offline: 1, max_offline_bytes: 1 };
        let mut state = State::new(options);
        step(&mut state, Event::Start, 0.0, random);
        step(&mut state, Event::Token { request: 1, token: Some("jwt".into()) }, 0.0, random);
        let mut frame = |kind: &str, payload: Value| {
            let text = json!({"type": kind, "payload": payload}).to_string();
            step(&mut state, Event::Frame { n: 1, text }, 1.0, random);
        };
        frame("welcome", json!({"user": "a", "streams": {}}));
        frame(
            "closing",
            json!({"code": 4503, "reason": "drain", "reconnect": true, "after_ms": 800, "spread_ms": 20_000}),
        );
        let effects = step(&mut state, Event::Closed { n: 1, code: 4503, reason: "drain".into() }, 2.0, random);
        let wait = effects.iter().find_map(|effect| match effect {
            Effect::Arm { timer: Timer::Retry, ms, .. } => Some(*ms),
            _ => None,
        });
        let wait = wait.expect("a retry");
        assert!((800..=20_800).contains(&wait), "{wait}");
        tenths[((wait - 800) / 2_000).min(9) as usize] += 1;
    }
    let squares: f64 = tenths.iter().map(|own| (f64::from(*own) - 100.0).powi(2) / 100.0).sum();
    // 27.9 is exceeded by chance once in a thousand runs; the seeds are fixed.
    assert!(squares < 27.9, "{squares}: {tenths:?}");
}

#[tokio::test]
async fn a_subscription_is_not_ready_after_a_stop_until_the_next_start() {
    let client = Client::connect(options(server(Vec::new()).await)).expect("a client");
    let mut order = client.subscribe("order:1").await.expect("it runs");
    timeout(SOON, order.ready()).await.expect("in time").expect("it is live");
    client.stop().await.expect("it runs");
    let stopped = |state: &ConnectionState| state.phase == ConnectionPhase::Stopped;
    timeout(SOON, client.state().wait_for(stopped)).await.expect("in time").expect("it runs");
    assert_eq!(timeout(SOON, order.ready()).await.expect("in time").expect_err("it is not live").code, "stopped");
    client.start(None).await.expect("it runs");
    let connected = |state: &ConnectionState| state.phase == ConnectionPhase::Connected;
    timeout(SOON, client.state().wait_for(connected)).await.expect("in time").expect("it runs");
    timeout(SOON, order.ready()).await.expect("in time").expect("it is live again");
}
