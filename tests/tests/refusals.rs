//! An operator sees who is refused and why: a counter for each reason, and a log line with the address.

use realtime_tests::{Logs, World};
use reqwest::Method;
use serde_json::json;

/// A request that is refused: its path, its headers, and the reason.
type Refused = (String, Vec<(&'static str, String)>, &'static str);

fn header(name: &'static str, value: impl Into<String>) -> (&'static str, String) {
    (name, value.into())
}

async fn count(world: &World, reason: &str) -> u64 {
    world.metric(&format!("realtime_refusals_total{{reason=\"{reason}\"}}")).await
}

#[tokio::test]
async fn every_refusal_of_a_client_raises_its_counter_and_logs_a_line_with_the_address() {
    let logs = Logs::record();
    let world = World::with(|config| {
        config.auth.required_roles = vec!["staff".parse().expect("a role")];
        config.limits.connections_per_user = 1;
    })
    .await;
    let staff = json!({"roles": ["staff"]});
    let good = world.token("alice", &staff);
    let expired = world.token("alice", &json!({"roles": ["staff"], "exp": 1_000_000_000}));
    let no_role = world.token("alice", &json!({}));
    let _alice = world.try_connect(&format!("/ws?token={good}"), &[]).await.expect("admitted");
    let ws = |token: &str| format!("/ws?token={token}");
    let refused: Vec<Refused> = vec![
        (ws(&good), vec![header("origin", "https://elsewhere.example")], "origin"),
        (ws(&good), vec![header("sec-websocket-protocol", "graphql-ws")], "subprotocol"),
        (format!("/socket?token={good}"), vec![], "path"),
        (ws(&good) + "&ping=never", vec![], "handshake"),
        ("/ws".into(), vec![], "token_missing"),
        (ws(&good) + "&token=" + &good, vec![], "token_ambiguous"),
        (ws("nonsense"), vec![], "token_invalid"),
        (ws(&expired), vec![], "token_expired"),
        (ws(&no_role), vec![], "policy"),
        (ws(&good), vec![], "user_limit"),
    ];
    let total = refused.len();
    for (path, headers, reason) in refused {
        assert_eq!(count(&world, reason).await, 0, "{reason}");
        assert!(world.try_connect(&path, &headers).await.is_err(), "{reason}: admitted");
        assert_eq!(count(&world, reason).await, 1, "{reason}");
        let lines = logs.with("reason", reason);
        assert_eq!(lines.len(), 1, "{reason}: {}", logs.text());
        assert_eq!(lines[0]["address"], "127.0.0.1", "{reason}: {}", lines[0]);
        assert!(lines[0]["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{}", lines[0]);
        let level = if reason == "token_expired" { "INFO" } else { "WARN" };
        assert_eq!(lines[0]["level"], level, "{reason}");
    }
    assert_eq!(world.metric("realtime_refused_connections_total").await, total as u64);
    for token in [good, expired, no_role] {
        assert!(!logs.text().contains(&token), "a token is in the log");
    }
}

#[tokio::test]
async fn a_wrong_api_key_is_counted_and_logged_and_a_flood_of_them_does_not_flood_the_log() {
    let logs = Logs::record();
    let world = World::start().await;
    for n in 0..50 {
        let answer = world.call_as(Some(&format!("guess-{n}")), Method::GET, "/api/v1/topics", None).await;
        answer.refused("unauthorized");
    }
    assert_eq!(count(&world, "api_key").await, 50);
    let lines = logs.with("reason", "api_key");
    assert!((1..50).contains(&lines.len()), "{} lines", lines.len());
    assert_eq!((&lines[0]["address"], &lines[0]["level"]), (&json!("127.0.0.1"), &json!("WARN")));
    assert!(lines[0].to_string().contains("GET /api/v1/topics"), "the whole path: {}", lines[0]);
    assert!(!logs.text().contains("guess-"), "a key is in the log");
    assert_eq!(world.metric("realtime_refused_connections_total").await, 0, "no client was refused");
}

#[tokio::test]
async fn a_draining_node_counts_the_clients_that_it_sends_away() {
    let logs = Logs::record();
    let world = World::start().await;
    world.service.drain(std::time::Duration::ZERO).await;
    let path = format!("/ws?token={}", world.token("alice", &json!({})));
    assert!(world.try_connect(&path, &[]).await.is_err());
    assert_eq!(count(&world, "draining").await, 1);
    assert_eq!(logs.with("reason", "draining")[0]["level"], "INFO");
}

#[tokio::test]
async fn a_development_server_admits_pages_of_this_machine_and_no_other_page() {
    let world = World::dev().await;
    let path = format!("/ws?token={}", world.token("alice", &json!({})));
    for page in ["http://localhost:3000", "http://127.0.0.1:5173", "http://[::1]:8080", "https://localhost"] {
        world
            .try_connect(&path, &[header("origin", page)])
            .await
            .unwrap_or_else(|refusal| panic!("{page}: {refusal:?}"));
    }
    let elsewhere = header("origin", "https://elsewhere.example");
    let refusal = world.try_connect(&path, &[elsewhere]).await.err().expect("a page of another site is refused");
    assert_eq!(refusal.status, 403);
    let production = World::start().await;
    let path = format!("/ws?token={}", production.token("alice", &json!({})));
    assert!(production.try_connect(&path, &[header("origin", "http://localhost:3000")]).await.is_err());
}
