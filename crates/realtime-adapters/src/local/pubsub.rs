//! The subscriptions of this node, in memory.

use std::{collections::BTreeMap, sync::Arc};

use realtime_core::{
    page::PageBuilder,
    pubsub::{AttachedTable, TopicTable},
};
use realtime_ports::{PubSubManager, PubSubStats, SocketVisitor, SubscribeError, WebSocketConnection};
use realtime_schema::{ConnectionId, Origin, Subscription, Topic, TopicInfo};

use super::{Socket, shards::Shards};

/// The subscriptions of this node.
///
/// Order of locks: a connection's shard first; while it is held, one topic's shard at a time. A change of a
/// connection's subscriptions holds the connection's shard until it is complete, so that no topic keeps a removed
/// connection. A visit takes the topic's lock only; unsubscribing waits for it: nothing is sent after it returns.
#[derive(Default)]
pub struct LocalPubSub {
    connections: Shards<AttachedTable<Socket>>,
    topics: Shards<TopicTable<Socket>>,
}

impl LocalPubSub {
    /// No connections, no topics.
    pub fn new() -> Self {
        Self::default()
    }

    /// No connections, no topics, and a hash that `seed` decides: for tests that repeat a run. Not for production,
    /// where the hash is random so that clients can't choose what shares a lock.
    pub fn with_seed(seed: u64) -> Self {
        Self { connections: Shards::with_seed(seed), topics: Shards::with_seed(seed) }
    }
}

impl PubSubManager for LocalPubSub {
    fn attach(&self, socket: Arc<dyn WebSocketConnection>, max_topics: u32) {
        let id = socket.id();
        self.connections.write(&id).insert(socket, max_topics);
    }

    fn detach(&self, id: ConnectionId) -> Vec<Subscription> {
        let mut connections = self.connections.write(&id);
        let Some(gone) = connections.remove(id) else { return Vec::new() };
        let had = gone.topics.into_vec();
        for Subscription { topic, .. } in &had {
            self.topics.write(topic).remove(topic, id);
        }
        // Released before the socket is dropped: a drop may run any code.
        drop(connections);
        had
    }

    fn subscribe(&self, id: ConnectionId, topic: &Topic, origin: Origin) -> Result<bool, SubscribeError> {
        let mut connections = self.connections.write(&id);
        let attached = connections.get_mut(id).ok_or(SubscribeError::NotConnected)?;
        let socket = &attached.listener;
        let join = || {
            let kept = self.topics.write(topic).insert(topic, Arc::clone(socket));
            kept.unwrap_or_else(|| topic.clone())
        };
        attached.topics.add(topic, origin, join).map_err(|over| SubscribeError::LimitExceeded { limit: over.0 })
    }

    fn unsubscribe(&self, id: ConnectionId, topic: &Topic) -> bool {
        let mut connections = self.connections.write(&id);
        let Some(attached) = connections.get_mut(id) else { return false };
        attached.topics.remove(topic) && self.topics.write(topic).remove(topic, id)
    }

    fn subscriptions(&self, id: ConnectionId) -> Vec<Subscription> {
        self.connections.read(&id).get(id).map(|attached| attached.topics.as_slice().to_vec()).unwrap_or_default()
    }

    fn visit(&self, topic: &Topic, visit: &mut dyn SocketVisitor) {
        self.topics.read(topic).listeners(topic).iter().for_each(|socket| visit.visit(socket));
    }

    fn subscribers(&self, topic: &Topic, after: Option<ConnectionId>, limit: usize) -> Vec<ConnectionId> {
        let mut page = PageBuilder::new(after, limit);
        self.topics.read(topic).listeners(topic).iter().for_each(|socket| {
            page.offer(socket.id());
        });
        page.finish()
    }

    fn subscriber_count(&self, topic: &Topic) -> usize {
        self.topics.read(topic).listeners(topic).len()
    }

    fn is_subscribed(&self, id: ConnectionId, topic: &Topic) -> bool {
        self.connections.read(&id).get(id).is_some_and(|attached| attached.topics.contains(topic))
    }

    fn topics(&self, prefix: &str, after: Option<Topic>, limit: usize) -> Vec<TopicInfo> {
        // Holds at most one page in memory, however many topics there are.
        let mut page = BTreeMap::<Topic, usize>::new();
        for topics in self.topics.each() {
            for (topic, subscribers) in topics.iter() {
                if !topic.as_str().starts_with(prefix) {
                    continue;
                }
                if after.as_ref().is_some_and(|after| topic <= after) {
                    continue;
                }
                if page.len() >= limit {
                    match page.last_key_value() {
                        Some((last, _)) if topic < last => page.pop_last(),
                        _ => continue,
                    };
                }
                page.insert(topic.clone(), subscribers.as_slice().len());
            }
        }
        page.into_iter()
            .map(|(topic, subscribers)| TopicInfo { topic, subscribers: subscribers as u64, history: None })
            .collect()
    }

    fn stats(&self) -> PubSubStats {
        self.topics.each().fold(PubSubStats::default(), |sum, topics| PubSubStats {
            topics: sum.topics + topics.keys(),
            subscriptions: sum.subscriptions + topics.pairs(),
        })
    }
}

#[cfg(test)]
impl LocalPubSub {
    /// How many connections are attached.
    pub(super) fn attached(&self) -> usize {
        self.connections.each().map(|connections| connections.count()).sum()
    }
}
