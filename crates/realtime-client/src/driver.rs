//! Carries out the effects of the machine, in one task: sockets, timers, the token provider, deliveries.
//!
//! Events enter one at a time; what the application gets leaves through a queue, after the transition. While a reader of
//! the application has no room, the driver reads nothing from the server and lets no timer expire.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    future::pending,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::Value;
use tokio::{
    sync::{broadcast, mpsc, oneshot, watch},
    task::{AbortHandle, JoinSet},
    time::{Instant, sleep_until, timeout},
};
use uuid::Uuid;

use crate::{
    delivery::{Delivery, Dropped, Subscription, address_of, matches},
    machine::{
        Command, ConnectionPhase, ConnectionState, Effect, Emission, Event, Failure, LoadReason, State,
        SubscriptionStatus, Timer, deliverable, failure, step,
    },
    options::{SubscribeOptions, TokenProvider},
    socket::{CLOSE, Connection, Dial, Received, Tls, connection},
};

/// What the application asks of the driver.
pub(crate) enum Input {
    Event(Event),
    Start(Option<TokenProvider>),
    Subscribe(String, SubscribeOptions, oneshot::Sender<Subscription>),
    Listen(Option<String>, mpsc::Sender<Delivery>),
    Command(Command, oneshot::Sender<Result<Value, Failure>>),
    End,
}

/// A subscription of the application.
struct Handle {
    topic: String,
    options: SubscribeOptions,
    deliveries: mpsc::Sender<Delivery>,
    status: watch::Sender<SubscriptionStatus>,
}

/// A listener of the application; without a pattern it has the gaps alone.
struct Ear {
    pattern: Option<String>,
    deliveries: mpsc::Sender<Delivery>,
}

pub(crate) struct Driver {
    pub(crate) state: State,
    pub(crate) url: String,
    pub(crate) token: TokenProvider,
    pub(crate) tls: Tls,
    pub(crate) queue: usize,
    /// Commands that may wait to be written to a socket.
    pub(crate) frames: usize,
    pub(crate) inputs: mpsc::Receiver<Input>,
    pub(crate) connection: watch::Sender<ConnectionState>,
    pub(crate) errors: broadcast::Sender<Failure>,
    pub(crate) began: (Instant, f64),
    parts: Parts,
}

/// What the driver alone knows.
#[derive(Default)]
struct Parts {
    socket: Option<Connection>,
    /// The attempt whose socket takes no more commands.
    full: Option<u64>,
    sockets: JoinSet<()>,
    /// Token requests and loads; each returns its event.
    requests: JoinSet<Event>,
    asking: Option<AbortHandle>,
    timers: BTreeMap<Timer, (Instant, u64)>,
    outbox: VecDeque<Emission>,
    /// Readers that have not taken the delivery at the head of the queue.
    head: Option<(Delivery, VecDeque<mpsc::Sender<Delivery>>)>,
    handles: BTreeMap<u64, Handle>,
    ears: Vec<Ear>,
    results: HashMap<u64, oneshot::Sender<Result<Value, Failure>>>,
    next: u64,
    dropped: Arc<Dropped>,
}

/// Milliseconds of Unix time.
pub(crate) fn unix_ms() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64() * 1_000.0
}

/// In `[0, 1)`.
fn random() -> f64 {
    (Uuid::new_v4().as_u128() >> 76) as f64 / (1u64 << 52) as f64
}

impl Driver {
    #[expect(clippy::too_many_arguments, reason = "called once, by the constructor of the client")]
    pub(crate) fn new(
        state: State,
        url: String,
        token: TokenProvider,
        tls: Tls,
        queue: usize,
        frames: usize,
        inputs: mpsc::Receiver<Input>,
        connection: watch::Sender<ConnectionState>,
        errors: broadcast::Sender<Failure>,
    ) -> Self {
        let (began, parts) = ((Instant::now(), unix_ms()), Parts::default());
        Self { state, url, token, tls, queue, frames, inputs, connection, errors, began, parts }
    }

    /// Begins the first attempt.
    pub(crate) fn start(&mut self) {
        self.event(Event::Start);
        self.deliver();
    }

