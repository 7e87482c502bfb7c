//! Following a user or a topic over HTTP: a line for each event as it happens, and an end.

use std::time::Duration;

use realtime_tests::{DEADLINE, World, schemas};
use serde_json::{Value, json};
use tokio::time::timeout;

const API_KEY: &str = "an-api-key-of-the-tests";

/// The lines of a trace as they arrive.
struct Lines {
    response: reqwest::Response,
    unread: Vec<u8>,
}

impl Lines {
    async fn begin(world: &World, request: &Value) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
        let request = http.post(format!("http://{}/api/v1/trace", world.address)).bearer_auth(API_KEY).json(request);
        let response = request.send().await.expect("a response");
        assert_eq!(response.status().as_u16(), 200);
        assert_eq!(response.headers()["content-type"], "application/x-ndjson");
        let mut lines = Self { response, unread: Vec::new() };
        assert_eq!(lines.next().await.expect("the first line")["event"], "started");
        lines
    }

    /// The next line; `None` once the response has ended.
    async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let line: Vec<_> = self.unread.drain(..=end).collect();
                let event = serde_json::from_slice(&line).expect("a line of JSON");
                schemas().check("trace-event", &event);
                return Some(event);
            }
            let chunk = timeout(DEADLINE, self.response.chunk()).await.expect("a line in time").expect("no error")?;
            self.unread.extend_from_slice(&chunk);
        }
    }

    async fn expect(&mut self, kind: &str) -> Value {
        let event = self.next().await.expect("a line");
        assert_eq!(event["event"], kind, "{event}");
        event
    }

    /// The end: the last line, and nothing after it.
    async fn expect_end(mut self, reason: &str) {
        assert_eq!(self.expect("ended").await["reason"], reason);
        assert_eq!(self.next().await, None);
    }
}

#[tokio::test]
async fn each_event_arrives_as_it_happens_and_the_response_ends_by_itself() {
    let world = World::start().await;
    let mut lines = Lines::begin(&world, &json!({"user": "alice", "seconds": 2})).await;
    let mut alice = world.connect_granted("alice", "order:*").await;
    assert_eq!(lines.expect("opened").await["connection"], alice.id());
    alice.subscribe("order:1").await;
    assert_eq!(lines.expect("subscribed").await["origin"], "client");
    world.publish(json!({"topic": "order:1"}), "news", json!("the-payload")).await;
    let published = lines.expect("published").await;
    assert_eq!((&published["type"], &published["delivered"]), (&json!("news"), &json!(1)));
    assert!(!published.to_string().contains("the-payload"), "{published}");
    alice.publication().await;
    let refused = alice.command(json!({"action": "subscribe", "topic": "other"})).await;
    assert_eq!(lines.expect("refused").await["reason"], refused["code"]);
    alice.close().await;
    assert_eq!(lines.expect("closed").await["reason"], "client");
    lines.expect_end("time").await;
}

#[tokio::test]
async fn the_messages_of_streams_are_shown_with_their_payloads_on_request() {
    let world = World::start().await;
    let request = json!({"streams": ["topic:order:*", "role:admin"], "type": "news", "payloads": true, "seconds": 2});
    let mut lines = Lines::begin(&world, &request).await;
    let mut alice = world.connect_granted("alice", "order:*").await;
    alice.subscribe("order:1").await;
    for (to, kind) in [
        (json!({"topic": "order:1"}), "other-type"),
        (json!({"topic": "other"}), "news"),
        (json!({"user": "alice"}), "news"),
        (json!("all"), "news"),
        (json!({"topic": "order:1"}), "news"),
        (json!({"role": "admin"}), "news"),
        (json!([{"user": "bob"}, {"topic": "order:2"}]), "news"),
    ] {
        world.publish(to.clone(), kind, json!({"for": to})).await;
    }
    for (to, delivered) in [
        (json!({"topic": "order:1"}), 1),
        (json!({"role": "admin"}), 0),
        (json!([{"user": "bob"}, {"topic": "order:2"}]), 0),
    ] {
        let published = lines.expect("published").await;
        assert_eq!(published["payload"], json!({"for": to}), "{published}");
        assert_eq!((&published["to"], &published["delivered"]), (&to, &json!(delivered)), "{published}");
    }
    lines.expect_end("time").await;
}

#[tokio::test]
async fn only_a_backend_may_trace_and_a_bad_request_says_what_to_give() {
    let world = World::with(|config| config.limits.trace_time = realtime_server::Span::secs(30)).await;
    let body = json!({"user": "alice"}).to_string();
    let alice = world.token("alice", &json!({}));
    for key in [None, Some("a-wrong-key"), Some(alice.as_str())] {
        let answer = world.call_as(key, reqwest::Method::POST, "/api/v1/trace", Some(body.clone())).await;
        answer.refused("unauthorized");
    }
    for (body, path, what) in [
        (json!({}), "/user", "a user, a topic or streams"),
        (json!({"user": "alice", "streams": ["all"]}), "/streams", "one of them"),
        (json!({"streams": ["order:*"]}), "/streams/0", "topic:order:*"),
        (json!({"streams": vec!["all"; 9]}), "/streams", "at most 8"),
        (json!({"user": "alice", "topic": "order:1"}), "/topic", "one of them"),
        (json!({"user": ""}), "/user", ""),
        (json!({"user": "alice", "seconds": 31}), "/seconds", "limits.trace_time"),
        (json!({"user": "alice", "seconds": 0}), "/seconds", "1 or more"),
    ] {
        let problem = world.post("/api/v1/trace", body.clone()).await.refused("bad_request");
        let error = &problem["errors"][0];
        assert!(
            error["path"] == path && error["message"].as_str().is_some_and(|text| text.contains(what)),
            "{problem}"
        );
    }
}

#[tokio::test]
async fn a_reader_that_goes_away_makes_room_for_another() {
    let world = World::with(|config| config.limits.traces = 1).await;
    let lines = Lines::begin(&world, &json!({"user": "alice"})).await;
    let problem = world.post("/api/v1/trace", json!({"user": "bob"})).await.refused("limit_exceeded");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("limits.traces")), "{problem}");
    drop(lines);
    let freed = async {
        let request = realtime_schema::TraceRequest {
            user: Some("bob".parse().expect("a user")),
            ..realtime_schema::TraceRequest::default()
        };
        while world.service.trace(&request).is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(DEADLINE, freed).await.expect("room in time");
}

#[tokio::test]
async fn a_stop_of_the_server_ends_the_trace_and_is_not_held_up_by_it() {
    let world = World::with(|config| {
        config.server.shutdown_delay = realtime_server::Span(Duration::ZERO);
        // Longer than the story: a trace that held up the stop would be noticed.
        config.server.shutdown_timeout = realtime_server::Span::secs(300);
    })
    .await;
    let lines = Lines::begin(&world, &json!({"topic": "order:1", "seconds": 600})).await;
    world.stop();
    lines.expect_end("stopping").await;
    assert_eq!(world.stopped().await, 0);
}
