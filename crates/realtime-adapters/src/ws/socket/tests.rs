//! A socket over a pipe in memory, where every byte and every pause is the test's.

use std::convert::Infallible;

use proptest::prelude::*;
use tokio::{
    io::{AsyncReadExt, DuplexStream, duplex},
    time::Instant,
};

use super::*;

const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

fn config() -> WsConfig {
    WsConfig { max_message_bytes: 1000, max_frame_bytes: 1000, max_fragments: 4, ..WsConfig::default() }
}

/// A socket, and the peer's end of a pipe that holds `pipe` bytes in each direction.
fn pair(pipe: usize) -> (WsSocket<DuplexStream>, DuplexStream) {
    let (ours, theirs) = duplex(pipe);
    (WsSocket::new(ours, Vec::new(), Arc::new(config())), theirs)
}

/// A frame as a client sends it.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x11, 0x22, 0x33, 0x44];
    let mut bytes = vec![first];
    match u8::try_from(payload.len()) {
        Ok(short) if short < 126 => bytes.push(0x80 | short),
        _ => {
            bytes.push(0x80 | 126);
            bytes.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
        }
    }
    bytes.extend(mask);
    bytes.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
    bytes
}

/// A ready-made frame.
fn frame(text: &str) -> Frame {
    let encoded: Result<_, Infallible> = Frame::encode(None, |buffer| {
        buffer.extend_from_slice(text.as_bytes());
        Ok(())
    });
    encoded.unwrap()
}

/// Whatever the socket wrote until it hung up.
async fn rest(mut peer: DuplexStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    peer.read_to_end(&mut bytes).await.unwrap();
    bytes
}

/// Polls `future` once.
async fn once<T>(future: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        value = future => Some(value),
        () = std::future::ready(()) => None,
    }
}

#[tokio::test]
async fn a_socket_at_rest_holds_no_buffer_and_no_state() {
    let (mut socket, mut peer) = pair(4096);
    for message in [masked(0x81, b"one"), masked(0x82, &[7; 900]), masked(0x89, b"ping")] {
        peer.write_all(&message).await.unwrap();
        socket.receive().await.unwrap();
        assert!(once(socket.receive()).await.is_none());
        assert!(socket.busy.is_none());
    }
}

#[tokio::test]
async fn a_wait_that_is_dropped_half_way_through_a_message_loses_nothing() {
    let (mut socket, mut peer) = pair(4096);
    let bytes = [masked(0x01, b"dropped "), masked(0x89, b"?"), masked(0x80, b"and kept")].concat();
    let mut seen = Vec::new();
    for byte in bytes {
        peer.write_all(&[byte]).await.unwrap();
        seen.extend(once(socket.receive()).await.map(Result::unwrap));
    }
    assert_eq!(seen, [Incoming::Alive, Incoming::Text("dropped and kept".into())]);
}

#[tokio::test]
async fn what_came_glued_to_the_handshake_comes_first() {
    let (ours, mut peer) = duplex(4096);
    let early = [masked(0x81, b"glued"), masked(0x81, b"half")].concat();
    let (early, late) = early.split_at(early.len() - 2);
    let mut socket = WsSocket::new(ours, early.to_vec(), Arc::new(config()));
    assert_eq!(socket.receive().await.unwrap(), Incoming::Text("glued".into()));
    peer.write_all(late).await.unwrap();
    assert_eq!(socket.receive().await.unwrap(), Incoming::Text("half".into()));
}

#[tokio::test]
async fn a_long_batch_arrives_in_order_through_a_narrow_pipe() {
    let (mut socket, peer) = pair(7);
    // Small and large by turns, so that they are gathered, handed on piece by piece, and written alone.
    let texts =
        (0..3 * MAX_SLICES).map(|n| format!("message {n}{}", "!".repeat(if n % 5 > 2 { SMALL_FRAME } else { 0 })));
    let texts: Vec<String> = texts.collect();
    let mut batch: VecDeque<Frame> = texts.iter().map(|text| frame(text)).collect();
    let wire: Vec<u8> = batch.iter().flat_map(|frame| frame.wire().to_vec()).collect();
    let reader = tokio::spawn(rest(peer));
    socket.send(&mut batch).await.unwrap();
    assert!(batch.is_empty());
    drop(socket);
    assert_eq!(reader.await.unwrap(), wire);
}

