//! A store in memory, for tests of what a node does with a durable one.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use realtime_ports::{Appended, Loaded, Loader, LogStore, Once, Record, StoreError, StoredSecret, Usage};
use realtime_schema::{Revocation, RevocationId, Route, Topic, UserId};

/// A [`LogStore`] that keeps what was committed in memory, fails when a test says so, and can be opened again as after
/// a crash or a power loss.
///
/// [`Self::reopened`] returns the next start of the same store. The store before it is then cut off: its commits fail,
/// like those of a process that was killed.
#[derive(Debug)]
pub struct MemoryLogStore {
    state: Mutex<State>,
    resumed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    kept: Kept,
    /// Each committed batch with the state before it, newest last; as many as `undo` says.
    before: VecDeque<Kept>,
    undo: usize,
    generation: u32,
    rolled_back: bool,
    loaded: bool,
    closed: bool,
    cut: bool,
    paused: bool,
    failing: Option<StoreError>,
    commits: u64,
    waiting: usize,
    batches: Vec<Vec<Record>>,
}

#[derive(Clone, Debug, Default)]
struct Kept {
    streams: HashMap<Route, Stream>,
    once: VecDeque<Once>,
    revocations: BTreeMap<RevocationId, Revocation>,
    user_topics: BTreeSet<(UserId, Topic)>,
    secret: Option<StoredSecret>,
    forgotten: u64,
}

#[derive(Clone, Debug, Default)]
struct Stream {
    epoch: u64,
    top: u64,
    messages: VecDeque<Appended>,
}

impl Default for MemoryLogStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryLogStore {
    /// An empty store, of generation 1.
    pub fn new() -> Self {
        Self::of(State { generation: 1, ..State::default() })
    }

    /// The same, which can lose up to `batches` of its latest batches in a [power loss](Self::after_power_loss).
    #[must_use]
    pub fn that_can_lose(batches: usize) -> Self {
        Self::of(State { generation: 1, undo: batches, ..State::default() })
    }

    fn of(state: State) -> Self {
        Self { state: Mutex::new(state), resumed: Condvar::new() }
    }

    /// The store as the next process finds it, after a close or a `kill -9`: with every committed batch.
    #[must_use]
    pub fn reopened(&self) -> Self {
        self.next(0)
    }

    /// The store as the next process finds it after a power loss that took the latest `batches`. Without a clean
    /// close it has a new generation.
    ///
    /// # Panics
    /// It was not [made](Self::that_can_lose) to lose that many.
    #[must_use]
    pub fn after_power_loss(&self, batches: usize) -> Self {
        let next = self.next(batches);
        {
            let mut state = next.lock();
            let clean = self.lock().closed;
            state.generation += u32::from(!clean);
            state.rolled_back = !clean;
        }
        next
    }

    fn next(&self, lost: usize) -> Self {
        let mut state = self.lock();
        state.cut = true;
        self.resumed.notify_all();
        let mut kept = state.kept.clone();
        for _ in 0..lost {
            kept = state.before.pop_back().expect("the store keeps as many earlier states as it can lose batches");
        }
        Self::of(State { kept, undo: state.undo, generation: state.generation, ..State::default() })
    }

    /// Every commit fails with `error` from now on; `None` ends that.
    pub fn fail_with(&self, error: impl Into<Option<StoreError>>) {
        self.lock().failing = error.into();
    }

    /// Commits wait until [`Self::resume`], like on a slow disk.
    pub fn pause(&self) {
        self.lock().paused = true;
    }

    /// Ends [`Self::pause`].
    pub fn resume(&self) {
        self.lock().paused = false;
        self.resumed.notify_all();
    }

    /// Whether a commit waits in a [pause](Self::pause).
    pub fn is_waiting(&self) -> bool {
        self.lock().waiting > 0
    }

    /// Number of batches that were committed since it was opened.
    pub fn commits(&self) -> u64 {
        self.lock().commits
    }

    /// The batches that were committed since it was opened, oldest first.
    pub fn batches(&self) -> Vec<Vec<Record>> {
        self.lock().batches.clone()
    }

