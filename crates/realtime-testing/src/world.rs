//! The whole: nodes, their bus, time, and what happens in it.

use std::{fmt, sync::Arc, time::Duration};

use realtime_ports::{PublishError, RealtimeService};
use realtime_schema::{Audience, JwtClaims, Payload, PublishRequest, Receipt};
use realtime_service::{MetricsSnapshot, Service};
use serde::Serialize;
use tokio::time::sleep;

use crate::{
    broker::Broker, check, clock::VirtualClock, network::settle, node::Node, scene::Scene, tokens::TestTokens,
};

/// How long [`World::drain`] waits.
const DRAIN_DEADLINE: Duration = Duration::from_secs(30);

/// Nodes on virtual time. Cloning makes another handle to the same world.
#[derive(Clone)]
pub struct World {
    pub(crate) scene: Arc<Scene>,
    pub(crate) nodes: Arc<[Node]>,
    broker: Broker,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("seed", &self.scene.seed).field("nodes", &self.nodes).finish_non_exhaustive()
    }
}

impl World {
    pub(crate) fn new_of(scene: Scene, nodes: Vec<Node>, broker: Broker) -> Self {
        Self { scene: Arc::new(scene), nodes: nodes.into(), broker }
    }

    // --- nodes

    /// The service of the first node, as your application has it.
    ///
    /// # Panics
    /// The world has no node.
    pub fn service(&self) -> &Service {
        self.node(0).service()
    }

    /// A node, by its index.
    ///
    /// # Panics
    /// There is no such node.
    pub fn node(&self, index: usize) -> &Node {
        &self.nodes[index]
    }

    /// All nodes.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The bus between the nodes.
    pub fn broker(&self) -> &Broker {
        &self.broker
    }

    /// The counters of the first node.
    ///
    /// # Panics
    /// The world has no node.
    pub fn metrics(&self) -> MetricsSnapshot {
        self.service().metrics()
    }

    /// Drains every node, at most for 30 s; returns how many clients are left.
    pub async fn drain(&self) -> usize {
        self.scene.note("world", "drains");
        let drains: Vec<_> = self
            .nodes
            .iter()
            .map(|node| {
                let service = node.service.clone();
                tokio::spawn(async move { service.drain(DRAIN_DEADLINE).await })
            })
            .collect();
        let mut left = 0;
        for drain in drains {
            left += drain.await.expect("a drain does not panic");
        }
        left
    }

    // --- messages

    /// A new token for `claims`.
    pub fn token(&self, claims: JwtClaims) -> String {
        self.scene.tokens.issue(claims)
    }

    /// The tokens that the world has issued.
    pub fn tokens(&self) -> &TestTokens {
        &self.scene.tokens
    }

    /// Publishes on the first node.
    ///
    /// # Panics
    /// It is not published, or the payload is no JSON: see [`Self::try_publish`].
    pub async fn publish(&self, to: impl Into<Audience>, kind: &str, payload: impl Serialize) -> Receipt {
        self.try_publish(to, kind, payload).await.unwrap_or_else(|error| panic!("`{kind}` was not published: {error}"))
    }

    /// Publishes on the first node.
    ///
    /// # Errors
    /// Why it was not published.
    ///
    /// # Panics
    /// `kind` is not a type of message, or the payload is no JSON.
    pub async fn try_publish(
        &self,
        to: impl Into<Audience>,
        kind: &str,
        payload: impl Serialize,
    ) -> Result<Receipt, PublishError> {
        self.publish_on(0, to, kind, payload).await
    }

    /// Publishes on a node.
    ///
    /// # Errors
    /// Why it was not published.
    ///
    /// # Panics
    /// There is no such node, `kind` is not a type of message, or the payload is no JSON.
    pub async fn publish_on(
        &self,
        node: usize,
        to: impl Into<Audience>,
        kind: &str,
        payload: impl Serialize,
    ) -> Result<Receipt, PublishError> {
        let payload = Payload::of(&payload).expect("the payload is JSON");
        self.scene.note("world", format_args!("publishes `{kind}` on node {node}: {}", payload.as_str()));
        let kind = kind.parse().unwrap_or_else(|error| panic!("`{kind}` is not a type of message: {error}"));
        self.publish_request(node, PublishRequest::new(to, kind, payload)).await
    }

    /// Publishes a request as it is, on a node. Messages of streams with a history are checked only if they are published
    /// by the world.
    ///
    /// # Errors
    /// Why it was not published.
    ///
    /// # Panics
    /// There is no such node.
    pub async fn publish_request(&self, node: usize, request: PublishRequest) -> Result<Receipt, PublishError> {
        let (to, except) = (request.to.clone(), request.except_client.clone());
        let receipt = self.node(node).service.publish(request).await?;
        if let (Some(position), [route]) = (&receipt.position, to.routes()) {
            self.scene.audit.kept(|kept| kept.published(route, position, receipt.id, except));
        }
        Ok(receipt)
    }

    // --- time

    /// Lets time pass: everything that is due until then happens, in its order.
    pub async fn advance(&self, time: Duration) {
        sleep(time).await;
    }

    /// Waits until what was sent has arrived and every task has run: a round trip, and one millisecond.
    pub async fn settle(&self) {
        settle(self.scene.network).await;
    }

    /// The clock of every node. Its wall clock can be stepped.
    pub fn clock(&self) -> &VirtualClock {
        &self.scene.clock
    }

    // --- what has happened

    /// What has happened so far: a line for each frame, each connection and each publication, with the virtual time in
    /// seconds. The same seed and the same script give the same text.
    pub fn trace(&self) -> String {
        self.scene.trace.text()
    }

    /// What does not hold now. On each node: connections, subscriptions and permits agree, by every index that has
    /// them, and no queue is longer than its limit. For each client: it got no message twice, and none that is not for it;
    /// of a stream with a history it got every message in order, or a `gap` that names it.
    ///
    /// # Errors
    /// What does not hold, one violation a line.
    pub fn try_check(&self) -> Result<(), String> {
        let nodes = self.nodes.iter().flat_map(check::violations);
        let wrong: Vec<_> = nodes.chain(self.scene.audit.violations()).collect();
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
    }

    /// Checks what must hold at any moment: see [`Self::try_check`].
    ///
    /// # Panics
    /// It does not hold; the message has the seed.
    pub fn check(&self) {
        if let Err(wrong) = self.try_check() {
            panic!("in the world with seed {}:\n{wrong}", self.scene.seed);
        }
    }
}
