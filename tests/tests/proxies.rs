//! Behind a real nginx and a real HAProxy with the configurations of `deploy/`: the upgrade, the client's address,
//! two silent minutes at the proxy's default limits, and a reload of the proxy.

use std::{net::IpAddr, time::Duration};

use realtime_ports::RealtimeService;
use realtime_schema::{Payload, PublishRequest, Route};
use realtime_server::Config;
use realtime_tests::{Certificate, Issuer, Proxy, World};
use serde_json::json;

/// Loopback addresses that clients connect from.
const ALICE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 2));
const BOB: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 3));

/// Longer than the time after which either proxy closes a connection without traffic.
const SILENCE: Duration = Duration::from_secs(120);

/// As the comment in each configuration says.
fn behind_a_proxy(config: &mut Config) {
    config.server.client_address_header = Some("X-Forwarded-For".into());
    config.limits.connections_per_address = 1;
}

/// Publishes to everyone from the server's own process: its API may be behind TLS.
async fn publish(world: &World, payload: u32) -> u64 {
    let payload = Payload::of(&payload).expect("a number is JSON");
    let request = PublishRequest::new(Route::All, "tick".parse().expect("a type"), payload);
    world.service.publish(request).await.expect("published").delivered
}

async fn story(world: &World, proxy: Proxy) {
    let path = |user: &str| format!("/ws?token={}", world.token(user, &json!({})));

    // The upgrade.
    let mut alice = proxy.connect(ALICE, &path("alice")).await.expect("connected");
    assert_eq!(alice.next().await["type"], "welcome");

    // The address: one connection each, so the second of the same address is refused, and another address is not.
    assert_eq!(proxy.connect(ALICE, &path("alice")).await.err(), Some(429), "a second one of the same address");
    let mut bob = proxy.connect(BOB, &path("bob")).await.expect("connected: another address");
    assert_eq!(bob.next().await["type"], "welcome");

    // Silence: the server's pings keep the connection open at the proxy's default limits.
    tokio::join!(alice.stays_silent_for(SILENCE), bob.stays_silent_for(SILENCE));
    assert_eq!(publish(world, 1).await, 2);
    assert_eq!(alice.next().await["payload"], 1);
    assert_eq!(bob.next().await["payload"], 1);

    // A reload: who is connected stays, who comes is served.
    proxy.reload().await;
    let carol = IpAddr::from([127, 0, 0, 4]);
    let mut carol = proxy.connect(carol, &path("carol")).await.expect("connected after the reload");
    assert_eq!(carol.next().await["type"], "welcome");
    assert_eq!(publish(world, 2).await, 3);
    for client in [&mut alice, &mut bob, &mut carol] {
        assert_eq!(client.next().await["payload"], 2);
    }

    let log = proxy.log();
    assert!(!log.contains("token="), "a token is in the log: {log}");
    proxy.stop().await;
}

#[tokio::test]
async fn nginx_passes_upgrades_and_addresses_on_and_keeps_silent_clients_over_a_reload() {
    let world = World::with(behind_a_proxy).await;
    let test = "nginx_passes_upgrades_and_addresses_on_and_keeps_silent_clients_over_a_reload";
    let Some(proxy) = Proxy::nginx(test, world.address).await else { return };
    story(&world, proxy).await;
}

/// Both ways at once: each waits for two minutes.
#[tokio::test]
async fn haproxy_passes_upgrades_or_tcp_and_addresses_on_and_keeps_silent_clients_over_a_reload() {
    let test = "haproxy_passes_upgrades_or_tcp_and_addresses_on_and_keeps_silent_clients_over_a_reload";
    let upgrades = async {
        let world = World::with(behind_a_proxy).await;
        let Some(proxy) = Proxy::haproxy(test, world.address).await else { return };
        story(&world, proxy).await;
    };
    let tcp = async {
        let folder = tempfile::tempdir().expect("a folder");
        let certificate = Certificate::write_to(folder.path());
        let world = World::trusting(Issuer::hmac(), |config| {
            config.server.proxy_protocol = true;
            config.server.trusted_proxies = vec!["127.0.0.1".into()];
            config.tls.cert_file = Some(certificate.cert_file.clone());
            config.tls.key_file = Some(certificate.key_file.clone());
            config.limits.connections_per_address = 1;
        })
        .await;
        let Some(proxy) = Proxy::haproxy_tcp(test, world.address, &certificate).await else { return };
        story(&world, proxy).await;
    };
    tokio::join!(upgrades, tcp);
}
