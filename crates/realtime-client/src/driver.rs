//! Carries out the effects of the machine, in one task: sockets, timers, the token provider, deliveries.
//!
//! Events enter one at a time; what the application gets leaves through a queue, after the transition. While a reader of
//! the application has no room, the driver reads nothing from the server and lets no timer expire.

mod effects;
mod outbox;
mod watchers;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    future::pending,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::Value;
use tokio::{
    sync::{broadcast, mpsc, oneshot, watch},
    task::{AbortHandle, JoinSet},
    time::{Instant, sleep_until, timeout},
};

use crate::{
    delivery::{Delivery, Dropped, Subscription},
    machine::{
        Command, ConnectionPhase, ConnectionState, Emission, Event, Failure, Session, State, SubscriptionStatus, Timer,
        failure, step,
    },
    options::{SubscribeOptions, TokenProvider},
    outside::Outside,
    presence::Presence,
    socket::{CLOSE, Connection, Received, Tls},
};
use outbox::Head;
use watchers::Watcher;

/// What the application asks of the driver.
pub(crate) enum Input {
    Event(Event),
    Start(Option<TokenProvider>),
    Subscribe(String, SubscribeOptions, oneshot::Sender<Subscription>),
    Listen(Wanted, mpsc::Sender<Delivery>),
    Watch(String, oneshot::Sender<Presence>),
    Command(Command, oneshot::Sender<Result<Value, Failure>>),
    Session(oneshot::Sender<Session>),
    End(oneshot::Sender<Session>),
}

/// What a listener receives.
pub(crate) enum Wanted {
    /// Messages and gaps of a pattern.
    Pattern(String),
    /// Messages of a pattern and a type.
    Type(String, String),
    Gaps,
}

/// A subscription of the application.
struct Handle {
    topic: String,
    options: SubscribeOptions,
    deliveries: mpsc::Sender<Delivery>,
    status: watch::Sender<SubscriptionStatus>,
}

/// What requests of the driver return.
enum Done {
    Event(Event),
    /// A page of a list of users.
    Page {
        watcher: u64,
        read: u64,
        page: Result<Value, Failure>,
    },
    /// The pause before a list is read again is over.
    Again {
        watcher: u64,
        read: u64,
    },
}

/// What does not change while a client runs.
pub(crate) struct Settings {
    pub(crate) url: String,
    pub(crate) tls: Tls,
    pub(crate) queue: usize,
    /// Commands that may wait to be written to a socket.
    pub(crate) frames: usize,
    /// When the driver began, by its clock, and in milliseconds of the client's.
    pub(crate) began: (Instant, f64),
}

/// The driver's ends of the client's channels.
pub(crate) struct Ends {
    pub(crate) inputs: mpsc::Receiver<Input>,
    pub(crate) connection: watch::Sender<ConnectionState>,
    pub(crate) errors: broadcast::Sender<Failure>,
}

pub(crate) struct Driver {
    pub(crate) state: State,
    settings: Settings,
    token: TokenProvider,
    outside: Box<dyn Outside>,
    ends: Ends,
    parts: Parts,
}

/// What the driver alone knows.
#[derive(Default)]
struct Parts {
    socket: Option<Connection>,
    /// The attempt whose socket takes no more commands.
    full: Option<u64>,
    sockets: JoinSet<()>,
    requests: JoinSet<Done>,
    asking: Option<AbortHandle>,
    timers: BTreeMap<Timer, (Instant, u64)>,
    outbox: VecDeque<Emission>,
    head: Option<Head>,
    handles: BTreeMap<u64, Handle>,
    ears: Vec<(Wanted, mpsc::Sender<Delivery>)>,
    watchers: BTreeMap<u64, Watcher>,
    results: HashMap<u64, oneshot::Sender<Result<Value, Failure>>>,
    next: u64,
    dropped: Arc<Dropped>,
}

/// Milliseconds of Unix time.
pub(crate) fn unix_ms() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64() * 1_000.0
}

impl Driver {
    pub(crate) fn new(
        state: State,
        settings: Settings,
        token: TokenProvider,
        outside: Box<dyn Outside>,
        ends: Ends,
    ) -> Self {
        Self { state, settings, token, outside, ends, parts: Parts::default() }
    }

    /// Begins the first attempt.
    pub(crate) fn start(&mut self) {
        self.event(Event::Start);
        self.deliver();
    }