#[tokio::test]
async fn a_pong_never_comes_between_the_halves_of_a_frame() {
    let (mut socket, mut peer) = pair(3);
    let ping = masked(0x89, b"now");
    let (written, received) = tokio::join!(peer.write_all(&ping), socket.receive());
    written.unwrap();
    assert_eq!(received.unwrap(), Incoming::Alive);
    // Half of the pong is in the pipe by now.
    assert!(once(socket.receive()).await.is_none());
    let text = "x".repeat(120);
    let expected = [&[0x8A, 3][..], b"now", frame(&text).wire()].concat();
    let reader = tokio::spawn(rest(peer));
    socket.send(&mut [frame(&text)].into()).await.unwrap();
    drop(socket);
    assert_eq!(reader.await.unwrap(), expected);
}

#[tokio::test]
async fn a_peer_that_reads_no_pongs_is_not_read_from() {
    let (mut socket, mut peer) = pair(256);
    let ping = masked(0x89, &[b'p'; 100]);
    let mut taken = 0;
    while once(peer.write_all(&ping)).await.is_some() {
        while once(socket.receive()).await.is_some() {}
        taken += 1;
        assert!(taken < 100, "its pings are taken for ever");
        let kept = socket.busy.as_ref().map_or((0, 0), |busy| (busy.out.len(), busy.unread.len()));
        assert!(kept.0 <= 256 + 102 && kept.1 <= 256, "they are kept");
    }
}

