//! Who is on a topic: a user with several tabs counts once, a reconnect is not seen, and clients that watch get the list
//! and then each change, in order.

use std::time::Duration;

use realtime_core::{
    policy::{Overflow, SubscribePolicy},
    presence::PresenceReaders,
};
use realtime_server::{Config, NamespaceConfig, NamespacePresence, Span};
use realtime_tests::{Client, World};
use serde_json::{Value, json};

fn ms(ms: u64) -> Span {
    Duration::from_millis(ms).into()
}

/// Rooms, whose subscribers may see who is there.
fn rooms(config: &mut Config) -> &mut NamespacePresence {
    let mut namespace = NamespaceConfig::new("topic:room:*".parse().expect("a pattern"));
    namespace.subscribe = SubscribePolicy::Authenticated;
    namespace.presence = Some(NamespacePresence { read: PresenceReaders::Subscribers, ..NamespacePresence::default() });
    config.presence.flush_interval = ms(20);
    config.presence.grace = ms(200);
    config.namespaces = vec![namespace];
    config.namespaces[0].presence.as_mut().expect("presence")
}

async fn world(change: impl FnOnce(&mut Config)) -> World {
    World::with(|config| {
        rooms(config);
        change(config);
    })
    .await
}

/// A client on room 1 that watches it; returns the list at that moment.
async fn watcher(world: &World, user: &str) -> (Client, Value) {
    let mut client = world.connect(user).await;
    client.subscribe("room:1").await;
    let reply = client.command(json!({"action": "presence", "topic": "room:1", "subscribe": true})).await;
    (client, reply["presence"].clone())
}

async fn tab(world: &World, user: &str) -> Client {
    let mut client = world.connect(user).await;
    client.subscribe("room:1").await;
    client
}

/// The next frame, which must be a change of presence.
async fn change(client: &mut Client) -> Value {
    let frame = client.next().await;
    assert_eq!(frame["type"], "presence", "{frame}");
    frame["payload"].clone()
}

fn names(users: &Value) -> Vec<&str> {
    let users = users.as_array().map(Vec::as_slice).unwrap_or_default();
    users.iter().filter_map(|user| user["user"].as_str()).collect()
}

#[tokio::test]
async fn three_tabs_join_once_and_leave_once_after_the_grace() {
    let world = world(|_| {}).await;
    let (mut ann, list) = watcher(&world, "ann").await;
    assert_eq!((names(&list["users"]), &list["count"]), (vec!["ann"], &json!(1)), "a watcher sees itself");

    let tabs = [tab(&world, "bob").await, tab(&world, "bob").await, tab(&world, "bob").await];
    let joined = change(&mut ann).await;
    assert_eq!((names(&joined["joined"]), &joined["count"]), (vec!["bob"], &json!(2)));
    assert_eq!(joined["version"].as_u64(), list["version"].as_u64().map(|version| version + 1));
    let page = world.get("/api/v1/topics/room:1/presence").await.ok("presence-page");
    assert_eq!(page["users"], json!([{"user": "ann", "connections": 1}, {"user": "bob", "connections": 3}]));

    for tab in tabs {
        tab.close().await;
    }
    let left = change(&mut ann).await;
    assert_eq!((&left["left"], &left["count"], left.get("joined")), (&json!(["bob"]), &json!(1), None));
    ann.got_nothing().await;
}

#[tokio::test]
async fn a_reconnect_within_the_grace_shows_nothing() {
    let world = world(|config| config.presence.grace = Span::secs(3600)).await;
    let (mut ann, _) = watcher(&world, "ann").await;
    let bob = tab(&world, "bob").await;
    assert_eq!(names(&change(&mut ann).await["joined"]), ["bob"]);
    bob.close().await;
    world.until("realtime_connections", 1).await;
    let page = world.get("/api/v1/topics/room:1/presence").await.ok("presence-page");
    assert_eq!(page["users"][1], json!({"user": "bob", "connections": 0}), "still present");

    let _bob = tab(&world, "bob").await;
    let _cat = tab(&world, "cat").await;
    let next = change(&mut ann).await;
    assert_eq!((names(&next["joined"]), next.get("left")), (vec!["cat"], None), "bob was never away");
}

#[tokio::test]
async fn the_list_and_the_changes_after_it_are_in_order() {
    let world = world(|_| {}).await;
    let (mut ann, list) = watcher(&world, "ann").await;
    let mut present = names(&list["users"]).into_iter().map(str::to_owned).collect::<Vec<_>>();
    let mut version = list["version"].as_u64().expect("a version");
    let mut tabs = Vec::new();
    for n in 0..20 {
        tabs.push(tab(&world, &format!("user-{n}")).await);
    }
    while present.len() < 21 {
        let change = change(&mut ann).await;
        let next = change["version"].as_u64().expect("a version");
        assert_eq!(next, version + 1, "no change is missing");
        version = next;
        for user in names(&change["joined"]) {
            assert!(!present.iter().any(|known| known == user), "{user} joined twice");
            present.push(user.to_owned());
        }
        assert_eq!(change["count"].as_u64(), Some(present.len() as u64));
    }
    let page = ann.command(json!({"action": "presence", "topic": "room:1"})).await;
    assert_eq!((&page["presence"]["version"], &page["presence"]["count"]), (&json!(version), &json!(21)));
}

