//! The permits of a node: how many connections there are in all, for each user and for each address.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::Hash,
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use realtime_schema::UserId;
use tokio::sync::Notify;

/// The permits held on a node.
#[derive(Debug, Default)]
pub(crate) struct Permits {
    total: AtomicUsize,
    users: Counts<UserId>,
    addresses: Counts<IpAddr>,
    /// Notified when the last permit is returned.
    empty: Notify,
}

impl Permits {
    /// Number of permits held.
    pub(crate) fn held(&self) -> usize {
        self.total.load(Ordering::Acquire)
    }

    /// Number of users that hold one.
    pub(crate) fn users(&self) -> usize {
        self.users.len()
    }

    /// Takes a permit unless `max` are held.
    pub(crate) fn take(self: &Arc<Self>, max: usize) -> Option<Permit> {
        let full = self.total.fetch_add(1, Ordering::AcqRel) >= max;
        // Made before the verdict: dropping it returns what was taken, and notifies as any other.
        let permit = Permit { permits: self.clone(), address: None, user: None };
        (!full).then_some(permit)
    }

    /// Waits until no permit is held.
    pub(crate) async fn emptied(&self) {
        loop {
            let notified = self.empty.notified();
            if self.held() == 0 {
                return;
            }
            notified.await;
        }
    }
}

/// The permit of one connection, returned when dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    permits: Arc<Permits>,
    address: Option<IpAddr>,
    user: Option<UserId>,
}

impl Permit {
    /// Counts the connection for its address; false if that has `max` already.
    pub(crate) fn count_address(&mut self, address: IpAddr, max: usize) -> bool {
        let counted = self.permits.addresses.enter(&address, max);
        if counted {
            self.address = Some(address);
        }
        counted
    }

    /// Counts the connection for its user; false if that has `max` already.
    pub(crate) fn count_user(&mut self, user: &UserId, max: usize) -> bool {
        let counted = self.permits.users.enter(user, max);
        if counted {
            self.user = Some(user.clone());
        }
        counted
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(address) = &self.address {
            self.permits.addresses.leave(address);
        }
        if let Some(user) = &self.user {
            self.permits.users.leave(user);
        }
        if self.permits.total.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.permits.empty.notify_waiters();
        }
    }
}

/// How many each key has.
#[derive(Debug)]
struct Counts<K>(Mutex<HashMap<K, usize>>);

impl<K> Default for Counts<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash + Clone> Counts<K> {
    /// Counts one more, unless there are `max` already.
    fn enter(&self, key: &K, max: usize) -> bool {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(key.clone()).or_default();
        let room = *count < max;
        if room {
            *count += 1;
        } else if *count == 0 {
            counts.remove(key);
        }
        room
    }

    fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn leave(&self, key: &K) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut entry) = counts.entry(key.clone()) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}
