//! The subscriptions of this node.

use std::sync::Arc;

use realtime_schema::{ConnectionId, Origin, Subscription, Topic, TopicInfo};

use crate::connection::{SocketVisitor, WebSocketConnection};

/// The subscriptions of this node. Hot.
///
/// A subscription can't outlive its connection: only an attached connection can subscribe, and detaching ends all
/// of its subscriptions in the same operation. A topic without subscribers is removed. Called by many threads at once.
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait PubSubManager: Send + Sync {
    /// Allows a connection to subscribe, to at most `max_topics` topics. Attaching it again changes nothing.
    fn attach(&self, socket: Arc<dyn WebSocketConnection>, max_topics: u32);

    /// Ends every subscription of a connection; it can no longer subscribe. Returns the ended subscriptions.
    fn detach(&self, id: ConnectionId) -> Vec<Subscription>;

    /// Subscribes a connection; true if it was not subscribed before. When it has returned, publications to the topic
    /// reach the connection. Repeating it changes nothing, not even the origin.
    ///
    /// # Errors
    /// The connection is not attached, or has reached its limit of topics.
    fn subscribe(&self, id: ConnectionId, topic: &Topic, origin: Origin) -> Result<bool, SubscribeError>;

    /// Ends a subscription; false if there was none. When it has returned, nothing of the topic reaches the connection.
    fn unsubscribe(&self, id: ConnectionId, topic: &Topic) -> bool;

    /// A connection's subscriptions, in the order of their topics.
    fn subscriptions(&self, id: ConnectionId) -> Vec<Subscription>;

    /// Shows each subscriber's socket to `visit`, each once. `visit` must not call back into the manager.
    fn visit(&self, topic: &Topic, visit: &mut dyn SocketVisitor);

    /// The ids of up to `limit` subscribers of a topic, in their order, from the first one after `after`. Paging through
    /// them shows a connection that is subscribed throughout exactly once. Cold: looks at all subscribers.
    fn subscribers(&self, topic: &Topic, after: Option<ConnectionId>, limit: usize) -> Vec<ConnectionId>;

    /// The number of subscribers of a topic. The default counts them one by one.
    fn subscriber_count(&self, topic: &Topic) -> usize {
        let mut count = 0;
        self.visit(topic, &mut |_: &Arc<dyn WebSocketConnection>| count += 1);
        count
    }

    /// Whether a connection is subscribed to a topic.
    fn is_subscribed(&self, id: ConnectionId, topic: &Topic) -> bool {
        self.subscriptions(id).iter().any(|known| known.topic == *topic)
    }

    /// Up to `limit` topics that have subscribers and begin with `prefix`, in their order as text, from the first one
    /// after `after`.
    fn topics(&self, prefix: &str, after: Option<Topic>, limit: usize) -> Vec<TopicInfo>;

    /// The number of topics and of subscriptions.
    fn stats(&self) -> PubSubStats;
}

/// The number of topics and of subscriptions.
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
    /// The connection is unknown or has ended.
    #[error("the connection is not connected to this node")]
    NotConnected,
    /// The connection has reached its limit of topics.
    #[error("the connection has {limit} subscriptions, which is the limit")]
    LimitExceeded {
        /// `limits.subscriptions`.
        limit: u32,
    },
    /// The message bus failed to listen to the topic.
    #[error("the message bus is unavailable; try again")]
    Unavailable,
}
