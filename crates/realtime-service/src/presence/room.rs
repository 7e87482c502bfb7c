//! The presence of one topic: its users, the connections that watch it, and the questions that wait for a report.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use realtime_core::{
    outbound::QueueLimits,
    presence::{Change, PresenceRight, Present, TopicPresence},
};
use realtime_ports::WebSocketConnection;
use realtime_schema::{
    Ack, CommandId, ConnectionId, Control, ErrorCode, ErrorReply, Payload, Presence, PresencePage, PresentUser, Topic,
    UnsubscribedReason, UserId,
};
use tokio::sync::oneshot;

use crate::control::ControlFrames;

/// Most questions that wait for the report of one topic. Over it: `unavailable`.
const MAX_QUESTIONS: usize = 100_000;
/// Most bytes of the users on a page, about.
const PAGE_BYTES: usize = 256 * 1024;
/// The JSON around a user's name and metadata, in bytes, about.
const USER_BYTES: usize = 48;

/// The presence of one topic.
pub(super) struct Room {
    topic: Topic,
    pub(super) presence: TopicPresence<Option<Payload>>,
    watchers: BTreeMap<ConnectionId, Watcher>,
    questions: Vec<Question>,
    /// When its report is scheduled.
    pub(super) scheduled: Option<Duration>,
}

/// A connection that is sent the changes.
pub(super) struct Watcher {
    socket: Arc<dyn WebSocketConnection>,
    /// Whether it is sent the names, or only the count.
    names: bool,
    state: WatcherState,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum WatcherState {
    /// It has the reported list.
    Current,
    /// It gets the list with the reply to its command.
    Asked,
    /// It gets the list with the next report.
    Outdated,
}

/// A page of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PageOf {
    pub(super) after: Option<UserId>,
    pub(super) limit: usize,
    pub(super) names: bool,
}

/// A question that is answered once everything was reported, so that the page belongs to a version.
pub(super) struct Question {
    pub(super) page: PageOf,
    pub(super) to: Asker,
}

/// Who gets a page.
pub(super) enum Asker {
    /// A client, in the reply to its command.
    Client {
        id: CommandId,
        connection: ConnectionId,
        socket: Arc<dyn WebSocketConnection>,
        right: PresenceRight,
        /// Dropped when the reply was sent: only then the client's next command is run.
        _answered: oneshot::Sender<()>,
    },
    /// A caller of the service.
    Backend(oneshot::Sender<PresencePage>),
}

impl Watcher {
    /// A watcher that gets the list with the reply to its command, or without one with the next report.
    pub(super) fn new(socket: Arc<dyn WebSocketConnection>, names: bool, without_reply: bool) -> Self {
        let state = if without_reply { WatcherState::Outdated } else { WatcherState::Asked };
        Self { socket, names, state }
    }

    /// Sends the client the last frame about this topic.
    pub(super) fn notify_revoked(&self, room: &Room, control: &ControlFrames) {
        let last = Presence { ended: Some(UnsubscribedReason::Revoked), ..room.counted() };
        let _ = self.socket.send(&control.encode(&Control::Presence(last)));
    }
}

pub(super) fn not_subscribed(id: Option<CommandId>, topic: &Topic) -> ErrorReply {
    let message = format!("only subscribers of `{topic}` may see who is on it; subscribe first");
    ErrorReply::new(id, ErrorCode::Forbidden, message)
}

pub(super) fn overloaded(id: Option<CommandId>) -> ErrorReply {
    ErrorReply::new(id, ErrorCode::Unavailable, "too many clients wait for the presence of this topic; try again")
}

impl Room {
    pub(super) fn new(topic: Topic, version: u64) -> Self {
        Self {
            topic,
            presence: TopicPresence::new(version),
            watchers: BTreeMap::new(),
            questions: Vec::new(),
            scheduled: None,
        }
    }

    /// True if there is nothing to keep.
    pub(super) fn is_empty(&self) -> bool {
        self.presence.is_empty() && self.watchers.is_empty() && self.questions.is_empty()
    }

    /// When to report, at most once per `interval`.
    pub(super) fn due(&self, interval: Duration) -> Option<Duration> {
        let is_wanted =
            !self.questions.is_empty() || self.watchers.values().any(|watcher| watcher.state == WatcherState::Outdated);
        self.presence.due(interval, is_wanted)
    }

    /// Whether a connection may see the presence now.
    pub(super) fn is_open_to(&self, id: ConnectionId, right: PresenceRight) -> bool {
        match right {
            PresenceRight::Always => true,
            PresenceRight::WhileSubscribed => self.presence.contains(id),
        }
    }

    pub(super) fn watch(&mut self, id: ConnectionId, watcher: Watcher) {
        self.watchers.insert(id, watcher);
    }

    pub(super) fn stop_watching(&mut self, id: ConnectionId) -> Option<Watcher> {
        self.watchers.remove(&id)
    }

    pub(super) fn watches_names(&self, id: ConnectionId) -> Option<bool> {
        self.watchers.get(&id).map(|watcher| watcher.names)
    }

    /// Sends a watcher the list with the next report; false if it does not watch.
    pub(super) fn repair(&mut self, id: ConnectionId) -> bool {
        let Some(watcher) = self.watchers.get_mut(&id) else { return false };
        if watcher.state == WatcherState::Current {
            watcher.state = WatcherState::Outdated;
        }
        true
    }

