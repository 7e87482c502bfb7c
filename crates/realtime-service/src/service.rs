//! The handle of a service: each of its methods is one call of the part that does the work.

use std::{fmt, net::IpAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use realtime_core::auth::{ConnectRequest, Refusal, RefusalReason};
use realtime_ports::{
    PayloadRules, PublishError, RealtimeService, RevokeError, Socket, SubscribeError, Usage, UserTopicError,
    WebSocketConnection,
};
use realtime_schema::{
    BusiestTopics, Closing, Connection, ConnectionId, ConnectionInfo, ConnectionPage, ConnectionQuery, HistoryPage,
    HistoryQuery, NodeId, Origin, PresencePage, PresenceQuery, PublishRequest, Receipt, Revocation, RevocationId,
    RevocationRequest, Revoked, Route, SubscriberPage, SubscriberQuery, Timestamp, Topic, TopicInfo, UserId,
    UserTopicChange,
};

use crate::{
    admission::Admission,
    busiest, connection, drain, history,
    history::HistoryError,
    metrics::{Admitted, MetricsSnapshot},
    node::Node,
    presence::PresenceError,
    reload, revoke,
    settings::Settings,
    to_end,
};

/// The real-time layer of one node. Cloning makes another handle to it.
#[derive(Clone)]
pub struct Service(pub(crate) Arc<Node>);

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("node", &self.0.id).field("settings", &self.settings()).finish_non_exhaustive()
    }
}

impl Service {
    /// The settings now.
    pub fn settings(&self) -> Arc<Settings> {
        self.0.settings.load_full()
    }

    /// Replaces the settings while the service runs.
    ///
    /// At once: the limits of admission, the policy of tokens, what may be published, the overflow of namespaces, and
    /// the timeouts. For new connections: the limits of a connection, who may subscribe, pings, and what `welcome`
    /// says. Not before the next start: `admission.verifications`. No connection is closed.
    pub fn reload(&self, settings: Settings) {
        reload::reload(&self.0, settings);
    }

    /// Replaces the rules that payloads must fit, whole, while the service runs; with `None` every payload may be
    /// published. No connection is closed.
    pub fn set_payload_rules(&self, rules: Option<Arc<dyn PayloadRules>>) {
        self.0.publisher.payloads().replace(rules);
    }

    /// The counters now.
    pub fn metrics(&self) -> MetricsSnapshot {
        let Node { admissions, connections, subscriptions, presence, revocations, metrics, streams, .. } = &*self.0;
        let (topics, presence, revocations) = (subscriptions.stats(), presence.stats(), revocations.count());
        let admitted = Admitted { clients: admissions.held(), users: admissions.users() };
        metrics.snapshot(admitted, connections.count(), topics, presence, revocations, streams.stats())
    }

    /// The bytes that wait in the queues of all connections. Visits every connection: call it at most once a second.
    pub fn queued_bytes(&self) -> u64 {
        self.0.connections.queued_bytes()
    }

    /// Admits a client, before its socket is upgraded: limits, token, policy.
    ///
    /// # Errors
    /// Why it was not admitted.
    pub async fn admit(&self, request: &ConnectRequest) -> Result<Admission, Refusal> {
        self.0.admissions.admit(request).await
    }

    /// Counts a client or a caller that was refused outside this service, and logs it at most once a second for each
    /// reason. `detail` says what was wrong and must not contain a token or a key.
    pub fn refused(&self, reason: RefusalReason, address: Option<IpAddr>, detail: &str) {
        self.0.admissions.refused(reason, address, detail);
    }

    /// Opens a connection at once, and returns the future that runs it until it ends: to be spawned as a task of its
    /// own. Dropping it ends the connection without a close handshake.
    pub fn serve<S: Socket>(&self, admission: Admission, socket: S) -> impl Future<Output = ()> + Send + use<S> {
        connection::serve(self.0.clone(), admission, socket)
    }

    /// True once [`Self::drain`] was called.
    pub fn is_draining(&self) -> bool {
        self.0.admissions.is_draining()
    }

    /// Admits no client any more, sends every client away to reconnect after a random delay, and waits until all are
    /// gone or `deadline` has passed. Returns how many are left.
    pub async fn drain(&self, deadline: Duration) -> usize {
        drain::drain(&self.0, deadline).await
    }

    /// A connection of this node and its subscriptions.
    pub fn connection(&self, id: ConnectionId) -> Option<ConnectionInfo> {
        self.0.connections.info(id)
    }

    /// A user's connections on this node, oldest first, each with its subscriptions.
    pub fn connections_of(&self, user: &UserId) -> Vec<ConnectionInfo> {
        self.0.connections.of_user(user)
    }

    /// One page of the connections of this node that match all filters of `query`, in the order of their ids. A
    /// connection that exists while all pages are read is on exactly one of them.
    ///
    /// Looks at 10,000 connections at most, so that a page with a `next` may be short or empty. Up to some milliseconds of
    /// work: call it where it may block.
    pub fn list_connections(&self, query: &ConnectionQuery) -> ConnectionPage {
        self.0.connections.list(query)
    }

    /// One page of the connections of this node that are subscribed to `topic`, in the order of their ids.
    ///
    /// Looks at all subscribers of the topic: call it where it may block.
    pub fn list_subscribers(&self, topic: &Topic, query: &SubscriberQuery) -> SubscriberPage {
        self.0.connections.subscribers(topic, query)
    }

