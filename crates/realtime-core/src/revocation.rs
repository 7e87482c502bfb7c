//! Which users and tokens are refused, and until when: a bounded set with expiry.
//!
//! A live entry is never evicted: a set that is full refuses the next one, so that no revoked token is admitted again
//! unnoticed.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::Bound,
};

use realtime_schema::{Closing, Connection, JwtClaims, Revocation, RevocationId, Timestamp, UserId};

use crate::auth::{Refusal, RefusalReason};

mod request;

pub use request::Wanted;

/// What a revocation is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// The token with this `jti`.
    Token(String),
    /// This user, whatever the token.
    User(UserId),
    /// Tokens that were issued before a time, and tokens without `iat`.
    IssuedBefore {
        /// The tokens of this user; of every user if absent.
        user: Option<UserId>,
        /// The time.
        before: Timestamp,
    },
}

/// What identifies a token that is verified.
#[derive(Clone, Copy, Debug)]
pub struct Presented<'a> {
    /// Its user.
    pub user: &'a UserId,
    /// Its own id.
    pub jti: Option<&'a str>,
    /// Seconds since 1970 at which it was issued.
    pub iat: Option<i64>,
}

impl<'a> From<&'a JwtClaims> for Presented<'a> {
    fn from(claims: &'a JwtClaims) -> Self {
        Self { user: &claims.sub, jti: claims.jti.as_deref(), iat: claims.iat }
    }
}

/// The token that a connection was admitted with, or that refreshed it last.
impl<'a> From<&'a Connection> for Presented<'a> {
    fn from(connection: &'a Connection) -> Self {
        let token = connection.token.as_deref();
        let (jti, iat) = (token.and_then(|token| token.jti.as_deref()), token.and_then(|token| token.iat));
        Self { user: &connection.user, jti, iat }
    }
}

impl Presented<'_> {
    /// When the token was issued; the earliest time if it does not say.
    fn issued_at(&self) -> Timestamp {
        Timestamp::from_millis(self.iat.map_or(i64::MIN, |secs| secs.saturating_mul(1000)))
    }
}

impl Target {
    /// Whether the token is refused by this.
    pub fn matches(&self, token: &Presented<'_>) -> bool {
        match self {
            Self::Token(jti) => token.jti == Some(jti.as_str()),
            Self::User(user) => token.user == user,
            Self::IssuedBefore { user, before } => {
                user.as_ref().is_none_or(|user| token.user == user) && token.issued_at() < *before
            }
        }
    }

    /// Why a client that it matches is refused. A new token is no help to a user who is blocked.
    pub fn refusal_reason(&self) -> RefusalReason {
        match self {
            Self::User(_) => RefusalReason::Blocked,
            Self::Token(_) | Self::IssuedBefore { .. } => RefusalReason::Revoked,
        }
    }
}

/// A target that is refused until a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What is refused.
    pub target: Target,
    /// When that ends.
    pub until: Timestamp,
    /// Why, for clients.
    pub reason: String,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Entry {
    /// The entry of a revocation that was stored; `None` if it names nothing.
    pub fn restored(revocation: Revocation) -> Option<Self> {
        let Revocation { jti, user, issued_before, until, reason, created_at, .. } = revocation;
        let target = match (jti, user, issued_before) {
            (Some(jti), _, _) => Target::Token(jti),
            (None, user, Some(before)) => Target::IssuedBefore { user, before },
            (None, Some(user), None) => Target::User(user),
            (None, None, None) => return None,
        };
        Some(Self { target, until, reason, created_at })
    }

    /// The refusal of a client that it matches.
    pub fn refusal(&self) -> Refusal {
        Refusal::new(self.target.refusal_reason(), self.reason.as_str())
    }

    /// The close of a connection that it matches.
    pub fn closing(&self) -> Closing {
        Closing::new(self.target.refusal_reason().close(), self.reason.as_str())
    }

    /// The entry as the HTTP API shows it.
    pub fn to_revocation(&self, id: RevocationId) -> Revocation {
        let (jti, user, issued_before) = match self.target.clone() {
            Target::Token(jti) => (Some(jti), None, None),
            Target::User(user) => (None, Some(user), None),
            Target::IssuedBefore { user, before } => (None, user, Some(before)),
        };
        let Self { until, reason, created_at, .. } = self.clone();
        Revocation { id, jti, user, issued_before, until, reason, created_at }
    }
}

