//! Who gets a message: exactly those it is for, and no bystander.

use realtime_tests::{Client, World};
use serde_json::{Value, json};

async fn gets(client: &mut Client, payload: &Value) {
    assert_eq!(&client.publication().await["payload"], payload);
}

#[tokio::test]
async fn everyone_gets_what_is_for_all() {
    let world = World::start().await;
    let (mut alice, mut bob) = (world.connect("alice").await, world.connect("bob").await);
    assert_eq!(world.publish(json!("all"), "news", json!({"n": 1})).await, 2);
    gets(&mut alice, &json!({"n": 1})).await;
    gets(&mut bob, &json!({"n": 1})).await;
}

#[tokio::test]
async fn a_users_connections_get_what_is_for_the_user_and_no_other_client_does() {
    let world = World::start().await;
    let (mut phone, mut laptop) = (world.connect("alice").await, world.connect("alice").await);
    let (mut bob, mut alicia) = (world.connect("bob").await, world.connect("alicia").await);
    assert_eq!(world.publish(json!({"user": "alice"}), "invoice", json!("for alice")).await, 2);
    gets(&mut phone, &json!("for alice")).await;
    gets(&mut laptop, &json!("for alice")).await;
    bob.got_nothing().await;
    alicia.got_nothing().await;
    assert_eq!(world.publish(json!({"user": "no-one"}), "invoice", json!(1)).await, 0);
}

#[tokio::test]
async fn those_with_the_role_get_what_is_for_the_role_and_no_other_client_does() {
    let world = World::start().await;
    let mut admin = world.connect_with("alice", &json!({"roles": ["admin", "staff"]})).await;
    let mut staff = world.connect_with("bob", &json!({"role": "staff"})).await;
    let mut guest = world.connect("carol").await;
    assert_eq!(world.publish(json!({"role": "staff"}), "notice", json!(1)).await, 2);
    gets(&mut admin, &json!(1)).await;
    gets(&mut staff, &json!(1)).await;
    guest.got_nothing().await;
    assert_eq!(world.publish(json!({"role": "admin"}), "notice", json!(2)).await, 1);
    gets(&mut admin, &json!(2)).await;
    staff.got_nothing().await;
}

#[tokio::test]
async fn one_connection_gets_what_is_for_it_and_the_same_users_other_does_not() {
    let world = World::start().await;
    let (mut phone, mut laptop) = (world.connect("alice").await, world.connect("alice").await);
    assert_eq!(world.publish(json!({"connection": phone.id()}), "hint", json!("phone")).await, 1);
    gets(&mut phone, &json!("phone")).await;
    laptop.got_nothing().await;
}

#[tokio::test]
async fn a_topics_subscribers_get_what_is_for_the_topic_and_no_other_client_does() {
    let world = World::start().await;
    let mut alice = world.connect_granted("alice", "order:*").await;
    let mut bob = world.connect_granted("bob", "order:*").await;
    let mut carol = world.connect_granted("carol", "order:*").await;
    alice.subscribe("order:123").await;
    bob.subscribe("order:1234").await;
    assert_eq!(world.publish(json!({"topic": "order:123"}), "order-updated", json!({"status": "shipped"})).await, 1);
    let frame = alice.publication().await;
    assert_eq!(frame["payload"], json!({"status": "shipped"}));
    assert_eq!(frame["topic"], "order:123");
    assert_eq!(frame["type"], "order-updated");
    bob.got_nothing().await;
    carol.got_nothing().await;
}

#[tokio::test]
async fn a_union_reaches_each_connection_once() {
    let world = World::start().await;
    let mut alice = world.connect_with("alice", &json!({"roles": ["admin"], "grants": ["subscribe:**"]})).await;
    alice.subscribe("order:1").await;
    let mut bob = world.connect("bob").await;
    let mut carol = world.connect("carol").await;
    let to = json!([
        {"user": "alice"}, {"role": "admin"}, {"topic": "order:1"}, {"connection": alice.id()}, {"user": "bob"},
    ]);
    assert_eq!(world.publish(to, "note", json!(1)).await, 2);
    gets(&mut alice, &json!(1)).await;
    alice.got_nothing().await;
    gets(&mut bob, &json!(1)).await;
    carol.got_nothing().await;
}

#[tokio::test]
async fn a_client_that_knows_already_is_left_out() {
    let world = World::start().await;
    let token = world.token("alice", &json!({}));
    let mut tab = world.try_connect(&format!("/ws?token={token}&client=tab-1"), &[]).await.expect("admitted");
    let mut other = world.try_connect(&format!("/ws?token={token}&client=tab-2"), &[]).await.expect("admitted");
    let body = json!({"to": {"user": "alice"}, "type": "draft", "payload": 1, "except_client": "tab-1"});
    assert_eq!(world.post("/api/v1/publish", body).await.ok("receipt")["delivered"], 1);
    gets(&mut other, &json!(1)).await;
    tab.got_nothing().await;
}

