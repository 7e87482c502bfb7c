//! Who is on which topic: counted where connections subscribe and unsubscribe, reported to the clients that watch.
//!
//! The subscriptions are the truth. After each change of one, [`Presence::follow`] compares the presence of its topic with
//! it, so that two changes at once, in whatever order their comparisons run, leave the presence of the last one.
//!
//! What changes on a topic is collected, and a worker reports it, at most once per `presence.flush_interval`, as one frame
//! that is encoded once. A queue that is full leaves such frames out, and its connection gets the list again: see
//! [`Presence::repair`]. Replies and changes are sent under the lock of the topic, so each client gets them in their order.
//!
//! Order of locks: the changes of a connection, a topic's shard here, then the registry, the subscriptions, or a queue.

use std::{
    collections::{BTreeSet, HashMap},
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use realtime_core::session::{PresenceCommand, Watched};
use realtime_ports::{Clock, ConnectionRegistry, PubSubManager, WebSocketConnection};
use realtime_schema::{ConnectionId, Control, ErrorCode, ErrorReply, PresencePage, PresenceQuery, Subscription, Topic};
use tokio::{
    sync::{Notify, oneshot},
    time::timeout,
};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    control::ControlFrames,
    metrics::{Metrics, PresenceStats, add},
    settings::LiveSettings,
};

mod room;
mod shard;
mod worker;

use room::{Asker, Question, Watcher};
use shard::Shard;

/// Number of shards: enough to keep threads from waiting for each other.
const SHARDS: usize = 16;
/// Maximum wait for a report, in addition to `presence.flush_interval`.
const REPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// The presence of this node.
pub(crate) struct Presence {
    shared: Arc<Shared>,
    _worker: AbortOnDropHandle<()>,
}

/// What the presence is made of.
pub(crate) struct PresenceParts {
    pub(crate) registry: Arc<dyn ConnectionRegistry>,
    pub(crate) pubsub: Arc<dyn PubSubManager>,
    pub(crate) settings: LiveSettings,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) control: ControlFrames,
    pub(crate) metrics: Arc<Metrics>,
}

struct Shared {
    parts: PresenceParts,
    shards: [Mutex<Shard>; SHARDS],
    /// The topics that each connection watches. Locked after a shard, and alone.
    watching: Mutex<HashMap<ConnectionId, BTreeSet<Topic>>>,
    /// Something is due sooner than the worker knows.
    sooner: Notify,
}

/// Why the presence of a topic can't be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PresenceError {
    /// No namespace with presence covers the topic.
    #[error("the presence of this topic is not kept: no namespace with `presence` covers it")]
    NotKept,
    /// No report was made in time.
    #[error("the presence of this topic is not available now; try again")]
    Unavailable,
}

impl Presence {
    pub(crate) fn new(parts: PresenceParts) -> Self {
        let shared = Arc::new(Shared {
            parts,
            shards: std::array::from_fn(|_| Mutex::default()),
            watching: Mutex::default(),
            sooner: Notify::new(),
        });
        let worker = AbortOnDropHandle::new(tokio::spawn(worker::run(shared.clone())));
        Self { shared, _worker: worker }
    }

    /// Follows a change of a connection's subscription to `topic`: it was made or ended just now.
    pub(crate) fn follow(&self, id: ConnectionId, topic: &Topic) {
        let shared = &*self.shared;
        let settings = shared.parts.settings.load();
        let policy = settings.namespaces.presence(topic);
        let mut shard = shared.shard(topic);
        if policy.is_none() && !shard.has(topic) {
            return;
        }
        // Read under the lock of the shard: the last to hold it sees the last change.
        let subscriptions = shared.parts.pubsub.subscriptions(id);
        let is_subscribed = subscriptions.iter().any(|subscription| subscription.topic == *topic);
        let record = shared.parts.registry.get(id).filter(|_| is_subscribed);
        let until = shared.now() + settings.presence.grace;
        let stopped = shared.change(&mut shard, topic, |room| {
            if let (Some((connection, _)), Some(policy)) = (&record, policy) {
                room.presence.join(id, &connection.user, policy.metadata.of(&connection.metadata));
            } else {
                room.presence.leave(id, until);
            }
            !is_subscribed && room.stop_watching(id).is_some()
        });
        drop(shard);
        if stopped {
            shared.forget_watched(id, topic);
        }
    }

