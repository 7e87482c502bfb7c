//! Policies for streams: permissions of clients, history, and the overflow policy of slow readers.

use std::time::Duration;

use realtime_schema::{Audience, Route, StreamPattern, Topic, UserId};
use serde::{Deserialize, Serialize};

use crate::{
    presence::PresencePolicy,
    topic::{covers, matches},
};

/// What to do when a connection's queue is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Overflow {
    /// Close the connection with 4513; the client reconnects.
    #[default]
    Close,
    /// Drop the oldest messages that may be dropped, and send the client a `gap`.
    Drop,
    /// Keep only the latest message of each type and route: suits gauges.
    Latest,
}

/// Who may subscribe to a namespace's topics. Other streams can't be subscribed to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubscribePolicy {
    /// Only clients whose token grants it.
    #[default]
    Granted,
    /// Every client with a valid token.
    Authenticated,
}

/// Who may publish to a namespace's topics with the command `publish`. Backends may publish to every stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PublishPolicy {
    /// Only clients whose token grants it.
    #[default]
    Granted,
    /// Every client with a valid token.
    Authenticated,
    /// Every client that is subscribed to the topic.
    Subscribers,
}

/// Who may read a namespace's history with the command `history`. Backends may read every history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HistoryRead {
    /// Only clients whose token grants it. Only topics can be granted.
    #[default]
    Granted,
    /// Every client that receives the stream: a subscriber of the topic, the user, a client with the role, everyone.
    Subscribers,
}

/// How much of a stream is kept: the oldest message is removed as soon as one of these is exceeded. By size and bytes, the
/// newest message always stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Retention {
    /// The most messages of one stream, at least 1.
    pub size: u32,
    /// The longest time that a message is kept.
    pub age: Duration,
    /// The most bytes of one stream: of its frames, as they are sent, with what it costs to keep each of them. At least 1.
    pub bytes: u64,
}

impl Default for Retention {
    /// 1,000 messages of 1 hour, 1 MiB in all.
    fn default() -> Self {
        Self { size: 1000, age: Duration::from_secs(3600), bytes: 1024 * 1024 }
    }
}

/// The policy of the streams that a pattern matches. Start from [`Namespace::new`] and set what differs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Namespace {
    /// The streams. In a topic pattern `{sub}` stands for the user of the client.
    pub pattern: StreamPattern,
    /// The clients that may subscribe. Only topics can be subscribed to.
    pub subscribe: SubscribePolicy,
    /// What to do when the queue of a slow reader is full.
    pub overflow: Overflow,
    /// How much of each stream is kept; `None` keeps nothing.
    pub history: Option<Retention>,
    /// The clients that may read the history.
    pub read: HistoryRead,
    /// The clients that may publish. Only topics can be published to.
    pub publish: PublishPolicy,
    /// Who may see the users who are on its topics; `None` if their presence is not kept. Only topics have presence.
    pub presence: Option<PresencePolicy>,
}

impl Namespace {
    /// The strictest policy: only what is granted, and no history.
    pub fn new(pattern: StreamPattern) -> Self {
        Self {
            pattern,
            subscribe: SubscribePolicy::default(),
            overflow: Overflow::default(),
            history: None,
            read: HistoryRead::default(),
            publish: PublishPolicy::default(),
            presence: None,
        }
    }

    /// The same with history. A slow reader's queue drops what it can't hold, because the history still has it.
    #[must_use]
    pub fn with_history(self, retention: Retention) -> Self {
        Self { history: Some(retention), overflow: Overflow::Drop, ..self }
    }

    /// Whether `topic` belongs to the part of the namespace that is open to `user`: `{sub}` is the user.
    fn is_open(&self, topic: &Topic, user: &UserId) -> bool {
        matches!(&self.pattern, StreamPattern::Topic(pattern) if matches(pattern, topic, Some(user)))
    }

    fn covers_topic(&self, topic: &Topic) -> bool {
        matches!(&self.pattern, StreamPattern::Topic(pattern) if matches(pattern, topic, None))
    }

