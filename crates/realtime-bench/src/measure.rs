//! One measurement: one server in one case.

use std::time::{Duration, Instant};

use tokio::time::{interval, sleep};

use crate::{
    cases::{Entrant, Interference, Kind, TOPIC},
    figures::Figures,
    history, interference, machine,
    options::{Options, Result},
    publisher::Publisher,
    sequence,
    servers::{Running, Server, Start},
    subscribers::{self, Subscribers},
    wire::{Client, Target},
    write_rate,
};

/// A measurement that has lasted this long ends early: a slow server has shown enough by then.
const LONG_ENOUGH: Duration = Duration::from_secs(1);
/// But not before this many bursts.
const FEWEST_BURSTS: usize = 3;

/// Connections of a case.
fn size(kind: Kind, options: &Options) -> usize {
    match kind {
        Kind::Idle | Kind::IdleFive if options.quick => 3_000,
        Kind::Idle | Kind::IdleFive | Kind::User => 10_000,
        Kind::Steady { subscribers } => subscribers,
        Kind::WriteRate => 8_000,
        Kind::Accept(_) => 2_000,
        _ => 1_000,
    }
}

/// The token and the topics of each connection.
fn clients(kind: Kind, count: usize) -> Result<Vec<Client>> {
    let topics = |n: usize| match kind {
        Kind::Topics | Kind::TopicsBatch | Kind::Idle => vec![format!("{TOPIC}.{n}")],
        Kind::IdleFive => history::topics(n),
        Kind::Role | Kind::User | Kind::Accept(_) => Vec::new(),
        _ => vec![TOPIC.to_owned()],
    };
    let tokens = kind.tokens().tokens(count)?.into_iter().enumerate();
    Ok(tokens.map(|(n, token)| Client { topics: topics(n), ..Client::new(token, None) }).collect())
}

/// Starts the entrant's server, runs the case, and stops the server.
pub(crate) async fn measure(entrant: &Entrant, options: &Options) -> Result<Figures> {
    let start =
        Start { tokens: entrant.kind.tokens(), cores: entrant.cores, history: entrant.history, ..Start::default() };
    let mut running = entrant.server.start(options, &start).await?;
    let measured = match entrant.kind {
        Kind::Recover => history::recover(&running, options).await,
        Kind::UnderRecovery(load) => history::under_recovery(load, &running, options).await,
        Kind::Restart => history::restart(&mut running, &start, options).await,
        kind => with_server(kind, &running, options).await,
    };
    running.stop().await;
    measured
}

async fn with_server(kind: Kind, running: &Running, options: &Options) -> Result<Figures> {
    let mut count = size(kind, options);
    if kind == Kind::Role && running.server.is_floor() {
        // It has no roles: all of its subscribers stand for the half.
        count /= 2;
    }
    let clients = clients(kind, count)?;
    let start = Instant::now();
    // The first connection pays one-time costs. The floor counts every socket that it writes to, this one included.
    if !running.server.is_floor() {
        drop(subscribers::connect(running.subscribers, running.server, vec![clients[0].clone()]).await?);
        sleep(Duration::from_millis(200)).await;
    }
    let (memory, cpu, began) =
        (machine::resident_kib(&running.pids())?, machine::cpu_seconds(&running.pids())?, Instant::now());
    let sockets = subscribers::connect(running.subscribers, running.server, clients).await?;
    let (accepting, took) = (machine::cpu_seconds(&running.pids())? - cpu, began.elapsed());
    let per = |total: f64| total / count as f64;
    match kind {
        Kind::Idle | Kind::IdleFive => {
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
    let readers = Subscribers::read(sockets, start);
    if kind == Kind::WriteRate {
        return write_rate::measure(running, readers, start, options).await;
    }
    Measurement { kind, running, readers, start, count }.measure(options).await
}

/// A server and its subscribers, which read.
struct Measurement<'a> {
    kind: Kind,
    running: &'a Running,
    readers: Subscribers,
    start: Instant,
    count: usize,
}

impl Measurement<'_> {
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
            Kind::Rate(_) => (128, 1, 15, 60 * scale, Some(Duration::from_micros(33_333))),
            Kind::Role => (128, 1, 10, 100 * scale, None),
            Kind::Topics | Kind::TopicsBatch => (128, self.count, 1, 10 * scale, None),
            Kind::User => (128, 1, 50, 1_000 * scale, None),
            Kind::Steady { subscribers } => (128, 1, 50, if subscribers == 1 { 1_000 } else { 150 } * scale, None),
            Kind::Idle
            | Kind::IdleFive
            | Kind::Accept(_)
            | Kind::WriteRate
            | Kind::Recover
            | Kind::UnderRecovery(_)
            | Kind::Restart => return Ok(Figures::default()),
        };
        let kind = if let Kind::Rate(interference) = self.kind { interference } else { Interference::None };
        let load = interference::start(kind, self.running).await?;
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
        drop(load);
        // Duplicates arrive after the expected messages.
        sleep(Duration::from_millis(50)).await;
        let seen = self.readers.finish();
        let deliveries = (sent.deliveries - before) as f64;
        let per_publication = |subscribers: usize| cpu * 1e6 / deliveries * subscribers as f64;
        let steady = if let Kind::Steady { subscribers } = self.kind { Some(subscribers) } else { None };
        Ok(Figures {
            cpu_us_per_delivery: Some(cpu * 1e6 / deliveries),
            cpu_us_per_publication: steady.map(per_publication),
            deliveries_per_s: Some(deliveries / took),
            latency_us: Some([0.5, 0.99, 0.999].map(|share| seen.latency.percentile(share))),
            bytes_per_delivery: Some(seen.bytes as f64 / seen.received as f64),
            ..Figures::complete(&seen, sent.deliveries)
        })
    }

    /// Publishes `burst` messages at once, and waits until every subscriber has received them.
    async fn burst(&self, publisher: &mut Publisher, sent: &mut Sent, size: usize, burst: usize) -> Result<()> {
        let now = || sequence::micros(self.start);
        let one_each = |n: usize| (Target::Topic(format!("{TOPIC}.{n}")), sequence::message(sent.rounds, now(), size));
        let (target, recipients) = match (self.kind, self.running.server) {
            (Kind::Topics, _) => {
                // Each subscriber counts its own messages.
                for n in 0..burst {
                    publisher.publish(&[one_each(n)]).await?;
                    sent.deliveries += 1;
                    self.readers.received(sent.deliveries).await?;
                }
                sent.rounds += 1;
                return Ok(());
            }
            (Kind::TopicsBatch, _) => {
                publisher.publish(&(0..burst).map(one_each).collect::<Vec<_>>()).await?;
                sent.rounds += 1;
                sent.deliveries += burst as u64;
                return self.readers.received(sent.deliveries).await;
            }
            (Kind::Role, Server::Realtime) => (Target::Role("half".into()), self.count / 2),
            (Kind::User, _) => (Target::User("user-4500".into()), 1),
            _ => (Target::Topic(TOPIC.into()), self.count),
        };
        let now = now();
        let message = |n| (target.clone(), sequence::message(sent.messages + n, now, size));
        publisher.publish(&(0..burst as u64).map(message).collect::<Vec<_>>()).await?;
        sent.messages += burst as u64;
        sent.deliveries += (burst * recipients) as u64;
        self.readers.received(sent.deliveries).await
    }
}

/// The number of messages published so far.
#[derive(Default)]
struct Sent {
    messages: u64,
    deliveries: u64,
    rounds: u64,
}
