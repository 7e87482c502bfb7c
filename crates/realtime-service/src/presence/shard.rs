//! A part of the topics, under one lock, with a schedule of what is due.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use realtime_schema::{ConnectionId, Topic};

use super::room::Room;
use crate::metrics::PresenceStats;

/// The topics of a shard that have users, watchers or questions.
#[derive(Default)]
pub(super) struct Shard {
    rooms: HashMap<Topic, Room>,
    /// When to report which topic.
    schedule: BTreeSet<(Duration, Topic)>,
    /// The highest version of a topic that was removed: one that is made again begins there.
    floor: u64,
    users: usize,
}

impl Shard {
    pub(super) fn has(&self, topic: &Topic) -> bool {
        self.rooms.contains_key(topic)
    }

    /// Changes the room of a topic, which is made for it if it is unknown, and removed if nothing is left in it. Also
    /// returns true if something of the shard is due sooner than before.
    pub(super) fn change<T>(
        &mut self,
        topic: &Topic,
        interval: Duration,
        change: impl FnOnce(&mut Room) -> T,
    ) -> (T, bool) {
        let floor = self.floor;
        let room = self.rooms.entry(topic.clone()).or_insert_with(|| Room::new(topic.clone(), floor));
        let users = room.presence.count();
        let result = change(room);
        self.users = self.users - users + room.presence.count();

        let first = self.schedule.first().map(|(due, _)| *due);
        let due = room.due(interval);
        if room.scheduled != due {
            if let Some(before) = room.scheduled {
                self.schedule.remove(&(before, topic.clone()));
            }
            if let Some(due) = due {
                self.schedule.insert((due, topic.clone()));
            }
            room.scheduled = due;
        }
        if room.is_empty() {
            self.floor = self.floor.max(room.presence.version());
            self.rooms.remove(topic);
        }
        (result, due.is_some_and(|due| first.is_none_or(|first| due < first)))
    }

    /// A topic that is due at `now`, or else when the next one is.
    pub(super) fn next_due(&self, now: Duration) -> Result<Topic, Option<Duration>> {
        match self.schedule.first() {
            Some((due, topic)) if *due <= now => Ok(topic.clone()),
            first => Err(first.map(|(due, _)| *due)),
        }
    }

    /// Whether a watcher of a topic is sent the names; `None` if it does not watch.
    pub(super) fn watches_names(&self, topic: &Topic, id: ConnectionId) -> Option<bool> {
        self.rooms.get(topic)?.watches_names(id)
    }

    pub(super) fn stats(&self) -> PresenceStats {
        PresenceStats {
            topics: self.rooms.values().filter(|room| room.presence.count() > 0).count(),
            users: self.users,
        }
    }
}
