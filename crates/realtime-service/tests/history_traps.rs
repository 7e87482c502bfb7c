//! What has broken recovery elsewhere, or in a draft of it here: each a story.

use realtime_ports::RealtimeService;
use realtime_schema::{Payload, PublishRequest, Route};
use realtime_service::Settings;
use realtime_testing::{Client, Network, World, to, with_history};
use serde_json::{Value, json};

async fn publish(world: &World, route: impl Into<realtime_schema::Audience>, n: u64) -> u64 {
    world.publish(route, "news", n).await.position.expect("a position").offset
}

#[tokio::test(start_paused = true)]
async fn commands_that_wait_behind_pages_of_history_are_all_answered() {
    let world = World::builder().settings(with_history(10)).build().await;
    let mut alice = world.client("alice").connect().await;
    for n in 0..40 {
        let command = json!({"action": "subscribe", "id": n, "topic": format!("order:{n}")});
        alice.sends(&command.to_string()).await;
    }
    world.settle().await;
    assert_eq!(alice.seen(), vec!["ack"; 40]);
}

#[tokio::test(start_paused = true)]
async fn a_resume_of_more_topics_than_allowed_is_answered_once() {
    let settings = |settings: &mut Settings| {
        with_history(10)(settings);
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
    let mut seen = alice.seen();
    seen.sort_unstable();
    assert_eq!(seen, ["ack", "topic:order:1 1", "unsubscribed", "unsubscribed"]);
}

/// The position of a stream without a message is not remembered, and other streams are forgotten before its first one.
#[tokio::test(start_paused = true)]
async fn a_position_remains_true_while_other_streams_are_forgotten() {
    let settings = |settings: &mut Settings| {
        with_history(10)(settings);
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
    assert_eq!(alice.seen(), [""; 0], "nothing is lost, and nothing comes twice");
}

/// Publishes with a client left out.
async fn publish_except(world: &World, route: Route, client: &str) -> u64 {
    let payload = Payload::of(&1).expect("JSON");
    let mut request = PublishRequest::new(route, "news".parse().expect("a type"), payload);
    request.except_client = Some(client.parse().expect("a client"));
    let receipt = world.service().publish(request).await.expect("published");
    receipt.position.expect("a position").offset
}

async fn subscribe_since(client: &mut Client, topic: &str, epoch: &Value, offset: u64) -> Value {
    let since = json!({"epoch": epoch, "offset": offset});
    let command = json!({"action": "subscribe", "topic": topic, "since": since});
    client.command(command).await.expect("an ack")
}

#[tokio::test(start_paused = true)]
async fn an_excluded_client_gets_its_message_neither_live_nor_from_the_history() {
    let world = World::builder().settings(with_history(10)).build().await;
    let tab = world.client("alice").client_name("tab").grants(["subscribe:**", "history:**"]);
    let mut alice = tab.connect().await;
    let ack = alice.command(json!({"action": "subscribe", "topic": "order:1"})).await.expect("an ack");
    publish_except(&world, to::topic("order:1"), "tab").await;
    publish(&world, to::topic("order:1"), 2).await;
    world.settle().await;
    assert_eq!(alice.seen(), ["topic:order:1 2"]);
    alice.reconnects().await;
    let epoch = &ack["position"]["epoch"];
    assert_eq!(subscribe_since(&mut alice, "order:1", epoch, 0).await["position"]["offset"], 2);
    assert_eq!(alice.seen(), ["topic:order:1 2"]);
    let page = alice.command(json!({"action": "history", "stream": "topic:order:1"})).await.expect("a page");
    assert_eq!(page["publications"].as_array().map(Vec::len), Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_refused_publication_takes_no_offset() {
    let world = World::builder().settings(with_history(10)).build().await;
    assert_eq!(publish(&world, to::topic("order:1"), 1).await, 1);
    let too_large = "x".repeat(world.service().settings().publishing.max_bytes + 1);
    world.try_publish(to::topic("order:1"), "news", too_large).await.expect_err("too large");
    assert_eq!(publish(&world, to::topic("order:1"), 2).await, 2);
}

#[tokio::test(start_paused = true)]
async fn reading_and_subscribing_create_no_stream() {
    let world = World::builder().settings(with_history(10)).build().await;
    let mut alice = world.client("alice").grants(["subscribe:**", "history:**"]).connect().await;
    for n in 0..10 {
        let topic = format!("order:{n}");
        alice.subscribe(&topic).await;
        let page = json!({"action": "history", "stream": format!("topic:{topic}")});
        assert_eq!(alice.command(page).await.expect("a page")["position"]["offset"], 0);
    }
    assert_eq!(world.metrics().history_streams, 0);
}

#[tokio::test(start_paused = true)]
async fn a_position_just_before_what_is_kept_is_complete() {
    let world = World::builder().settings(with_history(3)).build().await;
    let mut alice = world.client("alice").connect().await;
    let ack = alice.command(json!({"action": "subscribe", "topic": "order:1"})).await.expect("an ack");
    alice.reconnects().await;
    for n in 1..=5 {
        publish(&world, to::topic("order:1"), n).await;
    }
    subscribe_since(&mut alice, "order:1", &ack["position"]["epoch"], 2).await;
    assert_eq!(alice.seen(), ["topic:order:1 3", "topic:order:1 4", "topic:order:1 5"]);
}

#[tokio::test(start_paused = true)]
async fn a_position_beyond_the_end_is_told_that_the_log_went_back() {
    let world = World::builder().settings(with_history(3)).build().await;
    publish(&world, to::topic("order:1"), 1).await;
    let mut alice = world.client("alice").connect().await;
    let epoch = json!(alice.welcome().streams[&realtime_schema::Stream::All].epoch);
    assert_eq!(subscribe_since(&mut alice, "order:1", &epoch, 9).await["position"]["offset"], 1);
    let gap = alice.expects("gap").await;
    assert_eq!((&gap["reason"], &gap["to"]), (&json!("log_went_back"), &json!(1)));
}

#[tokio::test(start_paused = true)]
async fn the_first_message_of_a_stream_is_recovered() {
    let world = World::builder().settings(with_history(3)).build().await;
    let mut alice = world.client("alice").connect().await;
    let ack = alice.command(json!({"action": "subscribe", "topic": "order:1"})).await.expect("an ack");
    alice.reconnects().await;
    publish(&world, to::topic("order:1"), 1).await;
    subscribe_since(&mut alice, "order:1", &ack["position"]["epoch"], 0).await;
    assert_eq!(alice.seen(), ["topic:order:1 1"]);
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_recovery_goes_on_from_the_last_message() {
    let world = World::builder().settings(with_history(1_000)).network(Network::with_buffer(4_000)).build().await;
    let mut alice = world.client("alice").connect().await;
    let ack = alice.command(json!({"action": "subscribe", "topic": "order:1"})).await.expect("an ack");
    let epoch = &ack["position"]["epoch"];
    alice.reconnects().await;
    for n in 1..=300 {
        publish(&world, to::topic("order:1"), n).await;
    }
    let mut offsets = Vec::new();
    while offsets.len() < 300 {
        let last = offsets.last().copied().unwrap_or(0);
        let since = json!({"epoch": epoch, "offset": last});
        let command = json!({"action": "subscribe", "id": 1, "topic": "order:1", "since": since});
        alice.sends(&command.to_string()).await;
        // Cut in the middle of a page, again and again.
        for _ in 0..40 {
            let frame = alice.next().await;
            offsets.extend(frame["offset"].as_u64());
            if offsets.len() == 300 {
                break;
            }
        }
        alice.reconnects().await;
    }
    assert_eq!(offsets, (1..=300).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn many_streams_resume_at_once_while_messages_are_published() {
    let world = World::builder().settings(with_history(1_000)).build().await;
    let routes = || [to::all(), to::user("alice"), to::role("admin"), to::topic("order:1"), to::topic("order:2")];
    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(world.client("alice").roles(["admin"]).connect().await);
    }
    let mut since = json!(clients[0].welcome().streams);
    for topic in ["topic:order:1", "topic:order:2"] {
        since[topic] = json!({"epoch": since["all"]["epoch"], "offset": 0});
    }
    for n in 0..40 {
        for route in routes() {
            publish(&world, route, n).await;
        }
    }
    for client in &mut clients {
        client.reconnects_with_ticket().await;
        client.sends(&json!({"action": "resume", "id": 1, "since": since}).to_string()).await;
        for route in routes() {
            publish(&world, route, 40).await;
        }
    }
    world.settle().await;
    for client in &mut clients {
        let frames = client.unread();
        for stream in ["all", "user", "role:admin", "topic:order:1", "topic:order:2"] {
            let of_stream = frames.iter().filter(|frame| frame["stream"] == stream);
            let offsets: Vec<_> = of_stream.filter_map(|frame| frame["offset"].as_u64()).collect();
            assert_eq!(offsets, (1..=45).collect::<Vec<_>>(), "{stream}");
        }
        assert_eq!(frames.iter().filter(|frame| frame["type"] == "ack").count(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_of_a_topic_comes_after_the_ack_of_an_unsubscribe() {
    let world = World::builder().settings(with_history(1_000)).network(Network::with_buffer(2_000)).build().await;
    let mut alice = world.client("alice").connect().await;
    alice.subscribe("order:1").await;
    for n in 1..=200 {
        publish(&world, to::topic("order:1"), n).await;
    }
    alice.sends(&json!({"action": "unsubscribe", "id": 1, "topic": "order:1"}).to_string()).await;
    for n in 201..=300 {
        publish(&world, to::topic("order:1"), n).await;
    }
    world.settle().await;
    assert_eq!(alice.seen().last().map(String::as_str), Some("ack"));
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_is_taken_away_while_it_catches_up_is_answered() {
    let world = World::builder().settings(with_history(1_000)).network(Network::with_buffer(2_000)).build().await;
    let mut alice = world.client("alice").connect().await;
    let epoch = json!(alice.welcome().streams[&realtime_schema::Stream::All].epoch);
    for n in 1..=300 {
        publish(&world, to::topic("order:1"), n).await;
    }
    alice.falls_asleep();
    let since = json!({"epoch": epoch, "offset": 0});
    alice.sends(&json!({"action": "subscribe", "id": 1, "topic": "order:1", "since": since}).to_string()).await;
    world.settle().await;
    let topic = "order:1".parse().expect("a topic");
    assert!(world.service().unsubscribe(alice.id(), &topic).await);
    alice.wakes_up();
    world.settle().await;
    let seen = alice.seen();
    assert_eq!(seen[seen.len() - 2..], ["error", "unsubscribed"]);
}

#[tokio::test(start_paused = true)]
async fn the_bound_over_all_streams_is_kept_while_many_publish() {
    let settings = |settings: &mut Settings| {
        with_history(100)(settings);
        settings.history.total_bytes = 20_000;
    };
    let world = World::builder().settings(settings).build().await;
    for n in 0..500 {
        publish(&world, to::topic(&format!("order:{}", n % 7)), n).await;
        assert!(world.metrics().history_bytes <= 20_000);
    }
    assert!(world.metrics().history_removed_total > 0);
}
