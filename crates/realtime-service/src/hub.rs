//! From an envelope to the queues of those it is for: the one path on which messages reach sockets.

use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use realtime_core::{Frame, codec::encode_publication, message::plan, policy::Namespaces};
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
        let message = &envelope.message;
        let plan = plan(&message.to);
        let mut reach = Reach {
            message,
            namespaces: &self.namespaces,
            except: message.except_client.as_ref(),
            frame: None,
            seen: plan.overlap.then(HashSet::new),
            taken: 0,
        };
        for route in plan.routes.iter() {
            let mut visit = |socket: &Arc<dyn WebSocketConnection>| reach.visit(socket.as_ref());
            match route {
                Route::All => self.registry.visit(&Selection::All, &mut visit),
                Route::User(user) => self.registry.visit(&Selection::User(user.clone()), &mut visit),
                Route::Role(role) => self.registry.visit(&Selection::Role(role.clone()), &mut visit),
                Route::Topic(topic) => self.pubsub.visit(topic, &mut visit),
                Route::Connection(id) => {
                    if let Some((_, socket)) = self.registry.get(*id) {
                        visit(&socket);
                    }
                }
            }
        }
        self.metrics.envelopes_total.fetch_add(1, Relaxed);
        add(&self.metrics.deliveries_total, reach.taken);
        reach.taken as u64
    }
}

/// One message on its way to its listeners.
struct Reach<'a> {
    message: &'a Message,
    namespaces: &'a Namespaces,
    except: Option<&'a ClientId>,
    /// Encoded for the first listener, so that a message to nobody costs no encoding.
    frame: Option<Frame>,
    /// Who had it already, where two routes may name the same connection.
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
        let frame = self
            .frame
            .get_or_insert_with(|| encode_publication(self.message, self.namespaces.overflow(self.message.to.topic())));
        if socket.send(frame).is_ok() {
            self.taken += 1;
        }
    }
}
