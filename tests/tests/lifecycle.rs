//! From `welcome` to the close: limits at the door, the token's end, disconnects, and the end of the server.

use std::time::Duration;

use realtime_server::Span;
use realtime_tests::{Client, World};
use serde_json::json;

#[tokio::test]
async fn a_connection_that_is_gone_leaves_nothing_behind() {
    let world = World::start().await;
    for round in 0..3 {
        let mut clients = Vec::new();
        for n in 0..10 {
            let mut client = world.connect_granted(&format!("user-{n}"), "**").await;
            client.subscribe("order:1").await;
            client.subscribe(&format!("own:{n}")).await;
            clients.push(client);
        }
        assert_eq!(world.metric("realtime_connections").await, 10, "round {round}");
        assert_eq!(world.metric("realtime_subscriptions").await, 20);
        for (n, client) in clients.into_iter().enumerate() {
            // Half close properly, half just disconnect.
            if n % 2 == 0 { client.close().await } else { drop(client.into_socket()) }
        }
        world.until("realtime_connections", 0).await;
        assert_eq!(world.metric("realtime_subscriptions").await, 0);
        assert_eq!(world.metric("realtime_topics").await, 0);
        assert_eq!(world.publish(json!("all"), "a", json!(1)).await, 0);
    }
}

#[tokio::test]
async fn a_connection_closes_when_its_token_ends_and_says_to_bring_a_new_one() {
    let world = World::with(|config| config.auth.leeway = Span::secs(0)).await;
    let soon = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs() + 2;
    let mut alice = world.connect_with("alice", &json!({"exp": soon})).await;
    assert!(alice.welcome()["token_expires_in_ms"].as_u64().is_some_and(|ms| ms <= 2_000));
    let closing = alice.closing().await;
    assert_eq!((&closing["code"], &closing["reconnect"]), (&json!(4610), &json!(true)));
    world.until("realtime_connections", 0).await;
}

#[tokio::test]
async fn a_refreshed_token_lets_the_connection_live_on() {
    let world = World::with(|config| config.auth.leeway = Span::secs(0)).await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
    let mut alice = world.connect_with("alice", &json!({"exp": now + 2})).await;
    let mut witness = world.connect_with("bob", &json!({"exp": now + 2})).await;
    let token = world.token("alice", &json!({"exp": now + 3600}));
    let answer = alice.command(json!({"action": "refresh", "token": token})).await;
    assert!(answer["token_expires_in_ms"].as_u64().is_some_and(|ms| ms > 3_500_000), "{answer}");
    assert_eq!(witness.closing().await["code"], 4610, "the time of the first token is over");
    alice.got_nothing().await;
}

#[tokio::test]
async fn the_limits_at_the_door_are_named_and_places_are_given_back() {
    let world = World::with(|config| {
        config.limits.connections = 3;
        config.limits.connections_per_user = 2;
    })
    .await;
    let refused = async |user: &str| {
        let token = world.token(user, &json!({}));
        let Err(refusal) = world.try_connect(&format!("/ws?token={token}"), &[]).await else { panic!("{user} got in") };
        refusal
    };
    let first = world.connect("alice").await;
    let _second = world.connect("alice").await;
    let refusal = refused("alice").await;
    assert_eq!(refusal.status, 429);
    assert!(refusal.problem["detail"].as_str().is_some_and(|d| d.contains("limits.connections_per_user is 2")));
    let _third = world.connect("bob").await;
    let refusal = refused("carol").await;
    assert_eq!(refusal.status, 503);
    assert!(refusal.headers.contains_key("retry-after"));
    assert!(refusal.problem["detail"].as_str().is_some_and(|d| d.contains("limits.connections is 3")));
    first.close().await;
    world.until("realtime_connections", 2).await;
    let mut again = world.connect("alice").await;
    again.got_nothing().await;

    let crowded = World::with(|config| config.limits.connections_per_address = 1).await;
    let _only = crowded.connect("alice").await;
    let token = crowded.token("bob", &json!({}));
    let Err(refusal) = crowded.try_connect(&format!("/ws?token={token}"), &[]).await else { panic!("got in") };
    assert!(refusal.problem["detail"].as_str().is_some_and(|d| d.contains("limits.connections_per_address")));
}

