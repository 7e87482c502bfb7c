//! One random schedule: a client's machine, a model of the server, and a network with latency, cuts and closes.

use std::collections::{BTreeMap, VecDeque};

use serde_json::Value;

use super::{
    clock::{Clock, Key},
    model::{Model, OWN, Output, TOPICS},
    oracle::Oracle,
    random::Random,
};
use crate::machine::{
    ConnectionPhase, Effect, Emission, Event, Options, State, SubscriptionStatus, Timer, deliverable, step,
};

/// A socket, and the latest arrival in each direction: frames keep their order.
#[derive(Debug)]
pub(super) struct Link {
    n: u64,
    token: String,
    ticket: Option<String>,
    pub(super) open: bool,
    dropped: bool,
    to_client: u64,
    to_server: u64,
}

#[derive(Debug)]
pub(super) enum Due {
    Timer(Timer, u64),
    Token(u64, Option<String>),
    Connect(usize, bool),
    ToClient(usize, Value),
    Cut(usize, u16),
    ToServer(usize, Value),
    Closed(u64, u16),
}

#[derive(Debug)]
enum Out {
    Emission(Emission),
    Settled(u64, Option<String>),
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) clock: Clock<Due>,
    pub(super) random: Random,
    pub(super) server: Model,
    pub(super) oracle: Oracle,
    pub(super) state: State,
    pub(super) counts: BTreeMap<String, u64>,
    pub(super) links: Vec<Link>,
    timers: BTreeMap<Timer, Key>,
    outbox: VecDeque<Out>,
    settled: Vec<u64>,
    pub(super) counted: BTreeMap<&'static str, u64>,
    draining: bool,
    dialed_at: Option<u64>,
    pub(super) slept_at: Option<u64>,
    asked: u64,
    pub(super) published: u64,
    calm: bool,
    stopped: bool,
}

impl World {
    pub(super) fn new(seed: u32) -> Self {
        let options = Options { client: "tab-1".into(), first_id: 1, max_offline: 20, max_offline_bytes: 262_144 };
        Self {
            clock: Clock::new(),
            random: Random::new(seed),
            server: Model::new(),
            oracle: Oracle::default(),
            state: State::new(options),
            counts: BTreeMap::new(),
            links: Vec::new(),
            timers: BTreeMap::new(),
            outbox: VecDeque::new(),
            settled: Vec::new(),
            counted: BTreeMap::new(),
            draining: false,
            dialed_at: None,
            slept_at: None,
            asked: 0,
            published: 0,
            calm: false,
            stopped: true,
        }
    }

    pub(super) fn run(&mut self, steps: usize) {
        self.start();
        for _ in 0..steps {
            self.act();
            let ms = *self.random.pick(&[0, 1, 5, 20, 100, 500, 3_000]);
            self.advance(ms);
        }
        self.settle();
        self.stop();
    }

    pub(super) fn count(&mut self, what: &str) {
        *self.counts.entry(what.to_owned()).or_default() += 1;
    }

    pub(super) fn start(&mut self) {
        self.stopped = false;
        self.event(Event::Start);
    }

    pub(super) fn stop(&mut self) {
        self.stopped = true;
        self.event(Event::Stop);
        assert!(self.timers.is_empty(), "timers after stop: {:?}", self.timers);
        assert!(!self.links.iter().any(|link| link.open), "a socket after stop");
    }

    pub(super) fn tick(&mut self) {
        let out = self.server.tick(self.clock.now, &mut self.random);
        self.transmit(out);
    }

    pub(super) fn subscribe(&mut self, topic: &'static str) {
        *self.counted.entry(topic).or_default() += 1;
        self.oracle.subscribed.insert(topic.to_owned());
        self.event(Event::Subscribe { topic: topic.to_owned(), since: None, load: false });
    }

    pub(super) fn unsubscribe(&mut self, topic: &'static str) {
        let Some(count) = self.counted.get_mut(topic).filter(|count| **count > 0) else { return };
        *count -= 1;
        if *count == 0 {
            self.oracle.unsubscribed(topic);
        }
        self.event(Event::Unsubscribe { topic: topic.to_owned() });
    }

    pub(super) fn advance(&mut self, ms: u64) {
        let until = self.clock.now + ms;
        while let Some(due) = self.clock.pop(until) {
            self.fire(due);
        }
        self.clock.now = until;
    }

