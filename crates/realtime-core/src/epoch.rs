//! Epochs: the name of one life of a stream's history.
//!
//! Offsets rise within an epoch. A node draws a generation when it starts without its earlier history; a stream that
//! begins later in it has the number of forgotten positions added, so that a stream that was forgotten and begins anew
//! never repeats a position.

use std::fmt;

use realtime_schema::GapReason;

/// The longest text of an epoch: 64 bits in base 36.
const MAX_CHARS: usize = 13;
const RADIX: u32 = 36;

/// One life of a stream's history, written in base 36.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

impl Epoch {
    /// The first epoch of a generation: 2^32 epochs are its own.
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

/// The epochs that a node has given, to tell why another one is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epochs {
    /// The first epoch of this generation.
    pub generation: Epoch,
    /// How many positions were forgotten in this generation.
    pub forgotten: u64,
    /// True if the end of the generation before was lost, such as in a power failure.
    pub rolled_back: bool,
}

impl Epochs {
    /// The epochs of a generation that has forgotten nothing.
    pub fn new(generation: Epoch) -> Self {
        Self { generation, forgotten: 0, rolled_back: false }
    }

    /// The epoch of a stream that begins now.
    pub fn current(&self) -> Epoch {
        Epoch(self.generation.0.wrapping_add(self.forgotten))
    }

    /// Why a stream no longer has the epoch `theirs`; `None` stands for a text that is no epoch.
    pub fn reason(&self, theirs: Option<Epoch>) -> GapReason {
        match theirs {
            Some(Epoch(epoch)) if epoch.wrapping_sub(self.generation.0) <= self.forgotten => {
                GapReason::PositionForgotten
            }
            _ if self.rolled_back => GapReason::StoreRolledBack,
            _ => GapReason::Epoch,
        }
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
        let mut epochs = Epochs::new(Epoch(1_000));
        assert_eq!(epochs.reason(Some(Epoch(1_001))), GapReason::Epoch);
        epochs.forgotten = 2;
        assert_eq!(epochs.current(), Epoch(1_002));
        assert_eq!(epochs.reason(Some(Epoch(1_001))), GapReason::PositionForgotten);
        assert_eq!(epochs.reason(Some(Epoch(999))), GapReason::Epoch);
        assert_eq!(epochs.reason(None), GapReason::Epoch);
        epochs.rolled_back = true;
        assert_eq!(epochs.reason(Some(Epoch(500_003))), GapReason::StoreRolledBack);
    }
}
