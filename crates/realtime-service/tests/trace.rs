//! What an operator sees who follows one user or one topic: what happens to it, nothing of anyone else, and an end.

use std::time::Duration;

use realtime_core::policy::{Namespace, Namespaces, Overflow, Retention, SubscribePolicy};
use realtime_ports::RealtimeService;
use realtime_schema::{
    JwtClaims, Payload, PublishRequest, Route, Topic, TraceEvent, TraceEventKind, TraceRequest, UserId,
};
use realtime_service::{Settings, Trace, TraceError};
use realtime_testing::{Network, World, to};
use tokio::time::Instant;

fn of_user(user: &str) -> TraceRequest {
    TraceRequest { user: Some(UserId::new(user).expect("a user")), ..TraceRequest::default() }
}

fn of_topic(topic: &str) -> TraceRequest {
    TraceRequest { topic: Some(Topic::new(topic).expect("a topic")), ..TraceRequest::default() }
}

fn begin(world: &World, request: &TraceRequest) -> Trace {
    world.service().trace(request).expect("a trace")
}

/// All events, up to the end of the trace.
async fn events(mut trace: Trace) -> Vec<TraceEvent> {
    let mut events = Vec::new();
    while let Some(event) = trace.next().await {
        events.push(event);
    }
    events
}

fn kinds(events: &[TraceEvent]) -> Vec<&str> {
    events.iter().map(|event| event.event.as_str()).collect()
}

fn reason(event: &TraceEvent) -> &str {
    event.reason.as_deref().expect("a reason")
}

#[tokio::test(start_paused = true)]
async fn a_user_is_followed_from_the_first_connection_to_the_last_and_the_trace_ends_by_itself() {
    let world = World::new(1).await;
    let (trace, begun) = (begin(&world, &of_user("alice")), Instant::now());
    let mut alice = world.client("alice").client_name("tab").roles(["admin"]).connect().await;
    alice.subscribe("order:1").await;
    let receipt = world.publish(to::topic("order:1"), "tick", 1).await;
    for to in [to::user("alice"), to::role("admin"), to::connection(alice.id()), to::all()] {
        world.publish(to, "tick", 1).await;
    }
    alice.unsubscribe("order:1").await;
    world.publish(to::topic("order:1"), "tick", 1).await;
    alice.disconnects().await;
    world.publish(to::user("alice"), "tick", 1).await;

    let events = events(trace).await;
    assert_eq!(begun.elapsed(), Duration::from_secs(60), "the time that a trace lasts if the request names none");
    assert_eq!(
        kinds(&events),
        [
            "started",
            "opened",
            "subscribed",
            "published",
            "published",
            "published",
            "published",
            "published",
            "unsubscribed",
            "closed",
            "published",
            "ended",
        ]
    );
    let [started, opened, subscribed, published, .., left, closed, missed, ended] = events.as_slice() else { panic!() };
    assert_eq!((started.user.as_ref(), started.until), (Some(alice.user()), Some(ended.at)));
    assert_eq!((opened.connection, opened.roles.as_ref().map(Vec::len)), (Some(alice.id()), Some(1)));
    assert_eq!(subscribed.client.as_ref().map(|client| client.as_str()), Some("tab"));
    assert_eq!(subscribed.topic, left.topic);
    assert_eq!((published.message, published.delivered), (Some(receipt.id), Some(1)));
    assert_eq!(published.kind.as_ref().map(ToString::to_string).as_deref(), Some("tick"));
    assert_eq!(published.connections.as_deref(), Some([alice.id()].as_slice()));
    assert_eq!((missed.delivered, missed.connections.as_deref()), (Some(0), Some([].as_slice())), "nobody was there");
    assert_eq!(reason(left), "client");
    assert_eq!((closed.code, reason(closed)), (Some(1000), "client"));
    assert_eq!(reason(ended), "time");
}

#[tokio::test(start_paused = true)]
async fn another_users_events_never_show() {
    let world = World::new(2).await;
    let mut alice = world.client("alice").connect().await;
    alice.subscribe("order:1").await;
    let (user, topic) = (begin(&world, &of_user("alice")), begin(&world, &of_topic("order:1")));
    let mut bob = world.client("bob").roles(["admin"]).connect().await;
    bob.subscribe("order:2").await;
    for to in [to::topic("order:2"), to::user("bob"), to::role("admin"), to::connection(bob.id())] {
        world.publish(to, "tick", 1).await;
    }
    assert!(bob.command(serde_json::json!({"action": "publish", "topic": "x", "type": "a"})).await.is_err());
    bob.refresh().await.expect("a new token");
    bob.unsubscribe("order:2").await;
    bob.disconnects().await;
    assert_eq!(kinds(&events(user).await), ["started", "ended"]);
    assert_eq!(kinds(&events(topic).await), ["started", "ended"]);
}

