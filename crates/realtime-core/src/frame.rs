//! A server frame, encoded once and shared by every connection that gets it.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use realtime_schema::{Audience, MessageType};

use crate::policy::Overflow;

/// The longest header of an unmasked frame: two bytes and a 64-bit length (RFC 6455 section 5.2).
const MAX_HEADER: usize = 10;

/// An encoded server frame. Cloning shares it.
///
/// It holds the JSON text and, right before it, the header of the unmasked, unfragmented WebSocket text frame
/// (RFC 6455 section 5.2), so that a writer can hand the kernel the same bytes for every listener.
#[derive(Clone)]
pub struct Frame(Arc<Inner>);

struct Inner {
    wire: Bytes,
    text_at: u8,
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
        let text_at = u8::try_from(MAX_HEADER - start).expect("a header is at most 10 bytes");
        let wire = Bytes::from(buffer).slice(start..);
        Ok(Self(Arc::new(Inner { wire, text_at, label })))
    }

    /// The JSON text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.0.wire[usize::from(self.0.text_at)..]).expect("JSON is UTF-8")
    }

    /// The whole WebSocket frame: header and text.
    pub fn wire(&self) -> &Bytes {
        &self.0.wire
    }

    /// Length of the JSON text, in bytes.
    pub fn text_len(&self) -> usize {
        self.0.wire.len() - usize::from(self.0.text_at)
    }

    /// What the publication was, or nothing for a control frame.
    pub fn label(&self) -> Option<&Label> {
        self.0.label.as_ref()
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Frame").field(&self.text()).finish()
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
            assert_eq!(frame.text().len(), length);
            assert_eq!(frame.text_len(), length);
        }
    }
}
