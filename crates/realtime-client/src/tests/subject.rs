//! The machine as a scenario sees it: calls and frames in, items out.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use serde_json::{Value, json};

use super::{
    clock::{Clock, Key},
    scene::{Item, Reaction, Scene},
    wire::load_failure,
};
use crate::{
    machine::{Effect, Emission, Event, Options, State, Timer, deliverable, step},
    options::load_error,
};

pub(super) enum Due {
    Timer(Timer, u64),
    Token(u64, Option<String>),
}

enum Out {
    Emission(Emission),
    Item(&'static str, Value),
}

pub(super) struct Subject {
    state: State,
    clock: Clock<Due>,
    random: f64,
    items: Vec<Item>,
    unanswered: Vec<Value>,
    reactions: Vec<Reaction>,
    /// The attempt of each socket.
    attempts: Vec<u64>,
    dropped: HashSet<u64>,
    requests: VecDeque<u64>,
    timers: BTreeMap<Timer, Key>,
    outbox: VecDeque<Out>,
    draining: bool,
    topics: HashMap<String, String>,
    results: Vec<String>,
    /// What the token provider returns at once, if anything.
    token: Option<Option<String>>,
}

impl Subject {
    pub(super) fn new(client: &str, max_offline: usize, token: Option<Option<String>>, random: f64) -> Self {
        let client = client.to_owned();
        Self {
            state: State::new(Options { client, first_id: 1, max_offline, max_offline_bytes: 262_144 }),
            clock: Clock::new(),
            random,
            items: Vec::new(),
            unanswered: Vec::new(),
            reactions: Vec::new(),
            attempts: Vec::new(),
            dropped: HashSet::new(),
            requests: VecDeque::new(),
            timers: BTreeMap::new(),
            outbox: VecDeque::new(),
            draining: false,
            topics: HashMap::new(),
            results: Vec::new(),
            token,
        }
    }

    fn event(&mut self, event: Event) {
        for effect in step(&mut self.state, event, self.clock.now as f64, self.random) {
            self.run(effect);
        }
        self.drain();
    }

    fn run(&mut self, effect: Effect) {
        match effect {
            Effect::AskToken { request, reason } => {
                self.record("token", json!({"reason": reason}));
                match self.token.clone() {
                    Some(token) => _ = self.clock.set(0, Due::Token(request, token)),
                    None => self.requests.push_back(request),
                }
            }
            Effect::Dial { n, protocols, query } => {
                self.attempts.push(n);
                self.record("dial", json!({"protocols": protocols, "query": query}));
            }
            Effect::Drop { n, code } => {
                self.dropped.insert(n);
                self.record("drop", json!({"code": code}));
            }
            Effect::Send { command, .. } => {
                let command = Value::Object(command);
                self.record("send", command.clone());
                if command.get("id").is_some() {
                    self.unanswered.push(command);
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
                let name = &self.results[reference as usize];
                let item = match result {
                    Ok(result) => json!({"ref": name, "result": result}),
                    Err(error) => json!({"ref": name, "error": error}),
                };
                self.outbox.push_back(Out::Item("settle", item));
            }
            Effect::Load { topic, reason, .. } => {
                self.outbox.push_back(Out::Item("load", json!({"topic": topic, "reason": reason})));
            }
            Effect::Emit(emission) => self.outbox.push_back(Out::Emission(emission)),
        }
    }

    fn drain(&mut self) {
        if self.draining {
            return;
        }
        self.draining = true;
        while let Some(next) = self.outbox.pop_front() {
            match next {
                Out::Item(kind, value) => self.record(kind, value),
                Out::Emission(emission) if deliverable(&self.state, &emission) => match emission {
                    Emission::State(state) => self.record("state", json!(state)),
                    Emission::Message { message, .. } => self.record("message", json!(message)),
                    Emission::Gap { gap, .. } => self.record("gap", json!(gap)),
                    Emission::Subscription { topic, status, .. } => {
                        let mut item = json!(status);
                        item["topic"] = json!(topic);
                        self.record("subscription", item);
                    }
                    Emission::Error(error) => self.record("error", json!(error)),
                    Emission::Frame { .. } => {}
                },
                Out::Emission(_) => {}
            }
        }
        self.draining = false;
    }

    fn attempt(&self, socket: usize) -> u64 {
        *self.attempts.get(socket.wrapping_sub(1)).expect("a socket that was dialed")
    }

    fn fire(&mut self, due: Due) {
        self.event(match due {
            Due::Timer(timer, key) => Event::Timer { timer, key },
            Due::Token(request, token) => Event::Token { request, token },
        });
    }
}

impl Scene for Subject {
    fn items(&mut self) -> &mut Vec<Item> {
        &mut self.items
    }

