//! Lists of connections, in pages.

use std::time::Duration;

use realtime_ports::Selection;
use realtime_schema::{
    ConnectionId, ConnectionPage, ConnectionQuery, ConnectionSummary, Subscriber, SubscriberPage, SubscriberQuery,
    Topic,
};

use super::Connections;

/// Connections that one request looks at, at most.
const MAX_LOOKS: usize = 10_000;
/// Connections that are looked at in one step.
const STEP: usize = 1_000;

/// The list that a page is chosen from.
enum Source<'a> {
    Users(Selection),
    Subscribers(&'a Topic),
}

impl Connections {
    /// One page of the connections that match all filters of `query`.
    pub(crate) fn list(&self, query: &ConnectionQuery) -> ConnectionPage {
        let limit = usize::from(query.limit);
        let source = self.source(query);
        let (mut connections, mut after, mut looked) = (Vec::new(), query.after, 0);
        loop {
            // One more than the limit shows whether there is a next page.
            let step = if is_whole(query, &source) { limit + 1 } else { STEP.max(limit + 1) };
            let candidates = match &source {
                Source::Users(selection) => self.registry.page(selection, after, step),
                Source::Subscribers(topic) => self.subscriptions.subscribers(topic, after, step),
            };
            let is_last = candidates.len() < step;
            looked += candidates.len();
            after = candidates.last().copied().or(after);
            for found in candidates.into_iter().filter_map(|id| self.matching(id, query)) {
                if connections.len() == limit {
                    let next = connections.last().map(|last: &ConnectionSummary| last.connection.id);
                    return ConnectionPage { connections, next };
                }
                connections.push(found);
            }
            if is_last {
                return ConnectionPage { connections, next: None };
            }
            if looked >= MAX_LOOKS {
                return ConnectionPage { connections, next: after };
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

    /// The index that is likely the smallest. A large one is no better than the list of all, which is in order: of an
    /// index a page looks at every entry.
    fn source<'a>(&self, query: &'a ConnectionQuery) -> Source<'a> {
        if let Some(user) = &query.user {
            return Source::Users(Selection::User(user.clone()));
        }
        if let Some(topic) = &query.topic
            && self.subscriptions.subscriber_count(topic) <= MAX_LOOKS
        {
            return Source::Subscribers(topic);
        }
        match query.role.clone().map(Selection::Role) {
            Some(role) if self.registry.count_of(&role) <= MAX_LOOKS => Source::Users(role),
            _ => Source::Users(Selection::All),
        }
    }

    /// A connection, if it matches every filter.
    fn matching(&self, id: ConnectionId, query: &ConnectionQuery) -> Option<ConnectionSummary> {
        let (connection, socket) = self.registry.get(id)?;
        let matches = query.user.as_ref().is_none_or(|user| connection.user == *user)
            && query.role.as_ref().is_none_or(|role| connection.roles.contains(role))
            && query.client.as_ref().is_none_or(|client| connection.client.as_ref() == Some(client))
            && query.topic.as_ref().is_none_or(|topic| self.subscriptions.has(id, topic))
            && query.address.is_none_or(|address| {
                let known = socket.activity(Duration::ZERO).address.map(|known| known.to_canonical());
                known == Some(address.to_canonical())
            });
        matches.then(|| ConnectionSummary {
            activity: self.activity(socket.as_ref(), self.subscriptions.of(id).len()),
            connection: (*connection).clone(),
        })
    }
}

/// Whether every connection of `source` matches.
fn is_whole(query: &ConnectionQuery, source: &Source<'_>) -> bool {
    let ConnectionQuery { user, role, topic, address, client, .. } = query;
    let filters = [user.is_some(), role.is_some(), topic.is_some(), address.is_some(), client.is_some()];
    let count = filters.into_iter().filter(|is_set| *is_set).count();
    match source {
        Source::Users(Selection::All) => count == 0,
        _ => count == 1,
    }
}