    fn covers(&self, route: &Route) -> bool {
        covers(&self.pattern, route)
    }
}

/// The namespaces in the order written: the first that matches decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespaces {
    list: Vec<Namespace>,
    default_overflow: Overflow,
    any_history: bool,
    any_presence: bool,
}

impl Namespaces {
    /// The namespaces, and the overflow policy of a message that is in none of them.
    ///
    /// [`Overflow::Latest`] keeps a few messages and history keeps all of them, so in a namespace with history it is
    /// [`Overflow::Drop`].
    pub fn new(mut list: Vec<Namespace>, default_overflow: Overflow) -> Self {
        for namespace in &mut list {
            if namespace.history.is_some() && namespace.overflow == Overflow::Latest {
                namespace.overflow = Overflow::Drop;
            }
        }
        let any_history = list.iter().any(|namespace| namespace.history.is_some());
        let any_presence = list.iter().any(|namespace| namespace.presence.is_some());
        Self { list, default_overflow, any_history, any_presence }
    }

    /// Whether a namespace allows `user` to subscribe to `topic` without a grant.
    pub fn allows_subscribe(&self, topic: &Topic, user: &UserId) -> bool {
        self.open(topic, user).is_some_and(|namespace| namespace.subscribe == SubscribePolicy::Authenticated)
    }

    /// Whether a namespace allows `user` to publish to `topic` without a grant. `subscribed` says whether the client is
    /// subscribed to it.
    pub fn allows_publish(&self, topic: &Topic, user: &UserId, subscribed: bool) -> bool {
        self.open(topic, user).is_some_and(|namespace| match namespace.publish {
            PublishPolicy::Granted => false,
            PublishPolicy::Authenticated => true,
            PublishPolicy::Subscribers => subscribed,
        })
    }

    /// Whether a namespace allows `user` to read the history of `route` without a grant. `subscribed` says whether the
    /// client receives the stream: it is subscribed to the topic, is the user, or has the role.
    pub fn allows_history(&self, route: &Route, user: &UserId, subscribed: bool) -> bool {
        let namespace = match route {
            Route::Topic(topic) => self.open(topic, user),
            route => self.of(route),
        };
        subscribed && namespace.is_some_and(|namespace| namespace.read == HistoryRead::Subscribers)
    }

    /// The namespace that decides for a topic, if the topic is in the part of it that is open to `user`.
    pub(crate) fn open(&self, topic: &Topic, user: &UserId) -> Option<&Namespace> {
        // A pattern with `{sub}` covers the topics of every user, so that no later one opens them to others.
        self.of_topic(topic).filter(|decides| decides.is_open(topic, user))
    }

    /// The namespace that decides for a topic.
    pub(crate) fn of_topic(&self, topic: &Topic) -> Option<&Namespace> {
        self.list.iter().find(|namespace| namespace.covers_topic(topic))
    }

    /// True if some topics have presence.
    pub fn any_presence(&self) -> bool {
        self.any_presence
    }

    /// The namespace that decides for a stream: the first that covers it. `None` for a single connection, which is no
    /// stream.
    pub fn of(&self, route: &Route) -> Option<&Namespace> {
        self.list.iter().find(|namespace| namespace.covers(route))
    }

    /// How much of a stream is kept; `None` if it has no history.
    pub fn retention(&self, route: &Route) -> Option<&Retention> {
        if !self.any_history {
            return None;
        }
        self.of(route)?.history.as_ref()
    }

    /// Whether any namespace has history.
    pub fn any_history(&self) -> bool {
        self.any_history
    }

    /// The overflow policy of a message to `to`: the first namespace that covers its stream decides. A message to a
    /// single connection or to several routes belongs to no stream, and has the default.
    pub fn overflow(&self, to: &Audience) -> Overflow {
        let [route] = to.routes() else { return self.default_overflow };
        self.of(route).map_or(self.default_overflow, |namespace| namespace.overflow)
    }
}

#[cfg(test)]
mod tests;
