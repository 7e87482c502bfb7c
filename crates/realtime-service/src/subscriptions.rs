//! The one door to subscriptions, for clients and for the application alike.
//!
//! The node's own tables are the truth. A bus that delivers only what a node asks for is asked before the first
//! subscriber of a topic joins, and a worker takes the request back after the last one has left.

use std::{future::Future, pin::Pin, sync::Arc};

use realtime_core::outbound::{Owed, Start};
use realtime_ports::{ConnectionRegistry, MessageBus, PubSubManager, PubSubStats, SubscribeError, WebSocketConnection};
use realtime_schema::{
    ConnectionId, Control, Origin, Route, Subscribed, Subscription, Topic, TopicInfo, Unsubscribed, UnsubscribedReason,
};

use crate::{control::ControlFrames, presence::Presence, recent::Recent, streams::Streams, trace::Traces};

mod bus_interest;
mod changes;
mod kept;

use bus_interest::BusInterest;
use changes::Changes;

/// Whether a connection has joined a topic.
type Joined = Result<Join, SubscribeError>;

/// How a connection has joined a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Join {
    /// It was not subscribed before.
    pub(crate) new: bool,
    /// The topic has a history: what is owed comes once the connection has caught up.
    pub(crate) catching_up: bool,
}

/// A wish to join a topic.
#[derive(Clone, Debug)]
pub(crate) struct JoinRequest {
    pub(crate) topic: Topic,
    pub(crate) origin: Origin,
    /// Where to read the topic's history from, if it has one.
    pub(crate) start: Start,
    /// What the client gets once it has caught up with the topic's history.
    pub(crate) owed: Option<Owed>,
}

/// When the result of joining a topic is known.
pub(crate) enum Joining {
    /// At once: the bus need not be asked.
    Now(Joined),
    /// Once the bus has responded.
    Later(Pin<Box<dyn Future<Output = Joined> + Send>>),
}

/// The subscriptions of this node.
pub(crate) struct Subscriptions {
    registry: Arc<dyn ConnectionRegistry>,
    pubsub: Arc<dyn PubSubManager>,
    control: ControlFrames,
    streams: Arc<Streams>,
    presence: Arc<Presence>,
    recent: Arc<Recent>,
    traces: Arc<Traces>,
    /// One change of a connection's subscriptions at a time.
    changes: Changes,
    /// `None` if the bus delivers everything anyway.
    interest: Option<BusInterest>,
}

/// What the subscriptions are made of.
pub(crate) struct SubscriptionsParts<'a> {
    pub(crate) registry: Arc<dyn ConnectionRegistry>,
    pub(crate) pubsub: Arc<dyn PubSubManager>,
    pub(crate) bus: &'a Arc<dyn MessageBus>,
    pub(crate) control: ControlFrames,
    pub(crate) streams: Arc<Streams>,
    pub(crate) presence: Arc<Presence>,
    pub(crate) recent: Arc<Recent>,
    pub(crate) traces: Arc<Traces>,
}

impl Subscriptions {
    pub(crate) fn new(parts: SubscriptionsParts<'_>) -> Self {
        let SubscriptionsParts { registry, pubsub, bus, control, streams, presence, recent, traces } = parts;
        let interest = bus.is_selective().then(|| BusInterest::new(bus.clone()));
        Self { registry, pubsub, control, streams, presence, recent, traces, changes: Changes::default(), interest }
    }

    /// Lets a connection subscribe, to at most `max_topics` topics.
    pub(crate) fn attach(&self, socket: Arc<dyn WebSocketConnection>, max_topics: u32) {
        self.pubsub.attach(socket, max_topics);
    }

    /// Ends every subscription of a connection and lets it subscribe no more.
    pub(crate) fn detach(&self, id: ConnectionId) {
        let left = self.pubsub.detach(id);
        self.presence.detach(id, &left);
        self.traces.detached(id, &left);
        if let Some(interest) = &self.interest {
            interest.leave(left.into_iter().map(|subscription| Route::Topic(subscription.topic)));
        }
    }

    /// Subscribes a connection.
    pub(crate) fn join(self: &Arc<Self>, id: ConnectionId, request: JoinRequest) -> Joining {
        if self.interest.is_none() {
            return Joining::Now(self.join_now(id, request));
        }
        let this = self.clone();
        Joining::Later(Box::pin(async move {
            let Some(interest) = &this.interest else { return this.join_now(id, request) };
            let entered = interest.enter(Route::Topic(request.topic.clone())).await?;
            let joined = this.join_now(id, request);
            if joined.is_ok_and(|join| join.new) {
                entered.keep();
            }
            joined
        }))
    }

