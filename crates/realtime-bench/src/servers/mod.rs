//! The servers that are compared: their names, and what this machine lacks to run them.

mod centrifugo;
pub(crate) mod floor;
pub(crate) mod handwritten;
mod nats;
mod nchan;
mod node;
mod process;
mod protocol;
pub(crate) mod realtime;
mod redis;

pub(crate) use process::{History, ONE_CORE, Running, Start};

use std::{env, path::PathBuf};

use crate::options::Options;

/// A server that may be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    /// Writes the messages bare.
    Floor,
    /// The floor again, with messages as long as the frames of `Realtime`.
    FloorLong,
    Realtime,
    Handwritten,
    Centrifugo,
    Nchan,
    Nats,
    /// NATS with a stream that keeps the messages, and a consumer for each subscriber.
    JetStream,
    Ws,
    SocketIo,
    /// socket.io with its adapter for Redis Streams, which keeps the messages.
    SocketIoRedis,
}

/// The protocol of a server.
pub(crate) type Dialect = Server;

impl Server {
    /// Every server.
    pub(crate) const ALL: [Self; 11] = [
        Self::Floor,
        Self::FloorLong,
        Self::Realtime,
        Self::Handwritten,
        Self::Centrifugo,
        Self::Nchan,
        Self::Nats,
        Self::JetStream,
        Self::Ws,
        Self::SocketIo,
        Self::SocketIoRedis,
    ];

    /// Those of the cases without history.
    pub(crate) fn live() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|server| !matches!(server, Self::JetStream | Self::SocketIoRedis))
    }

    /// The peers that keep what was published.
    pub(crate) const WITH_HISTORY: [Self; 4] = [Self::Centrifugo, Self::Nchan, Self::JetStream, Self::SocketIoRedis];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::FloorLong => "floor-long",
            Self::Realtime => "realtime",
            Self::Handwritten => "handwritten",
            Self::Centrifugo => "centrifugo",
            Self::Nchan => "nchan",
            Self::Nats => "nats",
            Self::JetStream => "nats-jetstream",
            Self::Ws => "ws",
            Self::SocketIo => "socket.io",
            Self::SocketIoRedis => "socket.io-redis",
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
            Self::Centrifugo => centrifugo::missing(),
            Self::Nchan => nchan::missing(),
            Self::Nats | Self::JetStream => on_path("nats-server").is_none().then(|| "install nats-server".into()),
            Self::Ws => node::missing("ws"),
            Self::SocketIo => node::missing("socket.io"),
            Self::SocketIoRedis => node::missing("@socket.io/redis-streams-adapter").or_else(redis::missing),
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
        !matches!(self, Self::Floor | Self::FloorLong | Self::Handwritten | Self::SocketIo | Self::SocketIoRedis)
    }
}

fn on_path(name: &str) -> Option<PathBuf> {
    let paths = env::var_os("PATH")?;
    env::split_paths(&paths).chain(["/usr/sbin".into()]).map(|folder| folder.join(name)).find(|path| path.is_file())
}
