//! The scripted server of scenarios over sockets: it accepts, holds, delays, sends and cuts as it is asked.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::spawn_blocking,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        handshake::derive_accept_key,
        protocol::{CloseFrame, Role},
    },
};

/// One dial, seen from both ends.
#[derive(Debug, Default)]
pub(super) struct Link {
    /// What the server is asked to do; there is one after the connection was accepted.
    pub(super) acts: Option<mpsc::Sender<Act>>,
    /// The server has read the request of the handshake.
    pub(super) requested: bool,
    pub(super) opened: bool,
    /// The server was asked to end it.
    pub(super) ending: bool,
    pub(super) gone_at_server: bool,
    /// The client has let go of it.
    pub(super) dropped: bool,
    pub(super) gone_at_client: bool,
    pub(super) to_client: u64,
    pub(super) at_client: u64,
    pub(super) to_server: u64,
    pub(super) at_server: u64,
}

impl Link {
    fn is_still(&self) -> bool {
        if self.gone_at_client {
            return self.acts.is_none() || self.gone_at_server;
        }
        let arrived = self.to_client == self.at_client && self.to_server == self.at_server;
        self.requested && arrived && !self.dropped && !self.ending
    }
}

#[derive(Debug)]
pub(super) enum Act {
    Open,
    Frame(String),
    Close(u16, String),
}

/// What the server and the client's ends report.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) links: Vec<Link>,
    pub(super) items: Vec<(&'static str, Value)>,
    pub(super) unanswered: Vec<Value>,
    accepted: usize,
}

impl Seen {
    pub(super) fn is_still(&self) -> bool {
        self.links.iter().all(Link::is_still)
    }
}

pub(super) type Shared = Arc<Mutex<Seen>>;

pub(super) fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Real milliseconds, whatever the time of the client's timers does.
pub(super) async fn really(ms: u64) {
    _ = spawn_blocking(move || std::thread::sleep(Duration::from_millis(ms))).await;
}

/// Listens on a free port, until the runtime ends.
pub(super) async fn listen(seen: Shared) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("its address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acts, asked) = mpsc::channel(1_000);
            let i = {
                let mut seen = lock(&seen);
                let i = seen.accepted;
                seen.accepted += 1;
                seen.links[i].acts = Some(acts);
                i
            };
            let seen = Arc::clone(&seen);
            tokio::spawn(async move {
                serve(i, stream, asked, &seen).await;
                lock(&seen).links[i].gone_at_server = true;
            });
        }
    });
    address
}

async fn serve(i: usize, mut stream: TcpStream, mut acts: mpsc::Receiver<Act>, seen: &Shared) -> Option<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
    }
    let request = String::from_utf8(request).expect("text");
    let header = |name: &str| {
        let value = |line: &str| {
            line.split_once(": ").filter(|(own, _)| own.eq_ignore_ascii_case(name)).map(|it| it.1.to_owned())
        };
        request.lines().find_map(value)
    };
    let target = request.split(' ').nth(1)?;
    let query = target.split_once('?')?.1;
    let query: BTreeMap<_, _> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let protocols = header("sec-websocket-protocol")?;
    let protocols: Vec<_> = protocols.split(", ").collect();
    {
        let mut seen = lock(seen);
        seen.items.push(("dial", json!({"protocols": protocols, "query": query})));
        seen.links[i].requested = true;
    }
    loop {
        let mut byte = [0];
        tokio::select! {
            act = acts.recv() => match act? {
                Act::Open => break,
                Act::Close(..) => return None,
                Act::Frame(_) => {}
            },
            _ = stream.read(&mut byte) => {
                dropped(i, seen, json!({}));
                return None;
            }
        }
    }
    let key = derive_accept_key(header("sec-websocket-key")?.as_bytes());
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
         sec-websocket-accept: {key}\r\nsec-websocket-protocol: realtime.v1\r\n\r\n"
    );
    stream.write_all(response.as_bytes()).await.ok()?;
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
    let mut sent = i as u64;
    loop {
        tokio::select! {
            act = acts.recv() => {
                // A few milliseconds on the way, in order.
                sent += 1;
                really(sent * 7 % 3).await;
                match act? {
                    Act::Open => {}
                    Act::Frame(text) => socket.send(Message::Text(text.into())).await.ok()?,
                    Act::Close(1006, _) => return None,
                    Act::Close(code, reason) => {
                        _ = socket.close(Some(CloseFrame { code: code.into(), reason: reason.into() })).await;
                    }
                }
            }
            received = socket.next() => match received?.ok()? {
                Message::Text(text) => {
                    let command: Value = serde_json::from_str(&text).expect("JSON");
                    let mut seen = lock(seen);
                    seen.links[i].at_server += 1;
                    seen.items.push(("send", command.clone()));
                    if command.get("id").is_some() {
                        seen.unanswered.push(command);
                    }
                }
                Message::Close(frame) => {
                    dropped(i, seen, json!({"code": frame.map_or(1005, |frame| u16::from(frame.code))}));
                }
                _ => {}
            },
        }
    }
}

fn dropped(i: usize, seen: &Shared, value: Value) {
    let mut seen = lock(seen);
    if seen.links[i].dropped {
        seen.items.push(("drop", value));
    }
}