#[tokio::test(start_paused = true)]
async fn connections_that_were_there_before_the_trace_are_known() {
    let world = World::new(3).await;
    let mut first = world.client("alice").roles(["admin"]).connect().await;
    first.subscribe("order:1").await;
    let mut second = world.client("alice").client_name("second").connect().await;
    second.subscribe("order:1").await;
    let trace = begin(&world, &of_user("alice"));
    let except = |to: Route| {
        let request = PublishRequest::new(to, "tick".parse().expect("a type"), Payload::of(&1).expect("JSON"));
        PublishRequest { except_client: Some("second".parse().expect("a client")), ..request }
    };
    world.publish(to::topic("order:1"), "tick", 1).await;
    world.publish(to::role("admin"), "tick", 1).await;
    world.publish_request(0, except(to::topic("order:1"))).await.expect("published");
    let events = events(trace).await;
    assert_eq!(kinds(&events), ["started", "published", "published", "published", "ended"]);
    let connections: Vec<_> = events.iter().filter_map(|event| event.connections.clone()).collect();
    let mut both = vec![first.id(), second.id()];
    both.sort();
    assert_eq!(connections, [both, vec![first.id()], vec![first.id()]]);
}

#[tokio::test(start_paused = true)]
async fn a_topic_is_followed_for_every_user_on_it() {
    let world = World::new(4).await;
    let trace = begin(&world, &of_topic("order:1"));
    let mut alice = world.client("alice").connect().await;
    alice.subscribe("order:1").await;
    let bob = world.client("bob").connect().await;
    let topic = Topic::new("order:1").expect("a topic");
    let service = world.service();
    service.subscribe(bob.id(), &topic, realtime_schema::Origin::Server).await.expect("subscribed");
    let union = vec![to::user("carol"), to::topic("order:1")];
    let union = realtime_schema::Audience::union(union).expect("routes");
    world.publish(union, "tick", 1).await;
    world.publish(to::all(), "tick", 1).await;
    service.unsubscribe(bob.id(), &topic).await;
    alice.disconnects().await;
    let events = events(trace).await;
    assert_eq!(
        kinds(&events),
        ["started", "subscribed", "subscribed", "published", "unsubscribed", "unsubscribed", "ended"]
    );
    let users: Vec<_> = events.iter().filter_map(|event| event.user.as_ref()).map(UserId::as_str).collect();
    assert_eq!(users, ["alice", "bob", "bob", "alice"]);
    assert_eq!((events[3].delivered, events[3].connections.as_ref()), (Some(2), None));
    assert_eq!((reason(&events[4]), reason(&events[5])), ("server", "closed"));
}

#[tokio::test(start_paused = true)]
async fn a_new_token_and_a_refused_command_show() {
    let world = World::new(5).await;
    let claims = |role: &str, grant: &str| {
        let mut claims = JwtClaims::new(UserId::new("alice").expect("a user"));
        claims.roles = vec![role.parse().expect("a role")];
        claims.grants = vec![grant.parse().expect("a grant")];
        claims
    };
    let mut alice = world.client("alice").claims(claims("admin", "subscribe:order:*")).connect().await;
    alice.subscribe("order:1").await;
    let trace = begin(&world, &of_user("alice"));
    let refused = alice.command(serde_json::json!({"action": "subscribe", "topic": "secret:1"})).await;
    let token = world.token(claims("guest", "subscribe:other:*"));
    alice.refresh_with(&token).await.expect("a new token");
    world.publish(to::role("admin"), "tick", 1).await;
    world.publish(to::role("guest"), "tick", 1).await;
    let events = events(trace).await;
    assert_eq!(kinds(&events), ["started", "refused", "refreshed", "unsubscribed", "published", "ended"]);
    assert_eq!(reason(&events[1]), refused.expect_err("no grant").code.as_str());
    assert_eq!(events[2].roles.as_ref().expect("roles")[0].as_str(), "guest");
    assert_eq!(reason(&events[3]), "revoked");
    assert!(!format!("{events:?}").contains(&token));
}

