//! What the service counts: plain atomics, and a snapshot of them. Exposition is the server's.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The counters, each padded by nothing: they are written once per publication or batch, not per listener.
        #[derive(Debug, Default)]
        pub(crate) struct Metrics {
            $(pub(crate) $name: AtomicU64,)*
        }

        /// The counters at one moment. Those that end in `_total` only rise.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct MetricsSnapshot {
            $($(#[$doc])* pub $name: u64,)*
            /// Connections now.
            pub connections: u64,
            /// Topics with at least one subscriber now.
            pub topics: u64,
            /// Subscriptions now.
            pub subscriptions: u64,
        }

        impl Metrics {
            pub(crate) fn snapshot(&self) -> MetricsSnapshot {
                MetricsSnapshot { $($name: self.$name.load(Relaxed),)* ..MetricsSnapshot::default() }
            }
        }
    };
}

counters! {
    /// Connections that were let in.
    connections_total,
    /// Connections that were not let in.
    refused_total,
    /// Messages that were published on this node.
    publications_total,
    /// Messages that were delivered on this node, whoever published them.
    envelopes_total,
    /// Messages that connections of this node took into their queues.
    deliveries_total,
    /// Messages that were dropped from a slow reader's queue: told of by a `gap`, or superseded where only the latest
    /// counts.
    dropped_total,
    /// Connections that were closed because their queue was full or a write took too long.
    closed_slow_total,
    /// Text messages that clients sent.
    commands_total,
    /// Commands that were answered by an `error`.
    errors_total,
    /// Frames that were written to sockets.
    frames_out_total,
    /// Bytes of those frames.
    bytes_out_total,
    /// Calls to write them; frames per call say how well writes are batched.
    writes_total,
    /// Hooks of the application that failed or took too long.
    hook_errors_total,
}

/// Adds to a counter.
pub(crate) fn add(counter: &AtomicU64, n: usize) {
    counter.fetch_add(n as u64, Relaxed);
}
