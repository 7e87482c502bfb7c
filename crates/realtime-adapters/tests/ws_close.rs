//! The end of a WebSocket, as its peer sees it (RFC 6455 section 7): the code arrives, whatever was still in
//! transit, and no peer is waited for without a deadline.
#![cfg(feature = "ws")]

mod ws_support;

use std::{sync::Arc, time::Duration};

use realtime_adapters::{
    front::AcceptorConfig,
    ws::{Handshake, WsConfig},
};
use realtime_ports::Socket;
use realtime_schema::CloseCode;
use tokio::sync::mpsc;
use ws_support::{Peer, Server, Wire, close, frame, in_time, text};

/// A server that closes each socket at once and says when it has let go of it.
async fn closing(close_timeout: Duration) -> (Server, mpsc::Receiver<()>) {
    let config = Arc::new(WsConfig::default());
    let (let_go, gone) = mpsc::channel(8);
    let handler = move |mut request, _| {
        let (response, pending) = Handshake::check(&mut request, &config).expect("a proper handshake").accept(None);
        let let_go = let_go.clone();
        tokio::spawn(async move {
            let mut socket = pending.socket().await.expect("a socket");
            socket.close(CloseCode::DRAINING, "the server restarts", close_timeout).await;
            drop(socket);
            let_go.send(()).await.expect("the test is there");
        });
        std::future::ready(response)
    };
    (Server::answering(handler, AcceptorConfig::default()).await, gone)
}

fn restarting() -> Option<Wire> {
    Some(Wire::Close(Some(4503), "the server restarts".into()))
}

#[tokio::test]
async fn the_code_and_the_reason_reach_a_peer_that_has_bytes_in_flight() {
    let (server, mut gone) = closing(Duration::from_secs(5)).await;
    let mut peer = Peer::upgraded(server.address).await;
    // More than both sides' kernels hold: the server has to read it, or this would stall, or end in a reset.
    let flood: Vec<u8> = std::iter::repeat_n(frame(0x82, &[7; 60_000]), 200).flatten().collect();
    peer.send_in_parts(&flood, 64 * 1024).await;
    assert_eq!(peer.frame().await, restarting());
    peer.send(&close(4503)).await;
    assert_eq!(peer.rest().await, b"");
    drop(peer);
    in_time("letting go", gone.recv()).await.unwrap();
}

#[tokio::test]
async fn a_peer_that_responds_to_the_close_is_released_at_once() {
    // With this timeout, a server that waits for it to end fails the test.
    let (server, mut gone) = closing(Duration::from_secs(3600)).await;
    let mut peer = Peer::upgraded(server.address).await;
    assert_eq!(peer.frame().await, restarting());
    peer.send(&close(4503)).await;
    assert_eq!(peer.frame().await, None);
    drop(peer);
    in_time("letting go", gone.recv()).await.unwrap();
}

#[tokio::test]
async fn a_peer_that_never_responds_is_dropped_at_the_timeout() {
    let (server, mut gone) = closing(Duration::from_millis(100)).await;
    let mut peer = Peer::upgraded(server.address).await;
    assert_eq!(peer.frame().await, restarting());
    in_time("letting go", gone.recv()).await.unwrap();
    assert!(peer.is_hung_up_on().await);
}

#[tokio::test]
async fn the_reason_of_a_violation_is_sent() {
    let limits = WsConfig { max_message_bytes: 100, max_frame_bytes: 100, max_fragments: 2, ..WsConfig::default() };
    let server = Server::echoing(limits, AcceptorConfig::default()).await;
    let fragments = [frame(0x01, b"1"), frame(0x00, b"2"), frame(0x80, b"3")].concat();
    let violations = [
        (frame(0x81, &[b'*'; 101]), 1009, "limits.max_message_bytes (100) or limits.max_frame_bytes (100)"),
        (fragments, 1009, "a message in more than 2 fragments"),
        (frame(0x81, b"\xFF"), 1007, "not UTF-8"),
        (frame(0xC1, b"deflated"), 1002, "Reserved bits"),
        (vec![0x81, 2, b'h', b'i'], 1002, "unmasked"),
        (frame(0x83, b""), 1002, "opcode"),
    ];
    for (sent, expected, part) in violations {
        let mut peer = Peer::upgraded(server.address).await;
        peer.send(&sent).await;
        let Some(Wire::Close(code, reason)) = peer.frame().await else { panic!("{expected}: no close") };
        assert_eq!(code, Some(expected), "{reason}");
        assert!(reason.contains(part), "{expected}: {reason}");
        assert_eq!(peer.rest().await, b"");
    }
}

#[tokio::test]
async fn a_peer_that_vanishes_affects_no_other() {
    let server = Server::echoing(WsConfig::default(), AcceptorConfig::default()).await;
    let mut bystander = Peer::upgraded(server.address).await;
    let message = frame(0x82, &[7; 1000]);
    for cut in [0, 1, 2, 5, 8, 500] {
        let mut peer = Peer::upgraded(server.address).await;
        peer.send(&[text("unread"), message[..cut].to_vec()].concat()).await;
        // Dropped with an echo unread, which resets the connection.
        drop(peer);
        bystander.is_served().await;
    }
}
