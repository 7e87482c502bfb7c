//! What an operator watches: requests, closes, queues, limits, the process; and who may read it.

use realtime_server::MetricsAccess;
use realtime_tests::World;
use reqwest::Method;
use secrecy::SecretString;
use serde_json::json;

/// A metric's value as a float.
fn value(text: &str, name: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().expect("a number")
}

#[tokio::test]
async fn requests_are_counted_by_route_and_status_and_never_by_the_path_that_was_sent() {
    let world = World::start().await;
    for user in ["alice", "bob"] {
        world.get(&format!("/api/v1/users/{user}/connections")).await.ok("connection-list");
    }
    world.get("/api/v1/connections/00000000-0000-7000-8000-000000000000").await.refused("not_found");
    for path in ["/api/v1/guess-1", "/guess-2", "/api/v2/guess-3"] {
        world.get(path).await.refused("not_found");
    }
    world.call("BREW".parse().expect("a method"), "/healthz", None).await;
    let _alice = world.connect("alice").await;
    let text = world.get("/metrics").await.text;
    let count = |labels: &str| value(&text, &format!("realtime_http_requests_total{{{labels}}}"));
    assert_eq!(count(r#"method="GET",route="/api/v1/users/{id}/connections",status="200""#), 2.0);
    assert_eq!(count(r#"method="GET",route="/api/v1/connections/{id}",status="404""#), 1.0);
    assert_eq!(count(r#"method="GET",route="none",status="404""#), 3.0);
    assert_eq!(count(r#"method="other",route="/healthz",status="405""#), 1.0);
    assert_eq!(count(r#"method="GET",route="/ws",status="101""#), 1.0);
    let latency =
        r#"realtime_http_request_duration_seconds_count{method="GET",route="/api/v1/users/{id}/connections"}"#;
    assert_eq!(value(&text, latency), 2.0);
    assert!(!text.contains("guess") && !text.contains("alice") && !text.contains("BREW"), "{text}");
}

#[tokio::test]
async fn closed_connections_are_counted_by_code() {
    let world = World::start().await;
    let mut alice = world.connect("alice").await;
    world.delete(&format!("/api/v1/connections/{}?code=4603", alice.id())).await.ok("disconnected");
    assert_eq!(alice.closing().await["code"], 4603);
    drop(world.connect("bob").await);
    world.until("realtime_connections", 0).await;
    world.until("realtime_closed_connections_total{code=\"4603\"}", 1).await;
    world.until("realtime_closed_connections_total{code=\"none\"}", 1).await;
}

#[tokio::test]
async fn limits_stand_beside_their_gauges_and_the_process_tells_of_itself() {
    let world = World::with(|config| config.limits.connections = 77).await;
    let text = world.get("/metrics").await.text;
    assert_eq!(value(&text, "realtime_limit{name=\"connections\"}"), 77.0);
    assert_eq!(value(&text, "realtime_limit{name=\"queue_bytes\"}"), 1_048_576.0);
    assert_eq!(value(&text, "realtime_queued_bytes"), 0.0);
    let _alice = world.connect("alice").await;
    let text = world.get("/metrics").await.text;
    assert_eq!(value(&text, "realtime_limit{name=\"http_sockets\"}"), 4096.0);
    assert_eq!(value(&text, "realtime_http_sockets"), 1.0, "the scraper's own socket, and not the WebSocket");
    assert_eq!(value(&text, "realtime_draining"), 0.0);
    assert!(text.contains("realtime_build_info{version=\""), "{text}");
    if cfg!(target_os = "linux") {
        for name in ["resident_memory_bytes", "open_fds", "max_fds", "start_time_seconds"] {
            assert!(value(&text, &format!("process_{name}")) > 0.0, "{name}");
        }
        assert!(value(&text, "process_cpu_seconds_total") >= 0.0);
    }
    world.service.drain(std::time::Duration::ZERO).await;
    world.until("realtime_draining", 1).await;
}

#[tokio::test]
async fn what_waits_for_a_slow_reader_is_seen() {
    let world = World::with(|config| {
        // So large that the reader is not cut off first.
        config.limits.queue_messages = 1_000_000;
        config.limits.queue_bytes = 1 << 30;
    })
    .await;
    let path = format!("/ws?token={}", world.token("slow", &json!({})));
    let _never_read = realtime_tests::Client::open(world.address, &path, &[]).await.expect("admitted");
    world.until("realtime_connections", 1).await;
    let large = "x".repeat(60_000);
    let waits = async {
        while world.metric("realtime_queued_bytes").await == 0 {
            // Until the kernel takes no more.
            world.publish(json!({"user": "slow"}), "t", json!(large)).await;
        }
    };
    tokio::time::timeout(realtime_tests::DEADLINE, waits).await.expect("bytes wait");
}

#[tokio::test]
async fn the_metrics_need_a_key_unless_the_config_opens_them() {
    let read = async |world: &World, key: Option<&str>| world.call_as(key, Method::GET, "/metrics", None).await;
    let world = World::with(|config| config.metrics.keys = vec![SecretString::from("a-key-for-prometheus")]).await;
    for key in [None, Some("a-wrong-key-of-16")] {
        read(&world, key).await.refused("unauthorized");
    }
    for key in ["a-key-for-prometheus", "an-api-key-of-the-tests"] {
        assert_eq!(read(&world, Some(key)).await.status, 200, "{key}");
    }
    let answer = world.call_as(Some("a-key-for-prometheus"), Method::GET, "/api/v1/topics", None).await;
    answer.refused("unauthorized");
    assert_eq!(world.metric("realtime_refusals_total{reason=\"api_key\"}").await, 3);

    let open = World::with(|config| config.metrics.access = MetricsAccess::Open).await;
    assert_eq!(read(&open, None).await.status, 200);
    assert_eq!(read(&World::dev().await, None).await.status, 200);
}

#[tokio::test]
async fn an_address_for_operators_serves_metrics_and_health_alone_and_until_the_end_of_a_drain() {
    let world = World::with(|config| config.server.admin_listen = "127.0.0.1:0".parse().ok()).await;
    let admin = world.admin.expect("an address for operators");
    let get = async |path: &str| {
        let response = reqwest::get(format!("http://{admin}{path}")).await.expect("a response");
        (response.status().as_u16(), response.text().await.expect("a body"))
    };
    let (status, text) = get("/metrics").await;
    assert!(status == 200 && text.contains("realtime_connections 0"), "{status} {text}");
    assert_eq!((get("/healthz").await.0, get("/readyz").await.0), (200, 200));
    for path in ["/api/v1/topics", "/ws", "/api/openapi.json", "/"] {
        assert_eq!(get(path).await.0, 404, "{path}");
    }
    world.get("/metrics").await.refused("not_found");
    assert_eq!(world.get("/healthz").await.status, 200, "load balancers ask the public port");
    let _never_leaves = world.connect("alice").await;
    world.stop();
    let drained = async { while value(&get("/metrics").await.1, "realtime_draining") == 0.0 {} };
    tokio::time::timeout(realtime_tests::DEADLINE, drained).await.expect("the drain is seen");
}