    fn join_now(&self, id: ConnectionId, request: JoinRequest) -> Joined {
        let (topic, origin) = (request.topic.clone(), request.origin);
        let joined = self.subscribe_now(id, request)?;
        if joined.new {
            self.presence.follow(id, &topic);
            self.recent.joined(id, &topic);
            self.traces.subscribed(id, &topic, origin);
        }
        Ok(joined)
    }

    fn subscribe_now(&self, id: ConnectionId, request: JoinRequest) -> Joined {
        let route = Route::Topic(request.topic.clone());
        if self.streams.has_history(&route) {
            let _change = self.changes.of(id);
            return self.join_kept(id, &route, request);
        }
        let new = self.pubsub.subscribe(id, &request.topic, request.origin)?;
        Ok(Join { new, catching_up: false })
    }

    /// Ends a subscription; false if there was none. `notice` is sent to the client after the last message of the topic.
    pub(crate) fn leave(&self, id: ConnectionId, topic: &Topic, notice: Option<UnsubscribedReason>) -> bool {
        let _change = self.changes.of(id);
        let left = self.pubsub.unsubscribe(id, topic);
        self.presence.follow(id, topic);
        if left {
            self.recent.left(id, topic);
            self.traces.unsubscribed(id, topic, notice.as_ref());
        }
        // Also without a subscription: one that is being made may have a gate already.
        self.end_stream(id, &Route::Topic(topic.clone()));
        if left && let Some(interest) = &self.interest {
            interest.leave([Route::Topic(topic.clone())]);
        }
        if left && let Some(reason) = notice {
            self.notify(id, &Control::Unsubscribed(Unsubscribed { topic: topic.clone(), reason }));
        }
        left
    }

    /// Subscribes a connection on the application's behalf, and notifies its client; true if it was not subscribed
    /// before. While the connection waits for a `resume`, a topic with a history stands still, and the client is notified
    /// once it has caught up.
    pub(crate) async fn subscribe(
        self: &Arc<Self>,
        id: ConnectionId,
        topic: &Topic,
        origin: Origin,
    ) -> Result<bool, SubscribeError> {
        let notice = Subscribed { topic: topic.clone(), position: None, reason: None };
        let owed = Some(Owed::Subscribed(notice.clone()));
        let request = JoinRequest { topic: topic.clone(), origin, start: Start::Live, owed };
        let joined = match self.join(id, request) {
            Joining::Now(joined) => joined,
            Joining::Later(joining) => joining.await,
        };
        let Join { new, catching_up } = joined?;
        if new && !catching_up {
            self.notify(id, &Control::Subscribed(notice));
        }
        Ok(new)
    }

    /// Ends a subscription on the application's behalf, and notifies its client; false if there was none.
    pub(crate) fn unsubscribe(&self, id: ConnectionId, topic: &Topic) -> bool {
        self.leave(id, topic, Some(UnsubscribedReason::Server))
    }

    /// True if a connection is subscribed to a topic.
    pub(crate) fn has(&self, id: ConnectionId, topic: &Topic) -> bool {
        self.pubsub.is_subscribed(id, topic)
    }

    /// A connection's subscriptions, in the order of their topics.
    pub(crate) fn of(&self, id: ConnectionId) -> Vec<Subscription> {
        self.pubsub.subscriptions(id)
    }

    /// The ids of up to `limit` subscribers of a topic, in their order, from the first one after `after`.
    pub(crate) fn subscribers(&self, topic: &Topic, after: Option<ConnectionId>, limit: usize) -> Vec<ConnectionId> {
        self.pubsub.subscribers(topic, after, limit)
    }

    /// Up to `limit` topics that have subscribers and begin with `prefix`, in their order as text, from the first one
    /// after `after`.
    pub(crate) fn topics(&self, prefix: &str, after: Option<Topic>, limit: usize) -> Vec<TopicInfo> {
        self.pubsub.topics(prefix, after, limit)
    }

    /// The number of subscribers of a topic.
    pub(crate) fn subscriber_count(&self, topic: &Topic) -> usize {
        self.pubsub.subscriber_count(topic)
    }

    pub(crate) fn stats(&self) -> PubSubStats {
        self.pubsub.stats()
    }

    fn notify(&self, id: ConnectionId, control: &Control) {
        if let Some((_, socket)) = self.registry.get(id) {
            // A socket that can't take it is closing; its client will come back and ask anew.
            let _ = socket.send(&self.control.encode(control));
        }
    }
}
