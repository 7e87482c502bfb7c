//! Epochs: the name of one life of a stream's history.
//!
//! Offsets rise within an epoch. A node draws another one when it starts without its earlier history.

use std::fmt;

use realtime_schema::GapReason;

/// The longest text of an epoch: 64 bits in base 36.
const MAX_CHARS: usize = 13;
const RADIX: u32 = 36;

/// One life of a stream's history, written in base 36.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

impl Epoch {
    /// The epoch of a generation.
    pub const fn of_generation(generation: u32) -> Self {
        Self((generation as u64) << 32)
    }

    /// The generation that the epoch belongs to.
    pub const fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// Reads the text of an epoch; `None` if it is not one that a node writes.
    pub fn parse(text: &str) -> Option<Self> {
        let canonical = (1..=MAX_CHARS).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase());
        canonical.then(|| u64::from_str_radix(text, RADIX).ok()).flatten().map(Self)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut text, mut at, mut rest) = ([0_u8; MAX_CHARS], MAX_CHARS, self.0);
        loop {
            at -= 1;
            // Below 36.
            #[allow(clippy::cast_possible_truncation)]
            let digit = (rest % u64::from(RADIX)) as u32;
            text[at] = char::from_digit(digit, RADIX).map_or(b'0', |digit| digit as u8);
            rest /= u64::from(RADIX);
            if rest == 0 {
                break;
            }
        }
        f.write_str(std::str::from_utf8(&text[at..]).expect("ASCII"))
    }
}

/// The epoch that a node gives its streams, and why a client may have another one.
///
/// A stream that was forgotten begins anew in the same epoch, above every offset that any forgotten stream has reached. So
/// no position is used twice, and the position of a client remains true, also of a stream that had no message yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epochs {
    /// The epoch of this generation.
    pub generation: Epoch,
    /// The largest offset that a forgotten stream has reached; 0 if none was forgotten.
    pub forgotten: u64,
    /// True if the end of the generation before was lost, such as in a power failure.
    pub rolled_back: bool,
}

impl Epochs {
    /// The epochs of a generation that has forgotten nothing.
    pub fn new(generation: Epoch) -> Self {
        Self { generation, forgotten: 0, rolled_back: false }
    }

    /// Why a client has another epoch.
    pub fn reason(&self) -> GapReason {
        if self.rolled_back { GapReason::StoreRolledBack } else { GapReason::Epoch }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_is_read_as_it_was_written() {
        for number in [0, 1, 35, 36, 46_655, u64::MAX] {
            let text = Epoch(number).to_string();
            assert!((1..=MAX_CHARS).contains(&text.len()), "{text}");
            assert_eq!(Epoch::parse(&text), Some(Epoch(number)), "{text}");
        }
        assert_eq!(Epoch(46_655).to_string(), "zzz");
        for text in ["", "ZZ", "-1", "+1", "a b", "zzzzzzzzzzzzz", "00000000000000"] {
            assert_eq!(Epoch::parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_epoch_that_is_over_says_why() {
        let epochs = Epochs::new(Epoch(1_000));
        assert_eq!(epochs.reason(), GapReason::Epoch);
        assert_eq!(Epochs { rolled_back: true, ..epochs }.reason(), GapReason::StoreRolledBack);
    }

    #[test]
    fn a_later_generation_has_larger_epochs_and_every_epoch_names_its_own() {
        let (third, fourth) = (Epoch::of_generation(3), Epoch::of_generation(4));
        assert_eq!((third.generation(), fourth.generation()), (3, 4));
        let last = Epoch(third.0 + u64::from(u32::MAX));
        assert!(third < last && last < fourth);
        assert_eq!(last.generation(), 3);
        assert_eq!(Epoch::of_generation(u32::MAX).generation(), u32::MAX);
    }
}
