//! Presence: the users who are on a topic, each with one connection or several.
//!
//! A user is present from the join of its first connection until the grace period after the leave of its last one has
//! passed, so that a reconnect changes nothing for others. Joins and leaves are collected, and [`take_change`] returns
//! their net result: a user who joined and left in between is not in it.
//!
//! [`take_change`]: TopicPresence::take_change
//!
//! ```
//! use std::time::Duration;
//!
//! use realtime_core::presence::TopicPresence;
//! use realtime_schema::{ConnectionId, UserId};
//!
//! let (tab, other): (ConnectionId, ConnectionId) =
//!     ("019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d8e".parse()?, "019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d8f".parse()?);
//! let alice = UserId::new("alice")?;
//! let second = Duration::from_secs;
//!
//! let mut presence = TopicPresence::new(0);
//! presence.join(tab, &alice, ());
//! presence.join(other, &alice, ());
//! let change = presence.take_change(second(0)).expect("alice joined");
//! assert_eq!((change.version, change.joined.len()), (1, 1), "once, with two connections");
//!
//! // Her connections end at 20 s, with 10 s of grace, and she is back at 25 s.
//! presence.leave(tab, second(30));
//! presence.leave(other, second(30));
//! presence.expire(second(25));
//! presence.join(tab, &alice, ());
//! presence.expire(second(30));
//! assert!(presence.take_change(second(30)).is_none(), "no one saw her leave");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::Bound::{Excluded, Unbounded},
    time::Duration,
};

use realtime_schema::{ConnectionId, UserId};

use crate::capacity::shrunk;

mod policy;

pub use policy::{PresencePolicy, PresenceReaders, PresenceRight, PublicMetadata};

/// The users who are on one topic, and the changes that were not reported yet. `M` is the metadata that is shown of a
/// user: that of the connection that joined last.
///
/// The *reported* list is the state after the last [`take_change`](Self::take_change): a client that has it, and applies
/// each later change, has the present list at that change's version.
#[derive(Clone, Debug)]
pub struct TopicPresence<M> {
    users: BTreeMap<UserId, Member<M>>,
    /// The connections, so that a repeated join or leave changes nothing.
    connections: HashMap<ConnectionId, UserId>,
    /// The users without a connection, by the end of their grace period.
    leaving: BTreeSet<(Duration, UserId)>,
    /// The users that have changed since the last report, with the reported metadata; `None` for one that was absent.
    unreported: BTreeMap<UserId, Option<M>>,
    version: u64,
    /// When the last change was taken, or would have been.
    reported_at: Option<Duration>,
}

#[derive(Clone, Debug)]
struct Member<M> {
    connections: u32,
    metadata: M,
    /// The end of the grace period, without a connection.
    until: Option<Duration>,
}

/// A user who is on a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Present<M> {
    /// The user.
    pub user: UserId,
    /// Number of the user's connections; 0 during the grace period.
    pub connections: u32,
    /// The metadata of the connection that joined last.
    pub metadata: M,
}

/// The net result of the joins and leaves since the last change. Each list is sorted by user; none names a user of
/// another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change<M> {
    /// The version of the list after this change. It is greater than that of the change before.
    pub version: u64,
    /// Number of users after this change.
    pub count: usize,
    /// Users who were absent and are present.
    pub joined: Vec<Present<M>>,
    /// Users who were present and are absent.
    pub left: Vec<UserId>,
    /// Users who were present before and after, with other metadata.
    pub updated: Vec<Present<M>>,
}

impl<M> Change<M> {
    /// Number of users that it names.
    pub fn size(&self) -> usize {
        self.joined.len() + self.left.len() + self.updated.len()
    }
}

/// One page of the present list, sorted by user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresentPage<M> {
    /// The users.
    pub users: Vec<Present<M>>,
    /// The last user of this page, if there are more after it.
    pub next: Option<UserId>,
}

impl<M: Clone + PartialEq> TopicPresence<M> {
    /// An empty list with this version. The version of a list that is made again for the same topic should not be less
    /// than the former one's.
    pub fn new(version: u64) -> Self {
        Self {
            users: BTreeMap::new(),
            connections: HashMap::new(),
            leaving: BTreeSet::new(),
            unreported: BTreeMap::new(),
            version,
            reported_at: None,
        }
    }

    /// Adds a connection of `user`; returns false and changes nothing if it has joined already.
    pub fn join(&mut self, connection: ConnectionId, user: &UserId, metadata: M) -> bool {
        if self.connections.contains_key(&connection) {
            return false;
        }
        self.connections.insert(connection, user.clone());
        let reported = match self.users.get_mut(user) {
            Some(member) => {
                member.connections += 1;
                if let Some(until) = member.until.take() {
                    self.leaving.remove(&(until, user.clone()));
                }
                if member.metadata == metadata {
                    return true;
                }
                Some(std::mem::replace(&mut member.metadata, metadata))
            }
            None => {
                self.users.insert(user.clone(), Member { connections: 1, metadata, until: None });
                None
            }
        };
        self.unreported.entry(user.clone()).or_insert(reported);
        true
    }

