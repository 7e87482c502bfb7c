//! What a client receives that was away, is new, or reads the past: the section "History and recovery" of
//! docs/protocol.md as stories.

use std::collections::BTreeMap;

use realtime_server::Span;
use realtime_tests::{Client, World, kept, offsets, publish_kept};
use serde_json::{Value, json};

/// A client that keeps its positions as the four rules of the protocol say.
struct Follower {
    client: Client,
    positions: BTreeMap<String, Value>,
    /// Each message by its payload, and each gap by its stream and reason, in the order received.
    seen: Vec<String>,
}

impl Follower {
    fn new(client: Client) -> Self {
        let mut follower = Self { client, positions: BTreeMap::new(), seen: Vec::new() };
        follower.meets();
        follower
    }

    /// Takes the positions of the welcome that it has none of.
    fn meets(&mut self) {
        let streams = self.client.welcome()["streams"].clone();
        for (stream, position) in streams.as_object().expect("streams") {
            self.positions.entry(stream.clone()).or_insert_with(|| position.clone());
        }
    }

    /// Reads until the reply to the command with this id.
    async fn reads_until(&mut self, id: i64) -> Value {
        loop {
            let frame = self.client.next().await;
            let payload = &frame["payload"];
            match frame["type"].as_str().expect("a type") {
                "ack" | "error" if payload["id"] == id => {
                    if let Some(streams) = payload["streams"].as_object() {
                        self.positions.extend(streams.clone());
                    }
                    return payload.clone();
                }
                "gap" => {
                    let stream = payload["stream"].as_str().expect("a stream").to_owned();
                    self.seen.push(format!("gap {stream} {}", payload["reason"].as_str().expect("a reason")));
                    if payload["position"].is_object() {
                        self.positions.insert(stream, payload["position"].clone());
                    }
                }
                "news" => {
                    if let Some(stream) = frame["stream"].as_str() {
                        let position = self.positions.get_mut(stream).expect("a position from before");
                        assert!(position["offset"].as_u64() < frame["offset"].as_u64(), "{frame} after {position}");
                        position["offset"] = frame["offset"].clone();
                    }
                    self.seen.push(payload.to_string());
                }
                _ => self.seen.push(format!("{} {}", frame["type"], payload["topic"])),
            }
        }
    }

    async fn commands(&mut self, id: i64, mut command: Value) -> Value {
        command["id"] = json!(id);
        self.client.send(&command.to_string()).await;
        self.reads_until(id).await
    }

    async fn subscribes(&mut self, topic: &str) {
        let ack = self.commands(1, json!({"action": "subscribe", "topic": topic})).await;
        self.positions.insert(format!("topic:{topic}"), ack["position"].clone());
    }

    /// Comes back after its socket was cut, with the ticket of its last connection.
    async fn comes_back(&mut self, world: &World, more: &Value) {
        let ticket = self.client.welcome()["resume"].as_str().expect("a ticket").to_owned();
        let path = format!("/ws?token={}&resume={ticket}", world.token("alice", more));
        self.client = world.try_connect(&path, &[]).await.expect("admitted");
        self.meets();
    }

    async fn resumes(&mut self) -> Value {
        let since = json!(self.positions);
        self.commands(100, json!({"action": "resume", "since": since})).await
    }

    fn seen(&mut self) -> Vec<String> {
        std::mem::take(&mut self.seen)
    }
}

fn grants() -> Value {
    json!({"roles": ["admin"], "grants": ["subscribe:order:*"]})
}

#[tokio::test]
async fn a_client_that_comes_back_has_everything_of_all_its_streams_once_and_in_order() {
    let world = World::with(kept(100)).await;
    let mut alice = Follower::new(world.connect_with("alice", &grants()).await);
    alice.subscribes("order:1").await;
    let routes = [json!("all"), json!({"user": "alice"}), json!({"role": "admin"}), json!({"topic": "order:1"})];
    let mut published = Vec::new();
    for round in 0..10 {
        for (at, route) in routes.iter().enumerate() {
            let n = round * 10 + at as u64;
            publish_kept(&world, route.clone(), n).await;
            published.push(n.to_string());
        }
        if round % 3 == 2 {
            // Cut off without a close, with messages on the way.
            alice.comes_back(&world, &grants()).await;
            assert_eq!(alice.client.welcome()["resumed"], true);
            let ack = alice.resumes().await;
            assert_eq!(ack["streams"].as_object().expect("streams").len(), 4, "{ack}");
        }
    }
    alice.commands(3, json!({"action": "ping"})).await;
    let mut seen = alice.seen();
    for at in 0..routes.len() {
        let ends = at.to_string();
        let of = |list: &[String]| list.iter().filter(|n| n.ends_with(&ends)).cloned().collect::<Vec<_>>();
        assert_eq!(of(&seen), of(&published), "each stream in its order");
    }
    seen.sort_unstable();
    published.sort_unstable();
    assert_eq!(seen, published);
}

