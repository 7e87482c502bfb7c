//! From an envelope to the queues of its recipients: the one path on which messages reach sockets.

use std::{collections::HashSet, sync::Arc};

use realtime_core::{
    Frame,
    codec::encode_publication,
    message::plan,
    policy::{Namespaces, Overflow},
};
use realtime_ports::{ConnectionRegistry, Delivery, PubSubManager, Selection, WebSocketConnection};
use realtime_schema::{Audience, ClientId, ConnectionId, Envelope, Message, Route};

use crate::{
    metrics::{Metrics, add},
    settings::LiveSettings,
};

/// Resolves routes against this node's connections and queues one shared frame on each.
pub(crate) struct Hub {
    pub(crate) registry: Arc<dyn ConnectionRegistry>,
    pub(crate) pubsub: Arc<dyn PubSubManager>,
    pub(crate) settings: LiveSettings,
    pub(crate) metrics: Arc<Metrics>,
}

impl Delivery for Hub {
    fn deliver(&self, envelope: &Envelope) -> u64 {
        envelope.message().map_or(0, |message| self.fan_out(&self.settings.load().namespaces, &[message]))
    }

    fn deliver_batch(&self, envelopes: &[Arc<Envelope>]) -> Vec<u64> {
        let settings = self.settings.load();
        let namespaces = &settings.namespaces;
        let together = |one: &Arc<Envelope>, next: &Arc<Envelope>| match (one.message(), next.message()) {
            (Some(one), Some(next)) => go_together(namespaces, one, next),
            _ => false,
        };
        let mut counts = Vec::with_capacity(envelopes.len());
        let mut messages = Vec::with_capacity(envelopes.len());
        for chunk in envelopes.chunk_by(together) {
            messages.clear();
            messages.extend(chunk.iter().filter_map(|envelope| envelope.message()));
            counts.extend(std::iter::repeat_n(self.fan_out(namespaces, &messages), chunk.len()));
        }
        counts
    }
}

impl Hub {
    /// Queues a frame of a stream's history on each live connection of the stream; returns how many took it. The caller
    /// holds the lock of the stream.
    pub(crate) fn fan_out_kept(&self, route: &Route, frame: &Frame) -> u64 {
        let except = frame.kept().is_some_and(|kept| kept.except.is_some());
        let mut taken = 0;
        self.visit(route, |socket| {
            if (!except || frame.is_for(socket.client().as_ref())) && socket.send(frame).is_ok() {
                taken += 1;
            }
        });
        let messages = frame.messages() as usize;
        add(&self.metrics.envelopes_total, messages);
        add(&self.metrics.deliveries_total, taken * messages);
        taken as u64
    }

    /// True if a connection listens to `route`.
    pub(crate) fn has_listener(&self, route: &Route) -> bool {
        let mut found = false;
        self.visit(route, |_| found = true);
        found
    }

    /// True if the queue of a recipient of `to` is behind through no fault of its reader.
    pub(crate) fn is_any_behind(&self, to: &Audience) -> bool {
        let mut behind = false;
        for route in plan(to).routes.iter() {
            self.visit(route, |socket| behind = behind || socket.is_behind());
        }
        behind
    }

    /// Queues messages that go together on each recipient's connection; returns how many took them.
    fn fan_out(&self, namespaces: &Namespaces, messages: &[&Message]) -> u64 {
        let Some(message) = messages.first() else { return 0 };
        let plan = plan(&message.to);
        let mut fan_out = FanOut {
            messages,
            namespaces,
            except: message.except_client.as_ref(),
            frame: None,
            seen: plan.overlap.then(HashSet::new),
            taken: 0,
        };
        for route in plan.routes.iter() {
            self.visit(route, |socket| fan_out.visit(socket));
        }
        add(&self.metrics.envelopes_total, messages.len());
        add(&self.metrics.deliveries_total, fan_out.taken * messages.len());
        fan_out.taken as u64
    }

    /// Shows `see` each connection that `route` names.
    fn visit(&self, route: &Route, mut see: impl FnMut(&dyn WebSocketConnection)) {
        let mut see = |socket: &Arc<dyn WebSocketConnection>| see(socket.as_ref());
        match route {
            Route::All => self.registry.visit(&Selection::All, &mut see),
            Route::User(user) => self.registry.visit(&Selection::User(user.clone()), &mut see),
            Route::Role(role) => self.registry.visit(&Selection::Role(role.clone()), &mut see),
            Route::Topic(topic) => self.pubsub.visit(topic, &mut see),
            Route::Connection(id) => {
                if let Some((_, socket)) = self.registry.get(*id) {
                    see(&socket);
                }
            }
        }
    }
}

/// True if two consecutive messages have the same recipients, who may take them as one.
fn go_together(namespaces: &Namespaces, one: &Message, next: &Message) -> bool {
    one.to == next.to
        && one.except_client == next.except_client
        // Of these a queue may keep one and not the other, by their types.
        && namespaces.overflow(&one.to) != Overflow::Latest
}

/// One fan-out: the messages, and who has them already.
struct FanOut<'a> {
    messages: &'a [&'a Message],
    namespaces: &'a Namespaces,
    except: Option<&'a ClientId>,
    /// Encoded for the first listener, so that messages without recipients cost no encoding.
    frame: Option<Frame>,
    /// The connections that have them already, where two routes may name the same connection.
    seen: Option<HashSet<ConnectionId>>,
    taken: usize,
}

impl FanOut<'_> {
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
        let encode = |message: &&Message| encode_publication(message, self.namespaces.overflow(&message.to));
        match self.messages {
            [message] => Some(encode(message)),
            several => Frame::joined(&several.iter().map(encode).collect::<Vec<_>>()),
        }
    }
}