    fn unanswered(&mut self) -> &mut Vec<Value> {
        &mut self.unanswered
    }

    fn reactions(&mut self) -> &mut Vec<Reaction> {
        &mut self.reactions
    }

    fn now(&self) -> u64 {
        self.clock.now
    }

    fn next_due(&self) -> Option<u64> {
        self.clock.next_due()
    }

    fn set_random(&mut self, random: f64) {
        self.random = random;
    }

    fn open(&mut self, _socket: usize) {}

    fn dials(&self) -> usize {
        self.attempts.len()
    }

    fn call(&mut self, name: &str, args: &Value) {
        let text = |field: &str| args[field].as_str().unwrap_or_default().to_owned();
        let event = match name {
            "start" => {
                if let Some(token) = args.get("token") {
                    self.token = Some(token.as_str().map(str::to_owned));
                }
                Event::Start
            }
            "stop" => Event::Stop,
            "refresh" => Event::Refresh,
            "subscribe" => {
                self.topics.insert(text("as"), text("topic"));
                let since = args.get("since").map(|since| serde_json::from_value(since.clone()).expect("a position"));
                Event::Subscribe { topic: text("topic"), since, load: args["load"] == true }
            }
            "unsubscribe" => Event::Unsubscribe { topic: self.topics[&text("as")].clone() },
            "loaded" => {
                let position = serde_json::from_value(args["position"].clone()).expect("a position or null");
                Event::Loaded { topic: text("topic"), generation: self.state.generation_of(&text("topic")), position }
            }
            "load_failed" => {
                let error = load_error(&load_failure(args));
                let generation = self.state.generation_of(&text("topic"));
                Event::LoadFailed { topic: text("topic"), generation, error }
            }
            "publish" | "call" | "history" => {
                let mut command = args.as_object().cloned().expect("arguments");
                command.remove("as");
                command.insert("action".into(), json!(name));
                self.results.push(text("as"));
                Event::Command { reference: self.results.len() as u64 - 1, command }
            }
            _ => panic!("unknown call {name}"),
        };
        self.event(event);
    }

    fn provide(&mut self, token: &Value) {
        let request = self.requests.pop_front().expect("a pending token request");
        self.event(match token.get("error").and_then(Value::as_str) {
            Some(message) => Event::TokenFailed { request, message: message.to_owned() },
            None => Event::Token { request, token: token.as_str().map(str::to_owned) },
        });
    }

    fn device(&mut self, signal: &str) {
        self.event(match signal {
            "wake" => Event::Wake,
            "online" => Event::Online,
            "offline" => Event::Offline,
            "hide" => Event::Hide,
            _ => panic!("unknown signal {signal}"),
        });
    }

    fn send(&mut self, socket: usize, text: &str) {
        let n = self.attempt(socket);
        if !self.dropped.contains(&n) {
            self.event(Event::Frame { n, text: text.to_owned() });
        }
    }

    fn close(&mut self, socket: usize, code: u16, reason: &str) {
        let n = self.attempt(socket);
        self.event(Event::Closed { n, code, reason: reason.to_owned() });
    }

    fn quiet(&mut self) {
        while let Some(due) = self.clock.pop(self.clock.now) {
            self.fire(due);
        }
    }

    fn advance_to(&mut self, time: u64) {
        while let Some(due) = self.clock.pop(time) {
            self.fire(due);
            self.quiet();
        }
        self.clock.now = self.clock.now.max(time);
    }

    fn sleep(&mut self, ms: u64) {
        for key in self.clock.sleep(ms) {
            if let Some(due) = self.clock.take(key) {
                self.fire(due);
            }
        }
    }
}
