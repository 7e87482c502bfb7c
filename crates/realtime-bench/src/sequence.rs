//! The sequence mark in every message: its number and the time it was sent, found in the bytes of any protocol.

use std::time::Instant;

use memchr::memmem;

/// The start of a mark; it occurs nowhere else in the measured protocols.
const START: &[u8] = b"~#~";
const NUMBER: usize = 10;
const TIME: usize = 16;
/// Bytes of a whole marker.
pub(crate) const LENGTH: usize = START.len() + NUMBER + TIME;

/// The text of message `number`, `size` bytes long, sent `micros` after the run began.
pub(crate) fn message(number: u64, micros: u64, size: usize) -> String {
    let mut text = format!("~#~{number:0NUMBER$}{micros:0TIME$}");
    text.extend(std::iter::repeat_n('x', size.saturating_sub(text.len())));
    text
}

/// Microseconds since `start`.
pub(crate) fn micros(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// Finds markers in a stream that comes in pieces.
#[derive(Default)]
pub(crate) struct Scanner {
    /// The end of the last piece, where a marker may have begun.
    rest: Vec<u8>,
}

impl Scanner {
    /// Calls `found` with the number and the time of each marker that is complete.
    pub(crate) fn feed(&mut self, piece: &[u8], mut found: impl FnMut(u64, u64)) {
        if self.rest.is_empty() {
            let used = scan(piece, &mut found);
            self.rest.extend_from_slice(&piece[used..]);
        } else {
            self.rest.extend_from_slice(piece);
            let used = scan(&self.rest, &mut found);
            self.rest.drain(..used);
        }
    }
}

/// Scans; returns the number of bytes that need not be scanned again.
fn scan(bytes: &[u8], found: &mut impl FnMut(u64, u64)) -> usize {
    let mut at = 0;
    while let Some(next) = memmem::find(&bytes[at..], START) {
        let start = at + next;
        let Some(marker) = bytes.get(start..start + LENGTH) else { return start };
        let digits = |part: &[u8]| part.iter().fold(0_u64, |n, digit| n * 10 + u64::from(digit.wrapping_sub(b'0')));
        found(digits(&marker[START.len()..START.len() + NUMBER]), digits(&marker[START.len() + NUMBER..]));
        at = start + LENGTH;
    }
    // A marker may have begun in the last bytes.
    bytes.len().saturating_sub(START.len() - 1).max(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_are_found_however_the_stream_is_cut() {
        let stream: Vec<u8> = (0..20).flat_map(|n| message(n, n * 1000, 100).into_bytes()).collect();
        for cut in 1..=stream.len() {
            let (mut scanner, mut numbers) = (Scanner::default(), Vec::new());
            for piece in stream.chunks(cut) {
                scanner.feed(piece, |number, time| {
                    assert_eq!(time, number * 1000);
                    numbers.push(number);
                });
            }
            assert_eq!(numbers, (0..20).collect::<Vec<_>>(), "cut every {cut} bytes");
        }
    }

    #[test]
    fn a_message_is_as_long_as_requested() {
        assert_eq!(message(1, 2, 128).len(), 128);
        assert_eq!(message(1, 2, 1).len(), LENGTH, "but never shorter than its marker");
    }
}
