//! The cases: what is done with a server, and which servers are compared in each.

use crate::{
    servers::{ONE_CORE, Server},
    tokens,
};

/// The topic that every subscriber of a case has, or its prefix.
pub(crate) const TOPIC: &str = "bench";

/// What is done with a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One topic with a thousand subscribers; `burst` messages of `size` bytes are published at once, and the next burst
    /// when every subscriber has received them.
    FanOut { size: usize, burst: usize },
    /// A thousand topics with one subscriber each, published to one after the other.
    Topics,
    /// The same topics, all published to in one batch.
    TopicsBatch,
    /// A role that half of a thousand connections have.
    Role,
    /// One user among many.
    User,
    /// One topic with a thousand subscribers, thirty times a second.
    Rate(Interference),
    /// One topic with many subscribers which read only when the server has written everything.
    WriteRate,
    /// Many connections that do nothing.
    Idle,
    /// Connections with tokens of a kind.
    Accept(tokens::Kind),
}

impl Kind {
    /// The kind of tokens that its connections present.
    pub(crate) fn tokens(self) -> tokens::Kind {
        if let Self::Accept(kind) = self { kind } else { tokens::Kind::Hs256 }
    }
}

/// Connections beside the subscribers that are measured, which interfere with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interference {
    /// None.
    None,
    /// One that never reads.
    Stalled,
    /// A hundred that read only just as fast as messages arrive.
    Slow,
    /// Connections that come, subscribe and go, and one that subscribes and unsubscribes without pause.
    Churn,
}

/// A server in a case, with its settings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entrant {
    /// Its name in the report.
    pub(crate) label: &'static str,
    pub(crate) server: Server,
    pub(crate) kind: Kind,
    /// The cores that the server may use.
    pub(crate) cores: &'static str,
}

/// What is compared.
pub(crate) struct Case {
    pub(crate) name: String,
    /// The first is what the others are compared with.
    pub(crate) entrants: Vec<Entrant>,
}

/// The core of the servers and that of the clients.
const TWO_CORES: &str = "0,1";

/// Every case, in the order in which they run.
pub(crate) fn cases() -> Vec<Case> {
    let entrant = |server: Server, kind| Entrant { label: server.name(), server, kind, cores: ONE_CORE };
    let ours = |label, kind, cores| Entrant { label, server: Server::Realtime, kind, cores };
    let mut cases = Vec::new();
    let mut case = |name: &str, entrants| cases.push(Case { name: name.to_owned(), entrants });
    let with = |kind: Kind, servers: &[Server]| servers.iter().map(|server| entrant(*server, kind)).collect::<Vec<_>>();

    for (size, label) in [(128, "128B"), (1024, "1KiB"), (16 * 1024, "16KiB")] {
        for burst in [1, 16, 64] {
            case(&format!("fan-out {label} x{burst}"), with(Kind::FanOut { size, burst }, &Server::ALL));
        }
    }
    case("rate 30k/s", with(Kind::Rate(Interference::None), &Server::ALL));
    let with_topics: Vec<_> =
        Server::ALL.into_iter().filter(|server| server.has_topics() || server.is_floor()).collect();
    case("topics 1000x1", with(Kind::Topics, &with_topics));
    case("topics 1000x1 batch", with(Kind::TopicsBatch, &with_topics));
    case("role of half", with(Kind::Role, &[Server::Floor, Server::FloorLong, Server::Realtime]));
    case("user of many", with(Kind::User, &[Server::Realtime]));
    let beside = |label, beside| ours(label, Kind::Rate(beside), ONE_CORE);
    case("stalled reader", vec![beside("without", Interference::None), beside("with", Interference::Stalled)]);
    case("slow readers", vec![beside("without", Interference::None), beside("with", Interference::Slow)]);
    case("churn", vec![beside("without", Interference::None), beside("with", Interference::Churn)]);
    case("two cores", vec![ours("one", Kind::WriteRate, ONE_CORE), ours("two", Kind::WriteRate, TWO_CORES)]);
    let servers: Vec<_> = Server::ALL.into_iter().filter(|server| !server.is_floor()).collect();
    case("idle", with(Kind::Idle, &servers));
    for kind in tokens::Kind::ALL {
        case(&format!("accept {}", kind.name()), with(Kind::Accept(kind), &[Server::Handwritten, Server::Realtime]));
    }
    cases
}

/// Whether `--quick` runs the case: those that have targets.
pub(crate) fn is_quick(name: &str) -> bool {
    name.starts_with("fan-out 128B") || ["rate 30k/s", "idle", "accept HS256"].contains(&name)
}