#[tokio::test]
async fn what_is_no_longer_kept_is_a_gap_and_the_rest_follows() {
    let world = World::with(kept(3)).await;
    let mut alice = Follower::new(world.connect_with("alice", &grants()).await);
    alice.subscribes("order:1").await;
    alice.client = world.connect_with("alice", &grants()).await;
    for n in 1..=5 {
        publish_kept(&world, json!({"topic": "order:1"}), n).await;
    }
    let since = alice.positions["topic:order:1"].clone();
    let ack = alice.commands(1, json!({"action": "subscribe", "topic": "order:1", "since": since})).await;
    assert_eq!(ack["position"]["offset"], 5);
    assert_eq!(alice.seen(), ["gap topic:order:1 retention", "3", "4", "5"]);
    assert_eq!(world.metric("realtime_history_streams").await, 1);
    assert!(world.metric("realtime_history_bytes").await > 0 && world.metric("realtime_history_pages_total").await > 0);
}

#[tokio::test]
async fn a_position_that_the_server_never_gave_is_a_gap_and_never_taken_for_complete() {
    let world = World::with(kept(3)).await;
    let position = publish_kept(&world, json!({"topic": "order:1"}), 1).await;
    for (epoch, offset, seen) in [
        (position["epoch"].clone(), 9, vec!["gap topic:order:1 log_went_back"]),
        (json!("another"), 1, vec!["gap topic:order:1 epoch", "1"]),
        (json!("\u{1f600} NO EPOCH"), 0, vec!["gap topic:order:1 epoch", "1"]),
    ] {
        let mut alice = Follower::new(world.connect_with("alice", &grants()).await);
        alice.positions.insert("topic:order:1".into(), json!({"epoch": epoch, "offset": offset}));
        let since = alice.positions["topic:order:1"].clone();
        let ack = alice.commands(1, json!({"action": "subscribe", "topic": "order:1", "since": since})).await;
        assert_eq!(
            (ack["position"].clone(), alice.seen()),
            (position.clone(), seen.iter().map(|&s| s.into()).collect())
        );
    }
}

#[tokio::test]
async fn a_state_that_is_loaded_after_its_position_misses_nothing() {
    let world = World::with(kept(100)).await;
    publish_kept(&world, json!({"topic": "order:1"}), 1).await;
    let page = world.get("/api/v1/topics/order%3A1/history?limit=0").await.ok("history-page");
    assert_eq!((&page["position"]["offset"], &page["publications"]), (&json!(1), &json!([])));
    // While the state is loaded, it changes.
    publish_kept(&world, json!({"topic": "order:1"}), 2).await;
    let mut alice = Follower::new(world.connect_with("alice", &grants()).await);
    alice.positions.insert("topic:order:1".into(), page["position"].clone());
    alice.commands(1, json!({"action": "subscribe", "topic": "order:1", "since": page["position"]})).await;
    publish_kept(&world, json!({"topic": "order:1"}), 3).await;
    alice.commands(2, json!({"action": "ping"})).await;
    assert_eq!(alice.seen(), ["2", "3"]);
}

#[tokio::test]
async fn a_client_without_its_ticket_gets_its_topics_and_a_gap_for_what_the_server_gives() {
    let world = World::with(kept(100)).await;
    let mut alice = Follower::new(world.connect_with("alice", &grants()).await);
    alice.subscribes("order:1").await;
    alice.client = world.connect_with("alice", &grants()).await;
    assert_eq!(alice.client.welcome()["resumed"], false);
    publish_kept(&world, json!({"user": "alice"}), 1).await;
    publish_kept(&world, json!({"topic": "order:1"}), 2).await;
    alice.resumes().await;
    let mut seen = alice.seen();
    seen.sort_unstable();
    let gap = |stream: &str| format!("gap {stream} not_granted");
    assert_eq!(seen, ["1", "2", &gap("user")], "nothing of the others was missed");
    assert_eq!(alice.positions["user"]["offset"], 1, "the gap says where the stream continues");
    alice.resumes().await;
    assert_eq!(alice.seen(), [""; 0], "a gap is reported once");
}

#[tokio::test]
async fn a_ticket_is_of_no_use_to_another_user_or_another_client() {
    let world = World::with(kept(100)).await;
    let alice = world.connect("alice").await;
    let ticket = alice.welcome()["resume"].as_str().expect("a ticket").to_owned();
    let resumed = async |user: &str, more: &str, ticket: &str| {
        let path = format!("/ws?token={}{more}&resume={ticket}", world.token(user, &json!({})));
        let client = world.try_connect(&path, &[]).await.expect("admitted without the ticket");
        client.welcome()["resumed"] == true
    };
    assert!(resumed("alice", "", &ticket).await);
    assert!(!resumed("bob", "", &ticket).await);
    assert!(!resumed("alice", "&client=tab-1", &ticket).await);
    assert!(!resumed("alice", "", &format!("{ticket}x")).await);
    assert!(!resumed("alice", "", "rt1.e30.c2ln").await);
}