#[tokio::test]
async fn an_operator_disconnects_a_connection_or_a_user_with_a_reason() {
    let world = World::start().await;
    let mut phone = world.connect("alice").await;
    let (mut laptop, mut tablet) = (world.connect("alice").await, world.connect("alice").await);
    let mut bob = world.connect("bob").await;
    let path = format!("/api/v1/connections/{}", phone.id());
    assert_eq!(world.delete(&path).await.ok("disconnected")["disconnected"], 1);
    let closing = phone.closing().await;
    assert_eq!((&closing["code"], &closing["reconnect"]), (&json!(4403), &json!(false)));
    world.delete(&path).await.refused("not_found");

    let path = "/api/v1/users/alice/connections?code=4200&reason=moved%20house";
    assert_eq!(world.delete(path).await.ok("disconnected")["disconnected"], 2);
    for client in [&mut laptop, &mut tablet] {
        let closing = client.closing().await;
        assert_eq!(closing["reason"], "moved house");
        assert_eq!((&closing["code"], &closing["reconnect"]), (&json!(4200), &json!(true)));
    }
    bob.got_nothing().await;
}

#[tokio::test]
async fn a_server_that_stops_tells_its_clients_when_to_come_back() {
    let world = World::with(|config| {
        config.reconnect.drain_rate = 1;
        config.server.shutdown_delay = Span(Duration::from_millis(300));
    })
    .await;
    let (mut alice, mut bob) = (world.connect("alice").await, world.connect("bob").await);
    assert_eq!(world.get("/readyz").await.status, 200);
    world.stop();
    // For a while it only says that it is going.
    while world.get("/readyz").await.status != 503 {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.get("/healthz").await.status, 200);
    for client in [&mut alice, &mut bob] {
        let closing = client.closing().await;
        assert_eq!((&closing["code"], &closing["reconnect"]), (&json!(4503), &json!(true)));
        assert!(closing["spread_ms"].as_u64().is_some_and(|ms| ms >= 2_000), "two clients at one a second: {closing}");
    }
    assert_eq!(world.stopped().await, 0, "no connection was cut off");
}

#[tokio::test]
async fn a_client_that_does_not_complete_the_close_does_not_delay_the_shutdown() {
    let world = World::with(|config| {
        config.server.shutdown_timeout = Span::secs(5);
        config.liveness.close_timeout = Span(Duration::from_millis(200));
    })
    .await;
    let address = world.address;
    let mute = world.connect("alice").await.into_socket();
    assert_eq!(world.stopped().await, 0, "it is given up after liveness.close_timeout");
    drop(mute);
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "and the port is free");
}

#[tokio::test]
async fn a_client_that_answers_no_pings_is_found_and_one_that_answers_in_text_is_not() {
    let world = World::with(|config| config.liveness.ping_interval = Span(Duration::from_millis(200))).await;
    let token = world.token("alice", &json!({}));
    let mut text = world.try_connect(&format!("/ws?token={token}&ping=text"), &[]).await.expect("admitted");
    // A client whose code never reads answers no pings.
    let mute = world.connect("bob").await;
    for _ in 0..8 {
        assert_eq!(text.next().await["type"], "ping");
        text.send(r#"{"action":"pong"}"#).await;
    }
    world.until("realtime_connections", 1).await;
    drop(mute);
    let mut silent: Client = world.try_connect(&format!("/ws?token={token}&ping=text"), &[]).await.expect("admitted");
    assert_eq!(silent.next().await["type"], "ping");
    assert_eq!(silent.next().await["type"], "ping");
    assert_eq!(silent.closing().await["code"], 4508);
}
