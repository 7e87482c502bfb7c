//! From an envelope to the queues of those it is for: the one path on which messages reach sockets.

use std::{collections::HashSet, sync::Arc};

use realtime_core::{
    Frame,
    codec::encode_publication,
    message::plan,
    policy::{Namespaces, Overflow},
};
use realtime_ports::{ConnectionRegistry, Delivery, PubSubManager, Selection, WebSocketConnection};
use realtime_schema::{ClientId, ConnectionId, Envelope, Message, Route};

use crate::metrics::{Metrics, add};

/// Resolves routes against this node's connections and queues one shared frame on each.
pub(crate) struct Hub {
    pub(crate) registry: Arc<dyn ConnectionRegistry>,
    pub(crate) pubsub: Arc<dyn PubSubManager>,
    pub(crate) namespaces: Namespaces,
    pub(crate) metrics: Arc<Metrics>,
}

impl Delivery for Hub {
    fn deliver(&self, envelope: &Envelope) -> u64 {
        envelope.message().map_or(0, |message| self.fan_out(&[message]))
    }

    fn deliver_batch(&self, envelopes: &[Arc<Envelope>]) -> Vec<u64> {
        let together = |one: &Arc<Envelope>, next: &Arc<Envelope>| match (one.message(), next.message()) {
            (Some(one), Some(next)) => self.go_together(one, next),
            _ => false,
        };
        let mut counts = Vec::with_capacity(envelopes.len());
        let mut messages = Vec::with_capacity(envelopes.len());
        for chunk in envelopes.chunk_by(together) {
            messages.clear();
            messages.extend(chunk.iter().filter_map(|envelope| envelope.message()));
            counts.extend(std::iter::repeat_n(self.fan_out(&messages), chunk.len()));
        }
        counts
    }
}

impl Hub {
    /// Whether two messages in a row reach the same listeners, who may take them as one.
    fn go_together(&self, one: &Message, next: &Message) -> bool {
        one.to == next.to
            && one.except_client == next.except_client
            // Of these a queue may keep one and not the other, by their types.
            && self.namespaces.overflow(one.to.topic()) != Overflow::Latest
    }

    /// Queues messages that go together on each connection that they are for, and counts those that took them.
    fn fan_out(&self, messages: &[&Message]) -> u64 {
        let Some(message) = messages.first() else { return 0 };
        let plan = plan(&message.to);
        let mut reach = Reach {
            messages,
            namespaces: &self.namespaces,
            except: message.except_client.as_ref(),
            frame: None,
            seen: plan.overlap.then(HashSet::new),
            taken: 0,
        };
        for route in plan.routes.iter() {
            visit(&*self.registry, &*self.pubsub, route, |socket| reach.visit(socket));
        }
        add(&self.metrics.envelopes_total, messages.len());
        add(&self.metrics.deliveries_total, reach.taken * messages.len());
        reach.taken as u64
    }
}

/// Shows `see` each connection that `route` names.
pub(crate) fn visit(
    registry: &dyn ConnectionRegistry,
    pubsub: &dyn PubSubManager,
    route: &Route,
    mut see: impl FnMut(&dyn WebSocketConnection),
) {
    let mut see = |socket: &Arc<dyn WebSocketConnection>| see(socket.as_ref());
    match route {
        Route::All => registry.visit(&Selection::All, &mut see),
        Route::User(user) => registry.visit(&Selection::User(user.clone()), &mut see),
        Route::Role(role) => registry.visit(&Selection::Role(role.clone()), &mut see),
        Route::Topic(topic) => pubsub.visit(topic, &mut see),
        Route::Connection(id) => {
            if let Some((_, socket)) = registry.get(*id) {
                see(&socket);
            }
        }
    }
}

/// Messages on their way to their listeners.
struct Reach<'a> {
    messages: &'a [&'a Message],
    namespaces: &'a Namespaces,
    except: Option<&'a ClientId>,
    /// Encoded for the first listener, so that messages to nobody cost no encoding.
    frame: Option<Frame>,
    /// Who had them already, where two routes may name the same connection.
    seen: Option<HashSet<ConnectionId>>,
    taken: usize,
}

impl Reach<'_> {
    fn visit(&mut self, socket: &dyn WebSocketConnection) {
        if self.except.is_some_and(|except| socket.client().as_ref() == Some(except)) {
            return;
        }
        if let Some(seen) = &mut self.seen
            && !seen.insert(socket.id())
        {
            return;
        }
        if self.frame.is_none() {
            self.frame = self.encode();
        }
        if let Some(frame) = &self.frame
            && socket.send(frame).is_ok()
        {
            self.taken += 1;
        }
    }

    fn encode(&self) -> Option<Frame> {
        let encode = |message: &&Message| encode_publication(message, self.namespaces.overflow(message.to.topic()));
        match self.messages {
            [message] => Some(encode(message)),
            several => Frame::joined(&several.iter().map(encode).collect::<Vec<_>>()),
        }
    }
}