    /// Removes a connection; returns false and changes nothing if it has not joined. If it was the user's last one, the
    /// user stays present until `until`, the end of the grace period: see [`Self::expire`].
    pub fn leave(&mut self, connection: ConnectionId, until: Duration) -> bool {
        let Some(user) = self.connections.remove(&connection) else { return false };
        if let Some(capacity) = shrunk(self.connections.len(), self.connections.capacity()) {
            self.connections.shrink_to(capacity);
        }
        if let Some(member) = self.users.get_mut(&user) {
            member.connections -= 1;
            if member.connections == 0 {
                member.until = Some(until);
                self.leaving.insert((until, user));
            }
        }
        true
    }

    /// Removes the users whose grace period has ended at `now`.
    pub fn expire(&mut self, now: Duration) {
        while self.leaving.first().is_some_and(|(until, _)| *until <= now)
            && let Some((_, user)) = self.leaving.pop_first()
        {
            let reported = self.users.remove(&user).map(|member| member.metadata);
            self.unreported.entry(user).or_insert(reported);
        }
    }

    /// The net result of what has changed since the last report, at `now`; `None` if that is nothing. The version rises
    /// with each change that is returned.
    pub fn take_change(&mut self, now: Duration) -> Option<Change<M>> {
        let mut change =
            Change { version: 0, count: self.users.len(), joined: Vec::new(), left: Vec::new(), updated: Vec::new() };
        for (user, reported) in std::mem::take(&mut self.unreported) {
            let present = self.users.get(&user).map(|member| member.present(&user));
            match (reported, present) {
                (None, Some(present)) => change.joined.push(present),
                (Some(_), None) => change.left.push(user),
                (Some(reported), Some(present)) if reported != present.metadata => change.updated.push(present),
                (None, None) | (Some(_), Some(_)) => {}
            }
        }
        self.reported_at = Some(now);
        if change.size() == 0 {
            return None;
        }
        self.version += 1;
        change.version = self.version;
        Some(change)
    }

    /// When to call [`Self::expire`] and [`Self::take_change`] next: at the end of a grace period; or, if something is
    /// unreported or `wanted`, `interval` after the last call of [`Self::take_change`], or the time zero if there was
    /// none. `None` if nothing is due.
    pub fn due(&self, interval: Duration, wanted: bool) -> Option<Duration> {
        let expiry = self.leaving.first().map(|(until, _)| *until);
        let report = (wanted || self.has_unreported())
            .then(|| self.reported_at.map_or(Duration::ZERO, |at| at.saturating_add(interval)));
        expiry.into_iter().chain(report).min()
    }

    /// True if the list differs, or may differ, from the reported one.
    pub fn has_unreported(&self) -> bool {
        !self.unreported.is_empty()
    }

    /// True if no user is present and nothing is unreported.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty() && self.unreported.is_empty()
    }

    /// Whether a connection has joined.
    pub fn contains(&self, connection: ConnectionId) -> bool {
        self.connections.contains_key(&connection)
    }

    /// The version of the reported list.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Number of users who are present.
    pub fn count(&self) -> usize {
        self.users.len()
    }

    /// Up to `limit` users, from the first one after `after`, as far as their costs are not more than `budget` in sum;
    /// at least one, if there is one. The page is one of the reported list if nothing is unreported.
    pub fn page(
        &self,
        after: Option<&UserId>,
        limit: usize,
        budget: usize,
        cost: impl Fn(&UserId, &M) -> usize,
    ) -> PresentPage<M> {
        let start = after.map_or(Unbounded, Excluded);
        let mut users: Vec<Present<M>> = Vec::new();
        let mut left = budget;
        for (user, member) in self.users.range::<UserId, _>((start, Unbounded)) {
            let cost = cost(user, &member.metadata);
            if users.len() == limit || (cost > left && !users.is_empty()) {
                let next = users.last().map(|last| last.user.clone());
                return PresentPage { users, next };
            }
            left = left.saturating_sub(cost);
            users.push(member.present(user));
        }
        PresentPage { users, next: None }
    }
}

impl<M: Clone> Member<M> {
    fn present(&self, user: &UserId) -> Present<M> {
        Present { user: user.clone(), connections: self.connections, metadata: self.metadata.clone() }
    }
}

#[cfg(test)]
mod tests;
