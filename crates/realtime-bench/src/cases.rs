//! The cases: what is done with a server, and which servers are compared in each.

use crate::{
    servers::{History, ONE_CORE, Server},
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
    /// One topic, published to one message after the other.
    Steady { subscribers: usize },
    /// A thousand clients that come back and recover what was published meanwhile.
    Recover,
    /// A publisher, and a thousand clients of its topic.
    UnderRecovery(Load),
    /// Many connections that do nothing, with five topics each.
    IdleFive,
    /// Ten thousand clients, with five topics each, which come back at once after a restart.
    Restart,
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

/// What the clients of a publisher's topic do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    /// They are not there.
    Idle,
    /// They receive what is published.
    Live,
    /// They recover what was published before.
    Recovering,
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
    /// What it keeps.
    pub(crate) history: History,
}

/// What is compared.
pub(crate) struct Case {
    pub(crate) name: String,
    /// The first is what the others are compared with.
    pub(crate) entrants: Vec<Entrant>,
}

impl Case {
    /// Whether a server keeps history in it.
    pub(crate) fn has_history(&self) -> bool {
        self.entrants.iter().any(|entrant| entrant.history != History::Off)
    }
}

/// The reference of the cases with history: the same server without.
const WITHOUT: &str = "without history";

/// The core of the servers and that of the clients.
const TWO_CORES: &str = "0,1";

/// Every case, in the order in which they run.
pub(crate) fn cases() -> Vec<Case> {
    let entrant =
        |server: Server, kind| Entrant { label: server.name(), server, kind, cores: ONE_CORE, history: History::Off };
    let ours = |label, kind, cores| Entrant { label, cores, ..entrant(Server::Realtime, kind) };
    let mut cases = Vec::new();
    let mut case = |name: &str, entrants| cases.push(Case { name: name.to_owned(), entrants });
    let with = |kind: Kind, servers: &[Server]| servers.iter().map(|server| entrant(*server, kind)).collect::<Vec<_>>();

    let live: Vec<_> = Server::live().collect();
    for (size, label) in [(128, "128B"), (1024, "1KiB"), (16 * 1024, "16KiB")] {
        for burst in [1, 16, 64] {
            case(&format!("fan-out {label} x{burst}"), with(Kind::FanOut { size, burst }, &live));
        }
    }
    case("rate 30k/s", with(Kind::Rate(Interference::None), &live));
    let with_topics: Vec<_> = live.iter().copied().filter(|server| server.has_topics() || server.is_floor()).collect();
    case("topics 1000x1", with(Kind::Topics, &with_topics));
    case("topics 1000x1 batch", with(Kind::TopicsBatch, &with_topics));
    case("role of half", with(Kind::Role, &[Server::Floor, Server::FloorLong, Server::Realtime]));
    case("user of many", with(Kind::User, &[Server::Realtime, Server::Centrifugo]));
    let beside = |label, beside| ours(label, Kind::Rate(beside), ONE_CORE);
    case("stalled reader", vec![beside("without", Interference::None), beside("with", Interference::Stalled)]);
    case("slow readers", vec![beside("without", Interference::None), beside("with", Interference::Slow)]);
    case("churn", vec![beside("without", Interference::None), beside("with", Interference::Churn)]);
    case("two cores", vec![ours("one", Kind::WriteRate, ONE_CORE), ours("two", Kind::WriteRate, TWO_CORES)]);
    let servers: Vec<_> = live.iter().copied().filter(|server| !server.is_floor()).collect();
    case("idle", with(Kind::Idle, &servers));
    for kind in tokens::Kind::ALL {
        let mut servers = vec![Server::Handwritten, Server::Realtime];
        if kind != tokens::Kind::EdDsa {
            servers.push(Server::Centrifugo);
        }
        case(&format!("accept {}", kind.name()), with(Kind::Accept(kind), &servers));
    }
    cases.extend(with_history());
    cases
}

/// The cases of topics with history.
fn with_history() -> Vec<Case> {
    let keeps =
        |server: Server, kind, history| Entrant { label: server.name(), server, kind, cores: ONE_CORE, history };
    let off = |kind| Entrant { label: WITHOUT, ..keeps(Server::Realtime, kind, History::Off) };
    let peers = |kind, history| Server::WITH_HISTORY.into_iter().map(move |server| keeps(server, kind, history));
    let case = |name: &str, entrants| Case { name: name.to_owned(), entrants };
    let mut cases = Vec::new();
    for subscribers in [1, 1_000] {
        // Few enough that the oldest goes with each publication.
        let (kind, history) = (Kind::Steady { subscribers }, History::Memory(100));
        let entrants = [off(kind), keeps(Server::Realtime, kind, history)].into_iter().chain(peers(kind, history));
        cases.push(case(&format!("history-x{subscribers}"), entrants.collect()));
    }
    let all = History::Memory(50_000);
    let recover = [Server::Realtime].into_iter().chain(Server::WITH_HISTORY);
    cases.push(case("recover", recover.map(|server| keeps(server, Kind::Recover, all)).collect()));
    let under = |label, load| Entrant { label, ..keeps(Server::Realtime, Kind::UnderRecovery(load), all) };
    let loads = vec![under("idle", Load::Idle), under("live", Load::Live), under("recovering", Load::Recovering)];
    cases.push(case("publisher-under-recovery", loads));
    // A consumer of JetStream for each of fifty thousand subscriptions is no way to use it.
    let (kind, history) = (Kind::IdleFive, History::Memory(100));
    let idle = [off(kind), keeps(Server::Realtime, kind, history)].into_iter().chain(peers(kind, history));
    cases.push(case("idle-history", idle.filter(|entrant| entrant.server != Server::JetStream).collect()));
    cases.push(case("restart", vec![keeps(Server::Realtime, Kind::Restart, History::Durable(100))]));
    cases
}

/// Whether `--quick` runs the case: those that have targets.
pub(crate) fn is_quick(name: &str) -> bool {
    name.starts_with("fan-out 128B")
        || ["rate 30k/s", "idle", "accept HS256", "history-x1", "history-x1000"].contains(&name)
}
