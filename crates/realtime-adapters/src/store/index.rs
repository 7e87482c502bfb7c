//! Which stored records are still needed, and in which row each stands.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasherDefault, Hasher},
    sync::Arc,
};

use realtime_schema::Route;

use super::{
    codec::{Message, Once, Position, Stored},
    ledger::{Ledger, Place},
};

/// What the file holds, without the texts: about 24 bytes for each message.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// The rows.
    pub(super) ledger: Ledger,
    ids: HashMap<Route, u64>,
    streams: HashMap<u64, Stream, BuildHasherDefault<IdHasher>>,
    next_stream: u64,
    keys: HashMap<Arc<str>, Place>,
    /// Keys in the order of their commits, which is about the order of their expiry.
    expiry: VecDeque<(i64, Arc<str>, u64)>,
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
        let Some(stream) = self.streams.remove(&id) else { return };
        if self.ids.get(&stream.route) == Some(&id) {
            self.ids.remove(&stream.route);
        }
        let messages = stream.messages.into_iter().map(|(_, place)| place);
        messages.chain(stream.position).for_each(|place| self.ledger.release(place));
        self.ledger.settle();
    }

    /// Adds a record of the row that was begun. Records of unknown streams are not needed.
    pub(super) fn add(&mut self, row: u64, record: &Stored<'_>, bytes: u32) {
        let (ledger, place) = (&mut self.ledger, Place { row, bytes });
        let stream = match record {
            Stored::Message(Message { stream, .. }) | Stored::Position(Position { stream, .. }) => {
                self.next_stream = self.next_stream.max(stream.saturating_add(1));
                self.streams.get_mut(stream)
            }
            Stored::Once(_) => None,
        };
        match record {
            Stored::Message(message) => {
                let Some(stream) = stream else { return };
                (stream.epoch, stream.top) = (message.epoch, message.offset);
                ledger.hold(place);
                stream.messages.push_back((message.offset, place));
                stream.position.take().into_iter().for_each(|place| ledger.release(place));
                stream.trim(message.first, ledger);
            }
            Stored::Position(position) => {
                let Some(stream) = stream else { return };
                (stream.epoch, stream.top) = (position.epoch, position.top);
                ledger.hold(place);
                stream.position.replace(place).into_iter().for_each(|place| ledger.release(place));
                stream.trim(position.first, ledger);
            }
            Stored::Once(once) => {
                let key: Arc<str> = once.key.into();
                ledger.hold(place);
                self.expiry.push_back((once.expires_at, Arc::clone(&key), row));
                self.keys.insert(key, place).into_iter().for_each(|place| ledger.release(place));
            }
        }
    }

    /// Drops the idempotency keys that have expired at `now`, in milliseconds since 1970.
    pub(super) fn expire(&mut self, now: i64) {
        while let Some((_, key, row)) = self.expiry.pop_front_if(|(expires_at, ..)| *expires_at <= now) {
            // Only if no later commit replaced it, in another row.
            if self.keys.get(&key).is_some_and(|place| place.row == row) {
                self.keys.remove(&key).into_iter().for_each(|place| self.ledger.release(place));
            }
        }
        self.ledger.settle();
    }

    /// Whether `record`, which stands in `row`, is needed.
    pub(super) fn needs(&self, row: u64, record: &Stored<'_>) -> bool {
        let stands = |place: &Place| place.row == row;
        match record {
            // Each message stands in one row, until it is trimmed: no search for its place.
            Stored::Message(Message { stream, offset, .. }) => {
                self.streams.get(stream).is_some_and(|stream| *offset >= stream.first)
            }
            Stored::Position(Position { stream, .. }) => {
                self.streams.get(stream).and_then(|stream| stream.position.as_ref()).is_some_and(stands)
            }
            Stored::Once(Once { key, .. }) => self.keys.get(*key).is_some_and(stands),
        }
    }

    /// The needed records of the rows `from`, which are `records`, stand in the row `into` now, which has `size` bytes.
    /// The other rows of `from` are gone.
    pub(super) fn moved<'a>(
        &mut self,
        from: &[u64],
        into: u64,
        size: usize,
        records: impl Iterator<Item = (Stored<'a>, u32)>,
    ) {
        self.ledger.drop_rows(from);
        self.ledger.begin(into, size);
        for (record, bytes) in records {
            let place = Place { row: into, bytes };
            self.ledger.hold(place);
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
        self.ledger.settle();
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

    /// Ends the messages before `first`.
    fn trim(&mut self, first: u64, ledger: &mut Ledger) {
        self.first = self.first.max(first);
        while let Some((_, place)) = self.messages.pop_front_if(|(offset, _)| *offset < first) {
            ledger.release(place);
        }
        if self.messages.len() < self.messages.capacity() / 4 {
            self.messages.shrink_to(self.messages.len() * 2);
        }
    }
}

/// Spreads the numbers that this store gives its streams (Fibonacci hashing). No one else chooses them.
#[derive(Debug, Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, id: u64) {
        self.0 = (self.0 ^ id).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
