//! What the stories about sockets share: a server that echoes, and a peer that writes its own bytes.
#![allow(dead_code, reason = "each test binary uses a part of it")]

#[path = "../../examples/echo.rs"]
mod echo;

use std::{
    fmt,
    future::Future,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use http::{Request, Response};
use realtime_adapters::{
    front::{AcceptorConfig, RequestBody, serve},
    ws::{ResponseBody, WsConfig},
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::{CancellationToken, DropGuard};

pub(crate) use echo::answer as echo;

/// How long anything may take before a test gives up. Nothing is measured by it.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

/// A proper handshake (the key is the one of RFC 6455 section 1.3).
const HANDSHAKE: [&str; 6] = [
    "GET /ws HTTP/1.1",
    "Host: localhost",
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

/// A proper handshake without the lines that begin with `without`, and with those of `with`.
pub(crate) fn handshake(without: &str, with: &[&str]) -> Vec<u8> {
    let kept = HANDSHAKE.into_iter().filter(|line| without.is_empty() || !line.starts_with(without));
    let mut lines: Vec<&str> = with.iter().copied().filter(|line| line.contains(" HTTP/")).collect();
    lines.extend(kept);
    lines.extend(with.iter().filter(|line| !line.contains(" HTTP/")));
    format!("{}\r\n\r\n", lines.join("\r\n")).into_bytes()
}

/// What belongs in time, or the test fails.
pub(crate) async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(DEADLINE, future).await.unwrap_or_else(|_| panic!("{what}: nothing in {DEADLINE:?}"))
}

/// A server on a port of its own, stopped when dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) stop: CancellationToken,
    pub(crate) ended: JoinHandle<()>,
    _guard: DropGuard,
}

impl Server {
    /// One that echoes, as the example does.
    pub(crate) async fn echoing(config: WsConfig, door: AcceptorConfig) -> Self {
        Self::answering(echo(Arc::new(config)), door).await
    }

    /// One with another handler.
    pub(crate) async fn answering<H, F>(handler: H, door: AcceptorConfig) -> Self
    where
        H: Fn(Request<RequestBody>, SocketAddr) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<ResponseBody>> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let ended = tokio::spawn(serve(listener, door, handler, stop.clone()));
        Self { address, ended, _guard: stop.clone().drop_guard(), stop }
    }
}

/// A peer that writes its own bytes.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    read: Vec<u8>,
}

/// An HTTP answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    /// The reason of a refusal, which must be one (RFC 9457).
    pub(crate) fn problem(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem: Value = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(problem["status"], self.status);
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{problem}");
        problem
    }
}

/// A frame that the server sent: whole, unmasked, and with its length in the shortest form.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Wire {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, payload) = match self {
            Self::Text(payload) => ("Text", payload),
            Self::Binary(payload) => ("Binary", payload),
            Self::Ping(payload) => ("Ping", payload),
            Self::Pong(payload) => ("Pong", payload),
            Self::Close(code, reason) => return write!(f, "Close({code:?}, {reason:?})"),
        };
        let shown = &payload[..payload.len().min(32)];
        write!(f, "{name}({} bytes: {:?})", payload.len(), String::from_utf8_lossy(shown))
    }
}

impl Peer {
    pub(crate) async fn connect(server: SocketAddr) -> Self {
        let stream = in_time("connecting", TcpStream::connect(server)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, read: Vec::new() }
    }

