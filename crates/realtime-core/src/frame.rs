//! A server frame, encoded once and shared by all its recipients.

use std::{fmt, io::Write as _, sync::Arc};

use bytes::Bytes;
use realtime_schema::{Audience, ClientId, MessageType, Route, Topic};

use crate::{epoch::Epoch, policy::Overflow};

/// The longest header of an unmasked frame: two bytes and a 64-bit length (RFC 6455 section 5.2).
const MAX_HEADER: usize = 10;

/// One encoded server message, or several in a row with the same recipients. Cloning shares it.
///
/// It contains each JSON text, preceded by the header of an unmasked, unfragmented WebSocket text frame (RFC 6455
/// section 5.2), so that a writer passes the same bytes to the kernel for every recipient.
#[derive(Clone)]
pub struct Frame(Arc<Inner>);

struct Inner {
    wire: Bytes,
    messages: u32,
    text_len: usize,
    label: Option<Label>,
    presence: Option<Box<PresenceMark>>,
}

/// The properties of a frame about the users who are on a topic, which a full queue uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresenceMark {
    /// The topic.
    pub topic: Topic,
    /// Whether it replaces all that the client has of the topic, or is a change of it.
    pub whole: bool,
}

/// The properties of a publication that a full queue uses.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Label {
    /// What to do when a connection's queue is full.
    pub overflow: Overflow,
    /// The application's type.
    pub kind: MessageType,
    /// Its audience.
    pub to: Audience,
    /// Its place in its stream's history; `None` if it is kept nowhere.
    pub kept: Option<Kept>,
}

/// The place of a publication in the history of its stream.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Kept {
    /// The epoch of the history.
    pub epoch: Epoch,
    /// The offset of its first message.
    pub first: u64,
    /// The offset of its last message: the first, unless messages were joined.
    pub last: u64,
    /// The client that does not receive it.
    pub except: Option<ClientId>,
}

/// A publication that is encoded up to its offset, which the lock of its stream decides.
pub struct PreparedFrame {
    /// Room for the header, then the JSON text up to the offset.
    buffer: Vec<u8>,
    label: Label,
    except: Option<ClientId>,
}

