//! Which stored records are still needed, and in which row each stands.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

use realtime_schema::Route;

use super::codec::{Once, Position, Stored};

/// What the file holds, without the texts: about 24 bytes for each message.
#[derive(Debug, Default)]
pub(super) struct Index {
    ids: HashMap<Route, u64>,
    streams: HashMap<u64, Stream>,
    rows: BTreeMap<u64, Row>,
    /// Rows without a needed record, to delete.
    dead: Vec<u64>,
    keys: HashMap<Arc<str>, Place>,
    /// Keys by the order of their commits, which is about the order of their expiry.
    expiry: VecDeque<(i64, Arc<str>, u64)>,
    /// Sum over the rows.
    live: u64,
    size: u64,
    next_row: u64,
    next_stream: u64,
}

/// A stream that has a position.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) route: Route,
    pub(super) epoch: u64,
    pub(super) top: u64,
    /// The first offset that is retained; `top` + 1 if none is.
    pub(super) first: u64,
    /// The position record, while the last message does not say the same.
    position: Option<Place>,
    messages: VecDeque<(u64, Place)>,
}

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    row: u64,
    bytes: u32,
}

/// A row of the file.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Row {
    /// Needed records.
    records: u32,
    /// Bytes of these.
    live: u32,
    /// Bytes of all.
    pub(super) size: u32,
}

impl Row {
    /// Bytes that are no longer needed.
    pub(super) fn dead(self) -> u32 {
        self.size.saturating_sub(self.live)
    }
}

impl Index {
    /// Makes a stream known before its first record.
    pub(super) fn create(&mut self, id: u64, route: Route) {
        self.next_stream = self.next_stream.max(id + 1);
        self.ids.insert(route.clone(), id);
        let stream = Stream { route, epoch: 0, top: 0, first: 1, position: None, messages: VecDeque::new() };
        self.streams.insert(id, stream);
    }

    /// Removes a stream and all its records. Unknown ids are ignored.
    pub(super) fn forget(&mut self, id: u64) {
        let Some(mut stream) = self.streams.remove(&id) else { return };
        if self.ids.get(&stream.route) == Some(&id) {
            self.ids.remove(&stream.route);
        }
        for (_, place) in stream.messages.drain(..) {
            self.release(place);
        }
        if let Some(place) = stream.position {
            self.release(place);
        }
    }

    /// Adds a row of `size` bytes, which has no needed record yet.
    pub(super) fn add_row(&mut self, row: u64, size: usize) {
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        self.next_row = self.next_row.max(row + 1);
        self.size += u64::from(size);
        self.rows.insert(row, Row { records: 0, live: 0, size });
    }

    /// Adds a record of `row`. Records of unknown streams are not needed.
    pub(super) fn add(&mut self, row: u64, record: &Stored<'_>, bytes: u32) {
        let place = Place { row, bytes };
        match record {
            Stored::Message(message) => {
                self.next_stream = self.next_stream.max(message.stream.saturating_add(1));
                let Some(stream) = self.streams.get_mut(&message.stream) else { return };
                (stream.epoch, stream.top) = (message.epoch, message.offset);
                stream.messages.push_back((message.offset, place));
                let position = stream.position.take();
                self.hold(place);
                if let Some(place) = position {
                    self.release(place);
                }
                self.trim(message.stream, message.first);
            }
            Stored::Position(position) => {
                self.next_stream = self.next_stream.max(position.stream.saturating_add(1));
                let Some(stream) = self.streams.get_mut(&position.stream) else { return };
                (stream.epoch, stream.top) = (position.epoch, position.top);
                let before = stream.position.replace(place);
                self.hold(place);
                if let Some(place) = before {
                    self.release(place);
                }
                self.trim(position.stream, position.first);
            }
            Stored::Once(once) => {
                let key: Arc<str> = once.key.into();
                self.expiry.push_back((once.expires_at, Arc::clone(&key), row));
                self.hold(place);
                if let Some(place) = self.keys.insert(key, place) {
                    self.release(place);
                }
            }
        }
    }

