//! Follows the frames in what a peer sends, without keeping any of it: how many fragments a message has, and
//! whether the peer is between two messages.

/// The longest frame header: two bytes, a 64-bit length and a mask (RFC 6455 section 5.2).
const MAX_HEADER: usize = 14;

/// Where in the stream of frames a peer is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FrameTracker {
    header: [u8; MAX_HEADER],
    header_len: u8,
    /// Payload of the present frame that is still to come.
    payload_left: u64,
    /// Fragments of the incomplete message.
    fragments: u32,
}

/// A message is cut into more frames than allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message in too many fragments")]
pub(super) struct TooManyFragments;

impl FrameTracker {
    /// Follows `bytes`, which come next, up to the end of the present frame. Returns the number of those bytes.
    pub(super) fn advance(&mut self, bytes: &[u8], max_fragments: u32) -> Result<usize, TooManyFragments> {
        let mut at = 0;
        if self.payload_left == 0 {
            loop {
                let Some(byte) = bytes.get(at) else { return Ok(at) };
                self.header[usize::from(self.header_len)] = *byte;
                self.header_len += 1;
                at += 1;
                if usize::from(self.header_len) == self.header_size() {
                    break self.frame(max_fragments)?;
                }
            }
        }
        let rest = bytes.len() - at;
        let payload = usize::try_from(self.payload_left).unwrap_or(usize::MAX).min(rest);
        self.payload_left -= payload as u64;
        Ok(at + payload)
    }

    /// Whether no frame and no message is incomplete.
    pub(super) fn is_between_messages(&self) -> bool {
        self.header_len == 0 && self.payload_left == 0 && self.fragments == 0
    }

    /// How long the present header is, as far as it can be told.
    fn header_size(&self) -> usize {
        if self.header_len < 2 {
            return 2;
        }
        let mask = if self.header[1] & 0x80 == 0 { 0 } else { 4 };
        mask + match self.header[1] & 0x7F {
            126 => 4,
            127 => 10,
            _ => 2,
        }
    }

    /// A header is complete.
    fn frame(&mut self, max_fragments: u32) -> Result<(), TooManyFragments> {
        self.payload_left = match self.header[1] & 0x7F {
            126 => u64::from(u16::from_be_bytes([self.header[2], self.header[3]])),
            127 => u64::from_be_bytes(std::array::from_fn(|at| self.header[2 + at])),
            short => u64::from(short),
        };
        self.header_len = 0;
        let (fin, opcode) = (self.header[0] & 0x80 != 0, self.header[0] & 0x0F);
        let control = opcode & 0x08 != 0;
        if control {
            return Ok(());
        }
        let so_far = self.fragments.saturating_add(1);
        self.fragments = if fin { 0 } else { so_far };
        if so_far > max_fragments.max(1) { Err(TooManyFragments) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A masked frame.
    fn frame(first: u8, payload: usize) -> Vec<u8> {
        let mut bytes = vec![first];
        match payload {
            0..=125 => bytes.push(0x80 | u8::try_from(payload).expect("short")),
            126..=0xFFFF => {
                bytes.push(0x80 | 126);
                bytes.extend(u16::try_from(payload).expect("short").to_be_bytes());
            }
            _ => {
                bytes.push(0x80 | 127);
                bytes.extend((payload as u64).to_be_bytes());
            }
        }
        bytes.extend([1, 2, 3, 4]);
        bytes.extend(std::iter::repeat_n(0x81, payload));
        bytes
    }

    #[test]
    fn it_knows_when_a_peer_is_between_messages_however_the_bytes_are_cut() {
        for payload in [0, 1, 125, 126, 0xFFFF, 0x1_0000] {
            let bytes = frame(0x81, payload);
            for step in [1, 3, 7, bytes.len()] {
                let mut tracker = FrameTracker::default();
                let mut seen = 0;
                for part in bytes.chunks(step) {
                    assert_eq!(tracker.is_between_messages(), seen == 0, "payload {payload}, after {seen} bytes");
                    assert_eq!(tracker.advance(part, 1), Ok(part.len()));
                    seen += part.len();
                }
                assert!(tracker.is_between_messages(), "payload {payload}, step {step}");
            }
        }
    }

    #[test]
    fn it_stops_at_the_end_of_each_frame() {
        let (first, second) = (frame(0x81, 5), frame(0x82, 200));
        let both = [first.clone(), second.clone()].concat();
        let mut tracker = FrameTracker::default();
        assert_eq!(tracker.advance(&both, 1), Ok(first.len()));
        assert!(tracker.is_between_messages());
        assert_eq!(tracker.advance(&both[first.len()..], 1), Ok(second.len()));
    }

    #[test]
    fn fragments_are_counted_and_control_frames_between_them_are_not() {
        let mut tracker = FrameTracker::default();
        tracker.advance(&frame(0x01, 1), 3).expect("the first");
        tracker.advance(&frame(0x89, 4), 3).expect("a ping between");
        tracker.advance(&frame(0x00, 0), 3).expect("the second, empty");
        assert!(!tracker.is_between_messages());
        let mut one_more = tracker;
        one_more.advance(&frame(0x00, 1), 3).expect("the third, and not the last");
        assert_eq!(one_more.advance(&frame(0x80, 0), 3), Err(TooManyFragments));
        tracker.advance(&frame(0x80, 1), 3).expect("the third, and the last");
        assert!(tracker.is_between_messages());
    }
}
