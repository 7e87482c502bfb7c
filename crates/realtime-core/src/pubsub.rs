//! Tables of subscriptions. [`SubscriptionTable`] is complete, for one thread; its two halves, [`TopicTable`] and
//! [`ConnectionTopics`], can be kept behind separate locks by a caller that needs many threads.

use realtime_schema::{ConnectionId, Origin, Subscription, Topic};

use crate::{
    identified::{IdTable, Identified},
    listeners::ListenerIndex,
};

/// Topics with their subscribers. A topic without a subscriber has no entry.
pub type TopicTable<L> = ListenerIndex<Topic, L>;

/// Why a connection was not subscribed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeRefused {
    /// The connection was never attached, or is detached.
    #[error("the connection is not attached")]
    NotAttached,
    /// The connection has reached its limit of topics.
    #[error(transparent)]
    Limit(#[from] TopicLimit),
}

/// The connection has reached its limit of topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the connection has {0} topics, which is the limit")]
pub struct TopicLimit(pub u32);

/// The topics of one connection, sorted as text, each with its origin, up to a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionTopics {
    held: Held,
    limit: u32,
}

// Most connections have no topic or one: those cost no allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Held {
    None,
    One(Subscription),
    /// Sorted, and with room for no more: most connections subscribe to a few topics once.
    Many(Box<[Subscription]>),
}

impl ConnectionTopics {
    /// No topics yet, and at most `limit`.
    pub fn new(limit: u32) -> Self {
        Self { held: Held::None, limit }
    }

    /// The subscriptions, in the order of their topics.
    pub fn as_slice(&self) -> &[Subscription] {
        match &self.held {
            Held::None => &[],
            Held::One(only) => std::slice::from_ref(only),
            Held::Many(many) => many,
        }
    }

    /// The subscriptions, by value.
    pub fn into_vec(self) -> Vec<Subscription> {
        match self.held {
            Held::None => Vec::new(),
            Held::One(only) => vec![only],
            Held::Many(many) => many.into_vec(),
        }
    }

    /// Whether `topic` is among them.
    pub fn contains(&self, topic: &Topic) -> bool {
        self.find(topic).is_ok()
    }

    /// Adds `topic`; returns false and changes nothing, not even the origin, if it is there already. `join` is called
    /// only if it is added: it adds the connection to the topic's subscribers and returns the copy of the topic to
    /// keep, which all of its subscribers share.
    ///
    /// # Errors
    /// The limit is reached.
    pub fn add(&mut self, topic: &Topic, origin: Origin, join: impl FnOnce() -> Topic) -> Result<bool, TopicLimit> {
        let Err(index) = self.find(topic) else { return Ok(false) };
        if self.as_slice().len() >= self.limit as usize {
            return Err(TopicLimit(self.limit));
        }
        let new = Subscription { topic: join(), origin };
        self.held = match std::mem::replace(&mut self.held, Held::None) {
            Held::None => Held::One(new),
            Held::One(first) => Held::Many(if index == 0 { Box::new([new, first]) } else { Box::new([first, new]) }),
            Held::Many(many) => {
                let mut many = many.into_vec();
                many.reserve_exact(1);
                many.insert(index, new);
                Held::Many(many.into_boxed_slice())
            }
        };
        Ok(true)
    }

    /// Removes `topic`; false if it was not subscribed.
    pub fn remove(&mut self, topic: &Topic) -> bool {
        let Ok(index) = self.find(topic) else { return false };
        self.held = match std::mem::replace(&mut self.held, Held::None) {
            Held::None | Held::One(_) => Held::None,
            Held::Many(many) => {
                let mut many = many.into_vec();
                many.remove(index);
                match many.len() {
                    1 => many.pop().map_or(Held::None, Held::One),
                    _ => Held::Many(many.into_boxed_slice()),
                }
            }
        };
        true
    }

    /// The index of `topic`, or the index at which to insert it.
    fn find(&self, topic: &Topic) -> Result<usize, usize> {
        self.as_slice().binary_search_by(|known| known.topic.cmp(topic))
    }
}

/// A connection that may subscribe.
#[derive(Clone, Debug)]
pub struct Attached<L> {
    /// The listener of its topics.
    pub listener: L,
    /// Its topics.
    pub topics: ConnectionTopics,
}

impl<L: Identified> Identified for Attached<L> {
    fn id(&self) -> ConnectionId {
        self.listener.id()
    }
}

/// The connections that may subscribe, by their ids.
#[derive(Debug)]
pub struct AttachedTable<L>(IdTable<Attached<L>>);

impl<L: Identified> AttachedTable<L> {
    /// An empty table, which allocates nothing.
    pub fn new() -> Self {
        Self(IdTable::new())
    }

