//! Behind proxies the client's own address counts: by the header that they write, or by the PROXY protocol.

use realtime_server::Config;
use realtime_tests::{Client, DEADLINE, Refusal, World};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// One connection for each address.
fn one_each(config: &mut Config) {
    config.limits.connections_per_address = 1;
}

async fn connect_as(world: &World, header: &'static str, value: &str) -> Result<Client, Refusal> {
    let token = world.token("alice", &json!({}));
    world.try_connect(&format!("/ws?token={token}"), &[(header, value.to_owned())]).await
}

#[tokio::test]
async fn with_a_cdn_before_the_proxy_the_second_entry_from_the_right_counts() {
    let world = World::with(|config| {
        one_each(config);
        config.server.client_address_header = Some("X-Forwarded-For".into());
        config.server.trusted_hops = 2;
    })
    .await;
    let _first = connect_as(&world, "x-forwarded-for", "6.6.6.6, 203.0.113.1, 10.0.0.9").await.expect("the first");
    let _other = connect_as(&world, "x-forwarded-for", "6.6.6.6, 203.0.113.2, 10.0.0.9").await.expect("another client");
    let refusal = connect_as(&world, "x-forwarded-for", "7.7.7.7, 203.0.113.1, 10.0.0.9").await.err().expect("a limit");
    assert_eq!(refusal.status, 429, "{}", refusal.problem);
}

#[tokio::test]
async fn an_ipv6_client_counts_with_its_network() {
    let world = World::with(|config| {
        one_each(config);
        config.server.client_address_header = Some("Forwarded".into());
        config.server.trusted_proxies = vec!["127.0.0.0/8".into()];
    })
    .await;
    let _first = connect_as(&world, "forwarded", "for=\"[2001:db8:1:2::1]:4000\"").await.expect("the first");
    let _other = connect_as(&world, "forwarded", "for=\"[2001:db8:1:3::1]\"").await.expect("another network");
    let refusal = connect_as(&world, "forwarded", "for=\"[2001:db8:1:2::ffff]\"").await.err().expect("a limit");
    assert_eq!(refusal.status, 429, "{}", refusal.problem);
}

#[tokio::test]
async fn an_entry_that_can_not_be_read_is_counted() {
    let world = World::with(|config| config.server.client_address_header = Some("X-Forwarded-For".into())).await;
    connect_as(&world, "x-forwarded-for", "203.0.113.1").await.expect("connected").close().await;
    assert_eq!(world.metric("realtime_unreadable_client_addresses_total").await, 0);
    connect_as(&world, "x-forwarded-for", "unknown").await.expect("connected all the same").close().await;
    assert_eq!(world.metric("realtime_unreadable_client_addresses_total").await, 1);
}

/// The status of a handshake after `header` of the PROXY protocol, with its socket. Empty if it was closed instead.
async fn handshake(world: &World, header: &[u8]) -> (String, TcpStream) {
    let mut stream = TcpStream::connect(world.address).await.expect("the server listens");
    let handshake = format!(
        "GET /ws?token={} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        world.token("alice", &json!({}))
    );
    // The server may close it before all is sent.
    let _ = stream.write_all(&[header, handshake.as_bytes()].concat()).await;
    let mut response = vec![0; 4096];
    let read = timeout(DEADLINE, stream.read(&mut response)).await.expect("an end in time").unwrap_or(0);
    let response = String::from_utf8_lossy(&response[..read]);
    (response.split(' ').nth(1).unwrap_or_default().to_owned(), stream)
}

/// Version 2: a proxied connection over TCP and IPv4.
fn proxied(client: [u8; 4]) -> Vec<u8> {
    let signature = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0C";
    [&signature[..], &client, &[10, 0, 0, 1], &4000_u16.to_be_bytes(), &443_u16.to_be_bytes()].concat()
}

#[tokio::test]
async fn the_proxy_protocol_names_the_client_and_nothing_else_is_accepted() {
    let world = World::with(|config| {
        one_each(config);
        config.server.proxy_protocol = true;
        config.server.trusted_proxies = vec!["127.0.0.1".into()];
    })
    .await;
    let (status, _first) = handshake(&world, &proxied([203, 0, 113, 1])).await;
    assert_eq!(status, "101");
    assert_eq!(handshake(&world, &proxied([203, 0, 113, 1])).await.0, "429", "one connection for each address");
    let (status, _second) = handshake(&world, b"PROXY TCP4 203.0.113.2 10.0.0.1 4000 443\r\n").await;
    assert_eq!(status, "101", "version 1");
    let (status, _third) = handshake(&world, b"PROXY UNKNOWN\r\n").await;
    assert_eq!(status, "101", "the proxy itself, under its own address");
    assert_eq!(handshake(&world, b"").await.0, "", "a connection without the protocol is closed");
}

#[tokio::test]
async fn the_proxy_protocol_from_an_address_that_is_not_trusted_is_closed() {
    let world = World::with(|config| {
        config.server.proxy_protocol = true;
        config.server.trusted_proxies = vec!["192.0.2.0/24".into()];
    })
    .await;
    assert_eq!(handshake(&world, &proxied([203, 0, 113, 1])).await.0, "");
}

#[tokio::test]
async fn a_config_of_proxies_that_can_not_work_is_refused_with_what_to_write() {
    let mut config = Config::default();
    config.server.trusted_proxies = vec!["10.0.0.0/40".into()];
    config.server.trusted_hops = 0;
    let error = config.check().expect_err("refused").to_string();
    for part in ["server.trusted_proxies: `10.0.0.0/40` is not a network", "server.trusted_hops: is 0"] {
        assert!(error.contains(part), "{error}");
    }
    let mut config = Config::default();
    config.server.proxy_protocol = true;
    let error = config.check().expect_err("refused").to_string();
    assert!(error.contains("server.proxy_protocol: needs server.trusted_proxies"), "{error}");
}
