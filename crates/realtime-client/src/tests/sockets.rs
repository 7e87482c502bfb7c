//! The whole client over real sockets, as a scenario sees it. The time of the client's timers is the scenario's: it stands
//! still but for the steps that move it. Handshakes, frames and closes are real.
//!
//! Signals of a device that the API of this client has no call for (`wake` apart from `online`, `offline`, `hide`) go to
//! the driver as events.

use std::{
    sync::{Arc, Mutex, mpsc as threads},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    runtime::{Builder, Runtime},
    sync::{broadcast, oneshot, watch},
    task::{spawn_blocking, yield_now},
    time::{Instant, advance},
};

use super::{
    scene::{Item, Reaction, Scene},
    server::{Act, Link, Shared, listen, lock, really},
    wire::{Script, Wire, load_failure},
};
use crate::{
    Client, ClientOptions, ConnectionState, Delivery, Failure, Listener, PublishOptions, SubscribeOptions,
    Subscription, TokenProvider, driver::Input, machine::Event,
};

pub(super) struct Sockets {
    /// While it lives, the time moves by the steps alone. It ends before the runtime, which waits for it.
    _still: threads::SyncSender<()>,
    runtime: Runtime,
    client: Client,
    script: Arc<Mutex<Script>>,
    seen: Shared,
    began: Instant,
    now: u64,
    state: watch::Receiver<ConnectionState>,
    errors: broadcast::Receiver<Failure>,
    listener: Listener,
    handles: Vec<(String, Subscription)>,
    /// Topics that the application has subscribed to: their messages are those of the subscription.
    topics: Vec<String>,
    items: Vec<Item>,
    unanswered: Vec<Value>,
    reactions: Vec<Reaction>,
}

impl Sockets {
    pub(super) fn new(name: &str, max_offline: usize, token: Option<Option<String>>, random: f64) -> Self {
        let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
        let script = Arc::new(Mutex::new(Script { random, token, ..Script::default() }));
        let seen = Shared::default();
        let (still, ends) = threads::sync_channel::<()>(0);
        let (client, began, listener) = runtime.block_on(async {
            // Time does not move by itself while such a task runs.
            spawn_blocking(move || ends.recv());
            let address = listen(Arc::clone(&seen)).await;
            let asked = (Arc::clone(&script), Arc::clone(&seen));
            let provider = TokenProvider::new(move |reason| {
                let (script, seen) = (Arc::clone(&asked.0), Arc::clone(&asked.1));
                async move {
                    lock(&seen).items.push(("token", json!({"reason": reason})));
                    let (reply, result) = oneshot::channel();
                    {
                        let mut script = lock(&script);
                        match script.token.clone() {
                            Some(token) => return Ok(token),
                            None => script.requests.push_back(reply),
                        }
                    }
                    result.await.unwrap_or_else(|_| Err("the scenario has ended".into()))
                }
            });
            let options = ClientOptions::new(format!("ws://{address}/ws"), provider);
            let options = options.client(name).max_offline(max_offline);
            let wire = Box::new(Wire(Arc::clone(&script), Arc::clone(&seen)));
            let (client, driver) = Client::unstarted(options, 1, 0.0, wire).expect("a client");
            let began = Instant::now();
            tokio::spawn(driver.run());
            let listener = client.listen("**").await.expect("it runs");
            (client, began, listener)
        });
        let (state, errors) = (client.state(), client.errors());
        Self {
            runtime,
            _still: still,
            client,
            script,
            seen,
            began,
            now: 0,
            state,
            errors,
            listener,
            handles: Vec::new(),
            topics: Vec::new(),
            items: Vec::new(),
            unanswered: Vec::new(),
            reactions: Vec::new(),
        }
    }