    /// Up to `limit` topics that have subscribers and begin with `prefix`, in their order as text, from the first one
    /// after `after`.
    ///
    /// Looks at all topics: call it where it may block.
    pub fn topics(&self, prefix: &str, after: Option<Topic>, limit: usize) -> Vec<TopicInfo> {
        let mut topics = self.0.subscriptions.topics(prefix, after, limit);
        for info in &mut topics {
            info.history = self.0.streams.kept(&Route::Topic(info.topic.clone()));
        }
        topics
    }

    /// Up to `limit` topics that this node published to most often of late, the busiest first, counted over the last
    /// [`PublishingSettings::explained`](crate::PublishingSettings::explained) publications, and no older than a minute.
    pub fn busiest_topics(&self, limit: usize) -> BusiestTopics {
        busiest::topics(&self.0, limit)
    }

    /// The name of this node among all nodes.
    pub fn node_id(&self) -> NodeId {
        self.0.id
    }

    /// When this service was built.
    pub fn started_at(&self) -> Timestamp {
        self.0.started_at
    }

    /// The topics that were given to `user`, sorted as text. [`RealtimeService::subscribe_user`] gives one.
    pub fn user_topics(&self, user: &UserId) -> Vec<Topic> {
        self.0.user_topics.of(user)
    }

    /// One page of the users who are on a topic, in their order, with everything that has changed until now: waits for at
    /// most `presence.flush_interval` and five seconds.
    ///
    /// # Errors
    /// The presence of the topic is not kept, or is not available now.
    pub async fn presence(&self, topic: &Topic, query: PresenceQuery) -> Result<PresencePage, PresenceError> {
        self.0.presence.page(topic, query).await
    }

    /// Up to `limit` revocations that have not ended, oldest first, from the first one after `after`.
    /// [`RealtimeService::revoke`] adds one.
    pub fn revocations(&self, after: Option<RevocationId>, limit: usize) -> Vec<Revocation> {
        self.0.revocations.page(after, limit)
    }

    /// One page of the history of a stream, as kept on this node; with a limit of 0 its position alone.
    ///
    /// # Errors
    /// The stream has no history, or the position can't be used.
    pub fn history(&self, route: &Route, query: &HistoryQuery) -> Result<HistoryPage, HistoryError> {
        history::page(&self.0, route, query)
    }

    /// Ends a revocation, and returns it; `None` if it is unknown or has ended.
    ///
    /// # Errors
    /// The end could not be stored: after a restart the revocation holds again.
    pub async fn remove_revocation(&self, id: RevocationId) -> Result<Option<Revocation>, RevokeError> {
        revoke::remove(&self.0, id).await
    }

    /// Commits what waits for the durable store, and closes it: the last step before the process ends. Waits at most
    /// `store.commit_timeout`. Publications to streams with a history fail afterwards.
    pub async fn close_store(&self) {
        if let Some(journal) = &self.0.journal {
            journal.close().await;
        }
    }

    /// True unless there is a durable store and nothing can be stored in it now: the last commit failed, or has had no
    /// result within `store.commit_timeout`.
    pub fn can_store(&self) -> bool {
        self.0.journal.as_ref().is_none_or(|journal| journal.is_healthy())
    }

    /// The space that the durable store takes; `None` without one.
    pub fn store_usage(&self) -> Option<Usage> {
        self.0.journal.as_ref().map(|journal| journal.usage())
    }
}

#[async_trait]
impl RealtimeService for Service {
    async fn connect(
        &self,
        request: ConnectRequest,
        socket: Arc<dyn WebSocketConnection>,
    ) -> Result<Arc<Connection>, Refusal> {
        connection::connect(&self.0, &request, socket).await
    }

    async fn disconnect(&self, id: ConnectionId, closing: Closing) -> bool {
        self.0.connections.disconnect(id, closing)
    }

    async fn revoke(&self, request: RevocationRequest) -> Result<Revoked, RevokeError> {
        revoke::revoke(&self.0, request).await
    }

    async fn block_connection(
        &self,
        id: ConnectionId,
        block_for: Duration,
        closing: Closing,
    ) -> Result<Option<Revoked>, RevokeError> {
        revoke::block_connection(&self.0, id, block_for, closing).await
    }

    async fn block_user(&self, user: UserId, block_for: Duration, closing: Closing) -> Result<Revoked, RevokeError> {
        revoke::block_user(&self.0, user, block_for, closing).await
    }

    async fn subscribe(&self, id: ConnectionId, topic: &Topic, origin: Origin) -> Result<bool, SubscribeError> {
        self.0.subscriptions.subscribe(id, topic, origin).await
    }

    async fn unsubscribe(&self, id: ConnectionId, topic: &Topic) -> bool {
        self.0.subscriptions.unsubscribe(id, topic)
    }

    async fn subscribe_user(&self, user: &UserId, topic: &Topic) -> Result<UserTopicChange, UserTopicError> {
        to_end::change_topics(
            self.settings().store.commit_timeout,
            self.0.user_topics.clone().give(user.clone(), topic.clone()),
        )
        .await
    }

    async fn unsubscribe_user(&self, user: &UserId, topic: &Topic) -> Result<UserTopicChange, UserTopicError> {
        to_end::change_topics(
            self.settings().store.commit_timeout,
            self.0.user_topics.clone().take(user.clone(), topic.clone()),
        )
        .await
    }

    async fn publish(&self, request: PublishRequest) -> Result<Receipt, PublishError> {
        self.0.publisher.publish(request).await
    }

    async fn publish_batch(&self, requests: Vec<PublishRequest>) -> Vec<Result<Receipt, PublishError>> {
        self.0.publisher.publish_batch(requests).await
    }
}
