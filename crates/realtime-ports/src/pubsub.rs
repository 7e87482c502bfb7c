//! Who listens to which topic on this node.

use std::sync::Arc;

use realtime_schema::{ConnectionId, Origin, Subscription, Topic, TopicInfo};

use crate::connection::{SocketVisitor, WebSocketConnection};

/// The subscriptions of this node. Hot.
///
/// A subscription can't outlive its connection: only an attached connection can subscribe, and detaching ends all
/// of its subscriptions in the same act. An empty topic leaves no trace. Called by many threads at once.
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait PubSubManager: Send + Sync {
    /// Lets a connection subscribe, to at most `max_topics` topics. Attaching it again changes nothing.
    fn attach(&self, socket: Arc<dyn WebSocketConnection>, max_topics: u32);

    /// Ends every subscription of a connection and lets it subscribe no more. Returns what it had.
    fn detach(&self, id: ConnectionId) -> Vec<Subscription>;

    /// Subscribes a connection; true if it was not subscribed before. From the return on, what is published to the
    /// topic reaches it. Repeating it changes nothing, not even the origin.
    ///
    /// # Errors
    /// The connection is not attached, or has as many topics as it may have.
    fn subscribe(&self, id: ConnectionId, topic: &Topic, origin: Origin) -> Result<bool, SubscribeError>;

    /// Ends a subscription; false if there was none. From the return on, nothing of the topic reaches the connection.
    fn unsubscribe(&self, id: ConnectionId, topic: &Topic) -> bool;

    /// A connection's subscriptions, in the order of their topics.
    fn subscriptions(&self, id: ConnectionId) -> Vec<Subscription>;

    /// Shows each subscriber's socket to `visit`, each once. `visit` must not call back into the manager.
    fn visit(&self, topic: &Topic, visit: &mut dyn SocketVisitor);

    /// Up to `limit` topics that have subscribers, in their order as text, from the first one after `after`.
    fn topics(&self, after: Option<Topic>, limit: usize) -> Vec<TopicInfo>;

    /// How many topics and subscriptions there are.
    fn stats(&self) -> PubSubStats;
}

/// How many topics and subscriptions there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PubSubStats {
    /// Topics with at least one subscriber.
    pub topics: usize,
    /// Pairs of a connection and a topic.
    pub subscriptions: usize,
}

/// Why a connection was not subscribed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// It is gone, or was never there.
    #[error("the connection is not connected to this node")]
    NotConnected,
    /// It has as many topics as it may have.
    #[error("the connection has {limit} subscriptions, which is the limit")]
    LimitExceeded {
        /// `limits.subscriptions`.
        limit: u32,
    },
    /// The message bus could not be asked for the topic.
    #[error("the message bus is unavailable; try again")]
    Unavailable,
}