    pub(super) fn fire(&mut self, due: Due) {
        match due {
            Due::Timer(timer, key) => {
                self.timers.remove(&timer);
                self.event(Event::Timer { timer, key });
            }
            Due::Token(request, Some(token)) => self.event(Event::Token { request, token: Some(token) }),
            Due::Token(request, None) => self.event(Event::TokenFailed { request, message: "no network".into() }),
            Due::Connect(link, _) if !self.links[link].open => {}
            Due::Connect(link, true) => self.cut(link, 1006),
            Due::Connect(link, false) => {
                let Link { token, ticket, .. } = &self.links[link];
                let out = self.server.admit(self.clock.now, &mut self.random, link, token, ticket.as_deref());
                self.transmit(out);
            }
            Due::ToClient(link, frame) if self.links[link].open => {
                self.event(Event::Frame { n: self.links[link].n, text: frame.to_string() });
            }
            Due::Cut(link, code) if self.links[link].open => self.cut(link, code),
            Due::ToClient(..) | Due::Cut(..) => {}
            Due::ToServer(link, command) => {
                let out = self.server.command(self.clock.now, &mut self.random, link, &command);
                self.transmit(out);
            }
            Due::Closed(n, code) => {
                self.event(Event::Closed { n, code, reason: String::new() });
                // A network that changes says so at the same moment.
                if self.random.chance(0.2) {
                    self.event(Event::Online);
                }
            }
        }
    }

    /// In order; what is on its way when the link ends is lost.
    pub(super) fn transmit(&mut self, out: Vec<Output>) {
        for output in out {
            let (link, due) = match output {
                Output::Frame(link, frame) => (link, Due::ToClient(link, frame)),
                Output::Close(link, code) => (link, Due::Cut(link, code)),
            };
            let arrival = self.links[link].to_client.max(self.clock.now + self.random.below(60));
            self.links[link].to_client = arrival;
            self.clock.set(arrival - self.clock.now, due);
        }
    }

    pub(super) fn event(&mut self, event: Event) {
        let random = self.random.next();
        for effect in step(&mut self.state, event, self.clock.now as f64, random) {
            self.apply(effect);
        }
        if self.draining {
            return;
        }
        self.draining = true;
        while let Some(next) = self.outbox.pop_front() {
            self.deliver(next);
        }
        self.draining = false;
        if self.state.connection().phase != ConnectionPhase::Stopped {
            self.oracle.positions(&self.server.logs, &self.state);
        }
    }

    fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::AskToken { request, .. } => self.token(request),
            Effect::Dial { n, protocols, query } => {
                let ticket = query.get("resume").cloned();
                self.dial(n, protocols[1].strip_prefix("bearer.").expect("a token"), ticket);
            }
            Effect::Send { n, command } => {
                let link =
                    self.links.iter().position(|link| link.n == n).expect("a command for a socket that was dialed");
                if self.links[link].open {
                    let arrival = self.links[link].to_server.max(self.clock.now + self.random.below(60));
                    self.links[link].to_server = arrival;
                    self.clock.set(arrival - self.clock.now, Due::ToServer(link, Value::Object(command)));
                }
            }
            Effect::Drop { n, .. } => {
                if let Some(link) = self.links.iter().position(|link| link.n == n) {
                    self.links[link].dropped = true;
                    self.end(link);
                }
            }
            Effect::Arm { timer, key, ms } => {
                let set = self.clock.set(ms, Due::Timer(timer, key));
                if let Some(old) = self.timers.insert(timer, set) {
                    self.clock.clear(old);
                }
            }
            Effect::Disarm(timer) => {
                if let Some(old) = self.timers.remove(&timer) {
                    self.clock.clear(old);
                }
            }
            Effect::Settle { reference, result } => {
                self.outbox.push_back(Out::Settled(reference, result.err().map(|error| error.code)));
            }
            Effect::Load { .. } => unreachable!("no subscription loads"),
            Effect::Emit(emission) => self.outbox.push_back(Out::Emission(emission)),
        }
    }

    fn deliver(&mut self, next: Out) {
        let emission = match next {
            Out::Settled(n, error) => {
                self.settled.push(n);
                let awake = self.slept_at.is_none_or(|slept| self.clock.now > slept + 11_000);
                assert!(!awake || error.as_deref() != Some("timeout"), "a publication without a reply");
                return;
            }
            Out::Emission(emission) if deliverable(&self.state, &emission) => emission,
            Out::Emission(_) => return,
        };
        assert!(!self.stopped || matches!(emission, Emission::State(_)), "{emission:?} after stop");
        match emission {
            Emission::Message { message, .. } => {
                self.oracle.message(&self.server.logs, &message);
                // A handler that leaves, or that leaves and comes back.
                let topic = TOPICS.into_iter().find(|topic| message.topic.as_deref() == Some(topic));
                if let Some(topic) = topic.filter(|_| self.random.chance(0.03)) {
                    self.unsubscribe(topic);
                    if self.random.chance(0.5) {
                        self.subscribe(topic);
                    }
                }
            }
            Emission::Gap { gap, .. } => self.oracle.gap(&self.server.logs, &gap),
            Emission::Subscription { topic, generation, status: SubscriptionStatus::Live { position, .. } } => {
                if self.oracle.subscribed.contains(&topic) && self.state.generation_of(&topic) == generation {
                    self.oracle.live(&self.server.logs, &topic, position.as_ref());
                }
            }
            Emission::State(state) => {
                let what =
                    state.resumed.map_or_else(|| format!("{:?}", state.phase), |resumed| format!("resumed {resumed}"));
                self.count(&what);
            }
            Emission::Subscription { .. } | Emission::Frame { .. } | Emission::Error(_) => {}
        }
    }

    fn token(&mut self, request: u64) {
        let kind = if self.calm { 0 } else { self.random.below(20) };
        let validity = if self.calm { 1_000_000_000 } else { *self.random.pick(&[50, 2_000, 60_000, 600_000]) };
        let delay = if kind == 1 { 15_000 } else { *self.random.pick(&[0, 10, 300]) };
        self.asked += 1;
        let token = (kind != 2).then(|| format!("t{}@{}", self.asked, self.clock.now + validity));
        self.clock.set(delay, Due::Token(request, token));
    }

    fn dial(&mut self, n: u64, token: &str, ticket: Option<String>) {
        let now = self.clock.now;
        assert!(self.dialed_at.is_none_or(|at| now - at >= 100), "two dials within 100 ms");
        self.dialed_at = Some(now);
        self.count("dial");
        assert!(!self.links.iter().any(|link| link.open), "two sockets");
        let link =
            Link { n, token: token.to_owned(), ticket, open: true, dropped: false, to_client: now, to_server: now };
        self.links.push(link);
        let fails = !self.calm && self.random.chance(0.15);
        // Or no reply at all.
        if self.calm || !self.random.chance(0.05) {
            let ms = self.random.below(400);
            self.clock.set(ms, Due::Connect(self.links.len() - 1, fails));
        }
    }

    fn end(&mut self, link: usize) {
        self.links[link].open = false;
        self.server.connections.remove(&link);
    }

    pub(super) fn cut(&mut self, link: usize, code: u16) {
        self.end(link);
        if !self.links[link].dropped {
            let ms = self.random.below(50);
            self.clock.set(ms, Due::Closed(self.links[link].n, code));
        }
    }

    /// The network and the server are well from now on: then the client has everything.
    fn settle(&mut self) {
        self.calm = true;
        for _ in 0..60 {
            self.tick();
            let connection = self.state.connection();
            match connection.phase {
                ConnectionPhase::Stopped => self.start(),
                ConnectionPhase::Waiting if connection.retry_at.is_none() => self.event(Event::Wake),
                _ => {}
            }
            self.advance(3_000);
        }
        assert_eq!(self.state.connection().phase, ConnectionPhase::Connected, "not connected in the end");
        for (topic, count) in &self.counted {
            let live = self.state.subscriptions.of(topic).map(|sub| sub.phase == crate::machine::SubPhase::Live);
            assert_eq!(live, (*count > 0).then_some(true), "{topic}: in the end");
        }
        let topics =
            self.oracle.subscribed.iter().filter(|topic| *topic != "plain").map(|topic| format!("topic:{topic}"));
        let staff = self.server.connections.values().next().is_some_and(|it| it.staff);
        let own = OWN.iter().filter(|stream| **stream != "role:staff" || staff).map(|stream| (*stream).to_owned());
        self.oracle.complete(&self.server.logs, topics.chain(own));
        self.settled.sort_unstable();
        assert_eq!(self.settled, (1..=self.published).collect::<Vec<_>>(), "each publication has one result");
        let order: Vec<_> = self.server.published.iter().map(|(_, n)| *n).collect();
        assert!(order.windows(2).all(|pair| pair[0] < pair[1]), "published twice or out of order: {order:?}");
        assert!(self.state.commands.is_empty(), "commands that wait");
    }
}
