//! Difficult sockets: what a peer sent is read, and what one is sent goes to no other.

use std::{
    collections::VecDeque,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use realtime_adapters::ws::{WsConfig, WsSocket};
use realtime_core::Frame;
use realtime_ports::{Incoming, Socket, SocketError};
use realtime_schema::CloseCode;
use realtime_testing::{World, to};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, join, simplex},
    time::{sleep, timeout},
};

const PING: u8 = 9;
const TEXT: u8 = 1;

/// A frame of a client; the mask of zeros leaves the payload as it is (RFC 6455 section 5.3).
fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("short");
    [&[0x80 | opcode, 0x80 | length, 0, 0, 0, 0], payload].concat()
}

/// How many pongs and how many texts the server wrote.
fn count(bytes: &[u8]) -> (usize, usize) {
    let (mut at, mut pongs, mut texts) = (0, 0, 0);
    while at < bytes.len() {
        let (length, head) = match bytes[at + 1] {
            126 => (usize::from(u16::from_be_bytes([bytes[at + 2], bytes[at + 3]])), 4),
            length => (usize::from(length), 2),
        };
        match bytes[at] & 0x0F {
            10 => pongs += 1,
            1 => texts += 1,
            other => panic!("opcode {other}"),
        }
        at += head + length;
    }
    (pongs, texts)
}

/// The peer reads nothing at first, while its pings fill the pipe with pongs and leave more to be read than one poll
/// takes.
async fn what_comes_when_it_reads_again(published: bool) -> (usize, usize) {
    let world = World::new(1).await;
    let service = world.service();
    let admission = service.admit(&world.client("alice").request()).await.expect("admitted");
    let (from_client, mut client_out) = simplex(64 * 1024);
    let (mut client_in, to_client) = simplex(2048);
    let socket = WsSocket::new(join(from_client, to_client), Vec::new(), Arc::new(WsConfig::default()));
    tokio::spawn(service.serve(admission, socket));
    let mut buffer = vec![0; 64 * 1024];
    assert!(client_in.read(&mut buffer).await.expect("a welcome") > 100);

    let mut said = Vec::new();
    (0..17).for_each(|_| said.extend(masked(PING, &[b'x'; 125])));
    (0..40).for_each(|_| said.extend(masked(PING, b"")));
    said.extend(masked(TEXT, br#"{"action":"ping","id":"answer me"}"#));
    client_out.write_all(&said).await.expect("room");
    sleep(Duration::from_millis(20)).await;
    if published {
        world.publish(to::all(), "tick", 1).await;
        sleep(Duration::from_millis(20)).await;
    }
    let mut got = Vec::new();
    // Well before the next ping of the server, which would wake the task in any case.
    while let Ok(Ok(n @ 1..)) = timeout(Duration::from_secs(5), client_in.read(&mut buffer)).await {
        got.extend_from_slice(&buffer[..n]);
    }
    count(&got)
}

#[tokio::test(start_paused = true)]
async fn pings_that_fill_the_pipe_are_all_answered_and_the_command_behind_them_too() {
    assert_eq!(what_comes_when_it_reads_again(false).await, (57, 1));
}

#[tokio::test(start_paused = true)]
async fn so_they_are_when_a_publication_waits_behind_the_pongs() {
    assert_eq!(what_comes_when_it_reads_again(true).await, (57, 2));
}

/// Panics in the midst of its second write.
struct Panics(bool);

impl Socket for Panics {
    fn poll_receive(&mut self, _: &mut Context<'_>) -> Poll<Result<Incoming, SocketError>> {
        Poll::Pending
    }

    fn poll_send(&mut self, _: &mut Context<'_>, batch: &mut VecDeque<Frame>) -> Poll<Result<(), SocketError>> {
        assert!(!std::mem::replace(&mut self.0, true), "on purpose");
        batch.clear();
        Poll::Ready(Ok(()))
    }

    async fn ping(&mut self) -> Result<(), SocketError> {
        Ok(())
    }

    async fn close(&mut self, _: CloseCode, _: &str, _: Duration) {}
}

#[tokio::test(start_paused = true)]
async fn what_a_panic_leaves_unwritten_goes_to_no_other_connection() {
    let world = World::new(1).await;
    let service = world.service();
    let admission = service.admit(&world.client("alice").request()).await.expect("admitted");
    let panics = tokio::spawn(service.serve(admission, Panics(false)));
    let mut bob = world.client("bob").connect().await;
    world.publish(to::user("alice"), "for-alice", 1).await;
    assert!(panics.await.expect_err("it panics").is_panic());
    world.publish(to::user("bob"), "for-bob", 1).await;
    bob.expects("for-bob").await;
    bob.expect_nothing().await;
}
