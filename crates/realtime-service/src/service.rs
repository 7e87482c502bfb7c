//! The service: a handle to the ports, and what an application asks of them.

use std::{
    collections::HashMap,
    fmt,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError, Weak, atomic::Ordering::Relaxed},
    time::Duration,
};

use async_trait::async_trait;
use realtime_core::{
    Frame,
    auth::{ConnectRequest, Refusal, RefusalReason},
    codec::encode_control,
    message::{Stamp, from_request, validate},
    session::SessionSettings,
};
use realtime_ports::{
    Clock, ConnectionHandler, ConnectionRegistry, IdGenerator, JwtVerifier, MessageBus, PubSubManager, PublishError,
    Published, RealtimeService, Socket, SubscribeError, WebSocketConnection,
};
use realtime_schema::{
    CloseCode, Closing, Connection, ConnectionId, Control, Envelope, MessageId, NodeId, Origin, PublishRequest,
    Receipt, Subscribed, Topic, Unsubscribed, UnsubscribedReason,
};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    admission::{Admission, Admissions, Permit},
    batch,
    builder::ServiceBuilder,
    connection,
    idempotency::Receipts,
    intern::Names,
    metrics::{Metrics, MetricsSnapshot, add},
    outbound::OutboundShared,
    settings::Settings,
};

/// The real-time layer of one node. Cloning makes another handle to it.
#[derive(Clone)]
pub struct Service(pub(crate) Arc<Inner>);

/// The ports and what the node's connections share.
pub(crate) struct Inner {
    pub(crate) settings: Settings,
    pub(crate) sessions: Arc<SessionSettings>,
    pub(crate) verifier: Arc<dyn JwtVerifier>,
    pub(crate) registry: Arc<dyn ConnectionRegistry>,
    pub(crate) pubsub: Arc<dyn PubSubManager>,
    pub(crate) bus: Arc<dyn MessageBus>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdGenerator>,
    pub(crate) handler: Option<Arc<dyn ConnectionHandler>>,
    pub(crate) node: NodeId,
    pub(crate) admissions: Arc<Admissions>,
    pub(crate) names: Names,
    pub(crate) outbound: Arc<OutboundShared>,
    pub(crate) receipts: Receipts,
    /// Held while a portion of a batch is queued.
    pub(crate) batches: tokio::sync::Mutex<()>,
    pub(crate) metrics: Arc<Metrics>,
    /// Places of connections that were made by `connect`, whose sockets nobody here serves.
    pub(crate) lent: Mutex<HashMap<ConnectionId, Lent>>,
}

/// What a connection has whose socket nobody here serves.
pub(crate) struct Lent {
    _permit: Permit,
    /// Ends the connection with its token.
    _expiry: Option<AbortOnDropHandle<()>>,
}

async fn expire(inner: Weak<Inner>, id: ConnectionId, left: Duration) {
    tokio::time::sleep(left).await;
    if let Some(service) = inner.upgrade().map(Service) {
        let closing = Closing::new(CloseCode::EXPIRED, "the token's time is over; connect with a new one");
        service.disconnect(id, closing).await;
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("node", &self.0.node)
            .field("settings", &self.0.settings)
            .finish_non_exhaustive()
    }
}

impl Service {
    /// Begins to build a service.
    pub fn builder() -> ServiceBuilder {
        ServiceBuilder::default()
    }

    /// Who is connected to this node.
    pub fn registry(&self) -> &Arc<dyn ConnectionRegistry> {
        &self.0.registry
    }

    /// Who listens to what on this node.
    pub fn pubsub(&self) -> &Arc<dyn PubSubManager> {
        &self.0.pubsub
    }

    /// What the service was built with.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// The counters now.
    pub fn metrics(&self) -> MetricsSnapshot {
        let topics = self.0.pubsub.stats();
        MetricsSnapshot {
            connections: self.0.registry.count() as u64,
            topics: topics.topics as u64,
            subscriptions: topics.subscriptions as u64,
            ..self.0.metrics.snapshot()
        }
    }

    /// Lets a client in, before its socket is upgraded: limits, token, policy.
    ///
    /// # Errors
    /// Why it was not let in.
    pub async fn admit(&self, request: &ConnectRequest) -> Result<Admission, Refusal> {
        self.0.admit(request).await
    }

    /// Counts a client or a caller that was refused outside this service, and logs it at most once a second for each
    /// reason. `detail` says what was wrong and must not contain a token or a key.
    pub fn refused(&self, reason: RefusalReason, address: Option<IpAddr>, detail: &str) {
        self.0.refused(reason, address, detail);
    }

    /// Opens a connection at once, and answers with what runs it until it is over: to be spawned as a task of its
    /// own. Dropping it ends the connection without a goodbye.
    pub fn serve<S: Socket>(&self, admission: Admission, socket: S) -> impl Future<Output = ()> + Send + use<S> {
        connection::serve(self.0.clone(), admission, socket)
    }

    /// Whether [`Self::drain`] was called.
    pub fn is_draining(&self) -> bool {
        self.0.admissions.is_draining()
    }

    /// Lets nobody in any more, tells every client to come back at a jittered delay, and waits until all are gone or
    /// `deadline` is over. Answers with how many were left.
    pub async fn drain(&self, deadline: Duration) -> usize {
        let inner = &self.0;
        inner.admissions.start_draining();
        let closing = inner.drained();
        tracing::info!(connections = inner.registry.count(), spread_ms = closing.spread_ms, "draining");
        let mut close = |socket: &Arc<dyn WebSocketConnection>| socket.close(closing.clone());
        inner.registry.visit(&realtime_ports::Selection::All, &mut close);
        let _ = tokio::time::timeout(deadline, inner.admissions.emptied()).await;
        inner.admissions.held()
    }
}