    /// True if too many questions wait.
    pub(super) fn is_overloaded(&self) -> bool {
        self.questions.len() >= MAX_QUESTIONS
    }

    /// Answers a question: at once if everything that has changed until `now` was reported, or else with the next report.
    pub(super) fn ask(&mut self, question: Question, now: Duration, control: &ControlFrames) {
        self.presence.expire(now);
        self.questions.push(question);
        if !self.presence.has_unreported() {
            self.answer(control);
        }
    }

    /// Reports what has changed until `now`: to the watchers the changes, or the list if they don't have it; then the
    /// answers. A frame names at most `max_users` users, and is encoded for the first watcher that gets it.
    pub(super) fn report(&mut self, now: Duration, max_users: usize, queue: QueueLimits, control: &ControlFrames) {
        self.presence.expire(now);
        let change = self.presence.take_change(now);
        let (mut list, mut changes, mut count) = (None, None, None);
        for Watcher { socket, names, state } in self.watchers.values() {
            let frame = match (state, &change) {
                (WatcherState::Asked, _) | (WatcherState::Current, None) => continue,
                (WatcherState::Current, Some(change)) if !names && change.joined.len() == change.left.len() => continue,
                (WatcherState::Current, Some(change)) if *names && fits(change, max_users) => {
                    changes.get_or_insert_with(|| control.encode_presence(&self.changed(change), false))
                }
                // The list, or the count: both replace what the client has.
                _ if *names => list.get_or_insert_with(|| control.encode_presence(&self.listed(max_users), true)),
                _ => count.get_or_insert_with(|| control.encode_presence(&self.counted(), true)),
            };
            let frame = frame.clone();
            // A queue that has no room for it asks for the list: see `repair`. A closing one needs nothing.
            let _ = socket.with_queue(|frames| frames.push_presence(frame, queue));
        }
        for watcher in self.watchers.values_mut().filter(|watcher| watcher.state == WatcherState::Outdated) {
            watcher.state = WatcherState::Current;
        }
        self.answer(control);
    }

    /// Answers every question. Everything was reported.
    fn answer(&mut self, control: &ControlFrames) {
        let mut last: Option<(PageOf, PresencePage)> = None;
        for Question { page: of, to } in std::mem::take(&mut self.questions) {
            let page = match last.take() {
                Some((same, page)) if same == of => page,
                _ => self.page(&of),
            };
            last = Some((of, page.clone()));
            match to {
                Asker::Client { id, connection, socket, right, _answered } => {
                    let reply = if self.is_open_to(connection, right) {
                        Control::Ack(Ack { presence: Some(Box::new(page)), ..Ack::new(id) })
                    } else {
                        Control::Error(not_subscribed(Some(id), &self.topic))
                    };
                    let _ = socket.send(&control.encode(&reply));
                    if self.watchers.get(&connection).is_some_and(|watcher| watcher.state == WatcherState::Asked) {
                        // The reply has the list, so changes may follow it, whatever was left out before.
                        let _ = socket.with_queue(|queue| queue.forget_outdated(std::slice::from_ref(&self.topic)));
                    }
                }
                Asker::Backend(reply) => drop(reply.send(page)),
            }
        }
        for watcher in self.watchers.values_mut().filter(|watcher| watcher.state == WatcherState::Asked) {
            watcher.state = WatcherState::Current;
        }
    }

    fn page(&self, of: &PageOf) -> PresencePage {
        let counted = self.counted();
        let mut page = PresencePage {
            topic: counted.topic,
            version: counted.version,
            count: counted.count,
            users: Vec::new(),
            next: None,
        };
        if of.names {
            let listed = self.presence.page(of.after.as_ref(), of.limit, PAGE_BYTES, cost);
            page.users = listed.users.into_iter().map(shown).collect();
            page.next = listed.next;
        }
        page
    }

    /// A frame with the count alone.
    fn counted(&self) -> Presence {
        Presence::new(self.topic.clone(), self.presence.version(), self.presence.count() as u64)
    }

    /// A frame with a change.
    fn changed(&self, change: &Change<Option<Payload>>) -> Presence {
        let Change { joined, left, updated, .. } = change;
        Presence {
            joined: joined.iter().cloned().map(shown).collect(),
            left: left.clone(),
            updated: updated.iter().cloned().map(shown).collect(),
            ..self.counted()
        }
    }

    /// A frame with the first page of the list.
    fn listed(&self, max_users: usize) -> Presence {
        let PresencePage { users, next, .. } = self.page(&PageOf { after: None, limit: max_users, names: true });
        Presence { users: Some(users), next, ..self.counted() }
    }
}

/// The bytes of a user in a frame, about.
fn cost(user: &UserId, metadata: &Option<Payload>) -> usize {
    USER_BYTES + user.as_str().len() + metadata.as_ref().map_or(0, |metadata| metadata.as_str().len())
}

/// Whether a change fits into one frame.
fn fits(change: &Change<Option<Payload>>, max_users: usize) -> bool {
    let users = change.joined.iter().chain(&change.updated);
    let bytes: usize = users.map(|present| cost(&present.user, &present.metadata)).sum();
    change.size() <= max_users && bytes <= PAGE_BYTES
}

fn shown(present: Present<Option<Payload>>) -> PresentUser {
    let Present { user, connections, metadata } = present;
    PresentUser { user, connections, metadata }
}
