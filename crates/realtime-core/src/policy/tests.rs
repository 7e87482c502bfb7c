//! Tests of the policies: the first namespace that matches decides.

use super::*;

fn namespace(pattern: &str, subscribe: SubscribePolicy, overflow: Overflow) -> Namespace {
    Namespace { subscribe, overflow, ..Namespace::new(pattern.parse().expect("a pattern")) }
}

#[test]
fn nothing_is_open_by_default() {
    let topic = Topic::new("order:1").expect("a topic");
    let user = UserId::new("alice").expect("a user");
    assert!(!Namespaces::default().allows_subscribe(&topic, &user));
    assert_eq!(Namespaces::default().overflow(&Route::Topic(topic).into()), Overflow::Close);
}

#[test]
fn the_first_namespace_that_matches_decides() {
    let namespaces = Namespaces::new(
        vec![
            namespace("topic:news:internal", SubscribePolicy::Granted, Overflow::Close),
            namespace("topic:news:*", SubscribePolicy::Authenticated, Overflow::Drop),
        ],
        Overflow::Latest,
    );
    let user = UserId::new("alice").expect("a user");
    let topic = |text| Topic::new(text).expect("a topic");
    assert!(namespaces.allows_subscribe(&topic("news:today"), &user));
    assert!(!namespaces.allows_subscribe(&topic("news:internal"), &user));
    let overflow = |text| namespaces.overflow(&Route::Topic(topic(text)).into());
    assert_eq!(overflow("news:today"), Overflow::Drop);
    assert_eq!(overflow("order:1"), Overflow::Latest);
}

#[test]
fn a_stream_has_the_policy_of_its_namespace_and_any_other_audience_the_default() {
    let granted = |pattern, overflow| namespace(pattern, SubscribePolicy::Granted, overflow);
    let namespaces = Namespaces::new(
        vec![
            granted("role:admin", Overflow::Latest),
            granted("role:*", Overflow::Drop),
            granted("user", Overflow::Drop),
            granted("all", Overflow::Latest),
            granted("topic:**", Overflow::Drop),
        ],
        Overflow::Close,
    );
    let role = |text| Route::Role(realtime_schema::Role::new(text).expect("a role"));
    let topic = |text| Route::Topic(Topic::new(text).expect("a topic"));
    for (route, overflow) in [
        (role("admin"), Overflow::Latest),
        (role("member"), Overflow::Drop),
        (Route::User(UserId::new("alice").expect("a user")), Overflow::Drop),
        (Route::All, Overflow::Latest),
        (topic("role:admin"), Overflow::Drop),
        (Route::Connection(realtime_schema::ConnectionId(uuid::Uuid::nil())), Overflow::Close),
    ] {
        assert_eq!(namespaces.overflow(&route.clone().into()), overflow, "{route:?}");
    }
    let union = Audience::union(vec![role("member"), topic("a")]).expect("two routes");
    assert_eq!(namespaces.overflow(&union), Overflow::Close);
    assert!(
        !Namespaces::new(vec![granted("user", Overflow::Drop)], Overflow::Close)
            .allows_subscribe(&Topic::new("user").expect("a topic"), &UserId::new("alice").expect("a user"))
    );
}

#[test]
fn a_namespace_with_sub_is_open_only_to_its_user() {
    let namespaces = Namespaces::new(
        vec![
            namespace("topic:user:{sub}:**", SubscribePolicy::Authenticated, Overflow::Close),
            namespace("topic:**", SubscribePolicy::Authenticated, Overflow::Close),
        ],
        Overflow::Close,
    );
    let topic = Topic::new("user:alice:inbox").expect("a topic");
    assert!(namespaces.allows_subscribe(&topic, &UserId::new("alice").expect("a user")));
    assert!(!namespaces.allows_subscribe(&topic, &UserId::new("mallory").expect("a user")));
}

fn with(pattern: &str, change: impl FnOnce(&mut Namespace)) -> Namespace {
    let mut namespace = Namespace::new(pattern.parse().expect("a pattern"));
    change(&mut namespace);
    namespace
}

#[test]
fn a_history_without_numbers_keeps_1000_messages_of_an_hour_in_one_mebibyte() {
    let expected = Retention { size: 1_000, age: Duration::from_secs(60 * 60), bytes: 1_048_576 };
    assert_eq!(Retention::default(), expected);
}

