//! A client, as a test drives it.

use std::{sync::Arc, time::Duration};

use realtime_core::auth::Refusal;
use realtime_ports::Incoming;
use realtime_schema::{CloseCode, ConnectionId, ErrorReply, UserId, Welcome};
use serde_json::{Value, json};
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::{
    audit::Recipient,
    identity::Identity,
    line::{Closed, Line, LineState},
    network::settle,
    node::Node,
    pipe::pipe,
    scene::Scene,
    seed::derive,
    socket::NodeSocket,
};

/// Longest that a test waits for a frame, in virtual time.
const WAIT: Duration = Duration::from_secs(3600);

/// A client with one connection. It reads and answers pings by itself, as the libraries of clients do, until it
/// [falls asleep](Self::falls_asleep). When it is dropped its process has ended: the node sees the end of the stream.
///
/// It does no more than the protocol: after [`Self::reconnects`] it has no subscriptions.
pub struct Client {
    scene: Arc<Scene>,
    nodes: Arc<[Node]>,
    identity: Identity,
    connection: Connected,
    commands: u64,
}

struct Connected {
    line: Line,
    node_task: JoinHandle<()>,
    welcome: Box<Welcome>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("user", self.user()).field("connection", &self.id()).finish_non_exhaustive()
    }
}

impl Client {
    pub(crate) async fn connect(scene: Arc<Scene>, nodes: Arc<[Node]>, identity: Identity) -> Result<Self, Refusal> {
        let connection = connect(&scene, &nodes, &identity).await?;
        Ok(Self { scene, nodes, identity, connection, commands: 0 })
    }

    /// The user.
    pub fn user(&self) -> &UserId {
        self.identity.user()
    }

    /// The id of its connection; a new one after each reconnect.
    pub fn id(&self) -> ConnectionId {
        self.connection.welcome.connection
    }

    /// The payload of the `welcome` of its connection.
    pub fn welcome(&self) -> &Welcome {
        &self.connection.welcome
    }

    /// The task of the node that serves this connection. It ends when the node has forgotten the connection; aborting
    /// it is a fault of the node.
    pub fn node_task(&mut self) -> &mut JoinHandle<()> {
        &mut self.connection.node_task
    }

    // --- sending

    /// Sends a text message as it is.
    pub async fn sends(&self, text: &str) {
        self.connection.line.send(Incoming::Text(text.to_owned())).await;
    }

    /// Sends a binary message, which the protocol does not have.
    pub async fn sends_binary(&self, bytes: Vec<u8>) {
        self.connection.line.send(Incoming::Binary(bytes)).await;
    }

    /// Sends a pong that no ping asked for.
    pub async fn sends_pong(&self) {
        self.connection.line.send(Incoming::Alive).await;
    }

    /// Sends a command, with an id of its own, and waits for its outcome: the payload of the `ack`. Frames that come
    /// before it stay unread.
    ///
    /// # Errors
    /// The payload of the `error`.
    ///
    /// # Panics
    /// The connection ends, or an hour of virtual time passes, without an outcome.
    pub async fn command(&mut self, mut command: Value) -> Result<Value, ErrorReply> {
        self.commands += 1;
        let id = json!(format!("command-{}", self.commands));
        command["id"] = id.clone();
        self.sends(&command.to_string()).await;
        let outcome =
            |frame: &Value| matches!(frame["type"].as_str(), Some("ack" | "error")) && frame["payload"]["id"] == id;
        let mut frame = self.wait_for(&format!("outcome of {command}"), outcome).await;
        let payload = frame["payload"].take();
        if frame["type"] == "ack" {
            return Ok(payload);
        }
        Err(serde_json::from_value(payload).expect("the payload of an `error`"))
    }

    /// Subscribes to a topic.
    ///
    /// # Panics
    /// It is refused: see [`Self::command`] for a story in which it may be.
    pub async fn subscribe(&mut self, topic: &str) {
        let outcome = self.command(json!({"action": "subscribe", "topic": topic})).await;
        outcome.unwrap_or_else(|error| panic!("{} may not subscribe to {topic}: {}", self.user(), error.message));
    }

    /// Ends a subscription.
    ///
    /// # Panics
    /// It is refused.
    pub async fn unsubscribe(&mut self, topic: &str) {
        let outcome = self.command(json!({"action": "unsubscribe", "topic": topic})).await;
        outcome.unwrap_or_else(|error| panic!("{} can't unsubscribe from {topic}: {}", self.user(), error.message));
    }