    /// Allows a connection to subscribe to at most `max_topics` topics; returns false and changes nothing if it is
    /// attached already.
    pub fn insert(&mut self, listener: L, max_topics: u32) -> bool {
        self.0.insert(Attached { listener, topics: ConnectionTopics::new(max_topics) })
    }

    /// Removes a connection and returns it. The caller must remove it from the subscribers of its topics in the
    /// same operation.
    pub fn remove(&mut self, id: ConnectionId) -> Option<Attached<L>> {
        self.0.remove(id)
    }

    /// A connection.
    pub fn get(&self, id: ConnectionId) -> Option<&Attached<L>> {
        self.0.get(id)
    }

    /// A connection, to change its topics.
    pub fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Attached<L>> {
        self.0.get_mut(id)
    }

    /// Number of connections.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

impl<L: Identified> Default for AttachedTable<L> {
    fn default() -> Self {
        Self::new()
    }
}

/// Every subscription, by topic and by connection. For one thread.
#[derive(Debug)]
pub struct SubscriptionTable<L> {
    connections: AttachedTable<L>,
    topics: TopicTable<L>,
}

impl<L: Clone + Identified> SubscriptionTable<L> {
    /// No connections, no topics.
    pub fn new() -> Self {
        Self { connections: AttachedTable::new(), topics: TopicTable::new() }
    }

    /// Allows a connection to subscribe to at most `max_topics` topics; returns false and changes nothing if it is
    /// attached already.
    pub fn attach(&mut self, listener: L, max_topics: u32) -> bool {
        self.connections.insert(listener, max_topics)
    }

    /// Ends every subscription of a connection; it can no longer subscribe. Returns the ended subscriptions.
    pub fn detach(&mut self, id: ConnectionId) -> Vec<Subscription> {
        self.connections.remove(id).map(|attached| self.leave(id, attached.topics)).unwrap_or_default()
    }

    /// Ends every subscription of a connection, which may subscribe again. Returns the ended subscriptions.
    pub fn unsubscribe_all(&mut self, id: ConnectionId) -> Vec<Subscription> {
        let Some(attached) = self.connections.get_mut(id) else { return Vec::new() };
        let none = ConnectionTopics::new(attached.topics.limit);
        let had = std::mem::replace(&mut attached.topics, none);
        self.leave(id, had)
    }

    fn leave(&mut self, id: ConnectionId, topics: ConnectionTopics) -> Vec<Subscription> {
        let had = topics.into_vec();
        for subscription in &had {
            self.topics.remove(&subscription.topic, id);
        }
        had
    }

    /// Subscribes a connection; returns false and changes nothing if it was subscribed already.
    ///
    /// # Errors
    /// The connection is not attached, or has reached its limit of topics.
    pub fn subscribe(&mut self, id: ConnectionId, topic: &Topic, origin: Origin) -> Result<bool, SubscribeRefused> {
        let attached = self.connections.get_mut(id).ok_or(SubscribeRefused::NotAttached)?;
        let listener = &attached.listener;
        let join = || self.topics.insert(topic, listener.clone()).unwrap_or_else(|| topic.clone());
        Ok(attached.topics.add(topic, origin, join)?)
    }

    /// Ends a subscription; false if there was none.
    pub fn unsubscribe(&mut self, id: ConnectionId, topic: &Topic) -> bool {
        let Some(attached) = self.connections.get_mut(id) else { return false };
        attached.topics.remove(topic) && self.topics.remove(topic, id)
    }

    /// A topic's subscribers, in no particular order.
    pub fn subscribers(&self, topic: &Topic) -> &[L] {
        self.topics.listeners(topic)
    }

    /// A connection's subscriptions, in the order of their topics.
    pub fn subscriptions(&self, id: ConnectionId) -> &[Subscription] {
        self.connections.get(id).map_or(&[], |attached| attached.topics.as_slice())
    }

    /// Whether the connection is subscribed to the topic.
    pub fn subscribed(&self, id: ConnectionId, topic: &Topic) -> bool {
        self.connections.get(id).is_some_and(|attached| attached.topics.contains(topic))
    }

    /// Whether the topic has a subscriber.
    pub fn exists(&self, topic: &Topic) -> bool {
        self.topics.exists(topic)
    }

    /// Number of topics with a subscriber.
    pub fn topic_count(&self) -> usize {
        self.topics.keys()
    }

    /// Number of pairs of a connection and a topic.
    pub fn subscription_count(&self) -> usize {
        self.topics.pairs()
    }
}

impl<L: Clone + Identified> Default for SubscriptionTable<L> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