fn kept(size: u32) -> Retention {
    Retention { size, ..Retention::default() }
}

#[test]
fn the_first_namespace_that_covers_a_stream_says_how_much_is_kept() {
    let history = |pattern, size| with(pattern, |namespace| namespace.history = Some(kept(size)));
    let list = vec![
        with("topic:order:draft", |_| {}),
        history("topic:order:*", 1),
        history("topic:inbox:{sub}", 2),
        history("role:admin", 3),
        history("user", 4),
        history("all", 5),
    ];
    let namespaces = Namespaces::new(list, Overflow::Close);
    assert!(namespaces.any_history());
    let topic = |text: &str| Route::Topic(text.parse().expect("a topic"));
    let role = |text: &str| Route::Role(text.parse().expect("a role"));
    for (route, size) in [
        (topic("order:draft"), None),
        (topic("order:1"), Some(1)),
        (topic("inbox:alice"), Some(2)),
        (topic("news"), None),
        (role("admin"), Some(3)),
        (role("member"), None),
        (Route::User("alice".parse().expect("a user")), Some(4)),
        (Route::All, Some(5)),
        (Route::Connection(realtime_schema::ConnectionId(uuid::Uuid::nil())), None),
    ] {
        assert_eq!(namespaces.retention(&route).map(|kept| kept.size), size, "{route:?}");
    }
    assert!(!Namespaces::default().any_history());
    assert_eq!(Namespaces::default().retention(&Route::All), None);
}

#[test]
fn history_drops_for_slow_readers_and_never_keeps_only_the_latest() {
    let route = || Route::All.into();
    let kept_all = Namespace::new("all".parse().expect("a pattern")).with_history(kept(1));
    assert_eq!(Namespaces::new(vec![kept_all.clone()], Overflow::Close).overflow(&route()), Overflow::Drop);
    let latest = Namespace { overflow: Overflow::Latest, ..kept_all.clone() };
    assert_eq!(Namespaces::new(vec![latest], Overflow::Close).overflow(&route()), Overflow::Drop);
    let close = Namespace { overflow: Overflow::Close, ..kept_all };
    assert_eq!(Namespaces::new(vec![close], Overflow::Drop).overflow(&route()), Overflow::Close);
}

#[test]
fn only_what_a_namespace_opens_may_be_published_to() {
    let publish = |pattern, policy| with(pattern, |namespace| namespace.publish = policy);
    let list = vec![
        publish("topic:chat:closed", PublishPolicy::Granted),
        publish("topic:chat:*", PublishPolicy::Subscribers),
        publish("topic:from:{sub}", PublishPolicy::Authenticated),
        publish("topic:from:*", PublishPolicy::Authenticated),
    ];
    let namespaces = Namespaces::new(list, Overflow::Close);
    let alice: UserId = "alice".parse().expect("a user");
    for (topic, subscribed, allowed) in [
        ("chat:closed", true, false),
        ("chat:1", true, true),
        ("chat:1", false, false),
        ("from:alice", false, true),
        ("from:bob", true, false),
        ("elsewhere", true, false),
    ] {
        let topic: Topic = topic.parse().expect("a topic");
        assert_eq!(namespaces.allows_publish(&topic, &alice, subscribed), allowed, "{topic}, {subscribed}");
    }
}

#[test]
fn only_a_receiver_of_a_stream_may_read_its_history_without_a_grant() {
    let read = |pattern| with(pattern, |namespace| namespace.read = HistoryRead::Subscribers);
    let list = vec![with("topic:order:secret", |_| {}), read("topic:order:*"), read("topic:inbox:{sub}"), read("user")];
    let namespaces = Namespaces::new(list, Overflow::Close);
    let alice: UserId = "alice".parse().expect("a user");
    let topic = |text: &str| Route::Topic(text.parse().expect("a topic"));
    for (route, subscribed, allowed) in [
        (topic("order:secret"), true, false),
        (topic("order:1"), true, true),
        (topic("order:1"), false, false),
        (topic("inbox:alice"), true, true),
        (topic("inbox:bob"), true, false),
        (Route::User(alice.clone()), true, true),
        (Route::User(alice.clone()), false, false),
        (Route::All, true, false),
    ] {
        assert_eq!(namespaces.allows_history(&route, &alice, subscribed), allowed, "{route:?}, {subscribed}");
    }
}
