//! The logs by stream.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

use realtime_core::{
    epoch::{Epoch, Epochs},
    log::Log,
};
use realtime_schema::Route;

/// Enough to make contention between publishers rare.
const SHARDS: usize = 64;

/// The log of one stream.
pub(super) struct StreamLog {
    route: Route,
    state: Mutex<State>,
}

/// What the lock of a stream protects.
pub(super) struct State {
    pub(super) log: Log,
    /// It was removed from the map: a caller that still holds it looks again.
    forgotten: bool,
    /// Since when only the position is left, in milliseconds.
    pub(super) quiet_since: u64,
    /// It is among the streams whose position expires.
    pub(super) position_expires: bool,
    /// Pending commits: the stream must not be forgotten meanwhile.
    pub(super) writes: u32,
}

impl StreamLog {
    pub(super) fn route(&self) -> &Route {
        &self.route
    }

    /// Runs `change` under the lock; `None` if the stream was forgotten meanwhile.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> Option<T> {
        let mut state = self.state();
        (!state.forgotten).then(|| change(&mut state))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Shard = HashMap<Route, Arc<StreamLog>>;

/// All logs of a node, and the epochs that it gives.
pub(super) struct Logs {
    shards: Box<[RwLock<Shard>]>,
    hasher: RandomState,
    count: AtomicUsize,
    generation: Epoch,
    rolled_back: bool,
    /// The largest offset that a forgotten stream has reached. Only rises.
    forgotten: AtomicU64,
}

impl Logs {
    pub(super) fn new(epochs: Epochs) -> Self {
        let Epochs { generation, forgotten, rolled_back } = epochs;
        Self {
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
            hasher: RandomState::new(),
            count: AtomicUsize::new(0),
            generation,
            rolled_back,
            forgotten: AtomicU64::new(forgotten),
        }
    }

    pub(super) fn epochs(&self) -> Epochs {
        let Self { generation, rolled_back, forgotten, .. } = self;
        Epochs { generation: *generation, forgotten: forgotten.load(Relaxed), rolled_back: *rolled_back }
    }

    pub(super) fn count(&self) -> usize {
        self.count.load(Relaxed)
    }

    /// Runs `read` on the log of a stream, while nothing is appended to it. Creates none: a stream without a message has
    /// an empty log, and gets its first message only after `read` has returned.
    pub(super) fn read<T>(&self, route: &Route, read: impl FnOnce(&Log) -> T) -> T {
        loop {
            let shard = self.shard(route);
            let Some(stream) = shard.get(route).cloned() else { return read(&Log::begin(&self.epochs())) };
            drop(shard);
            let state = stream.state();
            if !state.forgotten {
                return read(&state.log);
            }
        }
    }

    /// Runs `change` on the log of a stream, which is created if it is missing.
    pub(super) fn write<T>(&self, route: &Route, change: impl FnOnce(&Arc<StreamLog>, &mut State) -> T) -> T {
        loop {
            let known = self.shard(route).get(route).cloned();
            let stream = known.unwrap_or_else(|| self.create(route));
            let mut state = stream.state();
            if !state.forgotten {
                return change(&stream, &mut state);
            }
        }
    }

    fn create(&self, route: &Route) -> Arc<StreamLog> {
        let mut shard = self.shard_mut(route);
        let create = || {
            self.count.fetch_add(1, Relaxed);
            let log = Log::begin(&self.epochs());
            let state = State { log, forgotten: false, quiet_since: 0, position_expires: false, writes: 0 };
            Arc::new(StreamLog { route: route.clone(), state: Mutex::new(state) })
        };
        shard.entry(route.clone()).or_insert_with(create).clone()
    }

    /// Forgets a stream, if `may_go` returns true, and passes to `note` the largest offset that a forgotten stream has
    /// reached. Its next message has a larger one.
    pub(super) fn forget(
        &self,
        stream: &Arc<StreamLog>,
        may_go: impl FnOnce(&mut State) -> bool,
        note: impl FnOnce(u64),
    ) -> bool {
        let mut shard = self.shard_mut(&stream.route);
        let mut state = stream.state();
        if state.forgotten || state.writes > 0 || !may_go(&mut state) {
            return false;
        }
        state.forgotten = true;
        // Before the stream can be created again, which takes the lock of the shard.
        let top = state.log.top();
        note(self.forgotten.fetch_max(top, Relaxed).max(top));
        self.count.fetch_sub(1, Relaxed);
        shard.remove(&stream.route);
        true
    }

    /// Forgets the streams that `goes` selects, with their messages, except those with pending commits. `note` gets each
    /// of them, and the largest offset that a forgotten stream has reached.
    pub(super) fn forget_all(&self, goes: impl Fn(&Route) -> bool, note: impl Fn(&Route, &Log, u64)) {
        for shard in &self.shards {
            shard.write().unwrap_or_else(PoisonError::into_inner).retain(|route, stream| {
                if !goes(route) {
                    return true;
                }
                let mut state = stream.state();
                if state.writes == 0 {
                    state.forgotten = true;
                    note(route, &state.log, self.lost_after(state.log.top()));
                    self.count.fetch_sub(1, Relaxed);
                }
                !state.forgotten
            });
        }
    }

    /// A stream was forgotten at `top`, and messages that it did not keep may follow: its next offset is larger, and a
    /// client that is at `top` gets a gap. Returns the largest offset that a forgotten stream has reached.
    pub(super) fn lost_after(&self, top: u64) -> u64 {
        let next = top.saturating_add(1);
        self.forgotten.fetch_max(next, Relaxed).max(next)
    }

    fn place(&self, route: &Route) -> &RwLock<Shard> {
        // The low bits only: there are 64.
        #[allow(clippy::cast_possible_truncation)]
        let hash = self.hasher.hash_one(route) as usize;
        &self.shards[hash % SHARDS]
    }

    fn shard(&self, route: &Route) -> RwLockReadGuard<'_, Shard> {
        self.place(route).read().unwrap_or_else(PoisonError::into_inner)
    }

    fn shard_mut(&self, route: &Route) -> RwLockWriteGuard<'_, Shard> {
        self.place(route).write().unwrap_or_else(PoisonError::into_inner)
    }
}
