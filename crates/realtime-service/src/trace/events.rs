//! What the parts of a node report, and which traces it is for. While nothing is traced each report is one look at a
//! counter.

use realtime_core::topic::covers;
use realtime_schema::{
    CloseCode, Connection, ConnectionId, ErrorReply, Gap, Origin, Receipt, Route, Stream, Subscription, Topic,
    TraceEvent, TraceEventKind, UnsubscribedReason,
};
use tokio::time::Instant;

use super::{Target, Traces, Watch};
use crate::recent::{Note, TracedMessage};

impl Traces {
    /// A message was published by this node, and is in the queues of its recipients. It is looked at once, however many
    /// they are.
    pub(crate) fn published(&self, note: &Note, message: &TracedMessage, receipt: &Receipt) {
        let Note { to, except_client, .. } = note;
        self.each(|watch| {
            if watch.kind.as_ref().is_some_and(|wanted| *wanted != message.kind) {
                return None;
            }
            let connections = match &watch.target {
                Target::Topic(topic) => {
                    let is_named = |route: &Route| matches!(route, Route::Topic(named) if named == topic);
                    if !to.routes().iter().any(is_named) {
                        return None;
                    }
                    None
                }
                Target::Streams(patterns) => {
                    let is_covered = |route: &Route| patterns.iter().any(|pattern| covers(pattern, route));
                    if !to.routes().iter().any(is_covered) {
                        return None;
                    }
                    None
                }
                Target::User(user) => Some(watch.with_view(|view| view.recipients(user, to, except_client.as_ref()))?),
            };
            Some(TraceEvent {
                message: Some(receipt.id),
                kind: Some(message.kind.clone()),
                payload: watch.payloads.then(|| message.payload.clone()),
                to: Some(to.clone()),
                except_client: except_client.clone(),
                delivered: Some(receipt.delivered),
                position: receipt.position.clone(),
                connections,
                ..self.event(TraceEventKind::Published)
            })
        });
    }

    /// A connection was registered, and has no subscriptions yet.
    pub(crate) fn opened(&self, connection: &Connection) {
        self.changed(connection, &TraceEventKind::Opened);
    }

    /// A connection has the roles of a new token.
    pub(crate) fn refreshed(&self, connection: &Connection) {
        self.changed(connection, &TraceEventKind::Refreshed);
    }

    fn changed(&self, connection: &Connection, kind: &TraceEventKind) {
        self.each(|watch| {
            watch.is_of_user(&connection.user).then(|| {
                self.look(watch, connection.id);
                TraceEvent { roles: Some(connection.roles.clone()), ..self.event_of(connection, kind.clone()) }
            })
        });
    }

    /// A connection has ended, with the code of its close frame if there was one. `detail` is the reason of a close by
    /// the server.
    pub(crate) fn closed(&self, connection: &Connection, code: Option<CloseCode>, by: &str, detail: Option<&str>) {
        self.each(|watch| {
            watch.is_of_user(&connection.user).then(|| TraceEvent {
                code: code.map(|code| code.0),
                reason: Some(by.to_owned()),
                detail: detail.map(str::to_owned),
                ..self.event_of(connection, TraceEventKind::Closed)
            })
        });
    }

    /// A connection was subscribed to a topic.
    pub(crate) fn subscribed(&self, id: ConnectionId, topic: &Topic, origin: Origin) {
        self.subscription_changed(id, topic, || TraceEvent {
            origin: Some(origin),
            ..self.event(TraceEventKind::Subscribed)
        });
    }

    /// The subscription of a connection has ended: by its client, or for a reason that the client is sent.
    pub(crate) fn unsubscribed(&self, id: ConnectionId, topic: &Topic, reason: Option<&UnsubscribedReason>) {
        let reason = reason.map_or("client", UnsubscribedReason::as_str);
        self.subscription_changed(id, topic, || TraceEvent {
            reason: Some(reason.to_owned()),
            ..self.event(TraceEventKind::Unsubscribed)
        });
    }

