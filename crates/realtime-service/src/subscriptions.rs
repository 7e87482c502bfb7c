//! The one door to subscriptions, for clients and for the application alike.
//!
//! The node's own tables are the truth. A bus that delivers only what a node asks for is asked before the first
//! subscriber of a topic joins, and a worker takes the request back after the last one has left.

use std::{future::Future, pin::Pin, sync::Arc};

use realtime_ports::{ConnectionRegistry, MessageBus, PubSubManager, PubSubStats, SubscribeError, WebSocketConnection};
use realtime_schema::{
    ConnectionId, Control, Origin, Route, Subscribed, Subscription, Topic, TopicInfo, Unsubscribed, UnsubscribedReason,
};

use crate::control::ControlFrames;

mod bus_interest;

use bus_interest::BusInterest;

/// Whether a connection has joined a topic: true if it was not subscribed before.
type Joined = Result<bool, SubscribeError>;

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
    /// `None` if the bus delivers everything anyway.
    interest: Option<BusInterest>,
}

impl Subscriptions {
    pub(crate) fn new(
        registry: Arc<dyn ConnectionRegistry>,
        pubsub: Arc<dyn PubSubManager>,
        bus: &Arc<dyn MessageBus>,
        control: ControlFrames,
    ) -> Self {
        let interest = bus.is_selective().then(|| BusInterest::new(bus.clone()));
        Self { registry, pubsub, control, interest }
    }

    /// Lets a connection subscribe, to at most `max_topics` topics.
    pub(crate) fn attach(&self, socket: Arc<dyn WebSocketConnection>, max_topics: u32) {
        self.pubsub.attach(socket, max_topics);
    }

    /// Ends every subscription of a connection and lets it subscribe no more.
    pub(crate) fn detach(&self, id: ConnectionId) {
        let left = self.pubsub.detach(id);
        if let Some(interest) = &self.interest {
            interest.leave(left.into_iter().map(|subscription| Route::Topic(subscription.topic)));
        }
    }

    /// Subscribes a connection.
    pub(crate) fn join(self: &Arc<Self>, id: ConnectionId, topic: &Topic, origin: Origin) -> Joining {
        if self.interest.is_none() {
            return Joining::Now(self.pubsub.subscribe(id, topic, origin));
        }
        let (this, topic) = (self.clone(), topic.clone());
        Joining::Later(Box::pin(async move {
            let Some(interest) = &this.interest else { return this.pubsub.subscribe(id, &topic, origin) };
            let entered = interest.enter(Route::Topic(topic.clone())).await?;
            let joined = this.pubsub.subscribe(id, &topic, origin);
            if joined == Ok(true) {
                entered.keep();
            }
            joined
        }))
    }

    /// Ends a subscription; false if there was none.
    pub(crate) fn leave(&self, id: ConnectionId, topic: &Topic) -> bool {
        let left = self.pubsub.unsubscribe(id, topic);
        if left && let Some(interest) = &self.interest {
            interest.leave([Route::Topic(topic.clone())]);
        }
        left
    }

    /// Subscribes a connection on the application's behalf, and notifies its client.
    pub(crate) async fn subscribe(self: &Arc<Self>, id: ConnectionId, topic: &Topic, origin: Origin) -> Joined {
        let joined = match self.join(id, topic, origin) {
            Joining::Now(joined) => joined,
            Joining::Later(joining) => joining.await,
        };
        if joined == Ok(true) {
            self.notify(id, &Control::Subscribed(Subscribed { topic: topic.clone(), position: None, reason: None }));
        }
        joined
    }

    /// Ends a subscription on the application's behalf, and notifies its client; false if there was none.
    pub(crate) fn unsubscribe(&self, id: ConnectionId, topic: &Topic) -> bool {
        let left = self.leave(id, topic);
        if left {
            self.notify(
                id,
                &Control::Unsubscribed(Unsubscribed { topic: topic.clone(), reason: UnsubscribedReason::Server }),
            );
        }
        left
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