    /// Follows the end of a connection and of its subscriptions.
    pub(crate) fn detach(&self, id: ConnectionId, subscriptions: &[Subscription]) {
        let shared = &*self.shared;
        let until = shared.now() + shared.parts.settings.load().presence.grace;
        let watched = shared.watching().remove(&id).unwrap_or_default();
        let topics = subscriptions.iter().map(|subscription| &subscription.topic);
        for topic in topics.chain(&watched) {
            let mut shard = shared.shard(topic);
            if shard.has(topic) {
                shared.change(&mut shard, topic, |room| {
                    room.presence.leave(id, until);
                    room.stop_watching(id);
                });
            }
        }
    }

    /// Runs a client's command. The reply is sent to `socket` in its order among the changes: at once if everything was
    /// reported, or else after the next report. The receiver is closed when it was sent.
    pub(crate) fn command(
        &self,
        id: ConnectionId,
        socket: &Arc<dyn WebSocketConnection>,
        command: PresenceCommand,
    ) -> oneshot::Receiver<()> {
        let (answered, is_answered) = oneshot::channel();
        let shared = &*self.shared;
        let PresenceCommand { id: reply, topic, watch, names, after, limit, right } = command;
        let (now, settings) = (shared.now(), shared.parts.settings.load());
        let max = usize::try_from(settings.limits.subscriptions).unwrap_or(usize::MAX);
        let mut shard = shared.shard(&topic);
        let refusal = shared.change(&mut shard, &topic, |room| {
            if !room.is_open_to(id, right) {
                return Some(room::not_subscribed(reply.clone(), &topic));
            }
            if room.is_overloaded() {
                return Some(room::overloaded(reply.clone()));
            }
            if watch && !shared.add_watched(id, &topic, max) {
                let message = format!("this connection watches the presence of {max} topics (limits.subscriptions)");
                return Some(ErrorReply::new(reply.clone(), ErrorCode::LimitExceeded, message));
            }
            if watch {
                room.watch(id, Watcher::new(socket.clone(), names, reply.is_none()));
            }
            if let Some(reply) = &reply {
                let max_users = settings.presence.max_users;
                let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(max_users).min(max_users);
                let page = room::PageOf { after, limit, names };
                let to = Asker::Client {
                    id: reply.clone(),
                    connection: id,
                    socket: socket.clone(),
                    right,
                    _answered: answered,
                };
                room.ask(Question { page, to }, now, &shared.parts.control);
            }
            None
        });
        drop(shard);
        if let Some(refusal) = refusal {
            let _ = socket.send(&shared.parts.control.encode(&Control::Error(refusal)));
        }
        is_answered
    }

    /// Sends a connection no more changes of a topic. With `revoked` its client is notified, unless it did not watch.
    pub(crate) fn end(&self, id: ConnectionId, topic: &Topic, revoked: bool) {
        let shared = &*self.shared;
        let mut shard = shared.shard(topic);
        if !shard.has(topic) {
            return;
        }
        let was_watching = shared.change(&mut shard, topic, |room| {
            let stopped = room.stop_watching(id)?;
            if revoked {
                stopped.notify_revoked(room, &shared.parts.control);
            }
            Some(())
        });
        drop(shard);
        if was_watching.is_some() {
            shared.forget_watched(id, topic);
        }
    }

    /// The topics that a connection watches.
    pub(crate) fn watched(&self, id: ConnectionId) -> Vec<Watched> {
        let topics = self.shared.watching().get(&id).cloned().unwrap_or_default();
        let watched = |topic: Topic| {
            let names = self.shared.shard(&topic).watches_names(&topic, id)?;
            Some(Watched { topic, names })
        };
        topics.into_iter().filter_map(watched).collect()
    }

