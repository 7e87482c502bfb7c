//! What happened of late on this node, for explanations: publications, and changes of subscriptions. Bounded.

use std::{
    cmp::Reverse,
    collections::{HashMap, VecDeque},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use realtime_schema::{
    Audience, ClientId, ConnectionId, MessageId, MessageType, Payload, PublishRequest, Receipt, Route, StreamPosition,
    Timestamp, Topic,
};

use crate::settings::LiveSettings;

/// The last publications and changes, each with a number that rises in the order in which they happened.
pub(crate) struct Recent {
    settings: LiveSettings,
    next: AtomicU64,
    publications: Mutex<VecDeque<Publication>>,
    changes: Mutex<VecDeque<Change>>,
}

/// What routing looks at in a request, taken before the request is consumed.
pub(crate) struct Note {
    pub(crate) to: Audience,
    pub(crate) except_client: Option<ClientId>,
    /// What traces show of the message; `None` if nothing is traced.
    pub(crate) traced: Option<TracedMessage>,
    /// How many publications are remembered.
    limit: usize,
}

/// What traces show of a message.
pub(crate) struct TracedMessage {
    pub(crate) kind: MessageType,
    /// Shared with the message.
    pub(crate) payload: Payload,
}

/// A publication. Its payload is not kept.
#[derive(Clone, Debug)]
pub(crate) struct Publication {
    pub(crate) number: u64,
    pub(crate) id: MessageId,
    pub(crate) to: Audience,
    pub(crate) except_client: Option<ClientId>,
    pub(crate) delivered: u64,
    pub(crate) position: Option<StreamPosition>,
}

/// A change of a connection: it was opened, or it joined or left a topic.
#[derive(Clone, Debug)]
struct Change {
    number: u64,
    connection: ConnectionId,
    /// The topic, and whether it was joined; `None` when the connection was opened.
    topic: Option<(Topic, bool)>,
}

/// Publications that are looked at to count topics, at most: the list is locked meanwhile.
const MAX_COUNTED: usize = 10_000;

/// How often topics were published to.
#[derive(Debug)]
pub(crate) struct CountedTopics {
    /// The topics with the most publications, and how many.
    pub(crate) topics: Vec<(Topic, u64)>,
    /// When the oldest publication was made that was counted, in milliseconds since 1970; `None` if all of the window are
    /// remembered.
    pub(crate) since: Option<i64>,
}

/// The changes after a publication.
#[derive(Debug, Default)]
pub(crate) struct Later {
    changes: Vec<Change>,
    /// True if older ones are not remembered any more, so that one may be missing.
    pub(crate) incomplete: bool,
}

impl Later {
    pub(crate) fn opened(&self, connection: ConnectionId) -> bool {
        self.changes.iter().any(|change| change.connection == connection && change.topic.is_none())
    }

    /// The first change of a connection's subscription to `topic`: true if it joined.
    pub(crate) fn first(&self, connection: ConnectionId, topic: &Topic) -> Option<bool> {
        let of_connection = self.changes.iter().filter(|change| change.connection == connection);
        of_connection
            .filter_map(|change| change.topic.as_ref())
            .find(|(known, _)| known == topic)
            .map(|(_, joined)| *joined)
    }
}

impl Recent {
    pub(crate) fn new(settings: LiveSettings) -> Self {
        Self { settings, next: AtomicU64::new(1), publications: Mutex::default(), changes: Mutex::default() }
    }

    /// `limits.explained_publications`.
    pub(crate) fn limit(&self) -> usize {
        self.settings.load().publishing.explained
    }

    /// What is to be known of a publication; `None` if it is neither remembered nor traced. On the path of every one: it
    /// copies no payload.
    pub(crate) fn note(&self, request: &PublishRequest, is_traced: bool) -> Option<Note> {
        let limit = self.limit();
        (limit > 0 || is_traced).then(|| Note {
            to: request.to.clone(),
            except_client: request.except_client.clone(),
            traced: is_traced.then(|| TracedMessage { kind: request.kind.clone(), payload: request.payload.clone() }),
            limit,
        })
    }

    /// Adds a publication. Visits no recipient.
    pub(crate) fn published(&self, note: Note, receipt: &Receipt) {
        let Note { to, except_client, limit, .. } = note;
        let Receipt { id, delivered, position, .. } = receipt;
        let publication = Publication {
            number: self.number(),
            id: *id,
            to,
            except_client,
            delivered: *delivered,
            position: position.clone(),
        };
        push(&self.publications, publication, limit);
    }

    pub(crate) fn opened(&self, connection: ConnectionId) {
        self.change(connection, None);
    }

    pub(crate) fn joined(&self, connection: ConnectionId, topic: &Topic) {
        self.change(connection, Some((topic.clone(), true)));
    }

    pub(crate) fn left(&self, connection: ConnectionId, topic: &Topic) {
        self.change(connection, Some((topic.clone(), false)));
    }

    /// The publication with this id, if it is among the last.
    pub(crate) fn publication(&self, id: MessageId) -> Option<Publication> {
        let publications = self.publications.lock().unwrap_or_else(PoisonError::into_inner);
        publications.iter().rev().find(|publication| publication.id == id).cloned()
    }

    /// Counts the publications since `since_ms`, in milliseconds since 1970, by their topics; returns the `limit` topics
    /// that have the most.
    pub(crate) fn count_topics(&self, since_ms: i64, limit: usize) -> CountedTopics {
        let publications = self.publications.lock().unwrap_or_else(PoisonError::into_inner);
        let most = self.limit().min(MAX_COUNTED);
        let (mut counts, mut counted, mut oldest) = (HashMap::<&Topic, u64>::new(), 0, None);
        let mut all = true;
        for Publication { id, to, .. } in publications.iter().rev() {
            let made_at = id.made_at().map(Timestamp::as_millis);
            if made_at.is_some_and(|at| at < since_ms) {
                break;
            }
            if counted == most {
                all = false;
                break;
            }
            counted += 1;
            oldest = made_at.or(oldest);
            for route in to.routes() {
                if let Route::Topic(topic) = route {
                    *counts.entry(topic).or_default() += 1;
                }
            }
        }
        // As many are counted as are remembered: there may have been more.
        all = all && counted < most;
        let mut topics: Vec<_> = counts.into_iter().collect();
        topics.sort_unstable_by_key(|(topic, count)| (Reverse(*count), *topic));
        topics.truncate(limit);
        let topics = topics.into_iter().map(|(topic, count)| (topic.clone(), count)).collect();
        CountedTopics { topics, since: oldest.filter(|_| !all) }
    }

    /// The changes after the publication with this number.
    pub(crate) fn since(&self, number: u64) -> Later {
        let changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = changes.len() >= self.limit();
        let incomplete = is_full && changes.front().is_none_or(|oldest| oldest.number > number);
        let changes = changes.iter().filter(|change| change.number > number).cloned().collect();
        Later { changes, incomplete }
    }

    fn change(&self, connection: ConnectionId, topic: Option<(Topic, bool)>) {
        push(&self.changes, Change { number: self.number(), connection, topic }, self.limit());
    }

    fn number(&self) -> u64 {
        self.next.fetch_add(1, Relaxed)
    }
}

fn push<T>(ring: &Mutex<VecDeque<T>>, entry: T, limit: usize) {
    if limit == 0 {
        return;
    }
    let mut ring = ring.lock().unwrap_or_else(PoisonError::into_inner);
    while ring.len() >= limit {
        ring.pop_front();
    }
    ring.push_back(entry);
}
