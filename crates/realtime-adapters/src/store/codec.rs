//! The bytes of a stored batch, version 1.
//!
//! A version byte, the XXH3 checksum of what follows (64 bits, little-endian), then records one after the other. Numbers
//! are LEB128; texts have their length before them. A stream is a number; its route stands in a table beside.

use twox_hash::XxHash3_64;

const VERSION: u8 = 1;
const HEADER: usize = 9;

const MESSAGE: u8 = 1;
const POSITION: u8 = 2;
const ONCE: u8 = 3;

/// One record of a batch, borrowed from its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stored<'a> {
    Message(Message<'a>),
    Position(Position),
    Once(Once<'a>),
}

/// A message of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message<'a> {
    pub(super) stream: u64,
    pub(super) epoch: u64,
    pub(super) offset: u64,
    /// The first offset that the stream retained when this was stored: at most `offset`.
    pub(super) first: u64,
    /// Milliseconds since 1970.
    pub(super) at: i64,
    pub(super) kind: &'a str,
    pub(super) except: Option<&'a str>,
    pub(super) text: &'a str,
}

/// The state of a stream, which no later message tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) stream: u64,
    pub(super) epoch: u64,
    pub(super) top: u64,
    /// The first retained offset: at most `top` + 1.
    pub(super) first: u64,
}

/// An idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Once<'a> {
    pub(super) key: &'a str,
    pub(super) fingerprint: u128,
    /// Milliseconds since 1970.
    pub(super) expires_at: i64,
    /// JSON.
    pub(super) receipt: &'a str,
}

/// The bytes are not a batch of this version, or were changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Garbled {
    #[error("it was written by a newer release (format {0})")]
    Version(u8),
    #[error("its checksum is wrong")]
    Checksum,
    #[error("its contents make no sense")]
    Contents,
}

/// Builds the bytes of a batch.
#[derive(Debug)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        let mut buffer = Vec::with_capacity(HEADER + bytes);
        buffer.resize(HEADER, 0);
        Self(buffer)
    }

    /// Appends `record` and returns how many bytes it takes.
    pub(super) fn push(&mut self, record: &Stored<'_>) -> u32 {
        let before = self.0.len();
        match record {
            Stored::Message(message) => {
                self.0.push(MESSAGE);
                self.number(message.stream);
                self.number(message.epoch);
                self.number(message.offset);
                self.number(message.offset.saturating_sub(message.first));
                self.signed(message.at);
                self.text(message.kind);
                self.text(message.except.unwrap_or_default());
                self.text(message.text);
            }
            Stored::Position(position) => {
                self.0.push(POSITION);
                self.number(position.stream);
                self.number(position.epoch);
                self.number(position.top);
                // One more, so that a stream without messages needs no negative number.
                self.number(position.top.saturating_add(1).saturating_sub(position.first));
            }
            Stored::Once(once) => {
                self.0.push(ONCE);
                self.text(once.key);
                self.0.extend_from_slice(&once.fingerprint.to_le_bytes());
                self.signed(once.expires_at);
                self.text(once.receipt);
            }
        }
        u32::try_from(self.0.len() - before).unwrap_or(u32::MAX)
    }

    /// Whether nothing was pushed.
    pub(super) fn is_empty(&self) -> bool {
        self.0.len() == HEADER
    }

    /// The bytes of the batch.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.0[0] = VERSION;
        let checksum = XxHash3_64::oneshot(&self.0[HEADER..]);
        self.0[1..HEADER].copy_from_slice(&checksum.to_le_bytes());
        self.0
    }

    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    fn signed(&mut self, number: i64) {
        self.number((number.cast_unsigned() << 1) ^ (number >> 63).cast_unsigned());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }
}

/// Whether `batch` is of this version and as it was written.
pub(super) fn check(batch: &[u8]) -> Result<(), Garbled> {
    let (header, records) = batch.split_at_checked(HEADER).ok_or(Garbled::Contents)?;
    if header[0] != VERSION {
        return Err(if header[0] == 0 { Garbled::Contents } else { Garbled::Version(header[0]) });
    }
    let checksum = XxHash3_64::oneshot(records).to_le_bytes();
    if header[1..] == checksum { Ok(()) } else { Err(Garbled::Checksum) }
}

/// The checksum of a text that stands in a row of its own, under an id.
pub(super) fn text_checksum(id: &str, text: &str) -> i64 {
    (XxHash3_64::oneshot(text.as_bytes()) ^ XxHash3_64::oneshot(id.as_bytes()).rotate_left(32)).cast_signed()
}

/// The records of a batch with the bytes that each takes. Ends after an error.
pub(super) fn records(batch: &[u8]) -> impl Iterator<Item = Result<(Stored<'_>, u32), Garbled>> {
    let mut reader = Reader(batch.get(HEADER..).unwrap_or_default());
    std::iter::from_fn(move || {
        let before = reader.0.len();
        if before == 0 {
            return None;
        }
        let Some(record) = reader.record() else {
            reader.0 = &[];
            return Some(Err(Garbled::Contents));
        };
        Some(Ok((record, u32::try_from(before - reader.0.len()).unwrap_or(u32::MAX))))
    })
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn record(&mut self) -> Option<Stored<'a>> {
        Some(match self.byte()? {
            MESSAGE => {
                let (stream, epoch, offset) = (self.number()?, self.number()?, self.number()?);
                let first = offset.checked_sub(self.number()?)?;
                let (at, kind, except, text) = (self.signed()?, self.text()?, self.text()?, self.text()?);
                let except = (!except.is_empty()).then_some(except);
                Stored::Message(Message { stream, epoch, offset, first, at, kind, except, text })
            }
            POSITION => {
                let (stream, epoch, top) = (self.number()?, self.number()?, self.number()?);
                let first = top.saturating_add(1).checked_sub(self.number()?)?;
                Stored::Position(Position { stream, epoch, top, first })
            }
            ONCE => {
                let key = self.text()?;
                let fingerprint = u128::from_le_bytes(self.bytes(16)?.try_into().ok()?);
                Stored::Once(Once { key, fingerprint, expires_at: self.signed()?, receipt: self.text()? })
            }
            _ => return None,
        })
    }

    fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    fn byte(&mut self) -> Option<u8> {
        self.bytes(1).map(|bytes| bytes[0])
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7F);
            if bits << shift >> shift != bits {
                return None;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn signed(&mut self) -> Option<i64> {
        let number = self.number()?;
        Some((number >> 1).cast_signed() ^ -((number & 1).cast_signed()))
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = usize::try_from(self.number()?).ok()?;
        std::str::from_utf8(self.bytes(length)?).ok()
    }
}

#[cfg(test)]
mod tests;