    /// Ends the messages of a stream before `first`.
    fn trim(&mut self, id: u64, first: u64) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        stream.first = stream.first.max(first);
        let gone = stream.messages.partition_point(|(offset, _)| *offset < first);
        let gone: Vec<_> = stream.messages.drain(..gone).map(|(_, place)| place).collect();
        if stream.messages.len() < stream.messages.capacity() / 4 {
            stream.messages.shrink_to(stream.messages.len() * 2);
        }
        gone.into_iter().for_each(|place| self.release(place));
    }

    /// Drops the idempotency keys that have expired at `now`, in milliseconds since 1970.
    pub(super) fn expire(&mut self, now: i64) {
        while let Some((_, key, row)) = self.expiry.pop_front_if(|(expires_at, ..)| *expires_at <= now) {
            // Only if no later commit replaced it, in another row.
            if self.keys.get(&key).is_some_and(|place| place.row == row)
                && let Some(place) = self.keys.remove(&key)
            {
                self.release(place);
            }
        }
    }

    fn hold(&mut self, place: Place) {
        let row = self.rows.entry(place.row).or_default();
        row.records += 1;
        row.live += place.bytes;
        self.live += u64::from(place.bytes);
    }

    fn release(&mut self, place: Place) {
        let Some(row) = self.rows.get_mut(&place.row) else { return };
        row.records -= 1;
        row.live -= place.bytes;
        self.live -= u64::from(place.bytes);
        if row.records == 0 {
            self.remove_row(place.row);
            self.dead.push(place.row);
        }
    }

    fn remove_row(&mut self, row: u64) {
        if let Some(row) = self.rows.remove(&row) {
            self.size -= u64::from(row.size);
        }
    }

    /// Takes up to `max` rows to delete.
    pub(super) fn take_dead(&mut self, max: usize) -> Vec<u64> {
        self.dead.split_off(self.dead.len().saturating_sub(max))
    }

    /// Takes `rows` back that could not be deleted.
    pub(super) fn still_dead(&mut self, rows: Vec<u64>) {
        self.dead.extend(rows);
    }

    /// Whether rows wait to be deleted.
    pub(super) fn has_dead(&self) -> bool {
        !self.dead.is_empty()
    }

    /// A row without a needed record is dead from the start.
    pub(super) fn settle(&mut self, row: u64) {
        if self.rows.get(&row).is_some_and(|row| row.records == 0) {
            self.remove_row(row);
            self.dead.push(row);
        }
    }

    /// Whether `record`, which stands in `row`, is needed.
    pub(super) fn needs(&self, row: u64, record: &Stored<'_>) -> bool {
        self.place(record).is_some_and(|place| place.row == row)
    }

    fn place(&self, record: &Stored<'_>) -> Option<Place> {
        match record {
            Stored::Message(message) => {
                let messages = &self.streams.get(&message.stream)?.messages;
                let at = messages.binary_search_by_key(&message.offset, |(offset, _)| *offset).ok()?;
                Some(messages[at].1)
            }
            Stored::Position(Position { stream, .. }) => self.streams.get(stream)?.position,
            Stored::Once(Once { key, .. }) => self.keys.get(*key).copied(),
        }
    }

    /// The needed `records` of the rows `from` stand in the row `into` now, which has `size` bytes. The other rows of
    /// `from` are gone.
    pub(super) fn moved<'a>(
        &mut self,
        from: &[u64],
        into: u64,
        size: usize,
        records: impl Iterator<Item = (Stored<'a>, u32)>,
    ) {
        for row in from {
            if let Some(row) = self.rows.remove(row) {
                self.size -= u64::from(row.size);
                self.live -= u64::from(row.live);
            }
        }
        self.add_row(into, size);
        for (record, bytes) in records {
            let place = Place { row: into, bytes };
            self.hold(place);
            match record {
                Stored::Message(message) => {
                    let Some(stream) = self.streams.get_mut(&message.stream) else { continue };
                    if let Ok(at) = stream.messages.binary_search_by_key(&message.offset, |(offset, _)| *offset) {
                        stream.messages[at].1 = place;
                    }
                }
                Stored::Position(position) => {
                    if let Some(stream) = self.streams.get_mut(&position.stream) {
                        stream.position = Some(place);
                    }
                }
                Stored::Once(once) => {
                    if let Some(key) = self.keys.get_mut(once.key) {
                        *key = place;
                    }
                    self.expiry.push_back((once.expires_at, once.key.into(), into));
                }
            }
        }
    }

    /// The rows from `first` on.
    pub(super) fn rows_from(&self, first: u64) -> impl Iterator<Item = (u64, Row)> {
        self.rows.range(first..).map(|(number, row)| (*number, *row))
    }

    /// The rows with their needed records and bytes, for tests.
    #[cfg(test)]
    pub(super) fn ledger(&self) -> Vec<(u64, u32, u32, u32)> {
        self.rows.iter().map(|(number, row)| (*number, row.records, row.live, row.size)).collect()
    }

    /// Number of rows.
    pub(super) fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Bytes of the needed records, and of all rows.
    pub(super) fn bytes(&self) -> (u64, u64) {
        (self.live, self.size)
    }

    /// The id and the state of a stream.
    pub(super) fn stream(&self, route: &Route) -> Option<(u64, &Stream)> {
        let id = *self.ids.get(route)?;
        self.streams.get(&id).map(|stream| (id, stream))
    }

    /// The state of a stream.
    pub(super) fn stream_of(&self, id: u64) -> Option<&Stream> {
        self.streams.get(&id)
    }

    /// All streams.
    pub(super) fn streams(&self) -> impl Iterator<Item = &Stream> {
        self.streams.values()
    }

    /// The number of the next row.
    pub(super) fn next_row(&self) -> u64 {
        self.next_row
    }

    /// A number that no stored record uses, and all above it.
    pub(super) fn next_stream(&self) -> u64 {
        self.next_stream
    }
}

impl Stream {
    /// Whether any stored record says where it is.
    pub(super) fn has_position(&self) -> bool {
        self.position.is_some() || !self.messages.is_empty()
    }
}
