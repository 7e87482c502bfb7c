//! The servers that are compared: how each is started, subscribed to, and published to.

pub(crate) mod floor;
pub(crate) mod handwritten;
mod nats;
mod nchan;
mod node;
mod realtime;

use std::{
    env,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{
    net::TcpStream,
    process::{Child, Command},
    time::{sleep, timeout},
};

use crate::{
    options::{Options, Result},
    tokens,
    wire::{Target, Wish},
};

/// A server that may be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    /// Writes the messages bare.
    Floor,
    /// The floor again, with messages as long as the frames of `Realtime`.
    FloorLong,
    Realtime,
    Handwritten,
    Nchan,
    Nats,
    Ws,
    SocketIo,
}

/// The protocol of a server.
pub(crate) type Dialect = Server;

/// A server process with its ports. Dropping it ends the process.
pub(crate) struct Running {
    pub(crate) server: Server,
    /// Where subscribers connect.
    pub(crate) subscribers: SocketAddr,
    /// Where publishers connect.
    pub(crate) publishers: SocketAddr,
    process: Child,
    /// Configuration files; removed at the end.
    _folder: tempfile::TempDir,
}

/// The core that a server has to itself; the clients have the other one.
pub(crate) const ONE_CORE: &str = "0";

/// How to start a server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start {
    /// The cores it may use.
    pub(crate) cores: &'static str,
    /// The tokens it is to accept, if it knows any.
    pub(crate) tokens: tokens::Kind,
}

impl Default for Start {
    fn default() -> Self {
        Self { cores: ONE_CORE, tokens: tokens::Kind::Hs256 }
    }
}

