//! What the service counts: plain atomics, and a snapshot of them. Exposition is the server's.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use realtime_ports::PubSubStats;

use crate::{
    closes::{CloseCounts, Closes},
    refusals::{RefusalCounts, Refusals},
};

/// The number of topics with present users, and of pairs of a topic and a user.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PresenceStats {
    pub(crate) topics: usize,
    pub(crate) users: usize,
}

/// The number of clients that were admitted and are not gone yet, and of their users.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Admitted {
    pub(crate) clients: usize,
    pub(crate) users: usize,
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The counters. Those that all threads share are written once per publication or less often, never per listener.
        #[derive(Debug, Default)]
        pub(crate) struct Metrics {
            $(pub(crate) $name: AtomicU64,)*
            pub(crate) refusals: Refusals,
            pub(crate) closes: Closes,
            pub(crate) writes: Writes,
        }

        /// The counters at one moment. Those that end in `_total` only rise.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct MetricsSnapshot {
            $($(#[$doc])* pub $name: u64,)*
            /// Clients and callers of the HTTP API that were refused, by reason.
            pub refusals: RefusalCounts,
            /// Closed connections, by close code.
            pub closes: CloseCounts,
            /// Frames that were written to sockets.
            pub frames_out_total: u64,
            /// Bytes of those frames.
            pub bytes_out_total: u64,
            /// Calls to write them; frames per call show how well writes are batched.
            pub writes_total: u64,
            /// Clients now that were admitted and are not gone yet: [`Self::connections`], and those that are just
            /// being opened or closed. `limits.connections` bounds them.
            pub admitted: u64,
            /// Connections now.
            pub connections: u64,
            /// Users of the clients that were admitted and are not gone yet.
            pub users: u64,
            /// Topics with at least one subscriber now.
            pub topics: u64,
            /// Subscriptions now.
            pub subscriptions: u64,
            /// Topics with at least one present user now.
            pub presence_topics: u64,
            /// Pairs of a topic and a user who is present on it now.
            pub presence_users: u64,
            /// Revocations that have not ended.
            pub revocations: u64,
            /// Streams with a history, or with the position of one.
            pub history_streams: u64,
            /// Bytes of all histories.
            pub history_bytes: u64,
        }

        impl Metrics {
            pub(crate) fn snapshot(
                &self,
                admitted: Admitted,
                connections: usize,
                topics: PubSubStats,
                presence: PresenceStats,
                revocations: usize,
                streams: HistoryStats,
            ) -> MetricsSnapshot {
                let [writes_total, frames_out_total, bytes_out_total] = self.writes.sums();
                MetricsSnapshot {
                    $($name: self.$name.load(Relaxed),)*
                    refusals: self.refusals.counts(),
                    closes: self.closes.counts(),
                    frames_out_total,
                    bytes_out_total,
                    writes_total,
                    admitted: admitted.clients as u64,
                    users: admitted.users as u64,
                    connections: connections as u64,
                    topics: topics.topics as u64,
                    subscriptions: topics.subscriptions as u64,
                    presence_topics: presence.topics as u64,
                    presence_users: presence.users as u64,
                    revocations: revocations as u64,
                    history_streams: streams.streams as u64,
                    history_bytes: streams.bytes as u64,
                }
            }
        }
    };
}

counters! {
    /// Connections that were admitted.
    connections_total,
    /// Messages that were published on this node.
    publications_total,
    /// Messages that were refused on this node because their type or payload does not fit the application's rules.
    payloads_refused_total,
    /// Messages that were delivered on this node, published by any node.
    envelopes_total,
    /// Messages that connections of this node took into their queues.
    deliveries_total,
    /// Messages that were dropped from a slow reader's queue: reported by a `gap`, or superseded where only the latest
    /// counts.
    dropped_total,
    /// Gaps that clients were sent.
    gaps_total,
    /// Pages that connections read from histories, to catch up.
    history_pages_total,
    /// Messages that were removed from histories because they had expired, or because the histories of all streams were
    /// too large.
    history_removed_total,
    /// Streams whose history was forgotten with its position.
    history_forgotten_total,
    /// Connections that were closed because their queue was full or a write took too long.
    closed_slow_total,
    /// Text messages that clients sent.
    commands_total,
    /// Commands that were answered by an `error`.
    errors_total,
    /// Hooks of the application that failed or took too long.
    hook_errors_total,
    /// Lists of present users that are sent again, because a slow reader's queue had left changes out.
    presence_repairs_total,
}

/// The number and the size of the histories now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HistoryStats {
    pub(crate) streams: usize,
    pub(crate) bytes: usize,
}

/// Adds to a counter.
pub(crate) fn add(counter: &AtomicU64, n: usize) {
    counter.fetch_add(n as u64, Relaxed);
}

/// Sets of counters. Each of the first threads has one to itself; all others share the last.
const STRIPES: usize = 32;

/// What is counted for every batch that is written: apart for each thread, because cores that write to one counter
/// wait for each other.
#[derive(Debug, Default)]
pub(crate) struct Writes([Stripe; STRIPES]);

/// The counts of a thread: calls, frames and bytes. Alone in its cache line, and in the one fetched with it.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Stripe([AtomicU64; 3]);

impl Writes {
    pub(crate) fn add(&self, frames: usize, bytes: usize) {
        const SHARED: usize = STRIPES - 1;
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static MINE: usize = NEXT.fetch_add(1, Relaxed).min(SHARED);
        }
        let mine = MINE.with(|mine| *mine);
        let Stripe(counts) = &self.0[mine];
        for (count, n) in counts.iter().zip([1, frames, bytes]) {
            if mine == SHARED {
                add(count, n);
            } else {
                // No other thread writes here: an addition that locks the cache line would be wasted.
                count.store(count.load(Relaxed) + n as u64, Relaxed);
            }
        }
    }

    fn sums(&self) -> [u64; 3] {
        [0, 1, 2].map(|at| self.0.iter().map(|Stripe(counts)| counts[at].load(Relaxed)).sum())
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn what_all_threads_write_is_summed() {
        let writes = Writes::default();
        thread::scope(|scope| {
            for _ in 0..2 * STRIPES {
                scope.spawn(|| (0..100).for_each(|_| writes.add(3, 5)));
            }
        });
        let calls = 2 * STRIPES as u64 * 100;
        assert_eq!(writes.sums(), [calls, 3 * calls, 5 * calls]);
    }
}