    /// Whether it was closed cleanly.
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogStore for MemoryLogStore {
    fn load(&self, into: &mut dyn Loader) -> Result<Loaded, StoreError> {
        let mut state = self.lock();
        if state.loaded {
            return Err(StoreError::Misused("it was loaded twice"));
        }
        state.loaded = true;
        let mut loaded = Loaded::of_generation(state.generation);
        loaded.rolled_back = state.rolled_back;
        loaded.forgotten = state.kept.forgotten;
        for (route, stream) in &state.kept.streams {
            stream.messages.iter().cloned().map(Record::Appended).for_each(|record| into.record(record));
            into.record(Record::Position { route: route.clone(), epoch: stream.epoch, top: stream.top });
            loaded.messages += stream.messages.len() as u64;
            loaded.streams += 1;
        }
        state.kept.once.iter().cloned().map(Record::Once).for_each(|record| into.record(record));
        state.kept.revocations.values().cloned().map(Record::Revoked).for_each(|record| into.record(record));
        for (user, topic) in &state.kept.user_topics {
            into.record(Record::TopicGiven { user: user.clone(), topic: topic.clone() });
        }
        state.kept.secret.iter().cloned().map(Record::Secret).for_each(|record| into.record(record));
        Ok(loaded)
    }

    fn commit(&self, batch: &[Record]) -> Result<(), StoreError> {
        let mut state = self.lock();
        state.waiting += 1;
        let mut state =
            self.resumed.wait_while(state, |state| state.paused && !state.cut).unwrap_or_else(PoisonError::into_inner);
        state.waiting -= 1;
        state.commit(batch)
    }

    fn idle(&self) -> bool {
        false
    }

    fn usage(&self) -> Usage {
        Usage::default()
    }

    fn close(&self) -> Result<(), StoreError> {
        self.lock().closed = true;
        Ok(())
    }
}

impl State {
    fn commit(&mut self, batch: &[Record]) -> Result<(), StoreError> {
        if !self.loaded || self.closed {
            return Err(StoreError::Misused("a commit must follow the load and precede the close"));
        }
        if self.cut {
            return Err(StoreError::InUse("the store was opened again".into()));
        }
        if let Some(error) = &self.failing {
            return Err(error.clone());
        }
        self.kept.check(batch)?;
        if self.undo > 0 {
            self.before.push_back(self.kept.clone());
            if self.before.len() > self.undo {
                self.before.pop_front();
            }
        }
        batch.iter().for_each(|record| self.kept.apply(record));
        self.commits += 1;
        self.batches.push(batch.to_vec());
        Ok(())
    }
}

impl Kept {
    /// Whether the whole batch may be applied.
    fn check(&self, batch: &[Record]) -> Result<(), StoreError> {
        let mut tops: HashMap<&Route, u64> = HashMap::new();
        for record in batch {
            let (route, lowest, top) = match record {
                Record::Appended(Appended { route, offset, .. }) => (route, offset.checked_sub(1), *offset),
                Record::Position { route, top, .. } => (route, Some(*top), *top),
                Record::Forgotten { route, .. } => {
                    tops.insert(route, 0);
                    continue;
                }
                _ => continue,
            };
            if matches!(route, Route::Connection(_)) {
                return Err(StoreError::Misused("a single connection has no stream"));
            }
            let known = tops.entry(route).or_insert_with(|| self.streams.get(route).map_or(0, |stream| stream.top));
            if lowest.is_none_or(|lowest| lowest < *known) {
                return Err(StoreError::Misused("an offset went back"));
            }
            *known = top;
        }
        Ok(())
    }

    fn apply(&mut self, record: &Record) {
        match record {
            Record::Appended(message) => {
                let stream = self.streams.entry(message.route.clone()).or_default();
                (stream.epoch, stream.top) = (message.epoch, message.offset);
                stream.messages.push_back(message.clone());
            }
            Record::Trimmed { route, through } => {
                if let Some(stream) = self.streams.get_mut(route) {
                    let gone = stream.messages.partition_point(|message| message.offset <= *through);
                    stream.messages.drain(..gone);
                }
            }
            Record::Position { route, epoch, top } => {
                let stream = self.streams.entry(route.clone()).or_default();
                (stream.epoch, stream.top) = (*epoch, *top);
            }
            Record::Forgotten { route, reached } => {
                self.streams.remove(route);
                self.forgotten = self.forgotten.max(*reached);
            }
            Record::Once(once) => self.once.push_back(once.clone()),
            Record::Revoked(revocation) => {
                self.revocations.insert(revocation.id, revocation.clone());
            }
            Record::RevocationRemoved(id) => {
                self.revocations.remove(id);
            }
            Record::TopicGiven { user, topic } => {
                self.user_topics.insert((user.clone(), topic.clone()));
            }
            Record::TopicTaken { user, topic } => {
                self.user_topics.remove(&(user.clone(), topic.clone()));
            }
            Record::Secret(secret) => self.secret = Some(secret.clone()),
            other => unreachable!("this store does not know {other:?}"),
        }
    }
}