#[tokio::test]
async fn after_half_a_frame_nothing_but_its_rest_is_written() {
    let (mut socket, peer) = pair(8);
    let long = frame(&"x".repeat(100));
    let mut batch: VecDeque<Frame> = [long.clone()].into();
    assert!(once(socket.send(&mut batch)).await.is_none(), "the pipe holds all of it");
    assert!(matches!(socket.send(&mut [frame("more")].into()).await, Err(SocketError::Gone(_))));
    assert!(matches!(socket.ping().await, Err(SocketError::Gone(_))));
    assert!(matches!(socket.receive().await, Err(SocketError::Gone(_))));
    socket.close(CloseCode::NORMAL, "", CLOSE_TIMEOUT).await;
    let reader = tokio::spawn(rest(peer));
    socket.send(&mut batch).await.unwrap();
    drop(socket);
    assert_eq!(reader.await.unwrap(), long.wire()[..]);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_answers_a_close_is_dropped_at_the_timeout() {
    let (mut socket, mut peer) = pair(4096);
    let start = Instant::now();
    socket.close(CloseCode::DRAINING, "draining", CLOSE_TIMEOUT).await;
    assert_eq!(start.elapsed(), CLOSE_TIMEOUT);
    let mut head = [0; 4];
    peer.read_exact(&mut head).await.unwrap();
    assert_eq!(head, [0x88, 10, 0x11, 0x97], "4503");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_nothing_is_dropped_at_the_timeout() {
    let (mut socket, _peer) = pair(2);
    let start = Instant::now();
    socket.close(CloseCode::DRAINING, "draining", CLOSE_TIMEOUT).await;
    assert_eq!(start.elapsed(), CLOSE_TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn a_close_ends_as_soon_as_the_peer_hangs_up_whatever_it_still_sent() {
    let (mut socket, mut peer) = pair(100_000);
    peer.write_all(&[masked(0x81, b"too late"), vec![0xFF; 40_000]].concat()).await.unwrap();
    peer.shutdown().await.unwrap();
    let start = Instant::now();
    socket.close(CloseCode::TOO_SLOW, "too slow", CLOSE_TIMEOUT).await;
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(rest(peer).await, [&[0x88, 10, 0x11, 0xA1][..], b"too slow"].concat(), "4513");
}

#[tokio::test]
async fn the_peers_close_is_answered_once_and_nothing_is_read_after_it() {
    let (mut socket, mut peer) = pair(4096);
    let bytes = [masked(0x88, &[0x03, 0xE8]), masked(0x81, b"after"), masked(0x89, b"ping")].concat();
    peer.write_all(&bytes).await.unwrap();
    peer.shutdown().await.unwrap();
    assert_eq!(socket.receive().await.unwrap(), Incoming::Closed(Some(CloseCode::NORMAL)));
    assert!(matches!(socket.receive().await, Err(SocketError::Gone(_))));
    socket.close(CloseCode::DRAINING, "ours is too late", CLOSE_TIMEOUT).await;
    drop(socket);
    assert_eq!(rest(peer).await, [0x88, 2, 0x03, 0xE8]);
}

#[tokio::test]
async fn a_long_reason_is_cut_between_two_characters() {
    let (mut socket, mut peer) = pair(4096);
    peer.shutdown().await.unwrap();
    socket.close(CloseCode::NORMAL, &"ü".repeat(100), CLOSE_TIMEOUT).await;
    drop(socket);
    let wire = rest(peer).await;
    assert_eq!(wire[..4], [0x88, 124, 0x03, 0xE8]);
    assert_eq!(std::str::from_utf8(&wire[4..]), Ok(&*"ü".repeat(61)));
}

#[tokio::test]
async fn a_violation_is_told_once_and_then_the_socket_can_only_be_closed() {
    let (mut socket, mut peer) = pair(4096);
    let many = [masked(0x01, b"1"), masked(0x00, b"2"), masked(0x00, b""), masked(0x00, b"4"), masked(0x00, b"5")];
    peer.write_all(&many.concat()).await.unwrap();
    peer.shutdown().await.unwrap();
    let Err(SocketError::Violation { code, reason }) = socket.receive().await else { panic!("five of four fragments") };
    assert_eq!((code, &*reason), (CloseCode::TOO_LARGE, "a message in more than 4 fragments"));
    assert!(matches!(socket.receive().await, Err(SocketError::Gone(_))));
    socket.close(code, &reason, CLOSE_TIMEOUT).await;
    drop(socket);
    assert_eq!(rest(peer).await[..4], [0x88, 36, 0x03, 0xF1], "1009");
}

#[tokio::test]
async fn a_ping_of_ours_is_an_empty_one() {
    let (mut socket, mut peer) = pair(4096);
    socket.ping().await.unwrap();
    drop(socket);
    let mut wire = Vec::new();
    peer.read_to_end(&mut wire).await.unwrap();
    assert_eq!(wire, [0x89, 0]);
}

/// What a peer gets out of a socket that sends `bytes` in parts of `step` and then hangs up.
async fn outcome(bytes: &[u8], step: usize) -> Vec<String> {
    let (mut socket, mut peer) = pair(1 << 20);
    let mut seen = Vec::new();
    for part in bytes.chunks(step.max(1)) {
        peer.write_all(part).await.unwrap();
        while let Some(next) = once(socket.receive()).await {
            seen.push(format!("{next:?}"));
            if next.is_err() {
                return seen;
            }
        }
    }
    peer.shutdown().await.unwrap();
    seen.push(format!("{:?}", socket.receive().await));
    seen
}

/// Bytes at random, and frames that are mostly right, for those get further.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        4 => prop::sample::select(vec![0x00, 0x01, 0x02, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8A]),
        1 => any::<u8>(),
    ];
    let payload = prop_oneof![
        3 => "\\PC{0,40}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..300),
    ];
    let frames = prop::collection::vec((first, payload).prop_map(|(first, payload)| masked(first, &payload)), 1..8);
    prop_oneof![
        4 => frames.prop_map(|frames| frames.concat()),
        1 => prop::collection::vec(any::<u8>(), 0..100),
    ]
}

proptest! {
    #[test]
    fn whatever_comes_it_is_the_same_however_it_is_cut(bytes in bytes(), step in 1usize..50) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (whole, cut) = runtime.block_on(async { (outcome(&bytes, bytes.len()).await, outcome(&bytes, step).await) });
        prop_assert_eq!(whole, cut);
    }
}
