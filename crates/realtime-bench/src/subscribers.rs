//! Subscribers that cost next to nothing: they read what comes, find the markers, and check that every message came
//! once and in order.

mod expected;

use std::{
    cell::RefCell,
    cmp::Ordering,
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

pub(crate) use expected::{LANE, Order};

use self::expected::Expected;
use crate::{
    options::{AT_ONCE, Result},
    sequence,
    sequence::Scanner,
    servers::Dialect,
    stats::Histogram,
    wire::Client,
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
    /// Microseconds from the start until a subscriber had all that it was to receive, of those that had it.
    pub(crate) complete: Histogram,
    /// How many they are.
    completed: usize,
    /// The number to receive before `reached` is notified.
    goal: u64,
}

struct Shared {
    seen: RefCell<Seen>,
    reached: Notify,
    start: Instant,
    order: Order,
    /// After so many messages a subscriber is complete.
    each: u64,
}

/// Subscribers that read. Dropping them closes their sockets.
pub(crate) struct Subscribers {
    shared: Rc<Shared>,
    readers: Vec<JoinHandle<()>>,
}

/// A socket whose handshake is done.
pub(crate) struct Connected {
    pub(crate) stream: TcpStream,
    /// What it has received since, in frames.
    pub(crate) received: Vec<u8>,
    /// The index of its client in the list that was connected.
    pub(crate) client: usize,
}

/// Opens a connection for each client, and waits until every one is subscribed.
pub(crate) async fn connect(address: SocketAddr, dialect: Dialect, clients: Vec<Client>) -> Result<Vec<Connected>> {
    connect_at_once(address, dialect, clients, AT_ONCE).await
}

/// The same with `at_once` handshakes in progress at once.
pub(crate) async fn connect_at_once(
    address: SocketAddr,
    dialect: Dialect,
    clients: Vec<Client>,
    at_once: usize,
) -> Result<Vec<Connected>> {
    let opened = stream::iter(clients.into_iter().enumerate().map(|(at, client)| async move {
        let opened =
            timeout(DEADLINE, open(address, dialect, &client)).await.map_err(|_| "a handshake took too long")?;
        Ok(Connected { client: at, ..opened? })
    }));
    opened.buffer_unordered(at_once).collect::<Vec<Result<Connected>>>().await.into_iter().collect()
}

/// Opens one connection, and sends its greetings.
pub(crate) async fn open(address: SocketAddr, dialect: Dialect, client: &Client) -> Result<Connected> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let path = dialect.path(client);
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut received = Vec::new();
    let head = await_text(&mut stream, &mut received, 0, b"\r\n\r\n").await?;
    if !received.starts_with(b"HTTP/1.1 101") {
        return Err(format!("refused: {}", String::from_utf8_lossy(&received)).into());
    }
    received.drain(..head);
    let mut read = 0;
    for (command, response) in dialect.greetings(client) {
        stream.write_all(&masked_text(&command)).await?;
        if let Some(response) = response {
            read = await_text(&mut stream, &mut received, read, response.as_bytes()).await?;
        }
    }
    Ok(Connected { stream, received, client: 0 })
}

