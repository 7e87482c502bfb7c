//! The history of one stream: the encoded frames that were sent, within bounds, and the position that outlives them.

use std::collections::VecDeque;

use realtime_schema::StreamPosition;

use crate::{
    capacity::shrunk,
    epoch::{Epoch, Epochs},
    frame::Frame,
};

/// What an entry costs beside the bytes of its frame: its place in the ring, and the label and counters of the frame.
pub const ENTRY_OVERHEAD: usize = 192;

/// The bounds of one log. At least the newest entry is kept, however large it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Most entries.
    pub entries: usize,
    /// Most bytes, [`ENTRY_OVERHEAD`] for each entry included.
    pub bytes: usize,
}

/// One frame that is kept. Its offset is in its label.
#[derive(Clone, Debug)]
struct Entry {
    frame: Frame,
    /// When it was appended, in milliseconds on the caller's clock.
    at: u64,
}

impl Entry {
    fn offset(&self) -> u64 {
        self.frame.kept().map_or(0, |kept| kept.last)
    }

    fn bytes(&self) -> usize {
        self.frame.wire().len() + ENTRY_OVERHEAD
    }
}

/// The history of one stream in one epoch.
#[derive(Clone, Debug)]
pub struct Log {
    epoch: Epoch,
    /// The offset of the last frame that was appended; 0 before the first.
    top: u64,
    /// The offset of the last frame that is no longer kept; 0 if none was dropped.
    floor: u64,
    /// The offset of the last frame of an earlier epoch; 0 if there is none.
    inherited: u64,
    /// The offset after which it began: not 0 if streams were forgotten before.
    began: u64,
    entries: VecDeque<Entry>,
    bytes: usize,
}

impl Log {
    /// A log without a message, in a generation that has forgotten nothing.
    pub fn new(epoch: Epoch) -> Self {
        Self::at(epoch, 0)
    }

    /// A log without a message. It begins above the offsets of every stream that was forgotten.
    pub fn begin(epochs: &Epochs) -> Self {
        Self { began: epochs.forgotten, ..Self::at(epochs.generation, epochs.forgotten) }
    }

    /// A log that has kept its position `top`, and no entry.
    pub fn at(epoch: Epoch, top: u64) -> Self {
        Self { epoch, top, floor: top, inherited: 0, began: 0, entries: VecDeque::new(), bytes: 0 }
    }

    /// Begins another epoch, and keeps what is there: a client of an earlier epoch may have received it, or not.
    pub fn begin_epoch(&mut self, epoch: Epoch) {
        (self.epoch, self.inherited) = (epoch, self.top);
    }

    /// The offset of the last frame that a client of another epoch does not get: no longer kept, or from that epoch.
    pub fn unknown(&self) -> u64 {
        self.floor.max(self.inherited)
    }

    /// The epoch.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The offset of the last frame; 0 before the first.
    pub fn top(&self) -> u64 {
        self.top
    }

    /// The offset of the last frame that is no longer kept: everything after it is.
    pub fn floor(&self) -> u64 {
        self.floor
    }

    /// The offset after which it began. A smaller one is from before a stream was forgotten: perhaps this one, with its
    /// messages, perhaps another one.
    pub fn began(&self) -> u64 {
        self.began
    }

    /// The position after the last frame.
    pub fn position(&self) -> StreamPosition {
        self.position_at(self.top)
    }

    /// A position in this log's epoch.
    pub fn position_at(&self, offset: u64) -> StreamPosition {
        StreamPosition { epoch: self.epoch.to_string(), offset }
    }

    /// Number of frames that are kept.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True if no frame is kept.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Number of bytes that the kept frames cost.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// When the oldest kept frame was appended, in milliseconds; `None` if none is kept.
    pub fn oldest(&self) -> Option<u64> {
        self.entries.front().map(|entry| entry.at)
    }

    /// Appends a frame whose label says its offset, which is larger than [`Self::top`]. Frames that are joined are
    /// appended one by one.
    pub fn append(&mut self, frame: Frame, at: u64) {
        let entry = Entry { frame, at };
        debug_assert!(entry.offset() > self.top, "offset {} after {}", entry.offset(), self.top);
        self.top = entry.offset();
        self.bytes += entry.bytes();
        self.entries.push_back(entry);
    }

    /// Drops the oldest entries until the rest is within `bounds`; the newest always stays. Returns the bytes that were
    /// freed.
    pub fn trim(&mut self, bounds: Bounds) -> usize {
        self.drop_while(|log| log.len() > 1 && (log.len() > bounds.entries || log.bytes > bounds.bytes))
    }

    /// Drops the entries that were appended at or before `at`, in milliseconds. Returns the bytes that were freed.
    pub fn expire(&mut self, at: u64) -> usize {
        self.drop_while(|log| log.oldest().is_some_and(|oldest| oldest <= at))
    }

    /// Drops the oldest entries until `bytes` are freed or none is left. Returns the bytes that were freed.
    pub fn evict(&mut self, bytes: usize) -> usize {
        let before = self.bytes;
        self.drop_while(|log| before - log.bytes < bytes)
    }

    fn drop_while(&mut self, goes: impl Fn(&Self) -> bool) -> usize {
        let before = self.bytes;
        while goes(self)
            && let Some(entry) = self.entries.pop_front()
        {
            self.floor = entry.offset();
            self.bytes -= entry.bytes();
        }
        if self.entries.is_empty() {
            self.floor = self.top;
            // A quiet stream costs no room for messages.
            self.entries = VecDeque::new();
        } else if let Some(capacity) = shrunk(self.entries.len(), self.entries.capacity()) {
            self.entries.shrink_to(capacity);
        }
        before - self.bytes
    }

    /// The kept frames from the first one whose offset is `next` or more, oldest first.
    pub fn from(&self, next: u64) -> impl DoubleEndedIterator<Item = &Frame> {
        let start = self.entries.partition_point(|entry| entry.offset() < next);
        self.entries.range(start..).map(|entry| &entry.frame)
    }

    /// The kept frames whose offset is below `before`, oldest first.
    pub fn before(&self, before: u64) -> impl DoubleEndedIterator<Item = &Frame> {
        let end = self.entries.partition_point(|entry| entry.offset() < before);
        self.entries.range(..end).map(|entry| &entry.frame)
    }
}

#[cfg(test)]
mod tests;
