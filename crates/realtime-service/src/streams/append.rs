//! Append and fan-out, as one act under the lock of the stream: so every queue has the messages of a stream in the order
//! of their offsets.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use realtime_core::{
    Frame, PreparedFrame,
    epoch::Epoch,
    log::{Bounds, Log},
    policy::Retention,
};
use realtime_schema::{Route, StreamPosition};

use super::{Streams, logs::StreamLog, retention::millis};

/// The result of publishing to a stream with a history.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Appended {
    /// Number of connections whose queues took the messages. One that catches up gets them later.
    pub(crate) delivered: u64,
    epoch: Epoch,
    /// The offset of the first message; the others follow it.
    first: u64,
}

impl Appended {
    /// The position of the message with this index.
    pub(crate) fn position(&self, index: usize) -> StreamPosition {
        StreamPosition { epoch: self.epoch.to_string(), offset: self.first + index as u64 }
    }
}

/// How an append has changed a log.
struct Change {
    stream: Arc<StreamLog>,
    appended: Appended,
    /// The log had no message before.
    begun: bool,
    bytes_before: usize,
    bytes: usize,
}

impl Streams {
    /// Appends messages to the history of a stream and queues them on its live connections.
    pub(crate) fn append(&self, route: &Route, retention: Retention, prepared: Vec<PreparedFrame>) -> Appended {
        self.append_with(route, retention, |log| {
            let (epoch, top) = (log.epoch(), log.top());
            (top + 1..).zip(prepared).map(|(offset, prepared)| prepared.finish(epoch, offset)).collect()
        })
    }

    /// Appends messages that are stored, with the offsets after those of [`Self::begin_writing`].
    pub(crate) fn append_stored(&self, route: &Route, retention: Retention, frames: Vec<Frame>) -> Appended {
        let appended = self.append_with(route, retention, |_| frames);
        self.end_writing(route);
        appended
    }

    fn append_with(&self, route: &Route, retention: Retention, frames: impl FnOnce(&Log) -> Vec<Frame>) -> Appended {
        let now = self.now();
        let change = self.logs.write(route, |stream, state| {
            let log = &mut state.log;
            let (begun, bytes_before) = (log.is_empty(), log.bytes());
            let (epoch, first) = (log.epoch(), log.top() + 1);
            let frames = frames(log);
            frames.iter().for_each(|frame| log.append(frame.clone(), now));
            self.trimmed(route, log.trim(bounds(retention)), log.floor());
            let delivered = Frame::joined(&frames).map_or(0, |frame| self.hub.fan_out_kept(route, &frame));
            let appended = Appended { delivered, epoch, first };
            Change { stream: stream.clone(), appended, begun, bytes_before, bytes: log.bytes() }
        });
        self.appended(change, retention, now)
    }

    /// The epoch and the last offset of a stream to which messages are about to be stored. It is not forgotten until
    /// they are appended, or [`Self::end_writing`].
    pub(crate) fn begin_writing(&self, route: &Route) -> (Epoch, u64) {
        self.logs.write(route, |_, state| {
            state.writes += 1;
            (state.log.epoch(), state.log.top())
        })
    }

    /// Messages were appended, or could not be stored.
    pub(crate) fn end_writing(&self, route: &Route) {
        self.logs.write(route, |_, state| state.writes = state.writes.saturating_sub(1));
    }

    /// Keeps the bounds over all histories, with no stream locked.
    fn appended(&self, change: Change, retention: Retention, now: u64) -> Appended {
        let Change { stream, appended, begun, bytes_before, bytes } = change;
        // In this order, so that the sum never falls below what is kept.
        self.bytes.fetch_add(bytes, Relaxed);
        self.bytes.fetch_sub(bytes_before, Relaxed);
        if begun {
            self.begun(stream, millis(retention.age), now);
        }
        self.keep_total();
        appended
    }
}

pub(super) fn bounds(retention: Retention) -> Bounds {
    let count = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    Bounds { entries: count(u64::from(retention.size)), bytes: count(retention.bytes) }
}
