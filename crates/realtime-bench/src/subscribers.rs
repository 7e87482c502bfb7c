//! Subscribers that cost next to nothing: they read what comes, find the markers, and check that every message came
//! once and in order.

use std::{
    cell::RefCell,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
    task::JoinHandle,
    time::timeout,
};

use crate::{
    options::{AT_ONCE, Result},
    sequence,
    sequence::Scanner,
    servers::Dialect,
    stats::Histogram,
    wire::Wish,
};

/// The longest that anything may take.
const DEADLINE: Duration = Duration::from_secs(60);

/// What subscribers have seen between them.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) received: u64,
    pub(crate) bytes: u64,
    pub(crate) duplicated: u64,
    pub(crate) out_of_order: u64,
    pub(crate) latency: Histogram,
    /// The number to receive before `reached` is notified.
    goal: u64,
}

struct Shared {
    seen: RefCell<Seen>,
    reached: Notify,
    start: Instant,
}

/// Subscribers that read. Dropping them closes their sockets.
pub(crate) struct Subscribers {
    shared: Rc<Shared>,
    readers: Vec<JoinHandle<()>>,
}

/// A socket whose handshake is done.
pub(crate) struct Connected {
    pub(crate) stream: TcpStream,
}

/// Opens a connection for each wish, and waits until every one is subscribed.
pub(crate) async fn connect(address: SocketAddr, dialect: Dialect, wishes: Vec<Wish>) -> Result<Vec<Connected>> {
    connect_at_once(address, dialect, wishes, AT_ONCE).await
}

/// The same with `at_once` handshakes in progress at once.
pub(crate) async fn connect_at_once(
    address: SocketAddr,
    dialect: Dialect,
    wishes: Vec<Wish>,
    at_once: usize,
) -> Result<Vec<Connected>> {
    let opened = stream::iter(wishes.into_iter().map(|wish| async move {
        timeout(DEADLINE, open(address, dialect, &wish)).await.map_err(|_| "a handshake took too long")?
    }));
    opened.buffer_unordered(at_once).collect::<Vec<Result<Connected>>>().await.into_iter().collect()
}

async fn open(address: SocketAddr, dialect: Dialect, wish: &Wish) -> Result<Connected> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let path = dialect.path(wish);
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut got = await_text(&mut stream, Vec::new(), b"\r\n\r\n").await?;
    if !got.starts_with(b"HTTP/1.1 101") {
        return Err(format!("refused: {}", String::from_utf8_lossy(&got)).into());
    }
    let head = memchr::memmem::find(&got, b"\r\n\r\n").map_or(got.len(), |at| at + 4);
    got.drain(..head);
    for (say, answer) in dialect.greetings(wish) {
        stream.write_all(&masked_text(&say)).await?;
        if let Some(answer) = answer {
            got = await_text(&mut stream, got, answer.as_bytes()).await?;
        }
    }
    Ok(Connected { stream })
}

/// Unsubscribes from `topic` and subscribes again, without pause; ends only by an error.
pub(crate) async fn resubscribe(mut socket: Connected, topic: &str) -> Result<()> {
    loop {
        for action in ["unsubscribe", "subscribe"] {
            let command = format!(r#"{{"action":"{action}","id":"{action}","topic":"{topic}"}}"#);
            socket.stream.write_all(&masked_text(&command)).await?;
            let answer = format!(r#""id":"{action}""#);
            timeout(DEADLINE, await_text(&mut socket.stream, Vec::new(), answer.as_bytes())).await??;
        }
    }
}

async fn await_text(stream: &mut TcpStream, mut got: Vec<u8>, text: &[u8]) -> Result<Vec<u8>> {
    let mut buffer = [0; 4096];
    while memchr::memmem::find(&got, text).is_none() {
        let n = stream.read(&mut buffer).await?;
        if n == 0 {
            return Err(format!("the socket ended: {}", String::from_utf8_lossy(&got)).into());
        }
        got.extend_from_slice(&buffer[..n]);
    }
    Ok(got)
}

/// A masked text frame (RFC 6455 section 5.2); the mask of zeros leaves the text as it is.
pub(crate) fn masked_text(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81];
    match text.len() {
        n @ 0..=125 => frame.push(0x80 | u8::try_from(n).unwrap_or(0)),
        n => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&u16::try_from(n).unwrap_or(u16::MAX).to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(text.as_bytes());
    frame
}

impl Subscribers {
    /// Begins to read. Each of `sockets` is to get messages 0, 1, 2 and so on.
    pub(crate) fn read(sockets: Vec<Connected>, start: Instant) -> Self {
        let shared = Rc::new(Shared { seen: RefCell::default(), reached: Notify::new(), start });
        let read = |socket: Connected| {
            let shared = shared.clone();
            tokio::task::spawn_local(async move { reader(socket.stream, &shared).await })
        };
        let readers = sockets.into_iter().map(read).collect();
        Self { shared, readers }
    }

    /// How many they are.
    pub(crate) fn len(&self) -> usize {
        self.readers.len()
    }

    /// Waits until `goal` messages were received in all.
    pub(crate) async fn received(&self, goal: u64) -> Result<()> {
        loop {
            let told = self.shared.reached.notified();
            {
                let mut seen = self.shared.seen.borrow_mut();
                if seen.received >= goal {
                    return Ok(());
                }
                seen.goal = goal;
            }
            if timeout(DEADLINE, told).await.is_err() {
                let received = self.shared.seen.borrow().received;
                return Err(format!("{received} of {goal} messages came").into());
            }
        }
    }

    /// Forgets the latencies of the warm-up.
    pub(crate) fn forget_latency(&self) {
        self.shared.seen.borrow_mut().latency = Histogram::default();
    }

    /// What was seen; ends the reading.
    pub(crate) fn finish(self) -> Seen {
        self.readers.iter().for_each(JoinHandle::abort);
        self.shared.seen.take()
    }
}

async fn reader(mut stream: TcpStream, shared: &Shared) {
    let mut scanner = Scanner::default();
    let mut expected = 0;
    thread_local! {
        static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; 256 * 1024]);
    }
    loop {
        if stream.readable().await.is_err() {
            return;
        }
        let ended = BUFFER.with_borrow_mut(|buffer| {
            let n = match stream.try_read(buffer) {
                Ok(0) => return true,
                Ok(n) => n,
                Err(error) => return error.kind() != std::io::ErrorKind::WouldBlock,
            };
            let mut seen = shared.seen.borrow_mut();
            seen.bytes += n as u64;
            let now = sequence::micros(shared.start);
            scanner.feed(&buffer[..n], |number, sent| {
                match number.cmp(&expected) {
                    std::cmp::Ordering::Equal => {}
                    std::cmp::Ordering::Less => seen.duplicated += 1,
                    std::cmp::Ordering::Greater => seen.out_of_order += 1,
                }
                expected = number + 1;
                seen.received += 1;
                seen.latency.record(now.saturating_sub(sent));
            });
            if seen.goal > 0 && seen.received >= seen.goal {
                seen.goal = 0;
                shared.reached.notify_waiters();
            }
            false
        });
        if ended {
            let _ = stream.shutdown().await;
            return;
        }
    }
}
