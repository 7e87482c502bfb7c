//! Streams with a history: what a client that was away, slow or new gets of them.

use std::time::Duration;

use realtime_schema::{ErrorCode, PublishRequest, Route};
use realtime_service::Settings;
use realtime_testing::{World, to, with_history};
use serde_json::{Value, json};

async fn world(size: u32) -> World {
    World::builder().settings(with_history(size)).build().await
}

async fn publish(world: &World, route: impl Into<realtime_schema::Audience>, n: u64) -> u64 {
    let receipt = world.publish(route, "news", n).await;
    receipt.position.expect("a position").offset
}

#[tokio::test(start_paused = true)]
async fn a_live_subscriber_gets_each_message_with_its_stream_and_offset() {
    let world = world(10).await;
    let mut alice = world.client("alice").connect().await;
    let ack = alice.command(json!({"action": "subscribe", "topic": "order:1"})).await.expect("an ack");
    assert_eq!(ack["position"]["offset"], 0);
    for n in 1..=3 {
        assert_eq!(publish(&world, to::topic("order:1"), n).await, n);
    }
    world.settle().await;
    assert_eq!(alice.seen(), ["topic:order:1 1", "topic:order:1 2", "topic:order:1 3"]);
    world.check();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_was_away_gets_what_it_missed_once_and_in_order_and_then_the_ack() {
    let world = world(10).await;
    let mut alice = world.client("alice").connect().await;
    let ack = alice.command(json!({"action": "subscribe", "topic": "order:1"})).await.expect("an ack");
    publish(&world, to::topic("order:1"), 1).await;
    alice.reconnects().await;
    for n in 2..=5 {
        publish(&world, to::topic("order:1"), n).await;
    }
    let since = json!({"epoch": ack["position"]["epoch"], "offset": 1});
    alice.sends(&json!({"action": "subscribe", "id": 1, "topic": "order:1", "since": since}).to_string()).await;
    world.settle().await;
    publish(&world, to::topic("order:1"), 6).await;
    world.settle().await;
    let order = |n| format!("topic:order:1 {n}");
    assert_eq!(alice.seen(), [order(2), order(3), order(4), order(5), "ack".into(), order(6)]);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_longer_kept_is_told_by_a_gap_before_the_rest() {
    let world = world(3).await;
    let mut alice = world.client("alice").connect().await;
    let ack = alice.command(json!({"action": "subscribe", "topic": "order:1"})).await.expect("an ack");
    alice.reconnects().await;
    for n in 1..=5 {
        publish(&world, to::topic("order:1"), n).await;
    }
    let epoch = &ack["position"]["epoch"];
    let since = json!({"epoch": epoch, "offset": 0});
    alice.sends(&json!({"action": "subscribe", "id": 1, "topic": "order:1", "since": since}).to_string()).await;
    let gap = alice.expects("gap").await;
    assert_eq!(
        gap,
        json!({"stream": "topic:order:1", "from": 1, "to": 2, "missed": 2, "reason": "retention",
               "position": {"epoch": epoch, "offset": 2}})
    );
    world.settle().await;
    assert_eq!(alice.seen(), ["topic:order:1 3", "topic:order:1 4", "topic:order:1 5", "ack"]);
}

#[tokio::test(start_paused = true)]
async fn an_up_to_date_client_of_an_expired_history_has_missed_nothing() {
    let world = world(3).await;
    let mut alice = world.client("alice").connect().await;
    alice.subscribe("order:1").await;
    let position = world.publish(to::topic("order:1"), "news", 1).await.position.expect("a position");
    world.advance(Duration::from_secs(1_200)).await;
    assert_eq!(world.metrics().history_bytes, 0);
    alice.reconnects().await;
    let command = json!({"action": "subscribe", "topic": "order:1", "since": position});
    let ack = alice.command(command).await.expect("an ack");
    assert_eq!(ack["position"], json!(position));
    assert_eq!(alice.seen(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_ticket_holds_the_streams_of_the_server_until_the_client_says_where_it_stopped() {
    let world = world(10).await;
    let mut alice = world.client("alice").roles(["admin"]).connect().await;
    let streams = alice.welcome().streams.clone();
    assert_eq!(streams.keys().map(ToString::to_string).collect::<Vec<_>>(), ["all", "user", "role:admin"]);
    alice.subscribe("order:1").await;
    let mut since = json!(streams);
    for route in [to::user("alice"), to::role("admin"), to::all(), to::topic("order:1")] {
        publish(&world, route, 1).await;
    }
    since["topic:order:1"] = json!({"epoch": since["all"]["epoch"], "offset": 0});
    alice.reconnects_with_ticket().await;
    let welcome = alice.welcome();
    assert!(welcome.resumed && welcome.hold_ms.is_some_and(|ms| ms > 0));
    publish(&world, to::user("alice"), 2).await;
    alice.expect_nothing().await;
    let ack = alice.command(json!({"action": "resume", "since": since})).await.expect("an ack");
    assert_eq!(ack["streams"]["user"]["offset"], 2);
    assert_eq!(ack["streams"]["topic:order:1"]["offset"], 1);
    let mut seen = alice.seen();
    seen.sort_unstable();
    assert_eq!(seen, ["all 1", "role:admin 1", "topic:order:1 1", "user 1", "user 2"]);
    publish(&world, to::role("admin"), 2).await;
    world.settle().await;
    assert_eq!(alice.next().await["offset"], 2);
}

#[tokio::test(start_paused = true)]
async fn a_hold_without_a_resume_ends_with_a_gap() {
    let world = world(10).await;
    let mut alice = world.client("alice").connect().await;
    publish(&world, to::user("alice"), 1).await;
    alice.reconnects_with_ticket().await;
    publish(&world, to::user("alice"), 2).await;
    world.advance(Duration::from_secs(11)).await;
    let frames = alice.unread();
    let gap = frames.iter().find(|frame| frame["payload"]["stream"] == "user").expect("a gap");
    assert_eq!(gap["payload"]["reason"], "hold_expired");
    assert_eq!(gap["payload"]["to"], 1);
    assert!(frames.iter().any(|frame| frame["offset"] == 2));
}

#[tokio::test(start_paused = true)]
async fn a_role_gained_later_does_not_show_its_past() {
    let world = world(10).await;
    let alice = world.client("alice").connect().await;
    publish(&world, to::role("admin"), 1).await;
    let claims = alice.welcome().clone();
    let epoch = &claims.streams[&realtime_schema::Stream::User].epoch;
    let ticket = claims.resume.clone();
    drop(alice);
    let mut alice = world.client("alice").roles(["admin"]).ticket(ticket.expect("a ticket")).connect().await;
    let since = json!({"role:admin": {"epoch": epoch, "offset": 0}});
    alice.sends(&json!({"action": "resume", "id": 1, "since": since}).to_string()).await;
    world.settle().await;
    let frames = alice.unread();
    assert_eq!(frames[0]["payload"]["reason"], "not_granted", "{frames:?}");
    assert!(frames.iter().all(|frame| frame["offset"].is_null()), "{frames:?}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_catches_up_on_the_same_connection_without_a_gap() {
    let settings = |settings: &mut Settings| {
        with_history(1_000)(settings);
        settings.limits.queue_messages = 8;
    };
    let world = World::builder().settings(settings).build().await;
    let mut slow = world.client("slow").connect().await;
    let mut quick = world.client("quick").connect().await;
    for client in [&mut slow, &mut quick] {
        client.subscribe("order:1").await;
    }
    slow.falls_asleep();
    let payload = "x".repeat(2_000);
    for _ in 0..300 {
        world.publish(to::topic("order:1"), "news", &payload).await;
    }
    world.settle().await;
    let all: Vec<_> = (1..=300).map(|n| format!("topic:order:1 {n}")).collect();
    assert_eq!(quick.seen(), all);
    slow.wakes_up();
    world.settle().await;
    assert_eq!(slow.seen(), all);
    assert_eq!(world.metrics().closed_slow_total, 0);
}

#[tokio::test(start_paused = true)]
async fn a_union_that_names_a_history_is_refused_with_what_to_do() {
    let world = world(10).await;
    let alice = Route::User("alice".parse().expect("a user"));
    let union = realtime_schema::Audience::union(vec![alice, Route::All]).expect("two routes");
    let refused = world.try_publish(union.clone(), "news", 1).await.expect_err("refused");
    let realtime_ports::PublishError::Invalid(errors) = refused else { panic!("{refused:?}") };
    assert!(errors[0].to_string().contains("\"history\": false"), "{errors:?}");
    let mut client = world.client("alice").connect().await;
    let request =
        PublishRequest::new(union, "news".parse().expect("a type"), realtime_schema::Payload::of(&1).expect("JSON"));
    let live = PublishRequest { history: false, ..request };
    let receipt = realtime_ports::RealtimeService::publish(world.service(), live).await.expect("published");
    assert_eq!((receipt.position, receipt.delivered), (None, 1));
    assert_eq!(client.next().await["offset"], Value::Null);
}

#[tokio::test(start_paused = true)]
async fn a_page_of_history_is_read_both_ways_and_only_with_the_right() {
    let world = world(10).await;
    for n in 1..=5 {
        publish(&world, to::topic("order:1"), n).await;
    }
    let mut reader = world.client("reader").grants(["history:order:*"]).connect().await;
    let page = |page: Value| {
        let offsets = page["publications"].as_array().into_iter().flatten();
        (offsets.map(|frame| frame["offset"].as_u64().unwrap_or(0)).collect::<Vec<_>>(), page["more"] == true)
    };
    let stream = "topic:order:1";
    let read = reader.command(json!({"action": "history", "stream": stream, "limit": 2})).await.expect("a page");
    let position = read["position"].clone();
    assert_eq!(page(read), (vec![1, 2], true));
    let mut since = position;
    since["offset"] = json!(2);
    let next = json!({"action": "history", "stream": stream, "since": since, "limit": 10});
    assert_eq!(page(reader.command(next).await.expect("a page")), (vec![3, 4, 5], false));
    let back = json!({"action": "history", "stream": stream, "limit": 2, "reverse": true});
    assert_eq!(page(reader.command(back).await.expect("a page")), (vec![5, 4], true));
    let top = reader.command(json!({"action": "history", "stream": stream, "limit": 0})).await.expect("a position");
    assert_eq!((top["position"]["offset"].as_u64(), page(top)), (Some(5), (vec![], false)));
    let mut other = world.client("other").grants(["subscribe:**"]).connect().await;
    let refused = other.command(json!({"action": "history", "stream": stream})).await.expect_err("refused");
    assert_eq!(refused.code, ErrorCode::Forbidden);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_gives_a_new_ticket_so_that_a_long_connection_can_be_resumed() {
    let world = world(10).await;
    let mut alice = world.client("alice").connect().await;
    let since = json!(alice.welcome().streams);
    world.advance(Duration::from_secs(23 * 3600)).await;
    let ticket = alice.refresh().await.expect("an ack")["resume"].as_str().expect("a ticket").to_owned();
    let first = alice.welcome().resume.clone().expect("a ticket");
    world.advance(Duration::from_secs(2 * 3600)).await;
    publish(&world, to::user("alice"), 1).await;
    drop(alice);
    assert!(!world.client("alice").ticket(first).connect().await.welcome().resumed, "it has expired");
    let mut alice = world.client("alice").ticket(ticket).connect().await;
    assert!(alice.welcome().resumed);
    alice.command(json!({"action": "resume", "since": since})).await.expect("an ack");
    assert_eq!(alice.seen(), ["user 1"]);
}