#[tokio::test(start_paused = true)]
async fn no_payload_is_in_any_event() {
    let world = World::new(6).await;
    let mut alice = world.client("alice").connect().await;
    alice.subscribe("order:1").await;
    let (user, topic) = (begin(&world, &of_user("alice")), begin(&world, &of_topic("order:1")));
    world.publish(to::topic("order:1"), "tick", "the-payload").await;
    for trace in [user, topic] {
        let events = events(trace).await;
        assert_eq!(kinds(&events), ["started", "published", "ended"]);
        assert!(!serde_json::to_string(&events).expect("JSON").contains("the-payload"));
    }
}

#[tokio::test(start_paused = true)]
async fn each_message_of_a_batch_shows_with_its_own_type() {
    let world = World::new(7).await;
    let trace = begin(&world, &of_user("alice"));
    let request = |kind: &str| {
        PublishRequest::new(to::user("alice"), kind.parse().expect("a type"), Payload::of(&1).expect("JSON"))
    };
    let receipts = world.service().publish_batch(vec![request("first"), request("second")]).await;
    let events = events(trace).await;
    let kinds: Vec<_> = events.iter().filter_map(|event| event.kind.as_ref()).map(ToString::to_string).collect();
    assert_eq!(kinds, ["first", "second"]);
    let ids: Vec<_> = events.iter().filter_map(|event| event.message).collect();
    assert_eq!(ids, receipts.into_iter().map(|receipt| receipt.expect("published").id).collect::<Vec<_>>());
}

fn slow(overflow: Overflow, history: Option<Retention>) -> impl FnOnce(&mut Settings) {
    move |settings| {
        let mut namespace = Namespace::new("topic:**".parse().expect("a pattern"));
        namespace.subscribe = SubscribePolicy::Authenticated;
        namespace.overflow = overflow;
        namespace.history = history;
        settings.namespaces = Namespaces::new(vec![namespace], overflow);
        settings.limits.queue_messages = 4;
    }
}

/// The traces of a slow reader and of its topic, without the publications.
async fn of_a_slow_reader(overflow: Overflow, history: Option<Retention>) -> [Vec<TraceEvent>; 2] {
    let world = World::builder().settings(slow(overflow, history)).build().await;
    let mut alice = world.client("alice").network(Network::with_buffer(1)).connect().await;
    alice.subscribe("order:1").await;
    let traces = [begin(&world, &of_user("alice")), begin(&world, &of_topic("order:1"))];
    alice.falls_asleep();
    for n in 0..20 {
        world.publish(to::topic("order:1"), "tick", n).await;
    }
    alice.wakes_up();
    let mut after = Vec::new();
    for trace in traces {
        let is_published = |event: &TraceEvent| event.event == TraceEventKind::Published;
        let (published, others): (Vec<_>, Vec<_>) = events(trace).await.into_iter().skip(1).partition(is_published);
        assert_eq!(published.len(), 20);
        after.push(others);
    }
    after.try_into().expect("two traces")
}

