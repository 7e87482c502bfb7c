//! Who is on a topic: a list that is kept over reconnects. It changes by differences, and is never empty in between.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;

use crate::{
    delivery::Dropped,
    driver::ended,
    machine::{ConnectionPhase, ConnectionState, Failure, failure},
};

/// A user who is on a topic, with one connection or several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PresenceUser {
    /// The user.
    pub user: String,
    /// Connections of the user when the list was made; a change of this number alone is not reported.
    #[serde(default)]
    pub connections: u32,
    /// The public metadata of the user, where the server shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Value>,
}

/// The users of a topic, by name.
pub type PresenceUsers = BTreeMap<String, PresenceUser>;

/// What changed since the last change that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PresenceChange {
    /// Users who were absent and are present.
    pub joined: Vec<PresenceUser>,
    /// Users who were present and are absent.
    pub left: Vec<PresenceUser>,
    /// Users with new metadata.
    pub updated: Vec<PresenceUser>,
}

/// The list as an application sees it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown {
    pub(crate) users: Arc<PresenceUsers>,
    pub(crate) count: u64,
    /// Whether the whole list was read once.
    pub(crate) listed: bool,
    pub(crate) error: Option<Failure>,
}

/// Who is on a topic, until it is dropped. The token must grant it, or the namespace must allow it.
#[derive(Debug)]
#[must_use = "the list is kept until this is dropped"]
pub struct Presence {
    pub(crate) id: u64,
    pub(crate) topic: String,
    pub(crate) shown: watch::Receiver<Shown>,
    pub(crate) reported: Arc<PresenceUsers>,
    pub(crate) connection: watch::Receiver<ConnectionState>,
    pub(crate) dropped: Arc<Dropped>,
}

impl Presence {
    /// The topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The users now; while the connection is lost, those before.
    pub fn users(&self) -> Arc<PresenceUsers> {
        Arc::clone(&self.shown.borrow().users)
    }

    /// Number of users.
    pub fn count(&self) -> u64 {
        self.shown.borrow().count
    }

    /// Why the list is kept no more: the right was lost, or is missing.
    pub fn error(&self) -> Option<Failure> {
        self.shown.borrow().error.clone()
    }

    /// Waits for the first whole list.
    ///
    /// # Errors
    /// The client may not watch the topic, or it has stopped.
    pub async fn ready(&mut self) -> Result<Arc<PresenceUsers>, Failure> {
        let stopped = |state: &ConnectionState| state.phase == ConnectionPhase::Stopped;
        let shown = tokio::select! {
            biased;
            shown = self.shown.wait_for(|shown| shown.listed || shown.error.is_some()) => {
                shown.map(|shown| shown.clone()).map_err(|_| ended())?
            }
            _ = self.connection.wait_for(stopped) => return Err(failure("stopped", "the client has stopped", false)),
        };
        shown.error.map_or(Ok(shown.users), Err)
    }

    /// The next difference; the first has the whole list. A reader that is slow gets several changes as one. `None` after
    /// the list has [ended](Self::error), or the client has.
    pub async fn next(&mut self) -> Option<PresenceChange> {
        loop {
            let shown = self.shown.borrow_and_update().clone();
            let change = difference(&self.reported, &shown.users);
            self.reported = shown.users;
            if change != PresenceChange::default() {
                return Some(change);
            }
            if shown.error.is_some() || self.shown.changed().await.is_err() {
                return None;
            }
        }
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.dropped.add(self.id);
    }
}

fn difference(before: &PresenceUsers, now: &PresenceUsers) -> PresenceChange {
    let absent = |from: &PresenceUsers, of: &PresenceUsers| {
        of.values().filter(|user| !from.contains_key(&user.user)).cloned().collect()
    };
    let updated = |user: &&PresenceUser| before.get(&user.user).is_some_and(|old| old.metadata != user.metadata);
    PresenceChange {
        joined: absent(before, now),
        left: absent(now, before),
        updated: now.values().filter(updated).cloned().collect(),
    }
}

/// A frame or a reply: changes, or a page of the whole list.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Frame {
    pub(crate) version: u64,
    pub(crate) count: u64,
    pub(crate) users: Option<Vec<PresenceUser>>,
    #[serde(default)]
    pub(crate) joined: Vec<PresenceUser>,
    #[serde(default)]
    pub(crate) left: Vec<String>,
    #[serde(default)]
    pub(crate) updated: Vec<PresenceUser>,
    pub(crate) next: Option<String>,
    pub(crate) ended: Option<String>,
}

/// What follows a frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Follows {
    Nothing,
    /// The list changed.
    Changed,
    /// The next page is to be read, after this user.
    Page(String),
    /// The list is to be read again.
    Again,
}

/// Frames that come while the list is read, at most: with more of them the list is read again.
const WAITING: usize = 1_000;

/// The list, on one connection after another.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    pub(crate) users: PresenceUsers,
    pub(crate) count: u64,
    version: Option<u64>,
    reading: Option<Reading>,
}

/// While the list is read: the list so far, and the frames that came meanwhile.
#[derive(Debug, Default)]
struct Reading {
    users: PresenceUsers,
    version: Option<u64>,
    frames: Vec<Frame>,
}

impl Roster {
    pub(crate) fn begin(&mut self) {
        self.version = None;
        self.reading = Some(Reading::default());
    }

    /// The connection is lost.
    pub(crate) fn interrupt(&mut self) {
        self.reading = None;
    }

    /// A page of the list, from its beginning in the order of the names.
    pub(crate) fn list(&mut self, page: Frame) -> Follows {
        let mut reading = self.reading.take().unwrap_or_default();
        let version = *reading.version.get_or_insert(page.version);
        reading.users.extend(page.users.into_iter().flatten().map(|user| (user.user.clone(), user)));
        if let Some(after) = page.next {
            self.reading = Some(reading);
            return Follows::Page(after);
        }
        self.version = Some(version);
        self.users = reading.users;
        self.count = page.count;
        for frame in reading.frames {
            self.apply(frame);
        }
        Follows::Changed
    }

    pub(crate) fn frame(&mut self, frame: Frame) -> Follows {
        if frame.users.is_some() {
            // The list as it is now, after changes that were left out.
            self.reading = None;
            return self.list(frame);
        }
        if let Some(reading) = &mut self.reading {
            if reading.frames.len() >= WAITING {
                return Follows::Again;
            }
            reading.frames.push(frame);
            return Follows::Nothing;
        }
        if self.apply(frame) { Follows::Changed } else { Follows::Nothing }
    }

    /// Versions rise on one connection: what is older than the list is in it.
    fn apply(&mut self, frame: Frame) -> bool {
        if self.version.is_none_or(|own| frame.version <= own) {
            return false;
        }
        self.version = Some(frame.version);
        for user in frame.joined.into_iter().chain(frame.updated) {
            self.users.insert(user.user.clone(), user);
        }
        for user in &frame.left {
            self.users.remove(user);
        }
        self.count = frame.count;
        true
    }
}