/// The set is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// The entries, by id, by what they match and by their end.
#[derive(Clone, Debug, Default)]
pub struct Revocations {
    entries: BTreeMap<RevocationId, Entry>,
    tokens: HashMap<String, RevocationId>,
    users: HashMap<UserId, RevocationId>,
    issued_before: BTreeMap<(Option<UserId>, Timestamp), RevocationId>,
    ends: BTreeSet<(Timestamp, RevocationId)>,
}

impl Revocations {
    /// Adds `entry` as `id`, and removes what has ended at `now`. Returns the id that it has: an entry with the same
    /// target keeps its own, has the later of the two ends, and the new reason.
    ///
    /// # Errors
    /// `max` entries have not ended yet.
    pub fn add(&mut self, id: RevocationId, entry: Entry, now: Timestamp, max: usize) -> Result<RevocationId, Full> {
        self.remove_ended(now);
        if let Some(known) = self.id_of(&entry.target)
            && let Some(old) = self.entries.get_mut(&known)
        {
            self.ends.remove(&(old.until, known));
            old.until = old.until.max(entry.until);
            old.reason = entry.reason;
            self.ends.insert((old.until, known));
            return Ok(known);
        }
        if self.entries.len() >= max {
            return Err(Full);
        }
        match entry.target.clone() {
            Target::Token(jti) => drop(self.tokens.insert(jti, id)),
            Target::User(user) => drop(self.users.insert(user, id)),
            Target::IssuedBefore { user, before } => drop(self.issued_before.insert((user, before), id)),
        }
        self.ends.insert((entry.until, id));
        self.entries.insert(id, entry);
        Ok(id)
    }

    fn id_of(&self, target: &Target) -> Option<RevocationId> {
        match target {
            Target::Token(jti) => self.tokens.get(jti).copied(),
            Target::User(user) => self.users.get(user).copied(),
            Target::IssuedBefore { user, before } => self.issued_before.get(&(user.clone(), *before)).copied(),
        }
    }

    /// Removes an entry.
    pub fn remove(&mut self, id: RevocationId) -> Option<Entry> {
        let entry = self.entries.remove(&id)?;
        self.ends.remove(&(entry.until, id));
        match &entry.target {
            Target::Token(jti) => drop(self.tokens.remove(jti)),
            Target::User(user) => drop(self.users.remove(user)),
            Target::IssuedBefore { user, before } => drop(self.issued_before.remove(&(user.clone(), *before))),
        }
        Some(entry)
    }

    /// Removes every entry that has ended at `now`.
    pub fn remove_ended(&mut self, now: Timestamp) {
        while self.ends.first().is_some_and(|(until, _)| *until <= now)
            && let Some((_, id)) = self.ends.pop_first()
        {
            self.remove(id);
        }
    }

    /// The entry that refuses `token` at `now`, if there is one; that of a blocked user first.
    pub fn find(&self, token: &Presented<'_>, now: Timestamp) -> Option<&Entry> {
        let live = |id: &RevocationId| self.entries.get(id).filter(|entry| entry.until > now);
        let by_user = || self.users.get(token.user).and_then(live);
        let by_jti = || token.jti.and_then(|jti| self.tokens.get(jti)).and_then(live);
        let by_time = |user: Option<&UserId>| {
            let from = Bound::Excluded((user.cloned(), token.issued_at()));
            let to = Bound::Included((user.cloned(), Timestamp::from_millis(i64::MAX)));
            self.issued_before.range((from, to)).rev().find_map(|(_, id)| live(id))
        };
        by_user().or_else(by_jti).or_else(|| by_time(Some(token.user))).or_else(|| by_time(None))
    }

    /// Up to `limit` entries that have not ended at `now`, in the order of their ids, from the first one after `after`.
    pub fn page(&self, after: Option<RevocationId>, limit: usize, now: Timestamp) -> Vec<Revocation> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let live = self.entries.range((from, Bound::Unbounded)).filter(|(_, entry)| entry.until > now);
        live.take(limit).map(|(id, entry)| entry.to_revocation(*id)).collect()
    }

    /// One entry.
    pub fn get(&self, id: RevocationId) -> Option<&Entry> {
        self.entries.get(&id)
    }

    /// How many entries there are, those included that have ended and were not removed yet.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests;
