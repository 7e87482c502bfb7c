//! The client that an application uses.

use std::marker::PhantomData;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::{
    sync::{broadcast, mpsc, oneshot, watch},
    time::Instant,
};
use uuid::Uuid;

use crate::{
    delivery::{Listener, Subscription},
    driver::{Driver, Ends, Input, Settings, Wanted, ended, unix_ms},
    machine::{Command, ConnectionState, Event, Failure, Options, Position, Session, State, failure},
    options::{
        Called, ClientOptions, HistoryOptions, HistoryPage, PublishOptions, Published, SubscribeOptions, TokenProvider,
    },
    outside::{Outside, Real},
    presence::Presence,
    socket::Tls,
    typed::Typed,
};

/// Calls of the application that wait for the driver, and errors that wait for a receiver.
const INPUTS: usize = 64;
/// Bytes of publications that wait, and as many of other commands.
const MAX_OFFLINE_BYTES: usize = 262_144;

/// A client of one user. Clones are the same client; its task ends when the last one is dropped.
#[derive(Clone, Debug)]
pub struct Client {
    inputs: mpsc::Sender<Input>,
    state: watch::Receiver<ConnectionState>,
    errors: broadcast::Sender<Failure>,
    queue: usize,
}

impl Client {
    /// A client that connects, and stays connected until [`stop`](Self::stop). Call it in a tokio runtime.
    ///
    /// # Errors
    /// The URL is `wss://`, and TLS is not available: the feature `tls` is off, or there are no certificates.
    pub fn connect(options: ClientOptions) -> Result<Self, Failure> {
        let now = unix_ms();
        // The server remembers the ids of a `client` for a while: a process that starts again must not count from 1.
        let first_id = (now as u64 * 1_000).max(1);
        let (client, mut driver) = Self::unstarted(options, first_id, now, Box::new(Real))?;
        driver.start();
        tokio::spawn(driver.run());
        Ok(client)
    }

    pub(crate) fn unstarted(
        options: ClientOptions,
        first_id: u64,
        now: f64,
        outside: Box<dyn Outside>,
    ) -> Result<(Self, Driver), Failure> {
        #[cfg(feature = "tls")]
        let tls = Tls::new(options.tls, &options.url);
        #[cfg(not(feature = "tls"))]
        let tls = Tls::new(&options.url);
        let tls = tls.map_err(|message| failure("tls", message, false))?;
        let carried = options.session.as_ref().map(|session| session.client().to_owned());
        let mut machine = State::new(Options {
            client: options.client.or(carried).unwrap_or_else(|| Uuid::new_v4().to_string()),
            first_id,
            max_offline: options.max_offline,
            max_offline_bytes: MAX_OFFLINE_BYTES,
        });
        if let Some(session) = options.session {
            machine.continue_from(session);
        }
        let (inputs, receiver) = mpsc::channel(INPUTS);
        let (state, watched) = watch::channel(machine.connection().clone());
        let (errors, _) = broadcast::channel(INPUTS);
        let (url, queue, frames) = (options.url, options.queue, 2 * options.max_offline + 128);
        let settings = Settings { url, tls, queue, frames, began: (Instant::now(), now) };
        let ends = Ends { inputs: receiver, connection: state, errors: errors.clone() };
        let driver = Driver::new(machine, settings, options.token, outside, ends);
        Ok((Self { inputs, state: watched, errors, queue }, driver))
    }

    pub(crate) async fn send(&self, input: Input) -> Result<(), Failure> {
        self.inputs.send(input).await.map_err(|_| ended())
    }

    /// Connects again after [`stop`](Self::stop), or after the client has stopped by itself. A provider that is given is
    /// used from now on.
    ///
    /// # Errors
    /// The client has been [closed](Self::close).
    pub async fn start(&self, token: Option<TokenProvider>) -> Result<(), Failure> {
        self.send(Input::Start(token)).await
    }

    /// Disconnects. Nothing is delivered afterwards but what already waits in a reader; [`start`](Self::start) continues
    /// where it stopped.
    ///
    /// # Errors
    /// The client has been closed.
    pub async fn stop(&self) -> Result<(), Failure> {
        self.send(Input::Event(Event::Stop)).await
    }

