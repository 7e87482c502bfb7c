//! What must hold in a world at any moment.

use std::{collections::BTreeSet, sync::Arc};

use realtime_ports::{ConnectionRegistry, PubSubManager, Selection, WebSocketConnection};
use realtime_schema::ConnectionId;

use crate::node::{Node, Tables};

/// What does not hold on a node.
pub(crate) fn violations(node: &Node) -> Vec<String> {
    let metrics = node.service.metrics();
    let mut wrong = Vec::new();
    if metrics.admitted < metrics.connections {
        wrong.push(format!("{} connections have {} permits", metrics.connections, metrics.admitted));
    }
    if let Some(tables) = &node.tables {
        wrong.extend(overfull(node, tables));
        wrong.extend(disagreements(tables, metrics.connections, metrics.topics, metrics.subscriptions));
    }
    wrong.into_iter().map(|what| format!("node {}: {what}", node.index)).collect()
}

/// Most messages of a batch that are one frame, and most bytes of a frame beside its payload.
const JOINED: usize = 64;
const ENVELOPE: usize = 1024;

/// Queues that hold more than their limits, or than one frame: one always fits.
fn overfull(node: &Node, tables: &Tables) -> Vec<String> {
    let settings = node.service.settings();
    let limit = usize::try_from(settings.limits.queue_bytes).unwrap_or(usize::MAX).max(tables.queue_bytes);
    let most = limit.max(JOINED * (settings.publishing.max_bytes + ENVELOPE));
    let mut wrong = Vec::new();
    let mut see = |socket: &Arc<dyn WebSocketConnection>| {
        let bytes = socket.queued_bytes();
        if bytes > most {
            wrong.push(format!("{} bytes are queued for {}; {most} is the most", bytes, socket.id()));
        }
    };
    tables.registry.visit(&Selection::All, &mut see);
    wrong
}

/// How the tables of a node disagree with each other and with its counters.
fn disagreements(tables: &Tables, connections: u64, topics: u64, subscriptions: u64) -> Vec<String> {
    let Tables { registry, pubsub, .. } = tables;
    let mut wrong = Vec::new();
    let mut differ = |what: &str, one: u64, other: u64| {
        if one != other {
            wrong.push(format!("{what}: {one} and {other}"));
        }
    };
    let registered = shown(|visit| registry.visit(&Selection::All, visit));
    differ("registered connections, by visit and by count", registered.len() as u64, connections);

    let of_connections: u64 = registered.iter().map(|id| pubsub.subscriptions(*id).len() as u64).sum();
    let listed = pubsub.topics("", None, usize::MAX);
    let of_topics: u64 = listed.iter().map(|topic| topic.subscribers).sum();
    differ("topics, by list and by count", listed.len() as u64, topics);
    differ("subscriptions, by connection and by count", of_connections, subscriptions);
    differ("subscriptions, by topic and by count", of_topics, subscriptions);

    for topic in listed {
        let strangers = shown(|visit| pubsub.visit(&topic.topic, visit)).difference(&registered).count();
        differ(&format!("subscribers of {} that are not registered", topic.topic), strangers as u64, 0);
    }
    for id in &registered {
        let user = registry.get(*id).map(|(record, _)| record.user.clone());
        let found = user.is_some_and(|user| shown(|visit| registry.visit(&Selection::User(user), visit)).contains(id));
        differ(&format!("{id} among the connections of its user"), found.into(), 1);
    }
    wrong
}

fn shown(visit: impl FnOnce(&mut dyn realtime_ports::SocketVisitor)) -> BTreeSet<ConnectionId> {
    let mut ids = BTreeSet::new();
    visit(&mut |socket: &Arc<dyn WebSocketConnection>| {
        ids.insert(socket.id());
    });
    ids
}