impl Inner {
    /// What a draining node tells its clients. The more they are, the wider they are spread.
    pub(crate) fn drained(&self) -> Closing {
        let connections = u64::try_from(self.registry.count()).unwrap_or(u64::MAX);
        let paced_ms = connections.saturating_mul(1_000) / u64::from(self.settings.drain_rate.max(1));
        let reconnect = self.settings.reconnect;
        Closing {
            after_ms: reconnect.min_ms,
            spread_ms: paced_ms.max(reconnect.spread_ms),
            ..Closing::new(CloseCode::DRAINING, "this node is draining; come back, another one will answer")
        }
    }

    /// A control frame, stamped now.
    pub(crate) fn control(&self, control: &Control) -> Frame {
        if matches!(control, Control::Error(_)) {
            add(&self.metrics.errors_total, 1);
        }
        encode_control(control, self.clock.now())
    }

    /// Ends what this node knows of a connection. Repeating it does nothing.
    pub(crate) fn forget(&self, id: ConnectionId) -> Option<Arc<Connection>> {
        // Subscriptions first: a message must not find a topic's listener that the registry no longer knows.
        self.pubsub.detach(id);
        let connection = self.registry.unregister(id);
        self.lent.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        connection
    }

    fn tell(&self, id: ConnectionId, control: &Control) {
        if let Some((_, socket)) = self.registry.get(id) {
            // A socket that can't take it is closing; its client will come back and ask anew.
            let _ = socket.send(&self.control(control));
        }
    }

    /// Judges a request by the limits.
    pub(crate) fn check(&self, request: &PublishRequest) -> Result<(), PublishError> {
        let (size, limit) = (request.payload.as_str().len(), self.settings.publishing.max_bytes);
        if size > limit {
            return Err(PublishError::TooLarge { size, limit });
        }
        validate(request, limit).map_err(PublishError::Invalid)
    }

    /// What the bus is to carry.
    pub(crate) fn envelope(&self, request: PublishRequest) -> Arc<Envelope> {
        self.stamped(request).1
    }

    /// What the bus is to carry, and the message's id.
    fn stamped(&self, request: PublishRequest) -> (MessageId, Arc<Envelope>) {
        let stamp = Stamp { id: self.ids.message_id(), now: self.clock.now() };
        (stamp.id, Arc::new(Envelope::new(self.node, from_request(request, stamp))))
    }

    /// What the publisher is told.
    pub(crate) fn receipt(&self, id: MessageId, published: Published) -> Receipt {
        self.metrics.publications_total.fetch_add(1, Relaxed);
        let Published { delivered, other_nodes, position } = published;
        Receipt { id, delivered, other_nodes, position, duplicate: false }
    }

    async fn publish_once(&self, request: PublishRequest) -> Result<Receipt, PublishError> {
        let (id, envelope) = self.stamped(request);
        Ok(self.receipt(id, self.bus.publish(envelope).await?))
    }
}

#[async_trait]
impl RealtimeService for Service {
    async fn connect(
        &self,
        request: ConnectRequest,
        socket: Arc<dyn WebSocketConnection>,
    ) -> Result<Arc<Connection>, Refusal> {
        let admission = self.0.admit(&request).await?;
        let (connection, session, permit) = connection::open(&self.0, admission, &socket)?;
        let expiry = session
            .token_lasts(self.0.clock.monotonic())
            .map(|left| AbortOnDropHandle::new(tokio::spawn(expire(Arc::downgrade(&self.0), connection.id, left))));
        let lent = Lent { _permit: permit, _expiry: expiry };
        self.0.lent.lock().unwrap_or_else(PoisonError::into_inner).insert(connection.id, lent);
        if self.0.registry.get(connection.id).is_none() {
            // Disconnected in between, by someone who found nothing to give back yet.
            self.0.forget(connection.id);
        }
        Ok(connection)
    }

    async fn disconnect(&self, id: ConnectionId, closing: Closing) -> bool {
        let Some((_, socket)) = self.0.registry.get(id) else { return false };
        self.0.forget(id);
        socket.close(closing);
        true
    }

    async fn subscribe(&self, id: ConnectionId, topic: &Topic, origin: Origin) -> Result<bool, SubscribeError> {
        let new = self.0.pubsub.subscribe(id, topic, origin)?;
        if new {
            let told = Subscribed { topic: topic.clone(), position: None, reason: None };
            self.0.tell(id, &Control::Subscribed(told));
        }
        Ok(new)
    }

    async fn unsubscribe(&self, id: ConnectionId, topic: &Topic) -> bool {
        let was = self.0.pubsub.unsubscribe(id, topic);
        if was {
            let told = Unsubscribed { topic: topic.clone(), reason: UnsubscribedReason::Server };
            self.0.tell(id, &Control::Unsubscribed(told));
        }
        was
    }

    async fn publish(&self, request: PublishRequest) -> Result<Receipt, PublishError> {
        self.0.check(&request)?;
        match request.idempotency_key.clone() {
            None => self.0.publish_once(request).await,
            Some(key) => {
                let now = self.0.clock.monotonic();
                let again = request.clone();
                self.0.receipts.once(&key, &request, now, || self.0.publish_once(again)).await
            }
        }
    }

    async fn publish_batch(&self, requests: Vec<PublishRequest>) -> Vec<Result<Receipt, PublishError>> {
        batch::publish(self, requests).await
    }
}
