//! The histories of this node's streams: append and fan-out in one act, pages for connections that catch up, and the
//! bounds over all of them.
//!
//! Order of locks, from the outside: the changes of one connection, the map of streams, a stream, an index, a queue. No
//! more than one stream is locked at a time.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use realtime_core::{epoch::Epochs, expiry::Expiry, log::Log, policy::Retention};
use realtime_ports::{Clock, Record};
use realtime_schema::{Route, StreamPosition, TopicHistory};

use crate::{
    hub::Hub,
    metrics::{HistoryStats, Metrics},
    settings::LiveSettings,
};

mod append;
mod catch_up;
mod history;
mod logs;
mod notes;
mod restore;
mod retention;

pub(crate) use append::Appended;
pub(crate) use history::{HistoryPart, PageRequest, PositionExpired};
pub(crate) use restore::Restored;

use logs::{Logs, StreamLog};
use notes::Notes;

/// The histories of this node.
pub(crate) struct Streams {
    logs: Logs,
    hub: Arc<Hub>,
    settings: LiveSettings,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    /// False if the bus reaches other nodes, which would not know the positions of this one.
    enabled: bool,
    /// Bytes of all histories.
    bytes: AtomicUsize,
    /// The histories with messages, by the time of the oldest.
    messages: Mutex<Expiry<Arc<StreamLog>>>,
    /// The histories of which only the position is left, by the time since which that is so.
    positions: Mutex<Expiry<Arc<StreamLog>>>,
    /// For a durable store; `None` without one.
    notes: Option<Notes>,
}

/// What the streams need of the node.
pub(crate) struct StreamsParts {
    pub(crate) epochs: Epochs,
    pub(crate) hub: Arc<Hub>,
    pub(crate) settings: LiveSettings,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) enabled: bool,
    /// What goes is noted for a durable store.
    pub(crate) durable: bool,
}

impl Streams {
    pub(crate) fn new(parts: StreamsParts) -> Self {
        let StreamsParts { epochs, hub, settings, clock, metrics, enabled, durable } = parts;
        Self {
            logs: Logs::new(epochs),
            hub,
            settings,
            clock,
            metrics,
            enabled,
            bytes: AtomicUsize::new(0),
            messages: Mutex::default(),
            positions: Mutex::default(),
            notes: durable.then(Notes::default),
        }
    }

    /// How much of a stream is kept; `None` if it has no history.
    pub(crate) fn retention(&self, route: &Route) -> Option<Retention> {
        self.settings.load().namespaces.retention(route).copied().filter(|_| self.enabled)
    }

    /// True if a stream has a history.
    pub(crate) fn has_history(&self, route: &Route) -> bool {
        self.enabled && self.settings.load().namespaces.retention(route).is_some()
    }

    /// True if any stream may have a history.
    pub(crate) fn any_history(&self) -> bool {
        self.enabled && self.settings.load().namespaces.any_history()
    }

    /// The position of a stream's last message.
    pub(crate) fn position(&self, route: &Route) -> StreamPosition {
        self.read(route, Log::position)
    }

    /// Runs `read` on the history of a stream, while nothing is appended. A stream without a message has an empty one.
    pub(crate) fn read<T>(&self, route: &Route, read: impl FnOnce(&Log) -> T) -> T {
        self.logs.read(route, read)
    }

    /// What is kept of a stream; `None` if it has no history.
    pub(crate) fn kept(&self, route: &Route) -> Option<TopicHistory> {
        self.has_history(route).then(|| {
            self.read(route, |log| {
                let StreamPosition { epoch, offset } = log.position();
                TopicHistory { epoch, offset, messages: log.len() as u64, bytes: log.bytes() as u64 }
            })
        })
    }

    /// The epochs of this node.
    pub(crate) fn epochs(&self) -> Epochs {
        self.logs.epochs()
    }

    /// What a durable store has to be told since the last call.
    pub(crate) fn take_notes(&self) -> Vec<Record> {
        self.notes.as_ref().map(Notes::take).unwrap_or_default()
    }

    /// Messages of a stream up to `floor` have gone, if that has freed bytes.
    fn trimmed(&self, route: &Route, freed: usize, floor: u64) {
        if freed > 0
            && let Some(notes) = &self.notes
        {
            notes.trimmed(route, floor);
        }
    }

    pub(crate) fn stats(&self) -> HistoryStats {
        HistoryStats { streams: self.logs.count(), bytes: self.bytes.load(Relaxed) }
    }

    /// The wall clock, in milliseconds: the age of a message counts over a restart too.
    fn now(&self) -> u64 {
        u64::try_from(self.clock.now().as_millis()).unwrap_or(0)
    }
}