/// Unsubscribes from `topic` and subscribes again, without pause; ends only by an error.
pub(crate) async fn resubscribe(mut socket: Connected, topic: &str) -> Result<()> {
    loop {
        for action in ["unsubscribe", "subscribe"] {
            let command = format!(r#"{{"action":"{action}","id":"{action}","topic":"{topic}"}}"#);
            socket.stream.write_all(&masked_text(&command)).await?;
            let response = format!(r#""id":"{action}""#);
            timeout(DEADLINE, await_text(&mut socket.stream, &mut Vec::new(), 0, response.as_bytes())).await??;
        }
    }
}

/// Receives until `text` has come after position `from` of what was received; returns the position after it.
pub(crate) async fn await_text(
    stream: &mut TcpStream,
    received: &mut Vec<u8>,
    from: usize,
    text: &[u8],
) -> Result<usize> {
    let mut buffer = [0; 4096];
    loop {
        if let Some(at) = memchr::memmem::find(&received[from..], text) {
            return Ok(from + at + text.len());
        }
        let (n, what) = match timeout(DEADLINE / 2, stream.read(&mut buffer)).await {
            Ok(read) => (read?, "the socket ended"),
            Err(_) => (0, "nothing came for a long time"),
        };
        if n == 0 {
            let end = &received[received.len().saturating_sub(300)..];
            let (text, end) = (String::from_utf8_lossy(text), String::from_utf8_lossy(end));
            return Err(format!("{what} before {text}, after: {end}").into());
        }
        received.extend_from_slice(&buffer[..n]);
    }
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
        let mut subscribers = Self::new(start, Order::One, u64::MAX);
        sockets.into_iter().for_each(|socket| subscribers.add(socket));
        subscribers
    }

    /// None yet. Each that is added is complete after `each` messages, which come in this order.
    pub(crate) fn new(start: Instant, order: Order, each: u64) -> Self {
        let shared = Shared { seen: RefCell::default(), reached: Notify::new(), start, order, each };
        Self { shared: Rc::new(shared), readers: Vec::new() }
    }

    /// Begins to read from one more socket.
    pub(crate) fn add(&mut self, socket: Connected) {
        let shared = self.shared.clone();
        self.readers.push(tokio::task::spawn_local(async move { reader(socket, &shared).await }));
    }

    /// Waits until so many subscribers are complete. As long as messages arrive, it waits for more.
    pub(crate) async fn completed(&self, count: usize) -> Result<()> {
        let mut before = 0;
        loop {
            let reached = self.shared.reached.notified();
            let (completed, received) = {
                let seen = self.shared.seen.borrow();
                (seen.completed, seen.received)
            };
            if completed >= count {
                return Ok(());
            }
            if timeout(DEADLINE / 3, reached).await.is_err() {
                if received == before {
                    return Err(format!("{completed} of {count} got all; {received} messages came").into());
                }
                before = received;
            }
        }
    }

    /// How many they are.
    pub(crate) fn len(&self) -> usize {
        self.readers.len()
    }

    /// Waits until `goal` messages were received in all.
    pub(crate) async fn received(&self, goal: u64) -> Result<()> {
        loop {
            let reached = self.shared.reached.notified();
            {
                let mut seen = self.shared.seen.borrow_mut();
                if seen.received >= goal {
                    return Ok(());
                }
                seen.goal = goal;
            }
            if timeout(DEADLINE, reached).await.is_err() {
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

async fn reader(socket: Connected, shared: &Shared) {
    let Connected { mut stream, received, .. } = socket;
    let mut check = Check { scanner: Scanner::default(), expected: Expected::new(shared.order), received: 0 };
    thread_local! {
        static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; 256 * 1024]);
    }
    check.take(&received, shared);
    // The greeting is no delivery.
    shared.seen.borrow_mut().bytes -= received.len() as u64;
    drop(received);
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
            check.take(&buffer[..n], shared);
            false
        });
        if ended {
            let _ = stream.shutdown().await;
            return;
        }
    }
}

/// What one subscriber has received, and what is to come.
struct Check {
    scanner: Scanner,
    expected: Expected,
    received: u64,
}

impl Check {
    fn take(&mut self, bytes: &[u8], shared: &Shared) {
        let mut seen = shared.seen.borrow_mut();
        seen.bytes += bytes.len() as u64;
        let now = sequence::micros(shared.start);
        let before = self.received;
        self.scanner.feed(bytes, |number, sent| {
            match self.expected.check(number) {
                Ordering::Equal => {}
                Ordering::Less => seen.duplicated += 1,
                Ordering::Greater => seen.out_of_order += 1,
            }
            self.received += 1;
            seen.received += 1;
            seen.latency.record(now.saturating_sub(sent));
        });
        let complete = before < shared.each && self.received >= shared.each;
        if complete {
            seen.completed += 1;
            seen.complete.record(now);
        }
        let reached = seen.goal > 0 && seen.received >= seen.goal;
        if reached {
            seen.goal = 0;
        }
        if complete || reached {
            shared.reached.notify_waiters();
        }
    }
}