#[tokio::test]
async fn a_hold_that_no_one_resumes_ends_with_a_gap_and_then_all_is_live() {
    let world = World::with(|config| {
        kept(100)(config);
        config.history.hold = Span(std::time::Duration::from_millis(50));
    })
    .await;
    let mut alice = Follower::new(world.connect("alice").await);
    publish_kept(&world, json!({"user": "alice"}), 1).await;
    alice.comes_back(&world, &json!({})).await;
    assert!(alice.client.welcome()["hold_ms"].as_u64().is_some_and(|ms| ms <= 50));
    publish_kept(&world, json!({"user": "alice"}), 2).await;
    let mut frames = Vec::new();
    while frames.len() < 3 {
        frames.push(alice.client.next().await);
    }
    let user: Vec<_> = frames
        .iter()
        .filter(|frame| frame["stream"] == "user" || frame["payload"]["stream"] == "user")
        .map(|frame| {
            (frame["type"].as_str().expect("a type"), frame["payload"]["reason"].clone(), frame["offset"].clone())
        })
        .collect();
    assert_eq!(user, [("gap", json!("hold_expired"), Value::Null), ("news", Value::Null, json!(2))]);
}

#[tokio::test]
async fn a_subscription_that_is_no_longer_granted_does_not_come_back() {
    let world = World::with(kept(100)).await;
    let mut alice = Follower::new(world.connect_with("alice", &grants()).await);
    alice.subscribes("order:1").await;
    publish_kept(&world, json!({"topic": "order:1"}), 1).await;
    alice.comes_back(&world, &json!({})).await;
    alice.resumes().await;
    publish_kept(&world, json!({"topic": "order:1"}), 2).await;
    alice.commands(2, json!({"action": "ping"})).await;
    // The role and the grant are gone: a gap for the one, the end of the other, and no message of either.
    assert_eq!(alice.seen(), [r#""unsubscribed" "order:1""#]);
}

#[tokio::test]
async fn the_past_of_a_role_that_is_new_is_not_shown() {
    let world = World::with(kept(100)).await;
    let mut alice = Follower::new(world.connect("alice").await);
    publish_kept(&world, json!({"role": "admin"}), 1).await;
    let epoch = alice.positions["user"]["epoch"].clone();
    alice.comes_back(&world, &json!({"roles": ["admin"]})).await;
    alice.positions.insert("role:admin".into(), json!({"epoch": epoch, "offset": 0}));
    alice.resumes().await;
    assert_eq!(alice.seen(), ["gap role:admin not_granted"]);

    let token = world.token("alice", &json!({"roles": ["admin", "staff"]}));
    publish_kept(&world, json!({"role": "staff"}), 2).await;
    let ack = alice.commands(2, json!({"action": "refresh", "token": token})).await;
    assert_eq!(ack["streams"]["role:staff"]["offset"], 1);
    publish_kept(&world, json!({"role": "staff"}), 3).await;
    alice.commands(3, json!({"action": "ping"})).await;
    assert_eq!(alice.seen(), ["3"]);
}

#[tokio::test]
async fn a_union_that_names_a_history_is_refused_with_what_to_do_and_sent_live_on_request() {
    let world = World::with(kept(100)).await;
    let mut alice = world.connect("alice").await;
    let union = json!({"to": [{"user": "alice"}, {"topic": "news"}], "type": "news", "payload": 1});
    let refused = world.post("/api/v1/publish", union.clone()).await;
    let problem = refused.refused("payload_invalid");
    assert!(problem["detail"].as_str().is_some_and(|text| text.contains(r#""history": false"#)), "{problem}");
    assert_eq!(problem["errors"][0]["path"], "/to");
    let mut live = union;
    live["history"] = json!(false);
    let receipt = world.post("/api/v1/publish", live).await.ok("receipt");
    assert_eq!((&receipt["delivered"], &receipt["position"]), (&json!(1), &Value::Null));
    assert_eq!(alice.publication().await["offset"], Value::Null);
    let page = world.get("/api/v1/users/alice/history").await.ok("history-page");
    assert_eq!((&page["publications"], &page["position"]["offset"]), (&json!([]), &json!(0)));
}

#[tokio::test]
async fn a_topic_that_is_left_while_it_catches_up_is_silent_after_the_ack_and_every_command_is_answered_once() {
    let world = World::with(kept(2_000)).await;
    let batch = |from: u64| {
        let message = |n| json!({"to": {"topic": "order:1"}, "type": "news", "payload": n});
        json!({"publications": (from..from + 1_000).map(message).collect::<Vec<_>>()})
    };
    for action in ["subscribe", "resume"] {
        let page = world.get("/api/v1/topics/order%3A1/history?limit=0").await.ok("history-page");
        let position = &page["position"];
        world.post("/api/v1/publish/batch", batch(0)).await.ok("batch-response");
        let mut alice = world.connect_with("alice", &grants()).await;
        let first = match action {
            "subscribe" => json!({"action": action, "id": 1, "topic": "order:1", "since": position}),
            _ => json!({"action": action, "id": 1, "since": {"topic:order:1": position}}),
        };
        // Sent together, so that the second arrives while the first is catching up.
        alice.send(&first.to_string()).await;
        alice.send(&json!({"action": "unsubscribe", "id": 2, "topic": "order:1"}).to_string()).await;
        let (mut replies, mut offset) = (Vec::new(), position["offset"].as_u64().expect("an offset"));
        while !replies.contains(&2) || !replies.contains(&1) {
            let frame = alice.next().await;
            if let Some(next) = frame["offset"].as_u64() {
                assert!(!replies.contains(&2), "{frame} after the ack of the unsubscribe");
                assert_eq!(next, offset + 1, "none is missing before the end");
                offset = next;
            } else {
                replies.push(frame["payload"]["id"].as_i64().expect("a reply"));
            }
        }
        world.post("/api/v1/publish/batch", batch(1_000)).await.ok("batch-response");
        alice.send(&json!({"action": "ping", "id": 3}).to_string()).await;
        assert_eq!(alice.next().await["payload"]["id"], 3, "nothing more of the topic");
        replies.sort_unstable();
        assert_eq!(replies, [1, 2]);
    }
}

#[tokio::test]
async fn a_client_that_a_message_excludes_receives_it_neither_live_nor_later() {
    let world = World::with(kept(100)).await;
    let connect = async |client: &str, ticket: &str| {
        let token = world.token("alice", &json!({"grants": ["subscribe:order:*", "history:order:*"]}));
        let path = format!("/ws?token={token}&client={client}{ticket}");
        world.try_connect(&path, &[]).await.expect("admitted")
    };
    let mut own = Follower::new(connect("tab-1", "").await);
    own.subscribes("order:1").await;
    for to in [json!({"topic": "order:1"}), json!({"user": "alice"})] {
        for (n, except) in [(1, None), (2, Some("tab-1")), (3, Some("tab-2"))] {
            let request = json!({"to": to, "type": "news", "payload": n, "except_client": except});
            world.post("/api/v1/publish", request).await.ok("receipt");
        }
    }
    own.commands(2, json!({"action": "ping"})).await;
    assert_eq!(own.seen(), ["1", "3", "1", "3"], "live");

    let ticket = own.client.welcome()["resume"].as_str().expect("a ticket").to_owned();
    let mut back = Follower::new(connect("tab-1", &format!("&resume={ticket}")).await);
    for (_, position) in back.positions.iter_mut() {
        position["offset"] = json!(0);
    }
    back.positions.insert("topic:order:1".into(), json!({"epoch": back.positions["user"]["epoch"], "offset": 0}));
    back.resumes().await;
    assert_eq!(back.seen(), ["1", "3", "1", "3"], "after a reconnect");
    let page = back.commands(3, json!({"action": "history", "stream": "topic:order:1"})).await;
    assert_eq!(offsets(&page), [1, 3], "in the history");

    let mut other = connect("tab-2", "").await;
    let page = other.command(json!({"action": "history", "stream": "topic:order:1"})).await;
    assert_eq!(offsets(&page), [1, 2]);
}

#[tokio::test]
async fn a_position_of_a_topic_that_is_live_sends_what_follows_it_again() {
    let world = World::with(kept(100)).await;
    let mut alice = world.connect_with("alice", &grants()).await;
    alice.subscribe("order:1").await;
    let position = publish_kept(&world, json!({"topic": "order:1"}), 1).await;
    publish_kept(&world, json!({"topic": "order:1"}), 2).await;
    assert_eq!([alice.publication().await["payload"].clone(), alice.publication().await["payload"].clone()], [1, 2]);
    alice.send(&json!({"action": "subscribe", "id": 9, "topic": "order:1", "since": position}).to_string()).await;
    assert_eq!(alice.publication().await["payload"], 2);
    assert_eq!(alice.next().await["payload"]["id"], 9);
    publish_kept(&world, json!({"topic": "order:1"}), 3).await;
    assert_eq!(alice.publication().await["payload"], 3);
    alice.got_nothing().await;
}
