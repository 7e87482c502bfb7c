//! A server frame, encoded once and shared by every connection that gets it.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use realtime_schema::{Audience, MessageType};

use crate::policy::Overflow;

/// The longest header of an unmasked frame: two bytes and a 64-bit length (RFC 6455 section 5.2).
const MAX_HEADER: usize = 10;

/// One encoded server message, or several in a row that go the same way. Cloning shares it.
///
/// It holds each JSON text and, right before it, the header of the unmasked, unfragmented WebSocket text frame
/// (RFC 6455 section 5.2), so that a writer can hand the kernel the same bytes for every listener.
#[derive(Clone)]
pub struct Frame(Arc<Inner>);

struct Inner {
    wire: Bytes,
    messages: u32,
    text_len: usize,
    label: Option<Label>,
}

/// What a queue may want to know of a publication when it is full.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Label {
    /// What to do when a connection's queue is full.
    pub overflow: Overflow,
    /// The application's type.
    pub kind: MessageType,
    /// Whom it was for.
    pub to: Audience,
}

impl Frame {
    /// Lets `write` append JSON text to a buffer and frames it. Control frames have no label: they are never dropped.
    ///
    /// # Errors
    /// What `write` answers.
    pub fn encode<E>(label: Option<Label>, write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<Self, E> {
        let mut buffer = Vec::with_capacity(256);
        buffer.resize(MAX_HEADER, 0);
        write(&mut buffer)?;
        let start = write_header(&mut buffer);
        let (text_len, wire) = (buffer.len() - MAX_HEADER, Bytes::from(buffer).slice(start..));
        Ok(Self(Arc::new(Inner { wire, messages: 1, text_len, label })))
    }

    /// `frames` as one, which a queue takes, drops and writes as a whole. They have the label of the first. Nothing
    /// if there are none.
    pub fn joined(frames: &[Self]) -> Option<Self> {
        let [first, others @ ..] = frames else { return None };
        if others.is_empty() {
            return Some(first.clone());
        }
        let mut wire = Vec::with_capacity(frames.iter().map(|frame| frame.wire().len()).sum());
        frames.iter().for_each(|frame| wire.extend_from_slice(frame.wire()));
        Some(Self(Arc::new(Inner {
            wire: wire.into(),
            messages: frames.iter().map(Self::messages).sum(),
            text_len: frames.iter().map(Self::text_len).sum(),
            label: first.0.label.clone(),
        })))
    }

    /// What is left of it without its first message; nothing if that is all it holds.
    pub fn without_first(&self) -> Option<Self> {
        let Inner { wire, messages, text_len, label } = &*self.0;
        let (text_at, length) = read_header(wire)?;
        (*messages > 1).then(|| {
            let wire = wire.slice(text_at + length..);
            Self(Arc::new(Inner { wire, messages: messages - 1, text_len: text_len - length, label: label.clone() }))
        })
    }

    /// How many messages it holds.
    pub fn messages(&self) -> u32 {
        self.0.messages
    }

    /// The JSON text of each message, in order.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let mut rest = &self.0.wire[..];
        std::iter::from_fn(move || {
            let (text_at, length) = read_header(rest)?;
            let (frame, others) = rest.split_at_checked(text_at + length)?;
            rest = others;
            Some(std::str::from_utf8(&frame[text_at..]).expect("JSON is UTF-8"))
        })
    }

    /// The whole of what is written: the WebSocket frame of each message, header and text.
    pub fn wire(&self) -> &Bytes {
        &self.0.wire
    }

    /// Length of the JSON texts together, in bytes.
    pub fn text_len(&self) -> usize {
        self.0.text_len
    }

    /// What the publications were, or nothing for a control frame.
    pub fn label(&self) -> Option<&Label> {
        self.0.label.as_ref()
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.texts()).finish()
    }
}

/// Writes the header into the room before the text, right-aligned, and answers where it begins.
fn write_header(buffer: &mut [u8]) -> usize {
    const FIN_TEXT: u8 = 0x81;
    let length = buffer.len() - MAX_HEADER;
    let (start, short) = match length {
        0..=125 => (8, u8::try_from(length).expect("below 126")),
        126..=0xFFFF => (6, 126),
        _ => (0, 127),
    };
    buffer[start] = FIN_TEXT;
    buffer[start + 1] = short;
    let big_endian = (length as u64).to_be_bytes();
    let extended = MAX_HEADER - (start + 2);
    buffer[start + 2..MAX_HEADER].copy_from_slice(&big_endian[8 - extended..]);
    start
}

/// Where the text begins in a frame that [`write_header`] made, and how long it is.
fn read_header(frame: &[u8]) -> Option<(usize, usize)> {
    let extended = |bytes: &[u8]| bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    match *frame.get(1)? {
        126 => Some((4, extended(frame.get(2..4)?))),
        127 => Some((10, extended(frame.get(2..10)?))),
        length => Some((2, usize::from(length))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(length: usize) -> Frame {
        Frame::encode::<()>(None, |buffer| {
            buffer.extend(std::iter::repeat_n(b'1', length));
            Ok(())
        })
        .expect("writes")
    }

    #[test]
    fn the_header_is_that_of_rfc_6455_for_each_width_of_the_length() {
        for (length, header) in [
            (0, vec![0x81, 0]),
            (125, vec![0x81, 125]),
            (126, vec![0x81, 126, 0, 126]),
            (0xFFFF, vec![0x81, 126, 0xFF, 0xFF]),
            (0x1_0000, vec![0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let frame = framed(length);
            assert_eq!(&frame.wire()[..header.len()], &header[..], "length {length}");
            assert_eq!(frame.wire().len(), header.len() + length);
            assert_eq!(frame.texts().map(str::len).collect::<Vec<_>>(), [length]);
            assert_eq!(frame.text_len(), length);
        }
    }

    #[test]
    fn joined_frames_are_written_as_they_were_one_by_one() {
        let lengths = [0, 125, 126, 0xFFFF, 0x1_0000, 1];
        let frames = lengths.map(framed);
        let joined = Frame::joined(&frames).expect("some");
        assert_eq!(joined.wire(), &frames.iter().flat_map(|frame| frame.wire().to_vec()).collect::<Vec<_>>());
        assert_eq!(joined.texts().map(str::len).collect::<Vec<_>>(), lengths);
        assert_eq!((joined.messages(), joined.text_len()), (6, lengths.iter().sum::<usize>()));
        assert!(Frame::joined(&[]).is_none());

        let mut rest = Some(joined);
        for first in 0..lengths.len() {
            let left = rest.expect("as many as were joined");
            assert_eq!(left.texts().map(str::len).collect::<Vec<_>>(), lengths[first..]);
            assert_eq!(left.text_len(), lengths[first..].iter().sum::<usize>());
            rest = left.without_first();
        }
        assert!(rest.is_none());
    }
}
