//! What an operator finds in the lists of connections, topics and subscribers, while clients come and go.

use std::collections::BTreeSet;

use realtime_tests::{Client, World};
use serde_json::{Value, json};

/// The ids of a page's connections.
fn ids(page: &Value, list: &str) -> Vec<String> {
    let entries = page[list].as_array().expect("a list");
    entries.iter().map(|entry| entry["id"].as_str().expect("an id").to_owned()).collect()
}

/// The ids of all connections that a query finds.
async fn found(world: &World, query: &str) -> BTreeSet<String> {
    let page = world.get(&format!("/api/v1/connections?{query}")).await.ok("connection-page");
    assert_eq!(page["next"], Value::Null, "{query}: all on one page");
    ids(&page, "connections").into_iter().collect()
}

fn set(clients: &[&Client]) -> BTreeSet<String> {
    clients.iter().map(|client| client.id()).collect()
}

#[tokio::test]
async fn pages_of_connections_show_each_that_stays_once_while_others_come_and_go() {
    let world = World::start().await;
    let (mut staying, mut leaving) = (Vec::new(), Vec::new());
    for n in 0..6 {
        staying.push(world.connect(&format!("stays-{n}")).await);
        leaving.push(world.connect(&format!("leaves-{n}")).await);
    }
    let (mut seen, mut path, mut pages) = (Vec::new(), "/api/v1/connections?limit=4".to_owned(), 0);
    loop {
        let page = world.get(&path).await.ok("connection-page");
        let on_page = ids(&page, "connections");
        assert!(on_page.len() <= 4, "{page}");
        seen.extend(on_page);
        pages += 1;
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/v1/connections?limit=4&after={next}");
        // Between two pages one client leaves and another comes; the cursor may be the one that left.
        if let Some(client) = leaving.pop() {
            world.delete(&format!("/api/v1/connections/{}", client.id())).await.ok("disconnected");
        }
        if pages < 3 {
            staying.push(world.connect(&format!("comes-{pages}")).await);
        }
    }
    assert!(pages >= 3, "{pages} pages");
    assert!(seen.is_sorted_by(|a, b| a < b), "no page repeats a connection, and ids are in order: {seen:?}");
    for client in &staying {
        assert!(seen.iter().any(|id| *id == client.id()), "no page skips a connection that stays: {seen:?}");
    }
}

#[tokio::test]
async fn filters_of_connections_must_all_match() {
    let world = World::start().await;
    let staff = json!({"roles": ["staff"], "grants": ["subscribe:**"]});
    let mut desk = world.connect_with("alice", &staff).await;
    let mut phone = world.connect_granted("alice", "**").await;
    let mut bob = world.connect_with("bob", &staff).await;
    let carol = world.connect("carol").await;
    for client in [&mut desk, &mut phone, &mut bob] {
        client.subscribe("news").await;
    }
    bob.subscribe("order:1").await;
    for (query, expected) in [
        ("", set(&[&desk, &phone, &bob, &carol])),
        ("user=alice", set(&[&desk, &phone])),
        ("role=staff", set(&[&desk, &bob])),
        ("topic=news", set(&[&desk, &phone, &bob])),
        ("topic=order:1", set(&[&bob])),
        ("user=alice&role=staff", set(&[&desk])),
        ("user=alice&topic=news", set(&[&desk, &phone])),
        ("user=alice&topic=order:1", set(&[])),
        ("role=staff&topic=news", set(&[&desk, &bob])),
        ("user=bob&role=staff&topic=order:1", set(&[&bob])),
        ("user=unknown", set(&[])),
        ("role=unknown", set(&[])),
        ("topic=unknown", set(&[])),
    ] {
        assert_eq!(found(&world, query).await, expected, "{query}");
    }
    // A filter that few match still fills its pages.
    let first = world.get("/api/v1/connections?role=staff&topic=news&limit=1").await.ok("connection-page");
    assert_eq!(ids(&first, "connections"), [desk.id()]);
    assert_eq!(first["next"], desk.id());
    let last = format!("/api/v1/connections?role=staff&topic=news&limit=1&after={}", desk.id());
    let last = world.get(&last).await.ok("connection-page");
    assert_eq!((ids(&last, "connections"), &last["next"]), (vec![bob.id()], &Value::Null));
    assert_eq!(last["connections"][0]["user"], "bob");
    assert_eq!(last["connections"][0]["roles"], json!(["staff"]));
}