    /// Sends a connection the list of each topic again, with the next report: its queue has left changes out. Returns
    /// the topics that it does not watch.
    pub(crate) fn repair(&self, id: ConnectionId, topics: Vec<Topic>) -> Vec<Topic> {
        let shared = &*self.shared;
        let is_unknown = |topic: &Topic| {
            let mut shard = shared.shard(topic);
            !(shard.has(topic) && shared.change(&mut shard, topic, |room| room.repair(id)))
        };
        let before = topics.len();
        let unknown: Vec<_> = topics.into_iter().filter(is_unknown).collect();
        add(&shared.parts.metrics.presence_repairs_total, before - unknown.len());
        unknown
    }

    /// One page of the users who are on a topic, with everything that has changed until now.
    ///
    /// # Errors
    /// The topic has no presence, or there was no report in time.
    pub(crate) async fn page(&self, topic: &Topic, query: PresenceQuery) -> Result<PresencePage, PresenceError> {
        let shared = &*self.shared;
        let (reply, page) = oneshot::channel();
        let flush_interval = {
            let (now, settings) = (shared.now(), shared.parts.settings.load());
            if settings.namespaces.presence(topic).is_none() {
                return Err(PresenceError::NotKept);
            }
            let limit = usize::from(query.limit).min(settings.presence.max_users);
            let page = room::PageOf { after: query.after, limit, names: query.names };
            let mut shard = shared.shard(topic);
            shared.change(&mut shard, topic, |room| {
                if !room.is_overloaded() {
                    room.ask(Question { page, to: Asker::Backend(reply) }, now, &shared.parts.control);
                }
            });
            settings.presence.flush_interval
        };
        // A question that was not taken drops its sender.
        let answered = timeout(flush_interval.saturating_add(REPORT_TIMEOUT), page).await;
        answered.ok().and_then(Result::ok).ok_or(PresenceError::Unavailable)
    }

    pub(crate) fn stats(&self) -> PresenceStats {
        self.shared.shards.iter().fold(PresenceStats::default(), |sum, shard| {
            let stats = lock(shard).stats();
            PresenceStats { topics: sum.topics + stats.topics, users: sum.users + stats.users }
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn now(&self) -> Duration {
        self.parts.clock.monotonic()
    }

    /// The shard of a topic. The hash has a fixed key, so that a run can be repeated; clients that choose topics of one
    /// shard only make changes of presence wait for each other.
    fn shard(&self, topic: &Topic) -> MutexGuard<'_, Shard> {
        let mut hasher = DefaultHasher::new();
        topic.hash(&mut hasher);
        let at = usize::try_from(hasher.finish() % SHARDS as u64).unwrap_or(0);
        lock(&self.shards[at])
    }

    fn watching(&self) -> MutexGuard<'_, HashMap<ConnectionId, BTreeSet<Topic>>> {
        lock(&self.watching)
    }

    /// Changes the room of a topic, and wakes the worker if something is due sooner.
    fn change<T>(&self, shard: &mut Shard, topic: &Topic, change: impl FnOnce(&mut room::Room) -> T) -> T {
        let (result, sooner) = shard.change(topic, self.parts.settings.load().presence.flush_interval, change);
        if sooner {
            self.sooner.notify_one();
        }
        result
    }

    /// Notes that a connection watches a topic; false if it watches `max` others already.
    fn add_watched(&self, id: ConnectionId, topic: &Topic, max: usize) -> bool {
        let mut watching = self.watching();
        let topics = watching.entry(id).or_default();
        let admitted = topics.contains(topic) || topics.len() < max;
        if admitted {
            topics.insert(topic.clone());
        }
        if topics.is_empty() {
            watching.remove(&id);
        }
        admitted
    }

    fn forget_watched(&self, id: ConnectionId, topic: &Topic) {
        let mut watching = self.watching();
        if let Some(topics) = watching.get_mut(&id) {
            topics.remove(topic);
            if topics.is_empty() {
                watching.remove(&id);
            }
        }
    }
}