impl PreparedFrame {
    /// Makes a frame of the JSON object that `write` appends to a buffer, and that has at least one field. Its last
    /// field will be `offset`. `except` is the client that does not receive it.
    ///
    /// # Errors
    /// The error of `write`.
    pub fn encode<E>(
        label: Label,
        except: Option<ClientId>,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut buffer = Vec::with_capacity(256);
        buffer.resize(MAX_HEADER, 0);
        write(&mut buffer)?;
        let end = buffer.pop();
        debug_assert_eq!(end, Some(b'}'), "not an object");
        buffer.extend_from_slice(br#","offset":"#);
        Ok(Self { buffer, label, except })
    }

    /// The frame at its place in the history.
    pub fn finish(self, epoch: Epoch, offset: u64) -> Frame {
        let Self { mut buffer, mut label, except } = self;
        write!(buffer, "{offset}}}").expect("a buffer in memory takes what is written");
        label.kept = Some(Kept { epoch, first: offset, last: offset, except });
        let start = write_header(&mut buffer);
        let (text_len, wire) = (buffer.len() - MAX_HEADER, Bytes::from(buffer).slice(start..));
        Frame(Arc::new(Inner { wire, messages: 1, text_len, label: Some(label), presence: None }))
    }
}

impl Frame {
    /// Makes a frame of the JSON text that `write` appends to a buffer. Control frames have no label: they are never
    /// dropped.
    ///
    /// # Errors
    /// The error of `write`.
    pub fn encode<E>(label: Option<Label>, write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<Self, E> {
        let mut buffer = Vec::with_capacity(256);
        buffer.resize(MAX_HEADER, 0);
        write(&mut buffer)?;
        let start = write_header(&mut buffer);
        let (text_len, wire) = (buffer.len() - MAX_HEADER, Bytes::from(buffer).slice(start..));
        Ok(Self(Arc::new(Inner { wire, messages: 1, text_len, label, presence: None })))
    }

    /// Makes a frame about the users who are on a topic of the JSON text that `write` appends to a buffer.
    ///
    /// # Errors
    /// The error of `write`.
    pub fn encode_presence<E>(
        mark: PresenceMark,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut frame = Self::encode(None, write)?;
        if let Some(inner) = Arc::get_mut(&mut frame.0) {
            inner.presence = Some(Box::new(mark));
        }
        Ok(frame)
    }

    /// The frame of a text that was stored, with its label. Copies the text.
    pub fn restored(label: Label, text: &[u8]) -> Self {
        let mut buffer = Vec::with_capacity(MAX_HEADER + text.len());
        buffer.resize(MAX_HEADER, 0);
        buffer.extend_from_slice(text);
        let start = write_header(&mut buffer);
        let wire = Bytes::from(buffer).slice(start..);
        Self(Arc::new(Inner { wire, messages: 1, text_len: text.len(), label: Some(label), presence: None }))
    }

    /// Joins `frames` into one, which a queue accepts and writes as a whole. It has the label of the first, with
    /// the offsets of all. `None` if `frames` is empty.
    pub fn joined(frames: &[Self]) -> Option<Self> {
        let [first, others @ ..] = frames else { return None };
        if others.is_empty() {
            return Some(first.clone());
        }
        let mut label = first.0.label.clone();
        if let (Some(Kept { last, .. }), Some(end)) =
            (label.as_mut().and_then(|label| label.kept.as_mut()), others.last().and_then(Self::kept))
        {
            *last = end.last;
        }
        let mut wire = Vec::with_capacity(frames.iter().map(|frame| frame.wire().len()).sum());
        frames.iter().for_each(|frame| wire.extend_from_slice(frame.wire()));
        Some(Self(Arc::new(Inner {
            wire: wire.into(),
            messages: frames.iter().map(Self::messages).sum(),
            text_len: frames.iter().map(Self::text_len).sum(),
            label,
            presence: None,
        })))
    }

    /// The frame without its first message; `None` if it was the only one. For frames that are kept nowhere.
    pub fn without_first(&self) -> Option<Self> {
        let Inner { wire, messages, text_len, label, .. } = &*self.0;
        let (text_at, length) = read_header(wire)?;
        (*messages > 1).then(|| {
            let wire = wire.slice(text_at + length..);
            Self(Arc::new(Inner {
                wire,
                messages: messages - 1,
                text_len: text_len - length,
                label: label.clone(),
                presence: None,
            }))
        })
    }

    /// Number of messages.
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

    /// The bytes to write: the WebSocket frame of each message, header and text.
    pub fn wire(&self) -> &Bytes {
        &self.0.wire
    }

    /// The JSON text of a frame with one message: a part of the same memory.
    pub fn text_bytes(&self) -> Bytes {
        let text_at = read_header(&self.0.wire).map_or(0, |(text_at, _)| text_at);
        self.0.wire.slice(text_at..)
    }

    /// Total length of the JSON texts, in bytes.
    pub fn text_len(&self) -> usize {
        self.0.text_len
    }

    /// The label of a publication; `None` for a control frame.
    pub fn label(&self) -> Option<&Label> {
        self.0.label.as_ref()
    }

    /// The place in a stream's history; `None` for a frame that is kept nowhere.
    pub fn kept(&self) -> Option<&Kept> {
        self.0.label.as_ref()?.kept.as_ref()
    }

    /// The mark of a frame about the users who are on a topic.
    pub fn presence(&self) -> Option<&PresenceMark> {
        self.0.presence.as_deref()
    }

    /// False if the frame is in a history and excludes `client`. The one rule for live delivery, catching up and pages.
    pub fn is_for(&self, client: Option<&ClientId>) -> bool {
        self.kept().and_then(|kept| kept.except.as_ref()).is_none_or(|except| Some(except) != client)
    }

    /// The stream in whose history the frame is, with its place there; `None` if it is kept nowhere.
    pub fn stream(&self) -> Option<(&Route, &Kept)> {
        let label = self.0.label.as_ref()?;
        Some((label.to.routes().first()?, label.kept.as_ref()?))
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.texts()).finish()
    }
}

/// Writes the header into the space before the text, right-aligned, and returns the index where it begins.
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

/// The index and the length of the text in a frame that [`write_header`] made.
fn read_header(frame: &[u8]) -> Option<(usize, usize)> {
    let extended = |bytes: &[u8]| bytes.iter().fold(0, |length, byte| (length << 8) + usize::from(*byte));
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
    fn the_header_follows_rfc_6455_for_each_width_of_the_length() {
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
    fn joined_frames_have_the_bytes_of_the_single_frames() {
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

    #[test]
    fn a_frame_that_was_stored_is_the_same_again() {
        let label = Label {
            overflow: Overflow::Drop,
            kind: "note".parse().expect("a type"),
            to: Route::All.into(),
            kept: Some(Kept { epoch: Epoch(7), first: 3, last: 3, except: None }),
        };
        for length in [2, 125, 126, 0x1_0000] {
            let sent = framed(length);
            let text = sent.text_bytes();
            assert_eq!(text, "1".repeat(length), "the text without the header");
            let again = Frame::restored(label.clone(), &text);
            assert_eq!(again.wire(), sent.wire());
            assert_eq!((again.text_len(), again.messages(), again.label()), (length, 1, Some(&label)));
        }
    }

    #[test]
    fn a_frame_is_shown_as_its_texts() {
        let joined = Frame::joined(&[framed(1), framed(2)]).expect("some");
        assert_eq!(format!("{joined:?}"), r#"["1", "11"]"#);
    }
}