    /// Disconnects, and waits until the socket is closed (2 s at most) and the client's tasks have ended. Returns what the
    /// next process continues with, unless a clone has closed the client before.
    ///
    /// Each [`Subscription`] and [`Listener`] still has what it had received, then `None`. The session begins after that:
    /// read them to their end before you store it, and keep the subscriptions until this returns, because a topic that was
    /// left is not continued.
    pub async fn close(self) -> Option<Session> {
        let (reply, session) = oneshot::channel();
        _ = self.send(Input::End(reply)).await;
        let session = session.await.ok();
        let mut state = self.state;
        while state.changed().await.is_ok() {}
        session
    }

    /// What a next process would continue with, now. Its streams begin after all that readers have received, read or
    /// not: a process that ends as planned takes the session of [`close`](Self::close).
    ///
    /// # Errors
    /// The client has been closed.
    pub async fn session(&self) -> Result<Session, Failure> {
        let (reply, session) = oneshot::channel();
        self.send(Input::Session(reply)).await?;
        session.await.map_err(|_| ended())
    }

    /// Asks for a new token now, for example after the user gained a role.
    ///
    /// # Errors
    /// The client has been closed.
    pub async fn refresh(&self) -> Result<(), Failure> {
        self.send(Input::Event(Event::Refresh)).await
    }

    /// Says that the machine woke up, or that the network is back: the connection is checked at once.
    ///
    /// # Errors
    /// The client has been closed.
    pub async fn wake(&self) -> Result<(), Failure> {
        self.send(Input::Event(Event::Online)).await
    }

    /// The state of the connection. Its times are in milliseconds of Unix time.
    pub fn state(&self) -> watch::Receiver<ConnectionState> {
        self.state.clone()
    }

    /// Errors that no call waits for. A receiver that is slow loses the oldest.
    pub fn errors(&self) -> broadcast::Receiver<Failure> {
        self.errors.subscribe()
    }

    /// Subscribes to a topic; [`Subscription::ready`] waits for the server.
    ///
    /// # Errors
    /// The client has been closed.
    pub async fn subscribe(&self, topic: impl Into<String>) -> Result<Subscription, Failure> {
        self.subscribe_with(topic, SubscribeOptions::default()).await
    }

    /// Subscribes to a topic from a position, or after a state that is loaded first.
    ///
    /// # Errors
    /// The client has been closed.
    pub async fn subscribe_with(
        &self,
        topic: impl Into<String>,
        options: SubscribeOptions,
    ) -> Result<Subscription, Failure> {
        let (reply, subscription) = oneshot::channel();
        self.send(Input::Subscribe(topic.into(), options, reply)).await?;
        subscription.await.map_err(|_| ended())
    }

    /// Listens to the messages and gaps of a topic or pattern, from now on: `*` is one part of a topic, `**` at the end
    /// one or more. What has no topic has the name of its stream behind `@`: `@user`, `@role:admin`, `@all`; `@` alone is
    /// a message of no stream: to this connection alone, or to several routes.
    ///
    /// Unlike a [`Subscription`], a listener may still have messages of a topic that the application left meanwhile.
    ///
    /// # Errors
    /// The client has been closed.
    pub async fn listen(&self, pattern: impl Into<String>) -> Result<Listener, Failure> {
        self.listener(Wanted::Pattern(pattern.into())).await
    }

    /// All gaps: messages that this client can no longer receive.
    ///
    /// # Errors
    /// The client has been closed.
    pub async fn gaps(&self) -> Result<Listener, Failure> {
        self.listener(Wanted::Gaps).await
    }

    async fn listener(&self, wanted: Wanted) -> Result<Listener, Failure> {
        let (sender, deliveries) = mpsc::channel(self.queue);
        self.send(Input::Listen(wanted, sender)).await?;
        Ok(Listener { deliveries })
    }

    /// Listens to the messages of one type, with payloads as a type of the application: `client.on::<OrderUpdated>("order:*",
    /// "order-updated")`. The pattern is that of [`listen`](Self::listen). A payload that does not fit is left out, and
    /// reported by [`errors`](Self::errors) with its JSON pointer; gaps are those of [`gaps`](Self::gaps).
    ///
    /// # Errors
    /// The client has been closed.
    pub async fn on<T: DeserializeOwned>(
        &self,
        pattern: impl Into<String>,
        kind: impl Into<String>,
    ) -> Result<Typed<T>, Failure> {
        let listener = self.listener(Wanted::Type(pattern.into(), kind.into())).await?;
        Ok(Typed { listener, errors: self.errors.clone(), payload: PhantomData })
    }