    /// Gets a new token, as it would for a new connection, and sends it; returns the payload of the `ack`.
    ///
    /// # Errors
    /// The payload of the `error`.
    pub async fn refresh(&mut self) -> Result<Value, ErrorReply> {
        let token = self.identity.token(&self.scene);
        self.refresh_with(&token).await
    }

    /// Sends this token; returns the payload of the `ack`.
    ///
    /// # Errors
    /// The payload of the `error`.
    pub async fn refresh_with(&mut self, token: &str) -> Result<Value, ErrorReply> {
        self.command(json!({"action": "refresh", "token": token})).await
    }

    // --- receiving

    /// The next frame.
    ///
    /// # Panics
    /// The connection has ended, or an hour of virtual time passes without one.
    pub async fn next(&mut self) -> Value {
        self.wait_for("frame", |_| true).await
    }

    /// The next frame, which must be of this type; returns its payload.
    ///
    /// # Panics
    /// It is of another type, or there is none: see [`Self::next`].
    pub async fn expects(&mut self, kind: &str) -> Value {
        let mut frame = self.wait_for(kind, |_| true).await;
        assert_eq!(frame["type"], kind, "{} got another frame: {frame}", self.user());
        frame["payload"].take()
    }

    /// Waits until everything that was sent has arrived; then there must be no unread frame.
    ///
    /// # Panics
    /// There is one.
    pub async fn expect_nothing(&mut self) {
        settle(self.identity.network).await;
        let unread = self.unread();
        assert!(unread.is_empty(), "{} got {unread:?}", self.user());
    }

    /// The frames that have arrived and were not read yet. From now on they count as read.
    pub fn unread(&mut self) -> Vec<Value> {
        self.connection.line.state.take_all()
    }

    /// The frames that have arrived and were not read yet, in short: a message of a history by its stream and offset, such
    /// as `topic:order:1 17`, and every other frame by its type. From now on they count as read.
    pub fn seen(&mut self) -> Vec<String> {
        let short = |frame: Value| match frame["offset"].as_u64() {
            Some(offset) => format!("{} {offset}", frame["stream"].as_str().unwrap_or_default()),
            None => frame["type"].as_str().unwrap_or_default().to_owned(),
        };
        self.unread().into_iter().map(short).collect()
    }

    /// How many pings have arrived on this connection.
    pub fn pings(&self) -> u64 {
        self.connection.line.state.pings()
    }

    /// Waits for the end of the connection, whatever arrives before it.
    ///
    /// # Panics
    /// An hour of virtual time passes without it.
    pub async fn closed(&mut self) -> Closed {
        let state = &self.connection.line.state;
        let end = async {
            loop {
                if let Some(closed) = state.closed() {
                    return closed;
                }
                // A client that keeps reading reaches the end.
                state.take_all();
                state.changed().await;
            }
        };
        timeout(WAIT, end).await.unwrap_or_else(|_| panic!("the connection of {} lives on", self.user()))
    }

    /// What it was still to get of the streams with a history that it receives, if nothing more is on its way.
    ///
    /// # Errors
    /// The messages that it has lost without a `gap`, one a line.
    pub fn try_check_complete(&self) -> Result<(), String> {
        let lost = self.connection.line.state.lost();
        if lost.is_empty() { Ok(()) } else { Err(lost.join("\n")) }
    }

    /// True once the client has seen the end of its connection.
    pub fn is_closed(&self) -> bool {
        self.connection.line.state.closed().is_some()
    }

    async fn wait_for(&mut self, what: &str, mut wanted: impl FnMut(&Value) -> bool) -> Value {
        let (state, user) = (&self.connection.line.state, self.identity.user());
        let found = async {
            loop {
                if let Some(frame) = state.take(&mut wanted) {
                    return frame;
                }
                if let Some(closed) = state.closed() {
                    panic!("no {what} for {user}: the connection has ended with {closed:?}");
                }
                state.changed().await;
            }
        };
        timeout(WAIT, found).await.unwrap_or_else(|_| panic!("no {what} for {user} within an hour"))
    }

    // --- what happens to it

    /// Reads nothing and answers no ping for so long: a suspended laptop, a blocked page, a debugger.
    pub async fn sleeps(&mut self, time: Duration) {
        self.falls_asleep();
        sleep(time).await;
        self.wakes_up();
    }

