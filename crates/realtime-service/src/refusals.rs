//! Refused clients and callers: counted by reason, and logged at most once a second for each reason.

use std::{
    array,
    net::IpAddr,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use realtime_core::auth::RefusalReason;

/// Time between two log lines with the same reason.
const LOG_EVERY: Duration = Duration::from_secs(1);

/// Maximum length of a logged detail, in characters.
const MAX_DETAIL_CHARS: usize = 256;

/// The counts, and what the log has not shown yet.
#[derive(Debug, Default)]
pub(crate) struct Refusals([Reason; RefusalReason::COUNT]);

/// The state of one reason.
#[derive(Debug, Default)]
struct Reason {
    total: AtomicU64,
    /// Refusals since the last log line.
    suppressed: AtomicU64,
    /// When the next log line is due, in milliseconds on the service's clock.
    due_ms: AtomicU64,
}

impl Refusals {
    /// Counts a refusal, and logs it unless a line with the same reason was logged within the last second.
    ///
    /// `detail` must not contain a token or a key.
    pub(crate) fn record(&self, now: Duration, reason: RefusalReason, address: Option<IpAddr>, detail: &str) {
        let state = &self.0[reason.index()];
        state.total.fetch_add(1, Relaxed);
        let Some(suppressed) = state.log_is_due(now) else { return };
        let address = address.map(tracing::field::display);
        let detail = shortened(detail);
        let reason_word = reason.as_str();
        if is_harmless(reason) {
            tracing::info!(reason = reason_word, address, suppressed, detail, "refused");
        } else {
            tracing::warn!(reason = reason_word, address, suppressed, detail, "refused");
        }
    }

    /// The counts now.
    pub(crate) fn counts(&self) -> RefusalCounts {
        RefusalCounts(array::from_fn(|at| self.0[at].total.load(Relaxed)))
    }
}

impl Reason {
    /// Returns how many refusals were not logged since the last line, if another line is due.
    fn log_is_due(&self, now: Duration) -> Option<u64> {
        let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let due_ms = self.due_ms.load(Relaxed);
        let next_ms = now_ms.saturating_add(LOG_EVERY.as_millis() as u64).max(1);
        // Of several threads that refuse at the same time, one logs.
        if now_ms < due_ms || self.due_ms.compare_exchange(due_ms, next_ms, Relaxed, Relaxed).is_err() {
            self.suppressed.fetch_add(1, Relaxed);
            return None;
        }
        Some(self.suppressed.swap(0, Relaxed))
    }
}

/// The begin of what a client may have made long.
fn shortened(detail: &str) -> &str {
    detail.char_indices().nth(MAX_DETAIL_CHARS).map_or(detail, |(end, _)| &detail[..end])
}

/// Whether the refusal is part of normal operation: a client of a draining node, or one that must renew its token.
fn is_harmless(reason: RefusalReason) -> bool {
    matches!(reason, RefusalReason::Draining | RefusalReason::TokenExpired)
}

/// How many clients and callers were refused, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RefusalCounts([u64; RefusalReason::COUNT]);

impl RefusalCounts {
    /// The count of one reason.
    pub fn get(&self, reason: RefusalReason) -> u64 {
        self.0[reason.index()]
    }

    /// Every reason with its count, zeros included.
    pub fn iter(&self) -> impl Iterator<Item = (RefusalReason, u64)> + '_ {
        RefusalReason::ALL.iter().map(|reason| (*reason, self.get(*reason)))
    }

    /// The refused WebSocket clients, whatever the reason; callers of the HTTP API are not among them.
    pub fn connections(&self) -> u64 {
        self.0.iter().sum::<u64>() - self.get(RefusalReason::ApiKey)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_is_counted_and_one_a_second_is_logged_with_the_number_left_out() {
        let refusals = Refusals::default();
        let state = &refusals.0[RefusalReason::Origin.index()];
        let at = Duration::from_millis;
        assert_eq!(state.log_is_due(at(0)), Some(0));
        assert_eq!(state.log_is_due(at(1)), None);
        assert_eq!(state.log_is_due(at(999)), None);
        assert_eq!(state.log_is_due(at(1000)), Some(2));
        assert_eq!(state.log_is_due(at(1001)), None);
        for _ in 0..3 {
            refusals.record(at(1002), RefusalReason::Origin, None, "a page of another site");
        }
        refusals.record(at(1002), RefusalReason::ApiKey, None, "a wrong key");
        let counts = refusals.counts();
        assert_eq!((counts.get(RefusalReason::Origin), counts.connections()), (3, 3));
        assert_eq!(counts.get(RefusalReason::ApiKey), 1);
    }
}
