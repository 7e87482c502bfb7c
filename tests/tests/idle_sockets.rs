//! Sockets that send nothing: they keep neither a health check nor another address out, and a proxy may keep its pool.

use std::{net::SocketAddr, time::Duration};

use realtime_server::MetricsAccess;
use realtime_server::Span;
use realtime_tests::{DEADLINE, World};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

/// The status of a GET of `path` from the loopback address `from`.
async fn get(server: SocketAddr, from: [u8; 4], path: &str) -> String {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(SocketAddr::from((from, 0))).expect("a loopback address");
    let mut stream = socket.connect(server).await.expect("the server listens");
    let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut response = String::new();
    timeout(DEADLINE, stream.read_to_string(&mut response)).await.expect("an end in time").expect("a response");
    response.split(' ').nth(1).expect("a status").to_owned()
}

#[tokio::test]
async fn idle_sockets_of_one_address_keep_no_health_check_and_no_other_address_out() {
    let world = World::with(|config| {
        config.metrics.access = MetricsAccess::Open;
        config.limits.http_sockets = 100;
        config.limits.http_sockets_per_address = 25;
    })
    .await;
    let mut idle = Vec::new();
    for _ in 0..420 {
        idle.push(TcpStream::connect(world.address).await.expect("the server listens"));
    }
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(get(world.address, [127, 0, 0, 1], path).await, "200", "{path}");
    }
    assert_eq!(get(world.address, [127, 0, 0, 1], "/ws").await, "503", "this address has no slot left");
    assert_eq!(get(world.address, [127, 0, 0, 2], "/ws").await, "426", "another address has");
    drop(idle);
}

#[tokio::test]
async fn a_proxy_whose_addresses_are_trusted_may_use_all_slots() {
    let world = World::with(|config| {
        config.limits.http_sockets_per_address = 1;
        config.server.client_address_header = Some("X-Forwarded-For".into());
    })
    .await;
    let _idle = [TcpStream::connect(world.address).await, TcpStream::connect(world.address).await];
    assert_eq!(get(world.address, [127, 0, 0, 1], "/ws").await, "426");
}

#[tokio::test]
async fn a_pooled_connection_outlives_the_deadline_of_a_head() {
    let world = World::with(|config| config.limits.header_timeout = Span(Duration::from_millis(200))).await;
    let mut pooled = TcpStream::connect(world.address).await.expect("the server listens");
    for _ in 0..2 {
        pooled.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("an open connection");
        let mut response = [0; 1024];
        let read =
            timeout(DEADLINE, pooled.read(&mut response)).await.expect("a response in time").expect("a response");
        assert!(response[..read].starts_with(b"HTTP/1.1 200"));
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert!(world.connect_with("alice", &json!({})).await.welcome().is_object());
}
