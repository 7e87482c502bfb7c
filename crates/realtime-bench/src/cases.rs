//! The cases, and how each is run: every server in turn, the order changing from round to round.

use std::time::{Duration, Instant};

use tokio::{
    task::LocalSet,
    time::{interval, sleep},
};

use crate::{
    Options, Result, machine, marker,
    publisher::{Publisher, Target},
    report::{Figures, Report},
    servers::{Running, Server, Start},
    subscribers::{self, Subscribers, Wish},
    tokens,
};

/// A measurement that has lasted this long ends before its last burst: the slow ones have enough to show.
const LONG_ENOUGH: Duration = Duration::from_secs(2);
/// But not before so many bursts.
const FEWEST_BURSTS: usize = 3;

/// What is done with a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// One topic with a thousand subscribers; so many messages of a size are published at once, and the next when
    /// all have them.
    FanOut { size: usize, burst: usize },
    /// A thousand topics with one subscriber each, published to one after the other.
    Topics,
    /// A role that half of a thousand connections have.
    Role,
    /// One user among many.
    User,
    /// One topic with a thousand subscribers, thirty times a second.
    Rate,
    /// The same, beside a reader that never reads.
    Slow,
    /// Many connections that do nothing.
    Idle,
    /// Connections with tokens of a kind.
    Accept(tokens::Kind),
    /// One topic with a thousand subscribers, while others subscribe and unsubscribe.
    Churn,
}

struct Case {
    name: String,
    kind: Kind,
    /// What the others are compared with.
    reference: Server,
    servers: Vec<Server>,
}

fn cases() -> Vec<Case> {
    let all = Server::ALL.to_vec();
    let ours = || vec![Server::Floor, Server::FloorLong, Server::Realtime];
    let with_topics =
        || Server::ALL.into_iter().filter(|s| s.has_topics() && *s != Server::SocketIo || s.is_floor()).collect();
    let case = |name: &str, kind, reference, servers| Case { name: name.to_owned(), kind, reference, servers };
    let mut cases = Vec::new();
    for (size, label) in [(128, "128B"), (1024, "1KiB"), (16 * 1024, "16KiB")] {
        for burst in [1, 16, 64] {
            let kind = Kind::FanOut { size, burst };
            cases.push(case(&format!("fan-out {label} x{burst}"), kind, Server::Floor, all.clone()));
        }
    }
    cases.push(case("rate 30k/s", Kind::Rate, Server::Floor, all.clone()));
    cases.push(case("topics 1000x1", Kind::Topics, Server::Floor, with_topics()));
    cases.push(case("role of half", Kind::Role, Server::Floor, ours()));
    cases.push(case("user of many", Kind::User, Server::Realtime, vec![Server::Realtime]));
    cases.push(case("slow reader", Kind::Slow, Server::Realtime, vec![Server::Realtime]));
    cases.push(case("churn", Kind::Churn, Server::Realtime, vec![Server::Realtime]));
    cases.push(case("idle", Kind::Idle, Server::Realtime, all.into_iter().filter(|s| !s.is_floor()).collect()));
    for kind in tokens::Kind::ALL {
        let servers = vec![Server::Handwritten, Server::Realtime];
        cases.push(case(&format!("accept {}", kind.name()), Kind::Accept(kind), Server::Handwritten, servers));
    }
    cases
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
    let quick = ["fan-out 128B x1", "fan-out 128B x16", "fan-out 128B x64", "rate 30k/s", "idle", "accept HS256"];
    let cases = cases();
    let exact = cases.iter().any(|case| Some(&case.name) == options.only.as_ref());
    let wanted = |case: &&Case| match &options.only {
        Some(name) if exact => case.name == *name,
        Some(part) => case.name.contains(part.as_str()),
        None => !options.quick || quick.contains(&case.name.as_str()),
    };
    let cases: Vec<_> = cases.iter().filter(wanted).collect();
    let begun = Instant::now();
    for (at, case) in cases.iter().enumerate() {
        let servers: Vec<_> = case.servers.iter().copied().filter(|server| !missing.contains(server)).collect();
        for round in 0..options.rounds() {
            for turn in 0..servers.len() {
                let server = servers[(turn + round) % servers.len()];
                eprint!(
                    "\r[{:4.0} s] case {} of {}: {}, round {} of {}, {}          ",
                    begun.elapsed().as_secs_f64(),
                    at + 1,
                    cases.len(),
                    case.name,
                    round + 1,
                    options.rounds(),
                    server.name()
                );
                let figures = LocalSet::new()
                    .run_until(measure(case.kind, server, options))
                    .await
                    .map_err(|error| format!("{}, {}: {error}", case.name, server.name()))?;
                report.add(&case.name, server.name(), case.reference.name(), figures);
            }
        }
    }
    eprintln!("\r[{:4.0} s] done{:60}", begun.elapsed().as_secs_f64(), "");
    report.write(options)
}

