//! Topics that the backend gives to a user: every connection has them, now and later.

use realtime_server::{NamespaceConfig, NamespaceHistory};
use realtime_tests::{Client, World};
use serde_json::{Value, json};

const PATH: &str = "/api/v1/users/alice/topics/order%3A1";

async fn notified(client: &mut Client, kind: &str, topic: &str) {
    let frame = client.next().await;
    assert_eq!((&frame["type"], &frame["payload"]["topic"]), (&json!(kind), &json!(topic)), "{frame}");
}

fn change(changed: bool, connections: u64, refused: u64) -> Value {
    json!({"changed": changed, "connections": connections, "refused": refused})
}

async fn delivered(world: &World) -> u64 {
    world.publish(json!({"topic": "order:1"}), "a", json!(1)).await
}

#[tokio::test]
async fn a_topic_of_a_user_is_on_every_connection_now_and_later_and_on_no_bystander() {
    let world = World::start().await;
    let (mut tab, mut phone) = (world.connect("alice").await, world.connect("alice").await);
    let mut bystander = world.connect("bob").await;
    assert_eq!(world.put(PATH).await.ok("user-topic-change"), change(true, 2, 0));
    notified(&mut tab, "subscribed", "order:1").await;
    notified(&mut phone, "subscribed", "order:1").await;
    let mut later = world.connect("alice").await;
    notified(&mut later, "subscribed", "order:1").await;
    assert_eq!(delivered(&world).await, 3);
    for client in [&mut tab, &mut phone, &mut later] {
        assert_eq!(client.publication().await["topic"], "order:1");
    }
    bystander.got_nothing().await;
    assert_eq!(world.get("/api/v1/users/alice/topics").await.ok("user-topic-list"), json!({"topics": ["order:1"]}));
    assert_eq!(world.get("/api/v1/users/bob/topics").await.ok("user-topic-list"), json!({"topics": []}));

    assert_eq!(world.delete(PATH).await.ok("user-topic-change"), change(true, 3, 0));
    for client in [&mut tab, &mut phone, &mut later] {
        notified(client, "unsubscribed", "order:1").await;
    }
    let mut last = world.connect("alice").await;
    assert_eq!(delivered(&world).await, 0);
    last.got_nothing().await;
    assert_eq!(world.delete(PATH).await.ok("user-topic-change"), change(false, 0, 0));
    assert_eq!(world.metric("realtime_topics").await, 0, "nothing is left");
}

#[tokio::test]
async fn a_user_may_be_given_a_topic_while_away_and_has_several_in_the_order_of_their_names() {
    let world = World::start().await;
    for topic in ["b", "a", "c%2Fd"] {
        let path = format!("/api/v1/users/alice/topics/{topic}");
        assert_eq!(world.put(&path).await.ok("user-topic-change"), change(true, 0, 0));
        assert_eq!(world.put(&path).await.ok("user-topic-change"), change(false, 0, 0));
    }
    let mut alice = world.connect("alice").await;
    for topic in ["a", "b", "c/d"] {
        notified(&mut alice, "subscribed", topic).await;
    }
    let list = world.get("/api/v1/users/alice/topics").await.ok("user-topic-list");
    assert_eq!(list["topics"], json!(["a", "b", "c/d"]));
    alice.got_nothing().await;
}

#[tokio::test]
async fn repeating_it_brings_back_what_a_client_left() {
    let world = World::start().await;
    let mut alice = world.connect("alice").await;
    world.put(PATH).await.ok("user-topic-change");
    notified(&mut alice, "subscribed", "order:1").await;
    alice.command(json!({"action": "unsubscribe", "topic": "order:1"})).await;
    assert_eq!(delivered(&world).await, 0, "a client may leave");
    assert_eq!(world.put(PATH).await.ok("user-topic-change"), change(false, 1, 0));
    notified(&mut alice, "subscribed", "order:1").await;
    assert_eq!(world.put(PATH).await.ok("user-topic-change"), change(false, 1, 0));
    alice.got_nothing().await;
}

#[tokio::test]
async fn a_refresh_does_not_take_it_away() {
    let world = World::start().await;
    let mut alice = world.connect_granted("alice", "**").await;
    world.put(PATH).await.ok("user-topic-change");
    notified(&mut alice, "subscribed", "order:1").await;
    let token = world.token("alice", &json!({}));
    assert_eq!(alice.command(json!({"action": "refresh", "token": token})).await["code"], Value::Null);
    assert_eq!(delivered(&world).await, 1);
}