    /// Until the application has dropped the client, or ends it.
    pub(crate) async fn run(mut self) {
        let wants_session = loop {
            self.deliver();
            let dropped = Arc::clone(&self.parts.dropped);
            let blocked = self.parts.head.as_ref().and_then(Head::reader).cloned();
            let reads = blocked.is_none();
            let due = self.parts.timers.values().map(|(due, _)| *due).min().filter(|_| reads);
            self.outside.waits(due);
            let socket = &mut self.parts.socket;
            tokio::select! {
                input = self.ends.inputs.recv() => match input {
                    None => break None,
                    Some(Input::End(reply)) => break Some(reply),
                    Some(input) => self.input(input),
                },
                () = dropped.notify.notified() => self.leave(),
                _ = async { match &blocked { Some(reader) => _ = reader.reserve().await, None => pending().await } } => {}
                Some(done) = self.parts.requests.join_next() => {
                    // A provider that panicked is one that never returns: its deadline expires.
                    if let Ok(done) = done {
                        self.done(done);
                    }
                }
                _ = self.parts.sockets.join_next(), if !self.parts.sockets.is_empty() => {}
                (n, received) = async { match socket { Some(it) => (it.n, it.received.recv().await), None => pending().await } }, if reads => {
                    self.received(n, received);
                }
                () = async { match due { Some(due) => sleep_until(due).await, None => pending().await } } => self.expired(),
            }
        };
        self.event(Event::Stop);
        if let Some(head) = self.parts.head.take() {
            // One of its readers has no room: it comes again.
            self.state.take_back(&head.emission);
        }
        self.deliver();
        self.parts.socket = None;
        // A close handshake of each socket, within its deadline; what is left ends with the driver.
        _ = timeout(CLOSE, async { while self.parts.sockets.join_next().await.is_some() {} }).await;
        if let Some(reply) = wants_session {
            _ = reply.send(self.state.session());
        }
    }

    fn input(&mut self, input: Input) {
        match input {
            Input::Event(event) => self.event(event),
            Input::Start(token) => {
                if let Some(token) = token {
                    self.token = token;
                }
                self.event(Event::Start);
            }
            Input::Subscribe(topic, options, reply) => self.subscribe(topic, options, reply),
            Input::Listen(wanted, deliveries) => self.parts.ears.push((wanted, deliveries)),
            Input::Watch(topic, reply) => self.watch(topic, reply),
            Input::Command(command, reply) => self.command(command, reply),
            // A caller that has gone wants no session.
            Input::Session(reply) | Input::End(reply) => _ = reply.send(self.state.session()),
        }
    }

    fn done(&mut self, done: Done) {
        match done {
            Done::Event(event) => self.event(event),
            Done::Page { watcher, read, page } => self.page_read(watcher, read, page),
            Done::Again { watcher, read } => self.read_again(watcher, read),
        }
    }

    fn command(&mut self, command: Command, reply: oneshot::Sender<Result<Value, Failure>>) {
        self.parts.next += 1;
        let reference = self.parts.next;
        self.parts.results.insert(reference, reply);
        self.event(Event::Command { reference, command });
    }

    fn subscribe(&mut self, topic: String, options: SubscribeOptions, reply: oneshot::Sender<Subscription>) {
        // What was dropped before it goes first.
        self.leave();
        self.parts.next += 1;
        let id = self.parts.next;
        let (deliveries, receiver) = mpsc::channel(self.settings.queue);
        let (status, watched) = watch::channel(SubscriptionStatus::Pending);
        let subscription = Subscription {
            id,
            topic: topic.clone(),
            deliveries: receiver,
            status: watched,
            connection: self.ends.connection.subscribe(),
            dropped: Arc::clone(&self.parts.dropped),
        };
        let event =
            Event::Subscribe { topic: topic.clone(), since: options.since.clone(), load: options.load.is_some() };
        self.parts.handles.insert(id, Handle { topic, options, deliveries, status });
        self.event(event);
        // A caller that has gone drops the subscription, which then leaves.
        _ = reply.send(subscription);
    }

    /// What the application has dropped.
    fn leave(&mut self) {
        for id in self.parts.dropped.take() {
            if let Some(handle) = self.parts.handles.remove(&id) {
                self.event(Event::Unsubscribe { topic: handle.topic });
            } else if let Some(watcher) = self.parts.watchers.remove(&id) {
                self.unwatch(&watcher.topic);
            }
        }
    }

    fn received(&mut self, n: u64, received: Option<Received>) {
        let event = match received {
            Some(Received::Frame(text)) => Event::Frame { n, text },
            Some(Received::Closed(code, reason)) => Event::Closed { n, code, reason },
            None => Event::Closed { n, code: 1006, reason: "the task of the socket ended".into() },
        };
        if matches!(event, Event::Closed { .. }) {
            self.parts.socket = None;
        }
        self.event(event);
    }

    /// Timers that are due, in the order of their times.
    fn expired(&mut self) {
        let now = Instant::now();
        let mut due: Vec<_> = self.parts.timers.extract_if(.., |_, (due, _)| *due <= now).collect();
        due.sort_by_key(|(_, armed)| *armed);
        for (timer, (_, key)) in due {
            self.event(Event::Timer { timer, key });
        }
    }

    fn event(&mut self, event: Event) {
        let (from, ms) = self.settings.began;
        let now = ms + from.elapsed().as_nanos() as f64 / 1e6;
        let random = self.outside.random();
        for effect in step(&mut self.state, event, now, random) {
            self.apply(effect);
        }
        if self.state.connection().phase == ConnectionPhase::Stopped {
            self.keep_nothing();
        }
        // A server that reads nothing any more is given up.
        if let Some(n) = self.parts.full.take() {
            self.received(n, Some(Received::Closed(1006, "the server reads nothing".into())));
        }
    }
}

/// The error of a client that has ended.
pub(crate) fn ended() -> Failure {
    failure("stopped", "the client has ended", false)
}