    fn subscription_changed(&self, id: ConnectionId, topic: &Topic, event: impl Fn() -> TraceEvent) {
        self.each_of(id, |watch, connection| {
            let is_of_user = watch.is_of_user(&connection.user);
            if is_of_user {
                self.look(watch, id);
            }
            (is_of_user || watch.is_of_topic(topic))
                .then(|| TraceEvent { topic: Some(topic.clone()), ..of(connection, event()) })
        });
    }

    /// All subscriptions of a connection have ended, because it ends. The traces of its user show that by
    /// [`closed`](Self::closed).
    pub(crate) fn detached(&self, id: ConnectionId, left: &[Subscription]) {
        self.each_of(id, |watch, connection| {
            watch.with_view(|view| view.remove(id));
            let topic = watch.target.topic().filter(|topic| left.iter().any(|ended| ended.topic == **topic))?;
            Some(TraceEvent {
                topic: Some(topic.clone()),
                reason: Some("closed".to_owned()),
                ..self.event_of(connection, TraceEventKind::Unsubscribed)
            })
        });
    }

    /// A command was refused.
    pub(crate) fn refused(&self, connection: &Connection, error: &ErrorReply) {
        self.each(|watch| {
            watch.is_of_user(&connection.user).then(|| TraceEvent {
                reason: Some(error.code.as_str().to_owned()),
                detail: Some(error.message.clone()),
                ..self.event_of(connection, TraceEventKind::Refused)
            })
        });
    }

    /// A client is sent a gap.
    pub(crate) fn gap(&self, connection: &Connection, gap: &Gap) {
        self.each(|watch| {
            is_about(watch, connection, gap.stream.as_ref())
                .then(|| TraceEvent { gap: Some(gap.clone()), ..self.event_of(connection, TraceEventKind::Gap) })
        });
    }

    /// A connection is sent a page of a stream's history.
    pub(crate) fn history(&self, connection: &Connection, stream: &Route, messages: u64) {
        self.each(|watch| {
            let stream = Stream::of(stream);
            is_about(watch, connection, stream.as_ref()).then(|| TraceEvent {
                stream,
                messages: Some(messages),
                ..self.event_of(connection, TraceEventKind::History)
            })
        });
    }

    /// Reads what the tables say of a connection of the user that is traced. Each change is reported after it was made,
    /// so that the last look finds the last state, in whatever order the reports come.
    pub(super) fn look(&self, watch: &Watch, id: ConnectionId) {
        watch.with_view(|view| match self.registry.get(id) {
            Some((connection, _)) => {
                view.set(&connection, self.pubsub.subscriptions(id).into_iter().map(|subscription| subscription.topic));
            }
            None => view.remove(id),
        });
    }

    /// Queues what `event` makes for each trace that goes on.
    fn each(&self, event: impl Fn(&Watch) -> Option<TraceEvent>) {
        if !self.is_active() {
            return;
        }
        let now = Instant::now();
        let mut has_expired = false;
        for watch in self.read().iter() {
            if watch.until <= now {
                has_expired = true;
            } else if let Some(event) = event(watch) {
                watch.push(event);
            }
        }
        if has_expired {
            self.prune(&mut self.write());
        }
    }

    /// The same, with the record of a connection that is registered.
    fn each_of(&self, id: ConnectionId, event: impl Fn(&Watch, &Connection) -> Option<TraceEvent>) {
        if self.is_active()
            && let Some((connection, _)) = self.registry.get(id)
        {
            self.each(|watch| event(watch, &connection));
        }
    }

    fn event(&self, kind: TraceEventKind) -> TraceEvent {
        TraceEvent::new(kind, self.clock.now())
    }

    fn event_of(&self, connection: &Connection, kind: TraceEventKind) -> TraceEvent {
        of(connection, self.event(kind))
    }
}

/// An event of a connection.
fn of(connection: &Connection, event: TraceEvent) -> TraceEvent {
    let Connection { id, user, client, .. } = connection;
    TraceEvent { user: Some(user.clone()), connection: Some(*id), client: client.clone(), ..event }
}

/// True if a trace is about the user of a connection, or about the topic of a stream.
fn is_about(watch: &Watch, connection: &Connection, stream: Option<&Stream>) -> bool {
    watch.is_of_user(&connection.user)
        || matches!((&watch.target, stream), (Target::Topic(topic), Some(Stream::Topic(named))) if named == topic)
}