/// Connections of a case.
fn crowd(kind: Kind, options: &Options) -> usize {
    match kind {
        Kind::Idle if options.quick => 3_000,
        Kind::Idle | Kind::User => 10_000,
        Kind::Accept(_) => 2_000,
        _ => 1_000,
    }
}

/// What each connection brings along and subscribes to.
fn wishes(kind: Kind, count: usize) -> Result<Vec<Wish>> {
    let token = if let Kind::Accept(kind) = kind { kind } else { tokens::Kind::Hs256 };
    let topic = |n: usize| match kind {
        Kind::Topics | Kind::Idle => Some(format!("bench.{n}")),
        Kind::Role | Kind::User | Kind::Accept(_) => None,
        _ => Some("bench".to_owned()),
    };
    let tokens = token.tokens(count)?.into_iter().enumerate();
    Ok(tokens.map(|(n, token)| Wish { token, topic: topic(n) }).collect())
}

async fn measure(kind: Kind, server: Server, options: &Options) -> Result<Figures> {
    let token = if let Kind::Accept(kind) = kind { kind } else { tokens::Kind::Hs256 };
    let running = server.start(options, &Start { tokens: token, ..Start::default() }).await?;
    let measured = with_server(kind, &running, options).await;
    running.stop().await;
    measured
}

async fn with_server(kind: Kind, running: &Running, options: &Options) -> Result<Figures> {
    let mut count = crowd(kind, options);
    if kind == Kind::Role && running.server.is_floor() {
        // It knows no roles: its whole crowd is the half.
        count /= 2;
    }
    let wishes = wishes(kind, count)?;
    let start = Instant::now();
    // A first connection pays what is paid once.
    drop(subscribers::connect(running.subscribers, running.server, vec![wishes[0].clone()]).await?);
    sleep(Duration::from_millis(200)).await;
    let (memory, cpu, began) =
        (machine::resident_kib(&running.pids())?, machine::cpu_seconds(&running.pids())?, Instant::now());
    let sockets = subscribers::connect(running.subscribers, running.server, wishes).await?;
    let (accepting, took) = (machine::cpu_seconds(&running.pids())? - cpu, began.elapsed());
    let per = |total: f64| total / count as f64;
    match kind {
        Kind::Idle => {
            sleep(Duration::from_secs(2)).await;
            let held = machine::resident_kib(&running.pids())?.saturating_sub(memory);
            return Ok(Figures {
                kib_per_connection: Some(per(held as f64)),
                cpu_us_per_accept: Some(per(accepting * 1e6)),
                ..Figures::default()
            });
        }
        Kind::Accept(_) => {
            return Ok(Figures {
                cpu_us_per_accept: Some(per(accepting * 1e6)),
                wall_us_per_accept: Some(per(took.as_secs_f64() * 1e6)),
                ..Figures::default()
            });
        }
        _ => {}
    }
    let crowd = Crowd { kind, running, readers: Subscribers::read(sockets, start), start, count };
    crowd.measure(options).await
}

/// A server with its subscribers, who read.
struct Crowd<'a> {
    kind: Kind,
    running: &'a Running,
    readers: Subscribers,
    start: Instant,
    count: usize,
}