#[tokio::test]
async fn a_payload_arrives_as_it_was_written_and_the_order_is_kept() {
    let world = World::start().await;
    let mut alice = world.connect("alice").await;
    let odd =
        json!({"text": "\u{1F980} \u{0} \"quoted\" \\ /", "big": 9_007_199_254_740_993_u64, "deep": [[[[null]]]]});
    world.publish(json!("all"), "odd", odd.clone()).await;
    gets(&mut alice, &odd).await;
    for n in 0..200 {
        world.publish(json!({"user": "alice"}), "count", json!(n)).await;
        gets(&mut alice, &json!(n)).await;
    }
}

#[tokio::test]
async fn the_largest_batch_reaches_readers_whose_queues_are_smaller() {
    let world = World::start().await;
    for readers in [1, 3] {
        let mut crowd = Vec::new();
        for _ in 0..readers {
            crowd.push(world.connect("alice").await);
        }
        let long = "x".repeat(800);
        let publication = |n| json!({"to": "all", "type": "count", "payload": {"n": n, "long": long}});
        let publications: Vec<_> = (0..1_000).map(publication).collect();
        let batch = world.post("/api/v1/publish/batch", json!({"publications": publications})).await;
        for result in batch.ok("batch-response")["results"].as_array().expect("results") {
            assert_eq!(result["delivered"], readers, "{result}");
        }
        for reader in &mut crowd {
            for n in 0..1_000 {
                assert_eq!(reader.publication().await["payload"]["n"], n);
            }
        }
    }
}

#[tokio::test]
async fn every_message_has_an_id_of_its_own_and_the_publishers_timestamp_if_it_gave_one() {
    let world = World::start().await;
    let mut alice = world.connect("alice").await;
    let first = world.post("/api/v1/publish", json!({"to": "all", "type": "a", "payload": null})).await.ok("receipt");
    let body = json!({"to": "all", "type": "a", "payload": null, "timestamp": "2020-02-29T12:00:00.5+02:00"});
    let second = world.post("/api/v1/publish", body).await.ok("receipt");
    assert_ne!(first["id"], second["id"]);
    let (one, two) = (alice.publication().await, alice.publication().await);
    assert_eq!((&one["id"], &two["id"]), (&first["id"], &second["id"]), "the receipt names the message");
    assert_eq!(two["timestamp"], "2020-02-29T10:00:00.500Z");
    assert!(one["timestamp"].as_str() > Some("2026-"), "{}", one["timestamp"]);
}

#[tokio::test]
async fn a_message_without_history_names_the_stream_by_which_its_recipients_know_it() {
    let world = World::start().await;
    let claims = json!({"roles": ["admin"], "grants": ["subscribe:order:*"]});
    let (mut phone, mut laptop) = (world.connect_with("alice", &claims).await, world.connect("alice").await);
    let mut bob = world.connect("bob").await;
    phone.subscribe("order:1").await;
    let names = |publication: &Value| {
        assert!(publication.get("offset").is_none() && !publication.to_string().contains("alice"), "{publication}");
        (publication["topic"].clone(), publication["stream"].clone())
    };

    world.publish(json!({"user": "alice"}), "notice", json!(1)).await;
    let (first, second) = (phone.publication().await, laptop.publication().await);
    assert_eq!(first, second, "each connection of the user has the same text");
    assert_eq!(names(&first), (Value::Null, json!("user")));

    for (to, named) in [
        (json!({"role": "admin"}), (Value::Null, json!("role:admin"))),
        (json!({"topic": "order:1"}), (json!("order:1"), Value::Null)),
        (json!({"connection": phone.id()}), (Value::Null, Value::Null)),
        (json!([{"role": "admin"}, {"topic": "order:1"}]), (Value::Null, Value::Null)),
    ] {
        world.publish(to.clone(), "notice", json!(2)).await;
        assert_eq!(names(&phone.publication().await), named, "{to}");
    }
    bob.got_nothing().await;
    world.publish(json!([{"user": "alice"}, {"user": "bob"}]), "notice", json!(3)).await;
    world.publish(json!("all"), "notice", json!(4)).await;
    for client in [&mut phone, &mut laptop, &mut bob] {
        assert_eq!(
            names(&client.publication().await),
            (Value::Null, Value::Null),
            "no one learns who else receives it"
        );
        assert_eq!(names(&client.publication().await), (Value::Null, json!("all")));
    }
}
