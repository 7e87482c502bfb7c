//! Readers that are slow on a real WebSocket: how long they may take.

use std::{sync::Arc, time::Duration};

use realtime_adapters::ws::{WsConfig, WsSocket};
use realtime_core::policy::{Namespaces, Overflow};
use realtime_testing::{World, to};
use tokio::{
    io::{AsyncReadExt, join, simplex},
    time::{sleep, timeout},
};

/// A reader takes 1 KiB every three seconds of a message of 32 KiB: a minute and a half, while the limit is ten
/// seconds without any progress.
#[tokio::test(start_paused = true)]
async fn a_steady_slow_reader_is_not_cut_while_bytes_move() {
    let settings = |settings: &mut realtime_service::Settings| {
        settings.namespaces = Namespaces::new(Vec::new(), Overflow::Drop);
        settings.liveness.write_timeout = Duration::from_secs(10);
    };
    let world = World::builder().settings(settings).build().await;
    let service = world.service();
    let admission = service.admit(&world.client("alice").request()).await.expect("admitted");
    let (from_client, _client) = simplex(1024);
    let (mut client, to_client) = simplex(2048);
    let socket = WsSocket::new(join(from_client, to_client), Vec::new(), Arc::new(WsConfig::default()));
    tokio::spawn(service.serve(admission, socket));
    let mut welcome = vec![0; 4096];
    assert!(client.read(&mut welcome).await.expect("a welcome") > 100);

    world.publish(to::all(), "large", "x".repeat(32 * 1024)).await;
    let mut read = Vec::new();
    let mut buffer = [0; 1024];
    while read.len() < 32 * 1024 {
        sleep(Duration::from_secs(3)).await;
        let n = timeout(Duration::from_secs(60), client.read(&mut buffer)).await.expect("in time").expect("a stream");
        assert!(n > 0, "cut after {} bytes", read.len());
        read.extend_from_slice(&buffer[..n]);
    }
    assert_eq!(service.metrics().closed_slow_total, 0);
}

/// The same reader, but it stops.
#[tokio::test(start_paused = true)]
async fn a_reader_that_takes_nothing_for_the_write_timeout_is_given_up() {
    let settings =
        |settings: &mut realtime_service::Settings| settings.liveness.write_timeout = Duration::from_secs(10);
    let world = World::builder().settings(settings).build().await;
    let service = world.service();
    let admission = service.admit(&world.client("alice").request()).await.expect("admitted");
    let (from_client, _sends) = simplex(64);
    let (_reads, to_client) = simplex(2048);
    let socket = WsSocket::new(join(from_client, to_client), Vec::new(), Arc::new(WsConfig::default()));
    let task = tokio::spawn(service.serve(admission, socket));
    world.publish(to::all(), "large", "x".repeat(32 * 1024)).await;
    timeout(Duration::from_secs(11), task).await.expect("within write_timeout").expect("no panic");
    assert_eq!(service.metrics().closed_slow_total, 1);
}
