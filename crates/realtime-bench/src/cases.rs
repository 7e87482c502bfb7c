//! The cases, and who is compared in each: every entrant in turn, the order changing from round to round.

use std::time::Instant;

use tokio::task::LocalSet;

use crate::{
    Options, Result, crowd,
    report::Report,
    servers::{ONE_CORE, Server},
    targets::{self, TARGETS},
    tokens,
};

/// What is done with a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One topic with a thousand subscribers; so many messages of a size are published at once, and the next when
    /// all have them.
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
    Rate(Beside),
    /// One topic with many subscribers who read only when the server has written all.
    Written,
    /// Many connections that do nothing.
    Idle,
    /// Connections with tokens of a kind.
    Accept(tokens::Kind),
}

/// Who is there besides the subscribers that are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beside {
    /// Nobody.
    Nobody,
    /// One that never reads.
    Stalled,
    /// A hundred that read as little as they can without falling behind for good.
    Slow,
    /// Connections that come, subscribe and go, and one that subscribes and unsubscribes without pause.
    Churn,
}

/// One of those that a case compares.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entrant {
    /// How the report calls it.
    pub(crate) label: &'static str,
    pub(crate) server: Server,
    pub(crate) kind: Kind,
    /// The cores that the server may use.
    pub(crate) cores: &'static str,
}

/// What is measured side by side.
struct Case {
    name: String,
    /// The first is what the others are compared with.
    entrants: Vec<Entrant>,
}

/// The core of the servers and that of the clients.
const TWO_CORES: &str = "0,1";

fn cases() -> Vec<Case> {
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
    case("rate 30k/s", with(Kind::Rate(Beside::Nobody), &Server::ALL));
    let with_topics: Vec<_> =
        Server::ALL.into_iter().filter(|server| server.has_topics() || server.is_floor()).collect();
    case("topics 1000x1", with(Kind::Topics, &with_topics));
    case("topics 1000x1 batch", with(Kind::TopicsBatch, &with_topics));
    case("role of half", with(Kind::Role, &[Server::Floor, Server::FloorLong, Server::Realtime]));
    case("user of many", with(Kind::User, &[Server::Realtime]));
    let beside = |label, beside| ours(label, Kind::Rate(beside), ONE_CORE);
    case("stalled reader", vec![beside("without", Beside::Nobody), beside("with", Beside::Stalled)]);
    case("slow readers", vec![beside("without", Beside::Nobody), beside("with", Beside::Slow)]);
    case("churn", vec![beside("without", Beside::Nobody), beside("with", Beside::Churn)]);
    case("two cores", vec![ours("one", Kind::Written, ONE_CORE), ours("two", Kind::Written, TWO_CORES)]);
    let servers: Vec<_> = Server::ALL.into_iter().filter(|server| !server.is_floor()).collect();
    case("idle", with(Kind::Idle, &servers));
    for kind in tokens::Kind::ALL {
        case(&format!("accept {}", kind.name()), with(Kind::Accept(kind), &[Server::Handwritten, Server::Realtime]));
    }
    cases
}

/// Those that `--quick` runs: what the targets are about.
fn is_quick(name: &str) -> bool {
    name.starts_with("fan-out 128B") || ["rate 30k/s", "idle", "accept HS256"].contains(&name)
}

/// Runs every case that was asked for, and writes the report.
pub(crate) async fn run(options: &Options) -> Result<()> {
    let mut report = Report::default();
    let mut missing: Vec<Server> = Vec::new();
    for server in Server::ALL {
        let unwanted = !options.servers.is_empty() && !options.servers.iter().any(|name| name == server.name());
        if unwanted && !server.is_floor() {
            missing.push(server);
        } else if let Some(why) = server.missing(options) {
            println!("without {}: {why}", server.name());
            missing.push(server);
        }
    }
    let cases = cases();
    let exact = cases.iter().any(|case| Some(&case.name) == options.only.as_ref());
    let wanted = |case: &&Case| match &options.only {
        Some(name) if exact => case.name == *name,
        Some(part) => case.name.contains(part.as_str()),
        None => !options.quick || is_quick(&case.name),
    };
    let cases: Vec<_> = cases.iter().filter(wanted).collect();
    if cases.is_empty() {
        return Err("no case has such a name".into());
    }
    let begun = Instant::now();
    let mut failed = Vec::new();
    'cases: for (at, case) in cases.iter().enumerate() {
        let entrants: Vec<_> = case.entrants.iter().filter(|entrant| !missing.contains(&entrant.server)).collect();
        for round in 0..options.rounds() {
            for turn in 0..entrants.len() {
                let entrant = entrants[(turn + round) % entrants.len()];
                eprint!(
                    "\r[{:4.0} s] case {} of {}: {}, round {} of {}, {}          ",
                    begun.elapsed().as_secs_f64(),
                    at + 1,
                    cases.len(),
                    case.name,
                    round + 1,
                    options.rounds(),
                    entrant.label
                );
                match LocalSet::new().run_until(crowd::measure(entrant, options)).await {
                    Ok(figures) => report.add(&case.name, entrant.label, entrants[0].label, figures),
                    // The other cases may still tell something.
                    Err(error) => {
                        failed.push(format!("{}, {}: {error}", case.name, entrant.label));
                        report.forget(&case.name);
                        continue 'cases;
                    }
                }
            }
        }
    }
    eprintln!("\r[{:4.0} s] done{:60}", begun.elapsed().as_secs_f64(), "");
    report.write(options, &targets::judge(&report, &TARGETS))?;
    if failed.is_empty() { Ok(()) } else { Err(format!("without a figure: {}", failed.join("; ")).into()) }
}
