//! Closed connections, counted by close code.

use std::{
    array,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use realtime_schema::CloseCode;

/// The labels: a fixed list, so that a client which sends any code can't add to them. Codes of an application's own are
/// `other`; so is every code that is not listed. `none` are connections that ended without a
/// close frame.
const LABELS: [&str; 24] = [
    "1000", "1001", "1002", "1003", "1007", "1008", "1009", "1011", "4400", "4403", "4404", "4406", "4409", "4500",
    "4503", "4508", "4509", "4513", "4529", "4601", "4603", "4610", "other", "none",
];
const OTHER: usize = LABELS.len() - 2;
const NONE: usize = LABELS.len() - 1;

/// How many connections were closed, by code.
#[derive(Debug, Default)]
pub(crate) struct Closes([AtomicU64; LABELS.len()]);

impl Closes {
    /// Counts a connection that ended, with the code of its close frame if there was one.
    pub(crate) fn record(&self, code: Option<CloseCode>) {
        let at = match code {
            None => NONE,
            Some(code) => {
                let text = code.0.to_string();
                LABELS.iter().position(|label| *label == text).unwrap_or(OTHER)
            }
        };
        self.0[at].fetch_add(1, Relaxed);
    }

    /// The counts now.
    pub(crate) fn counts(&self) -> CloseCounts {
        CloseCounts(array::from_fn(|at| self.0[at].load(Relaxed)))
    }
}

/// How many connections were closed, by close code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CloseCounts([u64; LABELS.len()]);

impl CloseCounts {
    /// Every label with its count, zeros included: the code as a number, `other` for codes that are not listed here
    /// (an application's own, 4000 to 4399, are among them), and `none` for connections that ended without a close
    /// frame.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        LABELS.into_iter().zip(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_counted_at_its_label_and_a_strange_one_makes_no_label() {
        let closes = Closes::default();
        for code in [Some(1000), Some(4503), Some(4503), Some(4000), Some(3999), Some(65_535), None] {
            closes.record(code.map(CloseCode));
        }
        let counted: Vec<_> = closes.counts().iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counted, [("1000", 1), ("4503", 2), ("other", 3), ("none", 1)]);
    }
}
