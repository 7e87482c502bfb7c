//! The console's server side: its files, and the lists, figures and live tail of the API that its page reads.

use realtime_core::policy::Overflow;
use realtime_schema::TraceRequest;
use realtime_server::Span;
use realtime_tests::{DEADLINE, World, kept, publish_kept};
use reqwest::{
    Method,
    header::{ETAG, IF_NONE_MATCH},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

async fn fetch(world: &World, path: &str) -> reqwest::Response {
    reqwest::get(format!("http://{}{path}", world.address)).await.expect("a response")
}

/// The response to a path that is sent as it is: a URL library resolves dots.
async fn raw_get(world: &World, path: &str) -> String {
    let mut socket = TcpStream::connect(world.address).await.expect("a connection");
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.expect("a sent request");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.expect("a response");
    answer
}

#[tokio::test]
async fn the_page_is_served_without_a_key_and_forbids_foreign_code() {
    let world = World::start().await;
    let response = fetch(&world, "/console").await;
    assert_eq!(response.url().path(), "/console/", "the page's links are relative to its folder");
    assert_eq!(response.status(), 200);
    let header = |name: &str| response.headers()[name].to_str().expect("text").to_owned();
    assert_eq!(header("content-type"), "text/html; charset=utf-8");
    assert_eq!(header("cache-control"), "no-cache");
    assert_eq!(header("x-content-type-options"), "nosniff");
    let policy = header("content-security-policy");
    for part in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "form-action 'none'"] {
        assert!(policy.contains(part), "{part} in {policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");

    let tag = response.headers()[ETAG].clone();
    let url = format!("http://{}/console/index.html", world.address);
    let again = reqwest::Client::new().get(url).header(IF_NONE_MATCH, tag).send().await.expect("a response");
    assert_eq!(again.status(), 304, "a browser that has the file does not load it again");
    let settings: Value = fetch(&world, "/console/settings.json").await.json().await.expect("JSON");
    assert_eq!(settings, json!({"dev": false, "base_path": "", "websocket_path": "/ws"}));
}

#[tokio::test]
async fn a_path_out_of_the_folder_is_unknown() {
    let world = World::start().await;
    for path in [
        "/console/nothing.js",
        "/console/..%2f..%2fCargo.toml",
        "/console/%2e%2e/%2e%2e/etc/passwd",
        "/console/..%5c..%5cCargo.toml",
        "/console//etc/passwd",
        "/console/index.html%00",
        "/console/index.html/",
    ] {
        let answer = raw_get(&world, path).await;
        assert!(answer.starts_with("HTTP/1.1 404 "), "{path}: {answer}");
        assert!(answer.contains("\"code\":\"not_found\""), "{path}: {answer}");
    }
}

#[tokio::test]
async fn a_server_without_the_console_does_not_have_its_page() {
    let world = World::with(|config| config.server.console = false).await;
    for path in ["/console", "/console/", "/console/index.html", "/console/settings.json"] {
        world.get(path).await.refused("not_found");
    }
}

#[tokio::test]
async fn the_page_is_below_the_prefix_of_all_paths() {
    let world = World::with(|config| config.server.base_path = "/realtime".into()).await;
    let response = fetch(&world, "/realtime/console").await;
    assert_eq!((response.url().path(), response.status().as_u16()), ("/realtime/console/", 200));
    assert_eq!(fetch(&world, "/console/").await.status(), 404);
    let settings = fetch(&world, "/realtime/console/settings.json").await.text().await.expect("text");
    assert!(settings.contains("\"websocket_path\":\"/realtime/ws\""), "{settings}");
}

#[tokio::test]
async fn nothing_that_the_page_reads_is_open_without_a_key() {
    let world = World::start().await;
    let _alice = world.connect("alice-of-the-story").await;
    for key in [None, Some("a-wrong-key")] {
        for (method, path) in [
            (Method::GET, "/api/v1/stats"),
            (Method::GET, "/api/v1/topics/busiest"),
            (Method::GET, "/api/v1/topics"),
            (Method::GET, "/api/v1/connections"),
            (Method::GET, "/api/v1/revocations"),
            (Method::POST, "/api/v1/trace"),
            (Method::POST, "/api/v1/explain"),
        ] {
            let body = (method == Method::POST).then(|| "{}".to_owned());
            let answer = world.call_as(key, method, path, body).await;
            answer.refused("unauthorized");
            assert!(!answer.text.contains("alice-of-the-story"), "{path}: {}", answer.text);
        }
    }
    for path in ["/console/", "/console/settings.json"] {
        let text = fetch(&world, path).await.text().await.expect("text");
        assert!(!text.contains("alice-of-the-story") && !text.contains("an-api-key"), "{path}: {text}");
    }
}

#[tokio::test]
async fn the_figures_of_the_node_follow_what_happens() {
    let world = World::start().await;
    let before = world.get("/api/v1/stats").await.ok("node-stats");
    assert_eq!((&before["connections"], &before["publications_total"]), (&json!(0), &json!(0)));
    let mut desk = world.connect_granted("alice", "**").await;
    let _phone = world.connect("alice").await;
    desk.subscribe("order:1").await;
    world.publish(json!({"topic": "order:1"}), "news", json!(1)).await;
    desk.publication().await;
    desk.command(json!({"action": "subscribe", "topic": "order:**"})).await;
    assert!(world.try_connect("/ws?token=nonsense", &[]).await.is_err());

    let answer = world.get("/api/v1/stats").await;
    assert_eq!(answer.headers["cache-control"], "no-store");
    let stats = answer.ok("node-stats");
    for (name, value) in [
        ("connections", 2),
        ("users", 1),
        ("topics", 1),
        ("subscriptions", 1),
        ("connections_total", 2),
        ("publications_total", 1),
        ("deliveries_total", 1),
        ("errors_total", 1),
        ("gaps_total", 0),
    ] {
        assert_eq!(stats[name], value, "{name}: {stats}");
    }
    assert_eq!(stats["node"], before["node"]);
    assert!(stats["at"].as_str() >= stats["started_at"].as_str(), "{stats}");
    assert_eq!(stats["refusals_total"].as_object().map(serde_json::Map::len), Some(1), "{stats}");
    assert_eq!(stats["limits"]["connections"], world.config.limits.connections);
    assert!(!stats.to_string().contains("alice"), "no name of a user: {stats}");
}

#[tokio::test]
async fn a_connection_is_found_by_its_address_and_its_client_and_shows_what_it_does() {
    let world = World::with(|config| {
        config.server.client_address_header = Some("X-Forwarded-For".into());
    })
    .await;
    let connect = async |user: &str, client: &str, address: &str| {
        let token = world.token(user, &json!({"grants": ["subscribe:**"]}));
        let path = format!("/ws?token={token}&client={client}");
        world.try_connect(&path, &[("x-forwarded-for", address.to_owned())]).await.expect("admitted")
    };
    let mut desk = connect("alice", "desk", "203.0.113.7").await;
    let phone = connect("alice", "phone", "2001:db8::1").await;
    desk.subscribe("news").await;
    let found = async |query: &str| {
        let page = world.get(&format!("/api/v1/connections?{query}")).await.ok("connection-page");
        let ids = page["connections"].as_array().expect("a list").iter();
        ids.map(|entry| entry["id"].as_str().expect("an id").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(found("address=203.0.113.7").await, [desk.id()]);
    assert_eq!(found("address=::ffff:203.0.113.7").await, [desk.id()], "the same address as IPv6 writes it");
    assert_eq!(found("address=2001:db8:0::1").await, [phone.id()]);
    assert_eq!(found("address=203.0.113.8").await, [""; 0]);
    assert_eq!(found("client=phone").await, [phone.id()]);
    assert_eq!(found("client=phone&user=alice").await, [phone.id()]);
    assert_eq!(found("client=phone&topic=news").await, [""; 0]);
    let problem = world.get("/api/v1/connections?address=here").await.refused("bad_request");
    assert!(problem.to_string().contains("address"), "{problem}");

    world.publish(json!({"user": "alice"}), "note", json!(1)).await;
    desk.publication().await;
    let shown = world.get(&format!("/api/v1/connections/{}", desk.id())).await.ok("connection-info");
    assert_eq!((&shown["address"], &shown["subscription_count"]), (&json!("203.0.113.7"), &json!(1)), "{shown}");
    assert_eq!((&shown["queued_messages"], &shown["queued_bytes"]), (&json!(0), &json!(0)), "{shown}");
    assert_eq!(shown["sent_frames"], 3, "welcome, subscribed and the message: {shown}");
    assert!(shown["last_activity"].as_str() >= shown["created_at"].as_str(), "{shown}");
    assert_eq!(shown["subscriptions"][0]["topic"], "news");
}

#[tokio::test]
async fn what_waits_for_a_slow_reader_is_shown() {
    let world = World::with(|config| {
        config.delivery.overflow = Overflow::Drop;
        config.limits.queue_messages = 64;
        config.limits.queue_bytes = 64 * 1024 * 1024;
    })
    .await;
    let slow = world.connect("slow").await;
    let text = "x".repeat(32 * 1024);
    let path = format!("/api/v1/connections/{}", slow.id());
    let mut shown = Value::Null;
    // More than the buffers of any kernel hold.
    for n in 0..2_000 {
        world.publish(json!({"user": "slow"}), "flood", json!(text)).await;
        if n % 50 == 49 {
            shown = world.get(&path).await.ok("connection-info");
            if shown["queued_messages"].as_u64() > Some(20) {
                break;
            }
        }
    }
    assert!(shown["queued_bytes"].as_u64() > Some(20 * 32 * 1024), "{shown}");
}

#[tokio::test]
async fn topics_show_what_is_kept_of_them() {
    let world = World::with(kept(3)).await;
    let mut alice = world.connect_granted("alice", "**").await;
    alice.subscribe("order:1").await;
    alice.subscribe("order:2").await;
    for n in 1..=5 {
        publish_kept(&world, json!({"topic": "order:1"}), n).await;
    }
    let page = world.get("/api/v1/topics").await.ok("topic-page");
    let history = &page["topics"][0]["history"];
    assert_eq!((&history["offset"], &history["messages"]), (&json!(5), &json!(3)), "{page}");
    assert!(history["bytes"].as_u64() > Some(0), "{page}");
    assert_eq!(page["topics"][1]["history"]["messages"], 0, "{page}");

    let world = World::start().await;
    let mut alice = world.connect_granted("alice", "**").await;
    alice.subscribe("news").await;
    let page = world.get("/api/v1/topics").await.ok("topic-page");
    assert_eq!(page, json!({"topics": [{"topic": "news", "subscribers": 1}]}), "no history is configured");
}

#[tokio::test]
async fn the_busiest_topics_come_first_with_their_rates() {
    let world = World::with(|config| config.limits.explained_publications = 20).await;
    assert_eq!(world.get("/api/v1/topics/busiest").await.ok("busiest-topics")["topics"], json!([]));
    let mut alice = world.connect_granted("alice", "**").await;
    alice.subscribe("calm").await;
    for (topic, times) in [("busy", 5), ("calm", 2), ("quiet", 1)] {
        for n in 0..times {
            world.publish(json!({"topic": topic}), "t", json!(n)).await;
        }
    }
    world.publish(json!({"user": "alice"}), "t", json!("no topic")).await;
    let busiest = world.get("/api/v1/topics/busiest?limit=2").await.ok("busiest-topics");
    let shown = busiest["topics"].as_array().expect("topics").iter();
    let shown: Vec<_> = shown.map(|entry| (&entry["topic"], &entry["publications"], &entry["subscribers"])).collect();
    assert_eq!(shown, [(&json!("busy"), &json!(5), &json!(0)), (&json!("calm"), &json!(2), &json!(1))]);
    let (rate, window) = (&busiest["topics"][0]["per_second"], busiest["window_ms"].as_f64().expect("a time"));
    assert!((rate.as_f64().expect("a rate") - 5_000.0 / window).abs() < 0.001, "{busiest}");

    // More than are remembered: the rest is counted over the time that they span.
    for n in 0..30 {
        world.publish(json!({"topic": "newer"}), "t", json!(n)).await;
    }
    let busiest = world.get("/api/v1/topics/busiest").await.ok("busiest-topics");
    assert_eq!(busiest["topics"].as_array().map(Vec::len), Some(1), "{busiest}");
    assert_eq!((&busiest["topics"][0]["topic"], &busiest["topics"][0]["publications"]), (&json!("newer"), &json!(20)));
    for query in ["limit=0", "limit=101", "prefix=a"] {
        world.get(&format!("/api/v1/topics/busiest?{query}")).await.refused("bad_request");
    }
}

/// Opens a tail of all topics and reads nothing of it but that it has begun.
async fn unread_tail(world: &World) -> TcpStream {
    let body = json!({"streams": ["topic:**"], "payloads": true}).to_string();
    let request = format!(
        "POST /api/v1/trace HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer an-api-key-of-the-tests\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut socket = TcpStream::connect(world.address).await.expect("a connection");
    socket.write_all(request.as_bytes()).await.expect("a sent request");
    let mut start = [0; 15];
    socket.read_exact(&mut start).await.expect("a response");
    assert_eq!(&start, b"HTTP/1.1 200 OK");
    socket
}

fn has_place(world: &World) -> bool {
    let other = TraceRequest { user: Some("bob".parse().expect("a user")), ..TraceRequest::default() };
    world.service.trace(&other).is_ok()
}

async fn until_it_has_place(world: &World) {
    let freed = async {
        while !has_place(world) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(DEADLINE, freed).await.expect("a place in time");
}

/// More than the buffers of any kernel hold.
async fn flood(world: &World) {
    let text = "x".repeat(32 * 1024);
    for n in 0..600 {
        world.publish(json!({"topic": "flood"}), "t", json!({"n": n, "text": text})).await;
    }
}

#[tokio::test]
async fn a_tail_that_is_never_read_holds_up_no_publisher_and_closing_it_frees_its_place() {
    let world = World::with(|config| {
        config.limits.traces = 1;
        config.limits.trace_events = 8;
    })
    .await;
    let tail = unread_tail(&world).await;
    flood(&world).await;
    assert!(!has_place(&world), "it still has its place");
    drop(tail);
    until_it_has_place(&world).await;
}

#[tokio::test]
async fn a_tail_that_is_never_read_loses_its_place_after_the_time_for_reading_a_response() {
    let world = World::with(|config| {
        config.limits.traces = 1;
        config.limits.answer_timeout = Span(std::time::Duration::from_millis(300));
    })
    .await;
    let tail = unread_tail(&world).await;
    flood(&world).await;
    until_it_has_place(&world).await;
    drop(tail);
}

#[tokio::test]
async fn the_port_for_metrics_has_neither_the_page_nor_its_api() {
    let world = World::with(|config| config.server.admin_listen = "127.0.0.1:0".parse().ok()).await;
    let admin = world.admin.expect("a second address");
    for path in ["/console/", "/console/settings.json", "/api/v1/stats"] {
        let response = reqwest::get(format!("http://{admin}{path}")).await.expect("a response");
        assert_eq!(response.status(), 404, "{path}");
    }
}