impl Server {
    pub(crate) const ALL: [Self; 8] = [
        Self::Floor,
        Self::FloorLong,
        Self::Realtime,
        Self::Handwritten,
        Self::Nchan,
        Self::Nats,
        Self::Ws,
        Self::SocketIo,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::FloorLong => "floor-long",
            Self::Realtime => "realtime",
            Self::Handwritten => "handwritten",
            Self::Nchan => "nchan",
            Self::Nats => "nats",
            Self::Ws => "ws",
            Self::SocketIo => "socket.io",
        }
    }

    /// Why this machine can't run it, if it can't.
    pub(crate) fn missing(self, options: &Options) -> Option<String> {
        let binary = |name: &str| {
            (!options.binaries.join(name).is_file()).then(|| format!("no {name} in {}", options.binaries.display()))
        };
        match self {
            Self::Floor | Self::FloorLong | Self::Handwritten => binary("realtime-bench"),
            Self::Realtime => binary("realtime-server"),
            Self::Nchan => nchan::missing(),
            Self::Nats => on_path("nats-server").is_none().then(|| "install nats-server".into()),
            Self::Ws => node::missing("ws"),
            Self::SocketIo => node::missing("socket.io"),
        }
    }

    /// Starts it, and waits until it listens.
    pub(crate) async fn start(self, options: &Options, start: &Start) -> Result<Running> {
        let folder = tempfile::tempdir()?;
        let (subscribers, publishers) = (free_port()?, free_port()?);
        let command = match self {
            Self::Floor | Self::FloorLong | Self::Handwritten => {
                let mut command = pinned(start, &options.binaries.join("realtime-bench"));
                command
                    .arg(if self == Self::Handwritten { "handwritten" } else { "floor" })
                    .env("PORTS", format!("{} {}", subscribers.port(), publishers.port()));
                command
            }
            Self::Realtime => realtime::command(options, start, folder.path(), subscribers)?,
            Self::Nchan => nchan::command(start, folder.path(), subscribers)?,
            Self::Nats => nats::command(start, folder.path(), subscribers, publishers)?,
            Self::Ws | Self::SocketIo => node::command(start, self, subscribers)?,
        };
        let publishers = match self {
            Self::Floor | Self::FloorLong | Self::Handwritten | Self::Nats => publishers,
            _ => subscribers,
        };
        let log = std::fs::File::create(folder.path().join("log"))?;
        let mut command = command;
        command.stdout(Stdio::from(log.try_clone()?)).stderr(Stdio::from(log)).stdin(Stdio::null()).kill_on_drop(true);
        let process = command.spawn().map_err(|error| format!("{}: {error}", self.name()))?;
        let running = Running { server: self, subscribers, publishers, process, _folder: folder };
        for address in [subscribers, publishers] {
            let listens = async {
                while TcpStream::connect(address).await.is_err() {
                    sleep(Duration::from_millis(20)).await;
                }
            };
            if timeout(Duration::from_secs(15), listens).await.is_err() {
                let log = std::fs::read_to_string(running._folder.path().join("log")).unwrap_or_default();
                return Err(format!("{} does not listen: {log}", self.name()).into());
            }
        }
        Ok(running)
    }

    /// The path that a subscriber requests.
    pub(crate) fn path(self, wish: &Wish) -> String {
        match self {
            Self::Realtime => format!("/ws?token={}", wish.token),
            Self::Nchan => format!("/sub/{}", wish.topic.as_deref().unwrap_or("none")),
            Self::SocketIo => "/socket.io/?EIO=4&transport=websocket".to_owned(),
            Self::Ws => format!("/{}", wish.topic.as_deref().unwrap_or_default()),
            Self::Floor | Self::FloorLong | Self::Handwritten | Self::Nats => "/".to_owned(),
        }
    }

    /// What a subscriber sends after the handshake, and what the response contains.
    pub(crate) fn greetings(self, wish: &Wish) -> Vec<(String, Option<&'static str>)> {
        let topic = wish.topic.as_deref();
        match self {
            Self::Realtime => topic
                .map(|topic| (format!(r#"{{"action":"subscribe","id":1,"topic":"{topic}"}}"#), Some(r#""ack""#)))
                .into_iter()
                .collect(),
            Self::Nats => {
                let subscribe = topic.map(|topic| format!("SUB {topic} 1\r\n")).unwrap_or_default();
                vec![(format!("CONNECT {{\"verbose\":false}}\r\n{subscribe}PING\r\n"), Some("PONG"))]
            }
            Self::SocketIo => vec![("40".to_owned(), Some("40{"))],
            Self::Floor | Self::FloorLong | Self::Handwritten | Self::Nchan | Self::Ws => Vec::new(),
        }
    }

    /// What a publisher sends first.
    pub(crate) fn publisher_hello(self) -> &'static str {
        match self {
            Self::Nats => "CONNECT {\"verbose\":false}\r\n",
            _ => "",
        }
    }

    /// What publishes all of `messages` at once, in the way that the server has for that.
    pub(crate) fn publications(self, messages: &[(Target, String)]) -> String {
        if self == Self::Realtime && messages.len() > 1 {
            let body = realtime::batch(messages);
            let (head, length) = (realtime::KEY_HEADER, body.len());
            return format!(
                "POST /api/v1/publish/batch HTTP/1.1\r\nHost: bench\r\n{head}Content-Length: {length}\r\n\r\n{body}"
            );
        }
        messages.iter().map(|(target, text)| self.publication(target, text)).collect()
    }

    /// A publication of `text` as the server takes it.
    fn publication(self, target: &Target, text: &str) -> String {
        let post = |path: &str, head: &str, body: &str| {
            format!("POST {path} HTTP/1.1\r\nHost: bench\r\n{head}Content-Length: {}\r\n\r\n{body}", body.len())
        };
        let Target::Topic(topic) = target else {
            return post("/api/v1/publish", realtime::KEY_HEADER, &realtime::body(target, text));
        };
        match self {
            Self::Realtime => post("/api/v1/publish", realtime::KEY_HEADER, &realtime::body(target, text)),
            Self::Nchan => post(&format!("/pub/{topic}"), "", text),
            Self::Ws | Self::SocketIo => post(&format!("/{topic}"), "", text),
            Self::Nats => format!("PUB {topic} {}\r\n{text}\r\n", text.len()),
            Self::Floor | Self::FloorLong | Self::Handwritten => {
                let to = topic.strip_prefix("bench.").unwrap_or("*");
                match self {
                    Self::FloorLong => format!("{to} {text:x<0$}\n", text.len() + realtime::ENVELOPE),
                    _ => format!("{to} {text}\n"),
                }
            }
        }
    }

    /// Whether an entrant of this name is a server that one may choose instead of ours: no reference of our own.
    pub(crate) fn is_peer(name: &str) -> bool {
        Self::ALL.into_iter().any(|server| {
            let ours = server.is_floor() || matches!(server, Self::Realtime | Self::Handwritten);
            !ours && server.name() == name
        })
    }

    /// Whether it is the floor, bare or long.
    pub(crate) fn is_floor(self) -> bool {
        matches!(self, Self::Floor | Self::FloorLong)
    }

    /// Whether it has topics, and so can be measured with many.
    pub(crate) fn has_topics(self) -> bool {
        !matches!(self, Self::Floor | Self::FloorLong | Self::Handwritten | Self::SocketIo)
    }
}

impl Running {
    pub(crate) fn pids(&self) -> Vec<u32> {
        self.process.id().into_iter().collect()
    }

    /// Ends the process and its children, and waits until they are gone.
    pub(crate) async fn stop(mut self) {
        if let Some(pid) = self.process.id() {
            // SIGTERM first: nginx ends its workers itself.
            let asked = Command::new("kill").args(["-TERM", &pid.to_string()]).status().await;
            if asked.is_ok() && timeout(Duration::from_secs(5), self.process.wait()).await.is_ok() {
                return;
            }
        }
        drop(self.process.kill().await);
    }
}

/// A command that is pinned to the servers' cores.
fn pinned(start: &Start, program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", start.cores]).arg(program).env_remove("REALTIME_BENCH_PINNED");
    command
}

/// A free port of this machine.
fn free_port() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn on_path(name: &str) -> Option<PathBuf> {
    let paths = env::var_os("PATH")?;
    env::split_paths(&paths).chain(["/usr/sbin".into()]).map(|folder| folder.join(name)).find(|path| path.is_file())
}
