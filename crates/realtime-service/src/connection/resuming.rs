//! Streams with a history that the server gives to a connection: the positions in its `welcome`, the hold of a client that
//! comes back, and what it resumes.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use realtime_core::{
    outbound::{Gate, Owed, ResumePending, Resumed, Start},
    session::{Hold, ResumeRequest, WelcomeStreams},
    ticket::Ticket,
};
use realtime_ports::{SubscribeError, WebSocketConnection};
use realtime_schema::{
    Connection, Control, Gap, GapReason, Origin, Route, Stream, StreamPosition, Topic, Unsubscribed, UnsubscribedReason,
};

use crate::{
    node::Node,
    outbound::Outbound,
    subscriptions::{JoinRequest, Joining},
};

/// The streams of a connection beside its topics.
fn own_streams(connection: &Connection) -> impl Iterator<Item = Route> {
    let roles = connection.roles.iter().cloned().map(Route::Role);
    [Route::All, Route::User(connection.user.clone())].into_iter().chain(roles)
}

/// The ticket that a client brought, if it is its own and valid. A client with a bad ticket connects without one.
pub(super) fn ticket(node: &Node, connection: &Connection, text: Option<&str>) -> Option<Ticket> {
    let ticket = node.tickets.open(text?, node.clock.now());
    let ticket = ticket.ok().filter(|ticket| ticket.belongs_to(&connection.user, connection.client.as_ref()));
    if ticket.is_none() {
        tracing::debug!(connection = %connection.id, "the resume ticket is not valid; the client starts without it");
    }
    ticket
}

/// How long the streams of a client that comes back stand still, and which of them it may continue.
pub(super) fn hold(node: &Node, ticket: Ticket, now: Duration) -> Box<Hold> {
    let until = now.saturating_add(node.settings.load().history.hold);
    Box::new(Hold { until, streams: ticket.streams })
}

/// Adds a gate to the queue of a new connection for each of its own streams that has a history, and returns their
/// positions.
pub(super) fn add_gates(node: &Node, connection: &Connection, outbound: &Outbound, held: bool) -> WelcomeStreams {
    let mut positions = BTreeMap::new();
    if held {
        outbound.look(|queue| queue.hold());
    }
    for route in own_streams(connection).filter(|route| node.streams.has_history(route)) {
        let position = node.streams.position(&route);
        let gate = if held { Gate::held } else { Gate::open };
        outbound.look(|queue| queue.add_gate(gate(route.clone(), Start::after(&position))));
        positions.extend(Stream::of(&route).map(|stream| (stream, position)));
    }
    WelcomeStreams { positions, ticket: new_ticket(node, connection) }
}

/// The ticket with which the client resumes its streams on its next connection; `None` if no stream has a history. Also for
/// a client whose topics alone have one: those that the server gives it are held for a ticket too.
pub(super) fn new_ticket(node: &Node, connection: &Connection) -> Option<String> {
    node.streams.any_history().then(|| {
        let kept = own_streams(connection).filter(|route| node.streams.has_history(route));
        seal(node, connection, kept.filter_map(|route| Stream::of(&route)).collect())
    })
}

/// A ticket that names these streams.
fn seal(node: &Node, connection: &Connection, streams: Vec<Stream>) -> String {
    let issued_at = node.clock.now();
    let expires_at = issued_at.after(node.settings.load().history.resume_ttl);
    let (user, client) = (connection.user.clone(), connection.client.clone());
    node.tickets.seal(&Ticket { user, client, issued_at, expires_at, streams, left_out: 0 })
}