    /// A peer whose handshake was accepted.
    pub(crate) async fn upgraded(server: SocketAddr) -> Self {
        let mut peer = Self::connect(server).await;
        peer.send(&handshake("", &[])).await;
        let answer = peer.answer().await;
        assert_eq!(answer.status, 101, "{answer:?}");
        assert_eq!(answer.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        peer
    }

    /// Sends `request` to a fresh socket and reads the answer.
    pub(crate) async fn asks(server: SocketAddr, request: &[u8]) -> Answer {
        let mut peer = Self::connect(server).await;
        peer.send(request).await;
        peer.answer().await
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        in_time("sending", self.stream.write_all(bytes)).await.unwrap();
    }

    /// Sends `bytes` in parts of `step`. A server that hangs up meanwhile is no failure.
    pub(crate) async fn send_in_parts(&mut self, bytes: &[u8], step: usize) {
        for part in bytes.chunks(step) {
            if in_time("sending", self.stream.write_all(part)).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Reads on; `false` at the end. A connection that was reset fails the test: who is reset may miss what was said.
    async fn fill(&mut self) -> bool {
        match in_time("reading", self.stream.read_buf(&mut self.read)).await {
            Ok(read) => read > 0,
            Err(error) => panic!("after {:?}: {error}", String::from_utf8_lossy(&self.read)),
        }
    }

    /// The next answer.
    pub(crate) async fn answer(&mut self) -> Answer {
        let end = loop {
            if let Some(at) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                break at;
            }
            assert!(self.fill().await, "no answer, but {:?}", String::from_utf8_lossy(&self.read));
        };
        let head = String::from_utf8(self.read.drain(..end + 4).collect()).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines.map(|line| line.split_once(": ").unwrap()).map(|(k, v)| (k.to_lowercase(), v.to_owned()));
        let mut answer = Answer { status, headers: headers.collect(), body: Vec::new() };
        let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        while self.read.len() < length {
            assert!(self.fill().await, "half an answer");
        }
        answer.body = self.read.drain(..length).collect();
        answer
    }

    async fn exactly(&mut self, n: usize) -> Option<Vec<u8>> {
        while self.read.len() < n {
            if !self.fill().await {
                assert!(self.read.is_empty(), "half a frame: {:?}", self.read);
                return None;
            }
        }
        Some(self.read.drain(..n).collect())
    }

    /// The next frame; nothing if the server hung up.
    pub(crate) async fn frame(&mut self) -> Option<Wire> {
        let head = self.exactly(2).await?;
        assert_eq!(head[1] & 0x80, 0, "a server's frame is never masked");
        let length = match head[1] {
            126 => {
                let length = self.exactly(2).await?;
                u64::from(u16::from_be_bytes(length.try_into().unwrap())).max(126)
            }
            127 => u64::from_be_bytes(self.exactly(8).await?.try_into().unwrap()).max(0x1_0000),
            short => u64::from(short),
        };
        let payload = self.exactly(usize::try_from(length).unwrap()).await?;
        Some(match head[0] {
            0x81 => Wire::Text(payload),
            0x82 => Wire::Binary(payload),
            0x89 => Wire::Ping(payload),
            0x8A => Wire::Pong(payload),
            0x88 if payload.is_empty() => Wire::Close(None, String::new()),
            0x88 => {
                let reason = String::from_utf8(payload[2..].to_vec()).unwrap();
                Wire::Close(Some(u16::from_be_bytes([payload[0], payload[1]])), reason)
            }
            first => panic!("a frame that begins with {first:#x}"),
        })
    }

    /// Everything until the server hangs up.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while self.fill().await {}
        std::mem::take(&mut self.read)
    }

    /// Sends a text and gets it back.
    pub(crate) async fn is_served(&mut self) {
        self.send(&text("are you there?")).await;
        assert_eq!(self.frame().await, Some(Wire::Text(b"are you there?".to_vec())));
    }

    /// Whether the server has hung up for good, so that what is written to it is no longer taken.
    pub(crate) async fn is_hung_up_on(&mut self) -> bool {
        let told = async {
            loop {
                if let Err(error) = self.stream.write_all(b"hello?").await {
                    return error.kind();
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        matches!(timeout(DEADLINE, told).await, Ok(io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset))
    }
}

/// A client's frame; `first` holds FIN, the reserved bits and the opcode.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let form = match payload.len() {
        0..126 => 0,
        126..0x1_0000 => 2,
        _ => 8,
    };
    frame_in_form(first, payload, form)
}

/// The same, with the length in 0, 2 or 8 bytes of its own.
pub(crate) fn frame_in_form(first: u8, payload: &[u8], form: usize) -> Vec<u8> {
    let length = (payload.len() as u64).to_be_bytes();
    let mask = [0x5A, 0x00, 0xFF, 0x17];
    let short = match form {
        0 => length[7],
        2 => 126,
        _ => 127,
    };
    let mut bytes = vec![first, 0x80 | short];
    bytes.extend(&length[8 - form..]);
    bytes.extend(mask);
    bytes.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
    bytes
}

pub(crate) fn text(text: &str) -> Vec<u8> {
    frame(0x81, text.as_bytes())
}

/// A close frame with a code.
pub(crate) fn close(code: u16) -> Vec<u8> {
    frame(0x88, &code.to_be_bytes())
}
