//! A backend decides what a client reads: histories, the presence of others, and a topic that it continues on its next
//! connection.

use realtime_core::policy::SubscribePolicy;
use realtime_schema::HookName;
use realtime_server::{Config, NamespaceConfig, NamespaceHistory, NamespacePresence, OnFailureName, Span};
use realtime_tests::{Client, World, schemas};
use serde_json::{Value, json};

use super::{Backend, world};

/// Orders have a history and a presence, which only a grant or the backend lets a client read.
fn orders(config: &mut Config) {
    let mut namespace = NamespaceConfig::new("topic:order:*".parse().expect("a pattern"));
    namespace.subscribe = SubscribePolicy::Authenticated;
    namespace.history = Some(NamespaceHistory::default());
    namespace.presence = Some(NamespacePresence::default());
    config.namespaces = vec![namespace];
    config.hooks.enabled = vec![HookName::History, HookName::Presence];
    config.hooks.retries = 0;
    config.hooks.attempt_timeout = Span::secs(2);
    config.presence.flush_interval = std::time::Duration::from_millis(20).into();
}

fn history(topic: &str) -> Value {
    json!({"action": "history", "stream": format!("topic:{topic}")})
}

fn presence(topic: &str) -> Value {
    json!({"action": "presence", "topic": topic})
}

fn numbers(ack: &Value) -> Vec<u64> {
    let publications = ack["publications"].as_array().map(Vec::as_slice).unwrap_or_default();
    publications.iter().filter_map(|frame| frame["payload"].as_u64()).collect()
}

#[tokio::test]
async fn a_backend_decides_who_reads_the_history_of_a_topic() {
    let backend = Backend::start().await;
    let world = world(&backend, orders).await;
    for topic in ["order:alice", "order:bob"] {
        world.publish(json!({"topic": topic}), "paid", json!(1)).await;
        world.publish(json!({"topic": topic}), "paid", json!(2)).await;
    }
    let mut alice = world.connect_with("alice", &json!({"grants": ["history:order:granted"]})).await;
    assert_eq!(numbers(&alice.command(history("order:alice")).await), [1, 2]);
    let refused = alice.command(history("order:bob")).await;
    assert_eq!((&refused["code"], &refused["message"]), (&json!("forbidden"), &json!("not your order")), "{refused}");
    assert!(refused["publications"].is_null(), "{refused}");
    assert!(alice.command(history("order:granted")).await["position"].is_object(), "its token allows it");
    let asked = backend.received("history");
    let topics: Vec<_> = asked.iter().map(|request| request["topic"].as_str().expect("a topic")).collect();
    assert_eq!(topics, ["order:alice", "order:bob"], "once for each command that only the backend can allow");
    for request in asked {
        schemas().check("hook-access-request", &request);
        assert_eq!((&request["user"], &request["connection"]), (&json!("alice"), &json!(alice.id())));
    }
    // What was allowed once is asked about again.
    alice.command(history("order:alice")).await;
    assert_eq!(backend.received("history").len(), 3);
}

#[tokio::test]
async fn a_backend_decides_who_sees_the_presence_of_a_topic() {
    let backend = Backend::start().await;
    let world = world(&backend, orders).await;
    let mut bob = world.connect("bob").await;
    for topic in ["order:alice", "order:bob"] {
        bob.subscribe(topic).await;
    }
    let mut alice = world.connect("alice").await;
    let mut watch = presence("order:alice");
    watch["subscribe"] = json!(true);
    let ack = alice.command(watch).await;
    assert_eq!((&ack["presence"]["count"], &ack["presence"]["users"][0]["user"]), (&json!(1), &json!("bob")), "{ack}");
    let refused = alice.command(presence("order:bob")).await;
    assert_eq!((&refused["code"], &refused["message"]), (&json!("forbidden"), &json!("not your order")), "{refused}");
    assert!(refused["presence"].is_null(), "{refused}");
    for request in backend.received("presence") {
        schemas().check("hook-access-request", &request);
    }
    let mut carol = world.connect("carol").await;
    carol.subscribe("order:bob").await;
    carol.subscribe("order:alice").await;
    let change = alice.next().await;
    assert_eq!(change["payload"]["joined"][0]["user"], "carol", "{change}");
    assert_eq!(change["payload"]["topic"], "order:alice", "nothing of the other topic");
    alice.got_nothing().await;
}

async fn away(on_failure: OnFailureName) -> (Backend, World, Client) {
    let backend = Backend::start().await;
    let world = world(&backend, |config| {
        orders(config);
        config.hooks.history.on_failure = on_failure;
        config.hooks.presence.on_failure = on_failure;
    })
    .await;
    for topic in ["order:alice", "order:bob"] {
        world.publish(json!({"topic": topic}), "paid", json!(1)).await;
    }
    let mut alice = world.connect("alice").await;
    for ask in [history, presence] {
        assert!(alice.command(ask("order:alice")).await["code"].is_null());
        assert_eq!(alice.command(ask("order:bob")).await["code"], "forbidden");
    }
    backend.goes_away();
    (backend, world, alice)
}