    /// Watches who is on a topic: [`Presence::ready`] waits for the list. It may be called before there is a connection.
    ///
    /// # Errors
    /// The client has been closed.
    pub async fn presence(&self, topic: impl Into<String>) -> Result<Presence, Failure> {
        let (reply, presence) = oneshot::channel();
        self.send(Input::Watch(topic.into(), reply)).await?;
        presence.await.map_err(|_| ended())
    }

    /// Publishes once, however often the connection is lost meanwhile. Waits for a connection, in a bounded queue.
    ///
    /// # Errors
    /// The server refused it; the queue is full (`limit_exceeded`); there was no reply (`timeout`); the client stopped.
    pub async fn publish(&self, topic: &str, kind: &str, payload: &impl Serialize) -> Result<Published, Failure> {
        self.publish_with(topic, kind, payload, PublishOptions::default()).await
    }

    /// Publishes with a key of the application, or without an echo.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub async fn publish_with(
        &self,
        topic: &str,
        kind: &str,
        payload: &impl Serialize,
        options: PublishOptions,
    ) -> Result<Published, Failure> {
        let key = options.idempotency_key.unwrap_or_else(|| Uuid::new_v4().to_string());
        let payload = value(payload)?;
        let mut command =
            json!({"action": "publish", "topic": topic, "type": kind, "payload": payload, "idempotency_key": key});
        if options.without_echo {
            command["echo"] = json!(false);
        }
        self.command_as(command).await
    }

    /// Calls the application behind the server. It is sent once: if the connection is lost meanwhile, it fails with
    /// `disconnected`.
    ///
    /// # Errors
    /// The application or the server refused it; there was no reply within 10 s.
    pub async fn call(&self, name: &str, payload: &impl Serialize) -> Result<Value, Failure> {
        let command = json!({"action": "call", "name": name, "payload": value(payload)?});
        self.command_as(command).await.map(|Called { result }| result)
    }

    /// A page of a stream's history, such as of `topic:order:123`.
    ///
    /// # Errors
    /// The server refused it; there was no reply within 10 s.
    pub async fn history(&self, stream: &str, options: HistoryOptions) -> Result<HistoryPage, Failure> {
        let mut command = json!({"action": "history", "stream": stream});
        if let Some(since) = options.since {
            command["since"] = json!(since);
        }
        if let Some(limit) = options.limit {
            command["limit"] = json!(limit);
        }
        if options.reverse {
            command["reverse"] = json!(true);
        }
        self.command_as(command).await
    }

    /// Where a stream stands: read it before you load your state.
    ///
    /// # Errors
    /// As [`history`](Self::history).
    pub async fn position(&self, stream: &str) -> Result<Position, Failure> {
        let options = HistoryOptions { limit: Some(0), ..HistoryOptions::default() };
        self.history(stream, options).await.map(|page| page.position)
    }

    /// Any command of docs/protocol.md, without its `id`; returns the payload of its `ack`.
    ///
    /// # Errors
    /// The server refused it; there was no reply within 10 s.
    pub async fn command(&self, command: Command) -> Result<Value, Failure> {
        let (reply, result) = oneshot::channel();
        self.send(Input::Command(command, reply)).await?;
        result.await.unwrap_or_else(|_| Err(ended()))
    }

    async fn command_as<T: serde::de::DeserializeOwned>(&self, command: Value) -> Result<T, Failure> {
        let Value::Object(command) = command else { return Err(failure("bad_request", "not a command", false)) };
        let result = self.command(command).await?;
        serde_json::from_value(result)
            .map_err(|error| failure("bad_frame", format!("the server's reply: {error}"), false))
    }
}

fn value(payload: &impl Serialize) -> Result<Value, Failure> {
    serde_json::to_value(payload).map_err(|error| failure("bad_request", format!("the payload: {error}"), false))
}