    /// The next thing that is seen of the client, and not recorded.
    fn next_seen(&mut self) -> Option<(&'static str, Value)> {
        {
            let mut seen = lock(&self.seen);
            self.unanswered.append(&mut seen.unanswered);
            if !seen.items.is_empty() {
                return Some(seen.items.remove(0));
            }
        }
        if self.state.has_changed().unwrap_or(false) {
            return Some(("state", json!(*self.state.borrow_and_update())));
        }
        for i in 0..self.handles.len() {
            let first = self.handles[..i].iter().all(|(_, other)| other.topic() != self.handles[i].1.topic());
            let handle = &mut self.handles[i].1;
            if handle.status.has_changed().unwrap_or(false) {
                let mut item = json!(*handle.status.borrow_and_update());
                item["topic"] = json!(handle.topic());
                return Some(("subscription", item));
            }
            while let Ok(delivery) = handle.deliveries.try_recv() {
                if first {
                    return Some(item(delivery));
                }
            }
        }
        while let Ok(delivery) = self.listener.deliveries.try_recv() {
            if !self.topics.contains(&crate::delivery::address_of(&delivery)) {
                return Some(item(delivery));
            }
        }
        self.errors.try_recv().ok().map(|error| ("error", json!(error)))
    }

    fn drain(&mut self) {
        while let Some((kind, value)) = self.next_seen() {
            self.record(kind, value);
        }
    }

    fn link(&self, socket: usize, act: impl FnOnce(&mut Link)) {
        let mut seen = lock(&self.seen);
        act(seen.links.get_mut(socket.wrapping_sub(1)).expect("a socket that was dialed"));
    }

    fn subscribe(&mut self, args: &Value) {
        let topic = args["topic"].as_str().expect("a topic").to_owned();
        let mut options = SubscribeOptions::default();
        if let Some(since) = args.get("since") {
            options = options.since(serde_json::from_value(since.clone()).expect("a position"));
        }
        if args["load"] == true {
            let (script, seen, own) = (Arc::clone(&self.script), Arc::clone(&self.seen), topic.clone());
            options = options.load(move |reason| {
                let (reply, result) = oneshot::channel();
                lock(&seen).items.push(("load", json!({"topic": own, "reason": reason})));
                lock(&script).loads.push_back(reply);
                async move { result.await.unwrap_or_else(|_| Err("the scenario has ended".into())) }
            });
        }
        let subscribed = self.runtime.block_on(self.client.subscribe_with(topic.clone(), options)).expect("it runs");
        self.topics.push(topic);
        self.handles.push((args["as"].as_str().unwrap_or_default().to_owned(), subscribed));
    }

    /// A command of the application, whose result is an item.
    fn command(&self, name: &str, args: &Value) {
        let (client, seen, args, name) = (self.client.clone(), Arc::clone(&self.seen), args.clone(), name.to_owned());
        let text = |args: &Value, field: &str| args[field].as_str().unwrap_or_default().to_owned();
        self.runtime.spawn(async move {
            let result = match name.as_str() {
                "publish" => {
                    let idempotency_key = args["idempotency_key"].as_str().map(str::to_owned);
                    let options = PublishOptions { idempotency_key, ..PublishOptions::default() };
                    let (topic, kind) = (text(&args, "topic"), text(&args, "type"));
                    let published = client.publish_with(&topic, &kind, &args["payload"], options).await;
                    published
                        .map(|it| json!({"message": it.message, "position": it.position, "duplicate": it.duplicate}))
                }
                "call" => {
                    client.call(&text(&args, "name"), &args["payload"]).await.map(|result| json!({"result": result}))
                }
                _ => {
                    let mut command = args.as_object().cloned().expect("arguments");
                    command.remove("as");
                    command.insert("action".into(), json!(name));
                    client.command(command).await
                }
            };
            let mut item = match result {
                Ok(result) => json!({"result": result}),
                Err(error) => json!({"error": error}),
            };
            item["ref"] = args["as"].clone();
            lock(&seen).items.push(("settle", item));
        });
        // It is sent before what the application does next.
        self.runtime.block_on(yield_now());
    }
}

fn item(delivery: Delivery) -> (&'static str, Value) {
    match delivery {
        Delivery::Message(message) => ("message", json!(message)),
        Delivery::Gap(gap) => ("gap", json!(gap)),
    }
}