impl Crowd<'_> {
    async fn measure(self, options: &Options) -> Result<Figures> {
        let mut publisher = Publisher::connect(self.running.publishers, self.running.server).await?;
        // The floor takes new sockets when something is published.
        sleep(Duration::from_millis(50)).await;
        let scale = if options.quick { 1 } else { 2 };
        let (size, burst, warm, bursts, pause) = match self.kind {
            Kind::FanOut { size, burst } => {
                // Long enough to be measured: the larger the bursts, the less a message costs.
                let messages = if size > 8_000 { 64 } else { 192 } * scale * burst.min(8);
                (size, burst, 4, messages / burst, None)
            }
            Kind::Rate | Kind::Slow => (128, 1, 15, 90 * scale, Some(Duration::from_micros(33_333))),
            Kind::Churn | Kind::Role => (128, 1, 10, 100 * scale, None),
            Kind::Topics => (128, self.count, 1, 10 * scale, None),
            Kind::User => (128, 1, 50, 1_000 * scale, None),
            Kind::Idle | Kind::Accept(_) => return Ok(Figures::default()),
        };
        let _slow = match self.kind {
            Kind::Slow => Some(self.one_that_never_reads().await?),
            _ => None,
        };
        let churn = (self.kind == Kind::Churn).then(|| self.churn());
        let mut sent = Sent::default();
        for _ in 0..warm {
            self.burst(&mut publisher, &mut sent, size, burst).await?;
        }
        self.readers.forget_latency();
        let before = sent.deliveries;
        let (cpu, began) = (machine::cpu_seconds(&self.running.pids())?, Instant::now());
        let mut ticks = pause.map(interval);
        for done in 0..bursts {
            match &mut ticks {
                Some(ticks) => drop(ticks.tick().await),
                None if done >= FEWEST_BURSTS && began.elapsed() > LONG_ENOUGH => break,
                None => {}
            }
            self.burst(&mut publisher, &mut sent, size, burst).await?;
        }
        let (cpu, took) = (machine::cpu_seconds(&self.running.pids())? - cpu, began.elapsed().as_secs_f64());
        if let Some(churn) = churn {
            churn.abort();
        }
        // What is sent twice comes after what was awaited.
        sleep(Duration::from_millis(50)).await;
        let seen = self.readers.finish();
        let deliveries = (sent.deliveries - before) as f64;
        Ok(Figures {
            cpu_us_per_delivery: Some(cpu * 1e6 / deliveries),
            deliveries_per_s: Some(deliveries / took),
            latency_us: Some([0.5, 0.99, 0.999].map(|share| seen.latency.percentile(share))),
            missing: sent.deliveries.saturating_sub(seen.received),
            duplicated: seen.duplicated + seen.received.saturating_sub(sent.deliveries),
            out_of_order: seen.out_of_order,
            received: seen.received,
            bytes_per_delivery: Some(seen.bytes as f64 / seen.received as f64),
            ..Figures::default()
        })
    }

    /// Publishes so many messages at once, and waits until everyone has them.
    async fn burst(&self, publisher: &mut Publisher, sent: &mut Sent, size: usize, burst: usize) -> Result<()> {
        let now = marker::micros(self.start);
        if self.kind == Kind::Topics {
            // One message to each topic; each subscriber counts its own.
            for n in 0..burst {
                let text = marker::message(sent.rounds, marker::micros(self.start), size);
                publisher.publish(&Target::Topic(format!("bench.{n}")), &[text]).await?;
                sent.deliveries += 1;
                self.readers.received(sent.deliveries).await?;
            }
            sent.rounds += 1;
            return Ok(());
        }
        let (target, takers) = match (self.kind, self.running.server) {
            (Kind::Role, Server::Realtime) => (Target::Role("half".into()), self.count / 2),
            (Kind::User, _) => (Target::User("user-4500".into()), 1),
            _ => (Target::Topic("bench".into()), self.count),
        };
        let texts: Vec<_> = (0..burst as u64).map(|n| marker::message(sent.messages + n, now, size)).collect();
        publisher.publish(&target, &texts).await?;
        sent.messages += burst as u64;
        sent.deliveries += (burst * takers) as u64;
        self.readers.received(sent.deliveries).await
    }

    async fn one_that_never_reads(&self) -> Result<Vec<subscribers::Connected>> {
        let token = tokens::Kind::Hs256.tokens(1)?.remove(0);
        let wish = Wish { token, topic: Some("bench".into()) };
        subscribers::connect(self.running.subscribers, self.running.server, vec![wish]).await
    }

    /// Connections that come, subscribe, and go, one after the other, until it is aborted.
    fn churn(&self) -> tokio::task::JoinHandle<()> {
        let (address, server) = (self.running.subscribers, self.running.server);
        tokio::task::spawn_local(async move {
            let Ok(tokens) = tokens::Kind::Hs256.tokens(1) else { return };
            loop {
                // Of a topic that others read, so that its list of listeners changes under the fan-out; it is gone
                // again before it could count.
                let wish = Wish { token: tokens[0].clone(), topic: Some("bench".into()) };
                if subscribers::connect(address, server, vec![wish]).await.is_err() {
                    return;
                }
            }
        })
    }
}

/// What was published so far.
#[derive(Default)]
struct Sent {
    messages: u64,
    deliveries: u64,
    rounds: u64,
}
