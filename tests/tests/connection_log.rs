//! An operator reads in the log who connected from where, and how each connection ended.

use realtime_tests::{Logs, World};
use serde_json::{Value, json};

#[tokio::test]
async fn a_connection_is_logged_when_it_begins_and_when_it_ends() {
    let logs = Logs::record();
    let world = World::start().await;
    let token = world.token("alice", &json!({}));
    let mut alice = world.connect("alice").await;
    let id = alice.id().to_owned();
    let begun = &logs.with("message", "connected")[..];
    let [begun] = begun else { panic!("one line: {begun:?}") };
    assert_eq!(begun["level"], "INFO");
    assert_eq!((&begun["connection"], &begun["user"]), (&json!(id), &json!("alice")));
    assert_eq!(begun["address"], "127.0.0.1");

    world.delete(&format!("/api/v1/connections/{id}?code=4603")).await.ok("disconnected");
    alice.closing().await;
    world.until("realtime_closed_connections_total{code=\"4603\"}", 1).await;
    let ended = &logs.with("message", "disconnected")[..];
    let [ended] = ended else { panic!("one line: {ended:?}") };
    assert_eq!(ended["level"], "INFO");
    assert_eq!((&ended["connection"], &ended["user"]), (&json!(id), &json!("alice")));
    assert_eq!((&ended["code"], &ended["ended_by"]), (&json!(4603), &json!("server")));
    assert!(ended["duration_ms"].as_u64().is_some_and(|ms| ms < 60_000), "{ended}");
    assert!(!logs.text().contains(&token), "no token in the log");
}

#[tokio::test]
async fn the_log_tells_a_client_that_closes_from_a_network_that_fails() {
    let logs = Logs::record();
    let world = World::start().await;
    world.connect("alice").await.close().await;
    world.until("realtime_closed_connections_total{code=\"none\"}", 1).await;
    drop(world.connect("bob").await);
    world.until("realtime_closed_connections_total{code=\"none\"}", 2).await;
    let ended = logs.with("message", "disconnected");
    let ended: Vec<_> = ended.iter().map(|line| (&line["user"], &line["ended_by"], &line["code"])).collect();
    assert_eq!(
        ended,
        [(&json!("alice"), &json!("client"), &Value::Null), (&json!("bob"), &json!("network"), &Value::Null),]
    );
}

#[tokio::test]
async fn connections_are_not_logged_when_the_operator_says_so() {
    let logs = Logs::record();
    let world = World::with(|config| config.log.connections = false).await;
    world.connect("alice").await.close().await;
    world.until("realtime_closed_connections_total{code=\"none\"}", 1).await;
    assert_eq!(logs.with("message", "connected"), [] as [Value; 0]);
    assert_eq!(logs.with("message", "disconnected"), [] as [Value; 0]);
}