async fn codes(alice: &mut Client, topic: &str) -> [Value; 2] {
    let (history, presence) = (alice.command(history(topic)).await, alice.command(presence(topic)).await);
    for reply in [&history, &presence] {
        let is_refused = !reply["code"].is_null();
        assert_eq!(reply["publications"].is_null() && reply["presence"].is_null(), is_refused, "{reply}");
        assert!(reply["code"] != "unavailable" || reply["retry"] == true, "{reply}");
    }
    [history["code"].clone(), presence["code"].clone()]
}

#[tokio::test]
async fn while_the_backend_is_away_its_setting_decides_who_reads() {
    let none = [Value::Null, Value::Null];
    let unavailable = [json!("unavailable"), json!("unavailable")];
    let forbidden = [json!("forbidden"), json!("forbidden")];

    let (backend, _world, mut alice) = away(OnFailureName::Refuse).await;
    assert_eq!(codes(&mut alice, "order:alice").await, unavailable);
    backend.comes_back();
    assert_eq!(codes(&mut alice, "order:alice").await, none);

    let (_backend, _world, mut alice) = away(OnFailureName::Allow).await;
    assert_eq!(codes(&mut alice, "order:bob").await, none);

    let (_backend, _world, mut alice) = away(OnFailureName::Last).await;
    assert_eq!(codes(&mut alice, "order:alice").await, none, "allowed before");
    assert_eq!(codes(&mut alice, "order:bob").await, forbidden, "refused before");
    assert_eq!(codes(&mut alice, "order:carol").await, unavailable, "never asked");
}

/// Gives two topics to one connection of alice, which ends; both have a message that it missed. Returns her next one,
/// whose `resume` was sent.
async fn continued(world: &World, backend: &Backend, is_away: bool) -> Client {
    let mut alice = world.connect("alice").await;
    let mut since = serde_json::Map::new();
    for topic in ["order:alice", "order:bob"] {
        world.put(&format!("/api/v1/connections/{}/topics/{topic}", alice.id())).await.ok("subscription-change");
        let given = alice.next().await;
        since.insert(format!("topic:{topic}"), given["payload"]["position"].clone());
    }
    assert_eq!(backend.received("subscribe").len(), 0, "the backend gave them");
    let ticket = alice.welcome()["resume"].as_str().expect("a ticket").to_owned();
    world.delete(&format!("/api/v1/connections/{}", alice.id())).await.ok("disconnected");
    for topic in ["order:alice", "order:bob"] {
        for n in 1..=3 {
            world.publish(json!({"topic": topic}), "paid", json!(n)).await;
        }
    }
    if is_away {
        backend.goes_away();
    }
    let path = format!("/ws?token={}&resume={ticket}", world.token("alice", &json!({})));
    let mut alice = world.try_connect(&path, &[]).await.expect("admitted");
    alice.send(&json!({"action": "resume", "id": 1, "since": since}).to_string()).await;
    alice
}

/// The numbers of `order:alice` and the topics that ended, up to the `ack`.
async fn seen(alice: &mut Client) -> (Vec<u64>, Vec<Value>) {
    let (mut numbers, mut ended) = (Vec::new(), Vec::new());
    loop {
        let frame = alice.next().await;
        match frame["type"].as_str() {
            Some("paid") => {
                assert_eq!(frame["topic"], "order:alice", "{frame}");
                numbers.push(frame["payload"].as_u64().expect("a number"));
            }
            Some("unsubscribed") => ended.push(frame["payload"]["topic"].clone()),
            Some("ack") => return (numbers, ended),
            _ => panic!("{frame}"),
        }
    }
}

/// A ticket names no topic: what the backend gave to one connection is asked about anew.
#[tokio::test]
async fn a_topic_given_to_one_connection_continues_on_the_next_if_the_backend_allows_it() {
    let only_given = |config: &mut Config| {
        orders(config);
        config.namespaces[0].subscribe = SubscribePolicy::Granted;
        config.hooks.enabled = vec![HookName::Subscribe];
    };
    let backend = Backend::start().await;
    let world = world(&backend, only_given).await;
    let mut alice = continued(&world, &backend, false).await;
    assert_eq!(seen(&mut alice).await, (vec![1, 2, 3], vec![json!("order:bob")]));
    assert_eq!(world.publish(json!({"topic": "order:bob"}), "paid", json!(4)).await, 0, "not there again");
    assert_eq!(world.publish(json!({"topic": "order:alice"}), "paid", json!(4)).await, 1);
    assert_eq!(alice.publication().await["payload"], 4);
    assert_eq!(backend.received("subscribe").len(), 2);

    let backend = Backend::start().await;
    let world = super::world(&backend, only_given).await;
    let mut alice = continued(&world, &backend, true).await;
    let (numbers, ended) = seen(&mut alice).await;
    assert_eq!((numbers, ended.len()), (vec![], 2), "a backend that is away allows nothing");
}