#[tokio::test]
async fn a_list_is_read_in_pages() {
    let world = world(|config| config.presence.max_users = 2).await;
    let mut tabs = Vec::new();
    for user in ["ann", "bob", "cat"] {
        tabs.push(tab(&world, user).await);
    }
    let first = tabs[0].command(json!({"action": "presence", "topic": "room:1"})).await["presence"].clone();
    assert_eq!(
        (names(&first["users"]), &first["count"], &first["next"]),
        (vec!["ann", "bob"], &json!(3), &json!("bob"))
    );
    let rest = tabs[0].command(json!({"action": "presence", "topic": "room:1", "after": "bob", "limit": 10})).await;
    assert_eq!((names(&rest["presence"]["users"]), rest["presence"].get("next")), (vec!["cat"], None));
    let page = world.get("/api/v1/topics/room:1/presence?limit=1&after=ann").await.ok("presence-page");
    assert_eq!((names(&page["users"]), &page["next"]), (vec!["bob"], &json!("bob")));
    let count = world.get("/api/v1/topics/room:1/presence?names=false").await.ok("presence-page");
    assert_eq!((&count["users"], &count["count"]), (&json!([]), &json!(3)));
}

#[tokio::test]
async fn a_client_without_the_right_is_refused() {
    let world = world(|_| {}).await;
    let ask = json!({"action": "presence", "topic": "room:1"});
    let mut stranger = world.connect("eve").await;
    let refusal = stranger.command(ask.clone()).await;
    assert_eq!((&refusal["code"], &refusal["retry"]), (&json!("forbidden"), &json!(false)), "{refusal}");
    assert!(refusal["message"].as_str().is_some_and(|message| message.contains("subscribe first")), "{refusal}");

    let other = stranger.command(json!({"action": "presence", "topic": "order:1"})).await;
    assert_eq!(other["code"], "not_found", "{other}");
    world.get("/api/v1/topics/order:1/presence").await.refused("not_found");

    let mut granted = world.connect_with("dan", &json!({"grants": ["presence:room:*"]})).await;
    let list = granted.command(ask).await;
    assert_eq!(
        (&list["presence"]["count"], &list["presence"]["users"]),
        (&json!(0), &json!([])),
        "seeing is not joining"
    );
}

#[tokio::test]
async fn only_subscribers_see_the_names_and_only_those_with_the_grant_if_the_namespace_says_so() {
    let world = World::with(|config| {
        let presence = rooms(config);
        presence.read = PresenceReaders::Granted;
        presence.count = PresenceReaders::Subscribers;
    })
    .await;
    let mut ann = tab(&world, "ann").await;
    let refusal = ann.command(json!({"action": "presence", "topic": "room:1"})).await;
    assert_eq!(refusal["code"], "forbidden", "{refusal}");
    let watch = json!({"action": "presence", "topic": "room:1", "names": false, "subscribe": true});
    let count = ann.command(watch).await["presence"].clone();
    assert_eq!((&count["count"], &count["users"]), (&json!(1), &json!([])));

    let _bob = tab(&world, "bob").await;
    let change = change(&mut ann).await;
    assert_eq!(change, json!({"topic": "room:1", "version": change["version"], "count": 2}), "no names");
}

#[tokio::test]
async fn metadata_is_shown_only_where_the_namespace_says_so() {
    let metadata = json!({"metadata": {"name": "Ann", "salary": 7}});
    let public = World::with(|config| rooms(config).metadata = vec!["name".into()]).await;
    let (mut bob, _) = watcher(&public, "bob").await;
    let mut ann = public.connect_with("ann", &metadata).await;
    ann.subscribe("room:1").await;
    assert_eq!(
        change(&mut bob).await["joined"],
        json!([{"user": "ann", "connections": 1, "metadata": {"name": "Ann"}}])
    );

    let mut other = public.connect_with("ann", &json!({"metadata": {"name": "Anna"}})).await;
    other.subscribe("room:1").await;
    let updated = change(&mut bob).await;
    assert_eq!(updated["updated"], json!([{"user": "ann", "connections": 2, "metadata": {"name": "Anna"}}]));
    assert_eq!((updated.get("joined"), updated.get("left")), (None, None));

    let hidden = world(|_| {}).await;
    let (mut bob, _) = watcher(&hidden, "bob").await;
    let mut ann = hidden.connect_with("ann", &metadata).await;
    ann.subscribe("room:1").await;
    assert_eq!(change(&mut bob).await["joined"], json!([{"user": "ann", "connections": 1}]));
}