impl Scene for Sockets {
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
        self.now
    }

    fn next_due(&self) -> Option<u64> {
        let due = lock(&self.script).due?;
        Some(due.saturating_duration_since(self.began).as_millis() as u64)
    }

    fn advance_to(&mut self, time: u64) {
        let mut timers = 0;
        while let Some(due) = self.next_due().filter(|due| *due <= time) {
            self.sleep(due.saturating_sub(self.now));
            self.quiet();
            timers += 1;
            assert!(timers < 1_000, "a timer that is due at {due} does not expire; it is {}", self.now);
        }
        self.sleep(time.saturating_sub(self.now));
    }

    fn sleep(&mut self, ms: u64) {
        self.now += ms;
        self.runtime.block_on(async {
            advance(Duration::from_millis(ms)).await;
            yield_now().await;
        });
    }

    fn set_random(&mut self, random: f64) {
        lock(&self.script).random = random;
    }

    fn call(&mut self, name: &str, args: &Value) {
        match name {
            "start" => {
                if let Some(token) = args.get("token") {
                    lock(&self.script).token = Some(token.as_str().map(str::to_owned));
                }
                self.runtime.block_on(self.client.start(None)).expect("it runs");
            }
            "stop" => self.runtime.block_on(self.client.stop()).expect("it runs"),
            "refresh" => self.runtime.block_on(self.client.refresh()).expect("it runs"),
            "subscribe" => self.subscribe(args),
            "unsubscribe" => {
                let name = args["as"].as_str().unwrap_or_default();
                let at = self.handles.iter().position(|(own, _)| own == name).expect("a subscription");
                self.handles.remove(at).1.unsubscribe();
            }
            "loaded" => {
                let position = serde_json::from_value(args["position"].clone()).expect("a position or null");
                let load = lock(&self.script).loads.pop_front().expect("a load");
                _ = load.send(Ok(position));
            }
            "load_failed" => {
                let load = lock(&self.script).loads.pop_front().expect("a load");
                _ = load.send(Err(load_failure(args)));
            }
            "publish" | "call" | "history" => self.command(name, args),
            _ => panic!("unknown call {name}"),
        }
    }

    fn provide(&mut self, token: &Value) {
        let request = lock(&self.script).requests.pop_front().expect("a pending token request");
        // One that was given up has no reader.
        _ = request.send(match token.get("error").and_then(Value::as_str) {
            Some(message) => Err(message.to_owned()),
            None => Ok(token.as_str().map(str::to_owned)),
        });
    }

    fn device(&mut self, signal: &str) {
        let event = match signal {
            "wake" => Event::Wake,
            "online" => return self.runtime.block_on(self.client.wake()).expect("it runs"),
            "offline" => Event::Offline,
            "hide" => Event::Hide,
            _ => panic!("unknown signal {signal}"),
        };
        self.runtime.block_on(self.client.send(Input::Event(event))).expect("it runs");
    }

    fn dials(&self) -> usize {
        lock(&self.seen).links.len()
    }

    fn open(&mut self, socket: usize) {
        self.link(socket, |link| {
            if !link.opened
                && !link.gone_at_server
                && let Some(acts) = &link.acts
            {
                link.opened = acts.try_send(Act::Open).is_ok();
            }
        });
    }

    fn send(&mut self, socket: usize, text: &str) {
        self.link(socket, |link| {
            if link.opened
                && !link.gone_at_server
                && !link.gone_at_client
                && let Some(acts) = &link.acts
            {
                link.to_client += u64::from(acts.try_send(Act::Frame(text.to_owned())).is_ok());
            }
        });
    }

    fn close(&mut self, socket: usize, code: u16, reason: &str) {
        self.link(socket, |link| {
            if !link.gone_at_client
                && let Some(acts) = &link.acts
            {
                link.ending = acts.try_send(Act::Close(code, reason.to_owned())).is_ok();
            }
        });
    }

    fn quiet(&mut self) {
        let until = std::time::Instant::now() + Duration::from_secs(5);
        let mut still = 0;
        while still < 2 {
            self.runtime.block_on(really(1));
            self.drain();
            still = if lock(&self.seen).is_still() { still + 1 } else { 0 };
            assert!(
                std::time::Instant::now() < until,
                "the sockets did not come to rest: {:?}",
                lock(&self.seen).links
            );
        }
    }
}

/// What the scenario has left ends with its runtime.
impl Drop for Sockets {
    fn drop(&mut self) {
        _ = self.runtime.block_on(self.client.send(Input::Event(Event::Stop)));
    }
}
