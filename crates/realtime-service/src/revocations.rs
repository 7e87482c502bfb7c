//! Users and tokens that are refused: in memory, bounded, and one atomic load when there are none.

use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicUsize, Ordering},
};

use realtime_core::{
    auth::Refusal,
    revocation::{Entry, Full, Presented, Revocations as Set, Target},
};
use realtime_ports::{Clock, IdGenerator, RevokeError};
use realtime_schema::{Closing, Connection, JwtClaims, Revocation, RevocationId, Timestamp};

use crate::settings::LiveSettings;

/// The revocations of this node.
pub(crate) struct Revocations {
    set: RwLock<Set>,
    /// The entries of the set: while there are none, no lock is taken.
    count: AtomicUsize,
    settings: LiveSettings,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGenerator>,
}

impl Revocations {
    pub(crate) fn new(settings: LiveSettings, clock: Arc<dyn Clock>, ids: Arc<dyn IdGenerator>) -> Self {
        Self { set: RwLock::default(), count: AtomicUsize::new(0), settings, clock, ids }
    }

    /// Refuses a token that is revoked, and a user who is blocked.
    pub(crate) fn check(&self, claims: &JwtClaims) -> Result<(), Refusal> {
        self.find(&claims.into(), Entry::refusal).map_or(Ok(()), Err)
    }

    /// The close of a connection whose token was revoked, or whose user was blocked, while it was being made.
    pub(crate) fn closing(&self, connection: &Connection) -> Option<Closing> {
        self.find(&connection.into(), Entry::closing)
    }

    fn find<T>(&self, token: &Presented<'_>, found: impl FnOnce(&Entry) -> T) -> Option<T> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        let set = self.set.read().unwrap_or_else(PoisonError::into_inner);
        set.find(token, self.clock.now()).map(found)
    }

    /// Refuses `target` until `until`.
    pub(crate) fn add(&self, target: Target, until: Timestamp, reason: String) -> Result<Revocation, RevokeError> {
        let (now, max) = (self.clock.now(), self.settings.load().revocations.max);
        let entry = Entry { target, until, reason, created_at: now };
        let id = RevocationId(self.ids.message_id().0);
        self.change(|set| {
            let id = set.add(id, entry, now, max).map_err(|Full| RevokeError::Full { limit: max })?;
            let added = set.get(id).map(|entry| entry.to_revocation(id));
            added.ok_or(RevokeError::Full { limit: max })
        })
    }

    /// Takes over what a store has kept. Those that have ended, and those over the limit, are left out.
    pub(crate) fn restore(&self, revocations: Vec<Revocation>) {
        let (now, max) = (self.clock.now(), self.settings.load().revocations.max);
        self.change(|set| {
            for revocation in revocations {
                let id = revocation.id;
                match Entry::restored(revocation) {
                    Some(entry) if entry.until > now => {
                        if set.add(id, entry, now, max).is_err() {
                            tracing::error!(%id, "a revocation of the store is over limits.revocations and does not hold");
                        }
                    }
                    Some(_) => {}
                    None => tracing::error!(%id, "a revocation of the store names neither a user nor a token"),
                }
            }
        });
    }

    /// Removes one; returns it if it had not ended.
    pub(crate) fn remove(&self, id: RevocationId) -> Option<Revocation> {
        let now = self.clock.now();
        self.change(|set| set.remove(id)).filter(|entry| entry.until > now).map(|entry| entry.to_revocation(id))
    }

    /// Up to `limit` that have not ended, oldest first, from the first one after `after`.
    pub(crate) fn page(&self, after: Option<RevocationId>, limit: usize) -> Vec<Revocation> {
        let set = self.set.read().unwrap_or_else(PoisonError::into_inner);
        set.page(after, limit, self.clock.now())
    }

    /// How many have not ended. Removes those that have.
    pub(crate) fn count(&self) -> usize {
        if self.count.load(Ordering::Acquire) == 0 {
            return 0;
        }
        let now = self.clock.now();
        self.change(|set| {
            set.remove_ended(now);
            set.len()
        })
    }

    fn change<T>(&self, change: impl FnOnce(&mut Set) -> T) -> T {
        let mut set = self.set.write().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut set);
        self.count.store(set.len(), Ordering::Release);
        result
    }
}