#[tokio::test]
async fn each_limit_is_refused_by_its_name_and_changes_nothing() {
    let world = World::with(|config| {
        config.limits.user_topics = 2;
        config.limits.all_user_topics = 3;
        config.limits.subscriptions = 1;
    })
    .await;
    let path = |user: &str, topic: &str| format!("/api/v1/users/{user}/topics/{topic}");
    let mut alice = world.connect("alice").await;
    assert_eq!(world.put(&path("alice", "a")).await.ok("user-topic-change"), change(true, 1, 0));
    notified(&mut alice, "subscribed", "a").await;
    // The connection may have one topic. The user has this one as soon as there is a slot.
    assert_eq!(world.put(&path("alice", "b")).await.ok("user-topic-change"), change(true, 0, 1));
    let refused = world.put(&path("alice", "c")).await.refused("limit_exceeded");
    assert!(refused["detail"].as_str().is_some_and(|text| text.contains("limits.user_topics is 2")), "{refused}");
    world.put(&path("bob", "a")).await.ok("user-topic-change");
    let refused = world.put(&path("bob", "b")).await.refused("limit_exceeded");
    assert!(refused["detail"].as_str().is_some_and(|text| text.contains("limits.all_user_topics is 3")), "{refused}");
    let list = world.get("/api/v1/users/alice/topics").await.ok("user-topic-list");
    assert_eq!(list["topics"], json!(["a", "b"]));
    alice.got_nothing().await;
    // A new connection has what fits, and lives.
    let mut again = world.connect("alice").await;
    notified(&mut again, "subscribed", "a").await;
    again.got_nothing().await;
}

#[tokio::test]
async fn an_invalid_user_or_topic_is_refused_with_its_field() {
    let world = World::start().await;
    for path in ["/api/v1/users/alice/topics/order%3A%2A", "/api/v1/users/a%00b/topics/x"] {
        world.put(path).await.refused("bad_request");
        world.delete(path).await.refused("bad_request");
    }
}

/// Connects while the topic is given, and then while it is taken away. Whichever comes first, afterwards the connections
/// have what the user has.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_connection_that_is_opened_during_a_change_has_what_the_user_has_afterwards() {
    const ROUNDS: usize = 40;
    const CLIENTS: usize = 6;
    let world = World::start().await;
    for round in 0..ROUNDS {
        for give in [true, false] {
            let connect = async { futures_util::future::join_all((0..CLIENTS).map(|_| world.connect("alice"))).await };
            let change = async {
                // At another moment of the connecting in each round.
                for _ in 0..round {
                    tokio::task::yield_now().await;
                }
                let answer = if give { world.put(PATH).await } else { world.delete(PATH).await };
                answer.ok("user-topic-change")
            };
            let (clients, _) = tokio::join!(connect, change);
            let expected = if give { CLIENTS as u64 } else { 0 };
            assert_eq!(delivered(&world).await, expected, "round {round}, give: {give}");
            for client in clients {
                client.close().await;
            }
        }
    }
}

/// The same against many changes at once: the last of them counts on every connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn after_many_changes_at_once_all_connections_have_the_same_as_the_table() {
    const CLIENTS: usize = 4;
    let world = World::start().await;
    for round in 0..20 {
        let connect = futures_util::future::join_all((0..CLIENTS).map(|_| world.connect("alice")));
        let changes = futures_util::future::join_all((0..8).map(|n| {
            let world = &world;
            async move { if n % 2 == 0 { world.put(PATH).await } else { world.delete(PATH).await } }
        }));
        let (clients, _) = tokio::join!(connect, changes);
        let list = world.get("/api/v1/users/alice/topics").await.ok("user-topic-list");
        let has = list["topics"].as_array().is_some_and(|topics| !topics.is_empty());
        assert_eq!(delivered(&world).await, if has { CLIENTS as u64 } else { 0 }, "round {round}");
        for client in clients {
            client.close().await;
        }
        world.delete(PATH).await;
    }
}

#[tokio::test]
async fn a_client_that_comes_back_has_the_past_of_the_topics_of_its_user_once() {
    let world = World::with(|config| {
        config.namespaces = ["topic:order:*", "user"]
            .map(|pattern| {
                let mut namespace = NamespaceConfig::new(pattern.parse().expect("a pattern"));
                namespace.history = Some(NamespaceHistory::default());
                namespace
            })
            .into();
    })
    .await;
    let publish = async |n: u64| world.publish(json!({"topic": "order:1"}), "a", json!(n)).await;
    world.put(PATH).await.ok("user-topic-change");
    let mut alice = world.connect("alice").await;
    notified(&mut alice, "subscribed", "order:1").await;
    publish(1).await;
    let first = alice.publication().await;
    let epoch = alice.welcome()["streams"]["user"].clone();
    let ticket = alice.welcome()["resume"].as_str().expect("a ticket").to_owned();
    alice.close().await;
    publish(2).await;

    let path = format!("/ws?token={}&resume={ticket}", world.token("alice", &json!({})));
    let mut alice = world.try_connect(&path, &[]).await.expect("admitted");
    publish(3).await;
    let info = world.get("/api/v1/topics/order%3A1/history?limit=0").await.ok("history-page");
    let since =
        json!({"topic:order:1": {"epoch": info["position"]["epoch"], "offset": first["offset"]}, "user": epoch});
    alice.send(&json!({"action": "resume", "id": 1, "since": since}).to_string()).await;
    let mut seen = Vec::new();
    loop {
        let frame = alice.next().await;
        match frame["type"].as_str() {
            Some("ack") => break,
            Some("a") => seen.push(frame["payload"].as_u64().expect("a number")),
            Some("subscribed") => {}
            _ => panic!("{frame}"),
        }
    }
    publish(4).await;
    seen.push(alice.publication().await["payload"].as_u64().expect("a number"));
    assert_eq!(seen, [2, 3, 4]);
    alice.got_nothing().await;
}
