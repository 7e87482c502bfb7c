//! What a durable store has to be told, beside the messages.

use std::{
    collections::HashMap,
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use realtime_ports::Record;
use realtime_schema::Route;

/// What has gone from memory, and is still in the store. Bounded by the number of streams: of each only the last offset
/// that has gone counts.
#[derive(Debug, Default)]
pub(super) struct Notes(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    trimmed: HashMap<Route, u64>,
    /// In their order.
    forgotten: Vec<(Route, u64)>,
}

impl Notes {
    /// The messages of a stream up to an offset are no longer kept.
    pub(super) fn trimmed(&self, route: &Route, through: u64) {
        self.state().trimmed.insert(route.clone(), through);
    }

    /// A stream was forgotten; `reached` is the largest offset of all that were. Called before it can begin anew.
    pub(super) fn forgotten(&self, route: &Route, reached: u64) {
        let mut state = self.state();
        state.trimmed.remove(route);
        state.forgotten.push((route.clone(), reached));
    }

    /// Takes all, as records.
    pub(super) fn take(&self) -> Vec<Record> {
        let State { trimmed, forgotten } = mem::take(&mut *self.state());
        let forgotten = forgotten.into_iter().map(|(route, reached)| Record::Forgotten { route, reached });
        forgotten.chain(trimmed.into_iter().map(|(route, through)| Record::Trimmed { route, through })).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