#[tokio::test(start_paused = true)]
async fn what_a_slow_reader_does_not_receive_shows_as_a_gap() {
    for events in of_a_slow_reader(Overflow::Drop, None).await {
        assert_eq!(kinds(&events), ["gap", "ended"]);
        assert!(events[0].gap.as_ref().is_some_and(|gap| gap.missed.is_some_and(|missed| missed > 0)), "{events:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_of_a_history_is_seen_to_catch_up() {
    for events in of_a_slow_reader(Overflow::Drop, Some(Retention::default())).await {
        assert_eq!(events.last().map(|event| event.event.as_str()), Some("ended"));
        let pages: Vec<_> = events.iter().filter(|event| event.event == TraceEventKind::History).collect();
        assert!(pages.iter().filter_map(|page| page.messages).sum::<u64>() > 10, "{events:?}");
        assert!(
            pages.iter().all(|page| page.stream.as_ref().is_some_and(|stream| stream.to_string() == "topic:order:1"))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_that_is_closed_shows_with_the_reason() {
    let [user, topic] = of_a_slow_reader(Overflow::Close, None).await;
    assert_eq!(kinds(&user), ["closed", "ended"]);
    assert!(user[0].detail.as_deref().is_some_and(|detail| detail.contains("too slow")), "{user:?}");
    assert_eq!((kinds(&topic), reason(&topic[0])), (vec!["unsubscribed", "ended"], "closed"));
}

#[tokio::test(start_paused = true)]
async fn a_position_shows_where_there_is_a_history() {
    let world = World::builder().settings(slow(Overflow::Drop, Some(Retention::default()))).build().await;
    let trace = begin(&world, &of_topic("order:1"));
    let receipt = world.publish(to::topic("order:1"), "tick", 1).await;
    let events = events(trace).await;
    assert!(receipt.position.is_some());
    assert_eq!(events[1].position, receipt.position);
}

#[tokio::test(start_paused = true)]
async fn what_finds_no_room_is_counted_where_it_is_missing_and_no_publisher_waits() {
    let world = World::builder().settings(|settings| settings.traces.events = 3).build().await;
    let mut trace = begin(&world, &of_user("alice"));
    for n in 0..10 {
        world.publish(to::user("alice"), "tick", n).await;
    }
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.extend(trace.next().await);
    }
    world.publish(to::user("alice"), "tick", 10).await;
    for n in 0..10 {
        world.publish(to::user("alice"), "tick", n).await;
    }
    seen.extend(events(trace).await);
    let shown: Vec<_> = seen.iter().map(|event| (event.event.as_str(), event.skipped)).collect();
    let published = ("published", None);
    assert_eq!(
        shown,
        [
            ("started", None),
            published,
            published,
            published,
            ("skipped", Some(7)),
            published,
            published,
            published,
            ("skipped", Some(8)),
            ("ended", None),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_user_to_whom_much_happens_does_not_prolong_the_trace() {
    let world = World::new(8).await;
    let mut trace = begin(&world, &TraceRequest { seconds: Some(2), ..of_user("alice") });
    let publisher = world.clone();
    let flood = tokio::spawn(async move {
        loop {
            publisher.publish(to::user("alice"), "tick", 1).await;
            publisher.advance(Duration::from_millis(1)).await;
        }
    });
    let begun = Instant::now();
    while trace.next().await.is_some() {}
    assert_eq!(begun.elapsed(), Duration::from_secs(2));
    flood.abort();
}

#[tokio::test(start_paused = true)]
async fn only_so_many_traces_run_and_one_that_ends_or_is_dropped_makes_room() {
    let world = World::builder().settings(|settings| settings.traces.max = 2).build().await;
    let service = world.service();
    let first = begin(&world, &of_user("alice"));
    let second = begin(&world, &of_topic("order:1"));
    assert_eq!(service.trace(&of_user("bob")).expect_err("no room"), TraceError::TooMany { limit: 2 });
    drop(first);
    let third = begin(&world, &of_user("bob"));
    assert!(service.trace(&of_user("alice")).is_err());
    events(second).await;
    // Its reader has gone to sleep: it has expired all the same.
    let fourth = begin(&world, &of_user("alice"));
    world.advance(Duration::from_secs(61)).await;
    let _fifth = begin(&world, &of_user("alice"));
    let _sixth = begin(&world, &of_user("alice"));
    for late in [third, fourth] {
        assert_eq!(kinds(&events(late).await), ["started", "ended"]);
    }
    assert!(service.trace(&of_user("bob")).is_err(), "the end of a trace that has expired makes no room twice");
    let none = World::builder().settings(|settings| settings.traces.max = 0).build().await;
    assert_eq!(none.service().trace(&of_user("bob")).expect_err("none"), TraceError::TooMany { limit: 0 });
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_every_trace_and_none_begins_after_it() {
    let world = World::new(9).await;
    let trace = begin(&world, &of_user("alice"));
    world.publish(to::user("alice"), "tick", 1).await;
    let begun = Instant::now();
    assert_eq!(world.drain().await, 0);
    let events = events(trace).await;
    assert_eq!(kinds(&events), ["started", "published", "ended"]);
    assert_eq!((reason(&events[2]), begun.elapsed()), ("stopping", Duration::ZERO));
    assert_eq!(world.service().trace(&of_user("alice")).expect_err("it drains"), TraceError::Draining);
}

#[tokio::test(start_paused = true)]
async fn a_bad_request_says_what_to_give() {
    let world = World::new(10).await;
    let both = TraceRequest { topic: of_topic("order:1").topic, ..of_user("alice") };
    for (request, field, what) in [
        (TraceRequest::default(), "user", "a user, a topic or streams"),
        (both, "topic", "one of them"),
        (TraceRequest { seconds: Some(601), ..of_user("alice") }, "seconds", "limits.trace_time, which is 600"),
        (TraceRequest { seconds: Some(0), ..of_user("alice") }, "seconds", "1 or more"),
    ] {
        let error = world.service().trace(&request).expect_err("not valid").to_string();
        assert!(error.contains(field) && error.contains(what), "{error}");
    }
}
