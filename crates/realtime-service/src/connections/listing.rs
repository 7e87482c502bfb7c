//! Lists of connections, in pages.

use std::sync::Arc;

use realtime_ports::Selection;
use realtime_schema::{
    Connection, ConnectionId, ConnectionPage, ConnectionQuery, Subscriber, SubscriberPage, SubscriberQuery, Topic,
};

use super::Connections;

/// Connections that are looked at in one step at least, when a filter has no index of its own.
const MIN_STEP: usize = 1_000;

impl Connections {
    /// One page of the connections that match all filters of `query`.
    pub(crate) fn list(&self, query: &ConnectionQuery) -> ConnectionPage {
        let limit = usize::from(query.limit);
        // One more than the limit shows whether there is a next page.
        let step = if is_indexed(query) { limit + 1 } else { MIN_STEP.max(limit + 1) };
        let (mut connections, mut after) = (Vec::new(), query.after);
        loop {
            let candidates = self.candidates(query, after, step);
            let is_last = candidates.len() < step;
            after = candidates.last().copied();
            for connection in candidates.into_iter().filter_map(|id| self.matching(id, query)) {
                if connections.len() == limit {
                    let next = connections.last().map(|last: &Connection| last.id);
                    return ConnectionPage { connections, next };
                }
                connections.push((*connection).clone());
            }
            if is_last {
                return ConnectionPage { connections, next: None };
            }
        }
    }

    /// One page of the connections that are subscribed to `topic`.
    pub(crate) fn subscribers(&self, topic: &Topic, query: &SubscriberQuery) -> SubscriberPage {
        let limit = usize::from(query.limit);
        let mut ids = self.subscriptions.subscribers(topic, query.after, limit + 1);
        let more = ids.len() > limit;
        ids.truncate(limit);
        let next = ids.last().copied().filter(|_| more);
        let subscriber = |id| {
            let (connection, _) = self.registry.get(id)?;
            let subscription = self.subscriptions.of(id).into_iter().find(|found| found.topic == *topic)?;
            Some(Subscriber { connection: (*connection).clone(), origin: subscription.origin })
        };
        SubscriberPage { subscribers: ids.into_iter().filter_map(subscriber).collect(), next }
    }

    /// Connections that match the filter whose index is likely the smallest, in the order of their ids.
    fn candidates(&self, query: &ConnectionQuery, after: Option<ConnectionId>, limit: usize) -> Vec<ConnectionId> {
        let selection = match query {
            ConnectionQuery { user: Some(user), .. } => Selection::User(user.clone()),
            ConnectionQuery { topic: Some(topic), .. } => return self.subscriptions.subscribers(topic, after, limit),
            ConnectionQuery { role: Some(role), .. } => Selection::Role(role.clone()),
            _ => Selection::All,
        };
        self.registry.page(&selection, after, limit)
    }

    /// A connection, if it matches the filters that [`Self::candidates`] has not applied.
    fn matching(&self, id: ConnectionId, query: &ConnectionQuery) -> Option<Arc<Connection>> {
        let ConnectionQuery { user, role, topic, .. } = query;
        let (connection, _) = self.registry.get(id)?;
        let has_role = role.as_ref().is_none_or(|role| connection.roles.contains(role));
        let is_subscribed = || match topic {
            Some(topic) if user.is_some() => self.subscriptions.has(id, topic),
            _ => true,
        };
        (has_role && is_subscribed()).then_some(connection)
    }
}

/// Whether one index holds exactly the connections that match.
fn is_indexed(query: &ConnectionQuery) -> bool {
    let filters = [query.user.is_some(), query.role.is_some(), query.topic.is_some()];
    filters.into_iter().filter(|is_set| *is_set).count() <= 1
}