    /// From now on it reads nothing and answers no ping. What the node writes fills the [buffers](crate::Network::buffer).
    pub fn falls_asleep(&mut self) {
        self.connection.line.state.set_asleep(true);
    }

    /// Reads and answers again.
    pub fn wakes_up(&mut self) {
        self.connection.line.state.set_asleep(false);
    }

    /// From now on it reads, and answers no ping.
    pub fn ignores_pings(&mut self) {
        self.connection.line.state.ignore_pings(true);
    }

    /// The network is gone, and neither side is notified: a laptop that leaves the house. The connection is half open
    /// until the node misses the pongs.
    pub fn drops_network(&mut self) {
        self.connection.line.silence();
    }

    /// The connection is reset, and both sides are notified: a proxy that restarts.
    pub fn cuts_connection(&mut self) {
        self.connection.line.cut();
    }

    /// Closes the connection with 1000, and waits for the node's close frame.
    pub async fn disconnects(&mut self) -> Closed {
        self.connection.line.send(Incoming::Closed(Some(CloseCode::NORMAL))).await;
        self.closed().await
    }

    /// Drops the connection, if there is one, and connects again, with a new token. Unread frames are gone.
    ///
    /// # Panics
    /// It is refused: see [`Self::try_reconnect`].
    pub async fn reconnects(&mut self) {
        let outcome = self.try_reconnect().await;
        outcome.unwrap_or_else(|refusal| panic!("{} is refused: {refusal}", self.user()));
    }

    /// Drops the connection, if there is one, and connects again, with a new token. Unread frames are gone.
    ///
    /// # Errors
    /// Why the node refused it.
    pub async fn try_reconnect(&mut self) -> Result<(), Refusal> {
        self.connection.line.end();
        self.connection = connect(&self.scene, &self.nodes, &self.identity).await?;
        Ok(())
    }

    /// Drops the connection, if there is one, and connects again with the resume ticket of its last `welcome`. Unread
    /// frames are gone.
    ///
    /// # Panics
    /// It is refused.
    pub async fn reconnects_with_ticket(&mut self) {
        self.identity.ticket = self.welcome().resume.clone();
        self.reconnects().await;
        self.identity.ticket = None;
    }

    /// The same, on another node.
    ///
    /// # Panics
    /// It is refused, or there is no such node.
    pub async fn reconnects_to(&mut self, node: usize) {
        self.identity.node = node;
        self.reconnects().await;
    }
}

/// One connection, up to its `welcome`.
async fn connect(scene: &Arc<Scene>, nodes: &[Node], identity: &Identity) -> Result<Connected, Refusal> {
    let Identity { network, node, .. } = *identity;
    let service = &nodes.get(node).unwrap_or_else(|| panic!("there are {} nodes, and no {node}", nodes.len())).service;
    let number = scene.next_connection();
    let name = format!("{}#{number}", identity.user());
    // The handshake takes its time.
    if !network.longest().is_zero() {
        sleep(network.longest() * 2).await;
    }
    let admission = service.admit(&identity.request(scene)).await.inspect_err(|refusal| {
        scene.note(&name, format_args!("is refused: {}: {refusal}", refusal.reason));
    })?;
    scene.note(&name, format_args!("connects to node {node}"));
    let seed = derive(scene.seed, number);
    let (to_node, from_client) = pipe(network, derive(seed, 0));
    let (to_client, from_node) = pipe(network, derive(seed, 1));
    let node_task = tokio::spawn(service.serve(admission, NodeSocket::new(from_client, to_client)));
    let recipient = Recipient::new(name.clone(), identity.user().clone(), identity.client());
    let state = LineState::new(scene.clone(), name, recipient, identity.ignores_pings);
    let line = Line::new(state, from_node, to_node);
    let welcome = first(&line).await;
    let welcome = serde_json::from_value(welcome).expect("the payload of a `welcome`");
    Ok(Connected { line, node_task, welcome })
}

/// The payload of the first frame of a connection, which is the `welcome`.
async fn first(line: &Line) -> Value {
    loop {
        if let Some(mut frame) = line.state.take(|_| true) {
            assert_eq!(frame["type"], "welcome", "the first frame is another one: {frame}");
            return frame["payload"].take();
        }
        assert_eq!(line.state.closed(), None, "the connection ended before its `welcome`");
        line.state.changed().await;
    }
}