/// Lets held streams go on from the client's positions, and subscribes to the topics that it resumes.
pub(super) async fn resume(
    node: Arc<Node>,
    connection: Arc<Connection>,
    outbound: Arc<Outbound>,
    request: ResumeRequest,
) -> Result<(), ResumePending> {
    let ResumeRequest { id, streams, topics } = request;
    if outbound.look(|queue| queue.begin_resume(id)).is_err() {
        return Err(ResumePending);
    }
    let mut held = Vec::with_capacity(streams.len());
    for (stream, position, may_read) in streams {
        outbound.room().await;
        let Some(route) = route_of(&connection, &stream) else { continue };
        if outbound.look(|queue| queue.is_held(&route)) {
            held.push(Resumed {
                stream: route,
                start: may_read.then(|| Start::after(&position)),
                cause: (!may_read).then_some(GapReason::NotGranted),
            });
        } else if node.streams.has_history(&route) {
            // Live since the welcome: what was before can't be sent any more.
            let resume = |log: &_| outbound.look(|queue| queue.resume_live(route.clone(), &position, log));
            node.streams.read(&route, resume);
        } else {
            send_gap(&node, &connection, &outbound, Gap::after(stream, &position, GapReason::NoHistory));
        }
    }
    outbound.look(|queue| queue.resume_held(held));
    let (held, others): (Vec<_>, Vec<_>) =
        topics.into_iter().partition(|(topic, ..)| outbound.look(|queue| queue.is_held(&Route::Topic(topic.clone()))));
    let held = held.into_iter().map(|(topic, position, _)| Resumed {
        stream: Route::Topic(topic),
        start: Some(Start::after(&position)),
        cause: None,
    });
    outbound.look(|queue| queue.resume_held(held.collect()));
    // A topic that the server gave, and that is live already.
    let given = node.subscriptions.of(connection.id);
    let (live, others): (Vec<_>, Vec<_>) = others
        .into_iter()
        .partition(|(topic, _, origin)| origin.is_none() && given.iter().any(|known| known.topic == *topic));
    for (topic, position, _) in live {
        outbound.room().await;
        if node.streams.position(&Route::Topic(topic.clone())) != position {
            let gap = Gap::after(Stream::Topic(topic), &position, GapReason::NotGranted);
            send_gap(&node, &connection, &outbound, gap);
        }
    }
    let asked = others.iter().filter(|(.., origin)| origin.is_none()).map(|(topic, ..)| topic.clone()).collect();
    let denied = node.authorizations.denied(connection.clone(), asked).await;
    for (topic, position, origin) in others {
        outbound.room().await;
        let origin = origin.unwrap_or(Origin::Authorizer);
        let reason = match denied.contains(&topic) {
            true => Some(UnsubscribedReason::Revoked),
            false => join(&node, &connection, &outbound, topic.clone(), &position, origin).await,
        };
        if let Some(reason) = reason {
            notify(&node, &outbound, &Control::Unsubscribed(Unsubscribed { topic, reason }));
        }
    }
    if let Some(ack) = outbound.look(|queue| queue.settle_resume()) {
        notify(&node, &outbound, &ack);
    }
    Ok(())
}

/// Subscribes to a topic from a position, as a part of a `resume`; returns why it failed, if it did.
async fn join(
    node: &Arc<Node>,
    connection: &Connection,
    outbound: &Outbound,
    topic: Topic,
    position: &StreamPosition,
    origin: Origin,
) -> Option<UnsubscribedReason> {
    let has_gap = notify_without_history(node, connection, outbound, &topic, position);
    outbound.look(|queue| queue.expect_resumed());
    let start = if has_gap { Start::Live } else { Start::after(position) };
    let request = JoinRequest { topic, origin, start, owed: Some(Owed::Resumed) };
    let joined = match node.subscriptions.join(connection.id, request) {
        Joining::Now(joined) => joined,
        Joining::Later(joining) => joining.await,
    };
    let catching_up = joined.as_ref().is_ok_and(|join| join.catching_up);
    if !catching_up {
        outbound.look(|queue| queue.not_resumed());
    }
    joined.err().map(|error| match error {
        SubscribeError::LimitExceeded { .. } => UnsubscribedReason::LimitExceeded,
        _ => UnsubscribedReason::Unavailable,
    })
}

fn send_gap(node: &Node, connection: &Connection, outbound: &Outbound, gap: Gap) {
    node.gap(connection, &gap);
    notify(node, outbound, &Control::Gap(gap));
}

/// Sends a gap for what came after a position, if the topic has no history, and returns whether it did. The settings of
/// now decide: those of the session may be older.
pub(super) fn notify_without_history(
    node: &Node,
    connection: &Connection,
    outbound: &Outbound,
    topic: &Topic,
    position: &StreamPosition,
) -> bool {
    let is_lost = !node.streams.has_history(&Route::Topic(topic.clone()));
    if is_lost {
        let gap = Gap::after(Stream::Topic(topic.clone()), position, GapReason::NoHistory);
        send_gap(node, connection, outbound, gap);
    }
    is_lost
}

fn notify(node: &Node, outbound: &Outbound, control: &Control) {
    let _ = outbound.send(&node.control.encode(control));
}

/// The route of a stream as the connection sees it; `None` for a role that it does not have.
pub(super) fn route_of(connection: &Connection, stream: &Stream) -> Option<Route> {
    let has_role = |role| connection.roles.contains(role);
    let is_its = !matches!(stream, Stream::Role(role) if !has_role(role));
    is_its.then(|| stream.route(&connection.user))
}