#[tokio::test]
async fn a_query_that_can_not_be_read_names_the_parameter() {
    let world = World::start().await;
    for (query, named) in [
        ("connections?after=nonsense", "after"),
        ("connections?limit=0", "limit"),
        ("connections?limit=1001", "limit"),
        ("connections?user=", "user"),
        ("connections?usr=alice", "/usr"),
        ("topics?prefx=order", "/prefx"),
        ("topics/order:1/subscribers?limit=ten", "limit"),
        ("topics/order:1/subscribers?page=2", "/page"),
    ] {
        let problem = world.get(&format!("/api/v1/{query}")).await.refused("bad_request");
        assert!(problem["errors"].to_string().contains(named), "{query}: {problem}");
    }
    let answer = world.call_as(None, reqwest::Method::GET, "/api/v1/connections", None).await;
    answer.refused("unauthorized");
}

#[tokio::test]
async fn a_prefix_finds_the_topics_that_begin_with_it() {
    let world = World::start().await;
    let mut alice = world.connect_granted("alice", "**").await;
    for topic in ["order:1", "order:10", "order:2", "orders", "news"] {
        alice.subscribe(topic).await;
    }
    let topics = async |query: &str| {
        let page = world.get(&format!("/api/v1/topics?{query}")).await.ok("topic-page");
        let topics = page["topics"].as_array().expect("topics").iter();
        (topics.map(|entry| entry["topic"].as_str().expect("a topic").to_owned()).collect(), page["next"].clone())
    };
    let expect = |topics: &[&str]| topics.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(topics("prefix=order:").await, (expect(&["order:1", "order:10", "order:2"]), Value::Null));
    assert_eq!(topics("prefix=order:1").await, (expect(&["order:1", "order:10"]), Value::Null));
    assert_eq!(topics("prefix=order&limit=2").await, (expect(&["order:1", "order:10"]), json!("order:10")));
    assert_eq!(topics("prefix=order&after=order:10").await, (expect(&["order:2", "orders"]), Value::Null));
    assert_eq!(topics("prefix=order:*").await, (expect(&[]), Value::Null));
}

#[tokio::test]
async fn the_subscribers_of_a_topic_come_in_pages_with_who_asked_for_each() {
    let world = World::start().await;
    let mut clients = Vec::new();
    for n in 0..7 {
        let mut client = world.connect_granted(&format!("user-{n}"), "**").await;
        client.subscribe("room/1").await;
        clients.push(client);
    }
    let bystander = world.connect("bystander").await;
    world.put(&format!("/api/v1/connections/{}/topics/room%2F1", bystander.id())).await.ok("subscription-change");
    let (mut seen, mut path, mut pages) = (Vec::new(), "/api/v1/topics/room%2F1/subscribers?limit=3".to_owned(), 0);
    loop {
        let page = world.get(&path).await.ok("subscriber-page");
        for entry in page["subscribers"].as_array().expect("subscribers") {
            let origin = if entry["id"] == bystander.id() { "server" } else { "client" };
            assert_eq!(entry["origin"], origin, "{entry}");
        }
        seen.extend(ids(&page, "subscribers"));
        pages += 1;
        let Some(next) = page["next"].as_str() else { break };
        // The one that the cursor names leaves: the next page begins after it all the same.
        world.delete(&format!("/api/v1/connections/{next}")).await.ok("disconnected");
        path = format!("/api/v1/topics/room%2F1/subscribers?limit=3&after={next}");
    }
    let mut expected: Vec<_> = clients.iter().map(|client| client.id()).collect();
    expected.push(bystander.id());
    assert_eq!((seen, pages), (expected, 3), "each once, in the order in which they connected");
    let none = world.get("/api/v1/topics/unknown/subscribers").await.ok("subscriber-page");
    assert_eq!(none, json!({"subscribers": []}));
}