    /// Until the application has dropped the client, or ends it.
    pub(crate) async fn run(mut self) {
        loop {
            self.deliver();
            let dropped = Arc::clone(&self.parts.dropped);
            let blocked = self.parts.head.as_ref().and_then(|(_, readers)| readers.front()).cloned();
            let reads = blocked.is_none();
            let due = self.parts.timers.values().map(|(due, _)| *due).min().filter(|_| reads);
            let socket = &mut self.parts.socket;
            tokio::select! {
                input = self.inputs.recv() => match input {
                    None | Some(Input::End) => break,
                    Some(input) => self.input(input),
                },
                () = dropped.notify.notified() => self.leave(),
                _ = async { match &blocked { Some(reader) => _ = reader.reserve().await, None => pending().await } } => {}
                Some(event) = self.parts.requests.join_next() => {
                    // A provider that panicked is one that never returns: its deadline expires.
                    if let Ok(event) = event {
                        self.event(event);
                    }
                }
                _ = self.parts.sockets.join_next(), if !self.parts.sockets.is_empty() => {}
                (n, received) = async { match socket { Some(it) => (it.n, it.received.recv().await), None => pending().await } }, if reads => {
                    self.received(n, received);
                }
                () = async { match due { Some(due) => sleep_until(due).await, None => pending().await } } => self.expired(),
            }
        }
        self.event(Event::Stop);
        self.deliver();
        self.parts.socket = None;
        // A close handshake of each socket, within its deadline; what is left ends with the driver.
        _ = timeout(CLOSE, async { while self.parts.sockets.join_next().await.is_some() {} }).await;
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
            Input::Listen(pattern, deliveries) => self.parts.ears.push(Ear { pattern, deliveries }),
            Input::Command(command, reply) => {
                self.parts.next += 1;
                let reference = self.parts.next;
                self.parts.results.insert(reference, reply);
                self.event(Event::Command { reference, command });
            }
            Input::End => {}
        }
    }

    fn subscribe(&mut self, topic: String, options: SubscribeOptions, reply: oneshot::Sender<Subscription>) {
        self.parts.next += 1;
        let id = self.parts.next;
        let (deliveries, receiver) = mpsc::channel(self.queue);
        let (status, watched) = watch::channel(SubscriptionStatus::Pending);
        let subscription = Subscription {
            id,
            topic: topic.clone(),
            deliveries: receiver,
            status: watched,
            connection: self.connection.subscribe(),
            dropped: Arc::clone(&self.parts.dropped),
        };
        let event =
            Event::Subscribe { topic: topic.clone(), since: options.since.clone(), load: options.load.is_some() };
        self.parts.handles.insert(id, Handle { topic, options, deliveries, status });
        self.event(event);
        // A caller that has gone drops the subscription, which then leaves.
        _ = reply.send(subscription);
    }

    fn leave(&mut self) {
        for id in self.parts.dropped.take() {
            if let Some(handle) = self.parts.handles.remove(&id) {
                self.event(Event::Unsubscribe { topic: handle.topic });
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

    /// Timers that are due.
    fn expired(&mut self) {
        let now = Instant::now();
        for (timer, (_, key)) in self.parts.timers.extract_if(.., |_, (due, _)| *due <= now).collect::<Vec<_>>() {
            self.event(Event::Timer { timer, key });
        }
    }

    fn event(&mut self, event: Event) {
        let now = self.began.1 + self.began.0.elapsed().as_secs_f64() * 1_000.0;
        for effect in step(&mut self.state, event, now, random()) {
            self.apply(effect);
        }
        // What a reader has no room for is not kept over a stop.
        if self.state.connection().phase == ConnectionPhase::Stopped {
            self.parts.head = None;
        }
        // A server that reads nothing any more is given up.
        if let Some(n) = self.parts.full.take() {
            self.received(n, Some(Received::Closed(1006, "the server reads nothing".into())));
        }
    }

    fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::AskToken { request, reason } => {
                if let Some(older) = self.parts.asking.take() {
                    older.abort();
                }
                let token = self.token.ask(reason);
                let asking = self.parts.requests.spawn(async move {
                    match token.await {
                        Ok(token) => Event::Token { request, token },
                        Err(message) => Event::TokenFailed { request, message },
                    }
                });
                self.parts.asking = Some(asking);
            }
            Effect::Dial { n, protocols, query } => {
                let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
                let joint = if self.url.contains('?') { '&' } else { '?' };
                let dial = Dial { url: format!("{}{joint}{query}", self.url), protocols, tls: self.tls.clone() };
                let (socket, task) = connection(n, dial, self.frames);
                self.parts.socket = Some(socket);
                self.parts.sockets.spawn(task);
            }
            Effect::Send { n, command } => {
                let text = Value::Object(command).to_string();
                let socket = self.parts.socket.as_ref().filter(|socket| socket.n == n);
                if let Some(Err(mpsc::error::TrySendError::Full(_))) = socket.map(|socket| socket.out.try_send(text)) {
                    self.parts.full = Some(n);
                }
            }
            Effect::Drop { .. } => self.parts.socket = None,
            Effect::Arm { timer, key, ms } => {
                _ = self.parts.timers.insert(timer, (Instant::now() + Duration::from_millis(ms), key));
            }
            Effect::Disarm(timer) => _ = self.parts.timers.remove(&timer),
            Effect::Settle { reference, result } => {
                if let Some(reply) = self.parts.results.remove(&reference) {
                    // A caller that has gone wants no result.
                    _ = reply.send(result);
                }
            }
            Effect::Load { topic, generation, reason } => self.load(topic, generation, reason),
            Effect::Emit(emission) => self.parts.outbox.push_back(emission),
        }
    }

    fn load(&mut self, topic: String, generation: u64, reason: LoadReason) {
        let handle = self.parts.handles.values().find(|handle| handle.topic == topic && handle.options.load.is_some());
        let load = handle.and_then(|handle| handle.options.load.as_ref()).map(|load| load(reason));
        self.parts.requests.spawn(async move {
            match load {
                None => Event::Loaded { topic, generation, position: None },
                Some(load) => match load.await {
                    Ok(position) => Event::Loaded { topic, generation, position },
                    Err(message) => Event::LoadFailed { topic, generation, message },
                },
            }
        });
    }

    /// Hands out what waits, until a reader has no room.
    fn deliver(&mut self) {
        loop {
            while let Some((delivery, readers)) = &mut self.parts.head {
                let Some(reader) = readers.front() else {
                    self.parts.head = None;
                    break;
                };
                match reader.try_send(delivery.clone()) {
                    Err(mpsc::error::TrySendError::Full(_)) => return,
                    Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => _ = readers.pop_front(),
                }
            }
            let Some(emission) = self.parts.outbox.pop_front() else { return };
            if deliverable(&self.state, &emission) {
                self.emit(emission);
            }
        }
    }

    fn emit(&mut self, emission: Emission) {
        match emission {
            Emission::State(state) => _ = self.connection.send_replace(state),
            Emission::Message { message, .. } => self.address(Delivery::Message(message)),
            Emission::Gap { gap, .. } => self.address(Delivery::Gap(gap)),
            Emission::Subscription { topic, generation, status } if self.state.generation_of(&topic) == generation => {
                for handle in self.parts.handles.values().filter(|handle| handle.topic == topic) {
                    handle.status.send_if_modified(|own| {
                        let changed = std::mem::discriminant(own) != std::mem::discriminant(&status);
                        if changed {
                            *own = status.clone();
                        }
                        changed
                    });
                }
            }
            Emission::Subscription { .. } | Emission::Frame { .. } => {}
            // Without a receiver there is no one to notify.
            Emission::Error(error) => _ = self.errors.send(error),
        }
    }

    /// Finds the readers of a delivery.
    fn address(&mut self, delivery: Delivery) {
        let address = address_of(&delivery);
        let gap = matches!(delivery, Delivery::Gap(_));
        self.parts.ears.retain(|ear| !ear.deliveries.is_closed());
        let handles =
            self.parts.handles.values().filter(|handle| handle.topic == address).map(|handle| &handle.deliveries);
        let hears = |ear: &&Ear| ear.pattern.as_deref().map_or(gap, |pattern| matches(pattern, &address));
        let ears = self.parts.ears.iter().filter(hears).map(|ear| &ear.deliveries);
        self.parts.head = Some((delivery, handles.chain(ears).cloned().collect()));
    }
}

/// The error of a client that has ended.
pub(crate) fn ended() -> Failure {
    failure("stopped", "the client has ended", false)
}
