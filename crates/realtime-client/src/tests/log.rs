//! The log of one stream: epochs, offsets with holes, retention; and all that was ever published to it, in order.

use crate::machine::Position;

#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) epoch: u64,
    pub(super) offset: u64,
    pub(super) n: u64,
}

#[derive(Debug)]
pub(super) struct Log {
    /// Everything that was ever published, over all epochs.
    pub(super) all: Vec<Entry>,
    pub(super) epoch: u64,
    pub(super) top: u64,
    /// The last offset that is no longer kept.
    pub(super) trimmed: u64,
    kept: Vec<Entry>,
    size: usize,
}

impl Log {
    pub(super) fn new(size: usize) -> Self {
        Self { all: Vec::new(), epoch: 1, top: 0, trimmed: 0, kept: Vec::new(), size }
    }

    pub(super) fn append(&mut self, n: u64, hole: bool) -> u64 {
        self.top += 1 + u64::from(hole);
        let entry = Entry { epoch: self.epoch, offset: self.top, n };
        self.all.push(entry);
        self.kept.push(entry);
        if self.kept.len() > self.size {
            self.trimmed = self.kept.remove(0).offset;
        }
        self.top
    }

    /// The server lost its memory.
    pub(super) fn lose(&mut self) {
        self.epoch += 1;
        self.top = 0;
        self.trimmed = 0;
        self.kept.clear();
    }

    pub(super) fn at(&self, offset: u64) -> Position {
        Position { epoch: format!("e{}", self.epoch), offset }
    }

    pub(super) fn position(&self) -> Position {
        self.at(self.top)
    }

    pub(super) fn after(&self, offset: u64) -> Vec<Entry> {
        self.kept.iter().copied().filter(|entry| entry.offset > offset).collect()
    }

    /// How many publications a position has behind it.
    pub(super) fn index(&self, at: &Position) -> usize {
        let epoch: u64 = at.epoch[1..].parse().expect("an epoch of this log");
        self.all.partition_point(|entry| (entry.epoch, entry.offset) <= (epoch, at.offset))
    }
}