#[tokio::test]
async fn watching_ends_with_its_command_the_subscription_and_the_right() {
    let world = world(|_| {}).await;
    let (mut ann, _) = watcher(&world, "ann").await;
    ann.command(json!({"action": "presence", "topic": "room:1", "subscribe": false})).await;
    let mut bob = tab(&world, "bob").await;
    let seen = ann.command(json!({"action": "presence", "topic": "room:1", "subscribe": true})).await;
    assert_eq!(seen["presence"]["count"], 2, "and nothing came in between");

    ann.command(json!({"action": "unsubscribe", "topic": "room:1"})).await;
    bob.command(json!({"action": "unsubscribe", "topic": "room:1"})).await;
    let mut dan = world.connect_with("dan", &json!({"grants": ["presence:room:*"]})).await;
    let watch = json!({"action": "presence", "topic": "room:1", "subscribe": true});
    while dan.command(watch.clone()).await["presence"]["count"] != 0 {
        // The grace periods of the two others.
        change(&mut dan).await;
    }
    ann.got_nothing().await;

    let token = world.token("dan", &json!({}));
    dan.send(&json!({"action": "refresh", "id": "r", "token": token}).to_string()).await;
    let last = change(&mut dan).await;
    assert_eq!((&last["ended"], &last["topic"]), (&json!("revoked"), &json!("room:1")));
    assert_eq!(dan.next().await["payload"]["id"], "r");
    let _cat = tab(&world, "cat").await;
    world.until("realtime_presence_users", 1).await;
    dan.got_nothing().await;
}

#[tokio::test]
async fn a_backend_that_subscribes_a_connection_makes_its_user_present() {
    let world = world(|_| {}).await;
    let (mut ann, _) = watcher(&world, "ann").await;
    let mut bob = world.connect("bob").await;
    let path = format!("/api/v1/connections/{}/topics/room:1", bob.id());
    world.put(&path).await.ok("subscription-change");
    assert_eq!(bob.next().await["type"], "subscribed");
    assert_eq!(names(&change(&mut ann).await["joined"]), ["bob"]);
    world.delete(&path).await.ok("subscription-change");
    assert_eq!(change(&mut ann).await["left"], json!(["bob"]));
}

#[tokio::test]
async fn the_metrics_count_topics_and_users_and_forget_them() {
    let world = world(|_| {}).await;
    let (ann, _) = watcher(&world, "ann").await;
    let bob = tab(&world, "bob").await;
    assert!(ann.welcome()["features"].as_array().is_some_and(|features| features.contains(&json!("presence"))));
    world.until("realtime_presence_topics", 1).await;
    world.until("realtime_presence_users", 2).await;
    ann.close().await;
    bob.close().await;
    world.until("realtime_presence_users", 0).await;
    world.until("realtime_presence_topics", 0).await;
}

#[tokio::test]
async fn a_storm_of_joins_closes_no_slow_watcher_which_gets_the_list_afterwards() {
    const MANY: usize = 300;
    let world = world(|config| {
        // Every join is a change of its own, and a slow reader's queue holds few of them.
        config.presence.flush_interval = ms(1);
        config.presence.max_users = 1_000;
        config.delivery.overflow = Overflow::Drop;
        config.limits.queue_messages = 8;
        config.liveness.write_timeout = Span::secs(120);
    })
    .await;
    let (mut slow, _) = watcher(&world, "slow").await;
    // Fills the buffers between the two ends, and then the queue.
    let text = "x".repeat(32 * 1024);
    let filler = json!({"connection": slow.id()});
    while world.service.metrics().dropped_total == 0 {
        world.publish(filler.clone(), "filler", json!(text)).await;
    }
    let dropped = world.service.metrics().dropped_total;
    let mut tabs = Vec::new();
    for n in 0..MANY {
        tabs.push(tab(&world, &format!("user-{n:03}")).await);
    }
    world.until("realtime_presence_users", MANY as u64 + 1).await;
    let metrics = world.service.metrics();
    assert_eq!((metrics.closed_slow_total, metrics.dropped_total), (0, dropped), "no message made room for presence");

    let (mut repaired, mut count, mut missed) = (false, 0, 0);
    while count < MANY + 1 {
        let frame = slow.next().await;
        let payload = &frame["payload"];
        match frame["type"].as_str() {
            Some("gap") => missed += payload["missed"].as_u64().expect("a number"),
            Some("presence") => {
                count = usize::try_from(payload["count"].as_u64().expect("a count")).expect("fits");
                if let Some(users) = payload["users"].as_array() {
                    repaired = true;
                    assert_eq!(users.len(), count, "the whole list");
                }
            }
            _ => assert_eq!(frame["type"], "filler", "{frame}"),
        }
    }
    assert!(repaired, "the changes that were left out came as a list");
    assert_eq!(missed, dropped, "a gap names messages, never presence");
    slow.got_nothing().await;
}
