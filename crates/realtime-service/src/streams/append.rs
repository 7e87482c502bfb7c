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
        let now = self.now();
        let change = self.logs.write(route, |stream, log| {
            let (begun, bytes_before) = (log.is_empty(), log.bytes());
            let (epoch, first) = (log.epoch(), log.top() + 1);
            let frame = push(log, prepared, now);
            log.trim(bounds(retention));
            let delivered = frame.map_or(0, |frame| self.hub.fan_out_kept(route, &frame));
            let appended = Appended { delivered, epoch, first };
            Change { stream: stream.clone(), appended, begun, bytes_before, bytes: log.bytes() }
        });
        self.appended(change, retention, now)
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

/// Appends the messages one by one; returns them as one frame for the queues.
fn push(log: &mut Log, prepared: Vec<PreparedFrame>, now: u64) -> Option<Frame> {
    let mut frames = Vec::with_capacity(prepared.len());
    for prepared in prepared {
        let frame = prepared.finish(log.epoch(), log.top() + 1);
        log.append(frame.clone(), now);
        frames.push(frame);
    }
    Frame::joined(&frames)
}

fn bounds(retention: Retention) -> Bounds {
    let count = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    Bounds { entries: count(u64::from(retention.size)), bytes: count(retention.bytes) }
}
