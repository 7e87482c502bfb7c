//! Counters of one hook.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use realtime_schema::HookName;

use super::{
    breaker::BreakerState,
    error::{FailureKind, HttpHookError},
};

/// Upper bounds of the latency buckets of [`HookStats::latency`], in seconds.
pub const LATENCY_BUCKETS: [f64; 11] = [0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

const BUCKETS: usize = LATENCY_BUCKETS.len() + 1;

/// What a client got while the backend was away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Fallback {
    /// It was refused.
    Refused,
    /// It was allowed what it wanted.
    Allowed,
    /// The last answer decided.
    Last,
}

impl Fallback {
    /// Every fallback, in the order of its index.
    pub const ALL: [Self; 3] = [Self::Refused, Self::Allowed, Self::Last];

    /// The word in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Allowed => "allowed",
            Self::Last => "last",
        }
    }
}

/// Counters and state of one hook, at a moment.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct HookStats {
    /// The hook.
    pub hook: HookName,
    /// Attempts that were sent, retries included.
    pub attempts: u64,
    /// Attempts after the first of their request.
    pub retries: u64,
    /// Failures by kind, in the order of [`FailureKind::ALL`].
    pub failures: [u64; FailureKind::ALL.len()],
    /// Clients that a fallback decided on, in the order of [`Fallback::ALL`].
    pub fallbacks: [u64; Fallback::ALL.len()],
    /// Attempts by their duration: in each bucket of [`LATENCY_BUCKETS`], and over the last one.
    pub latency: [u64; BUCKETS],
    /// Duration of all attempts together, in seconds.
    pub latency_sum: f64,
    /// Requests that wait to be sent.
    pub waiting: usize,
    /// Requests that are sent now.
    pub pending: usize,
    /// The circuit breaker.
    pub breaker: BreakerState,
    /// Of `disconnect`: requests that are not delivered yet.
    pub queued: usize,
    /// Of `disconnect`: requests that were given up.
    pub dropped: u64,
}

impl HookStats {
    pub(super) fn with_queue(self, queued: usize, dropped: u64) -> Self {
        Self { queued, dropped, ..self }
    }

    /// The failures of a kind.
    pub fn failures_of(&self, kind: FailureKind) -> u64 {
        self.failures[kind as usize]
    }

    /// The clients that a fallback decided on.
    pub fn fallbacks_to(&self, fallback: Fallback) -> u64 {
        self.fallbacks[fallback as usize]
    }
}

/// Counts what happens to the requests of one hook.
#[derive(Debug, Default)]
pub(super) struct Stats {
    attempts: AtomicU64,
    retries: AtomicU64,
    failures: [AtomicU64; FailureKind::ALL.len()],
    fallbacks: [AtomicU64; Fallback::ALL.len()],
    latency: [AtomicU64; BUCKETS],
    latency_us: AtomicU64,
}

impl Stats {
    pub(super) fn attempt(&self, is_retry: bool, latency: Duration) {
        self.attempts.fetch_add(1, Relaxed);
        if is_retry {
            self.retries.fetch_add(1, Relaxed);
        }
        let seconds = latency.as_secs_f64();
        let bucket = LATENCY_BUCKETS.iter().position(|bound| seconds <= *bound).unwrap_or(BUCKETS - 1);
        self.latency[bucket].fetch_add(1, Relaxed);
        self.latency_us.fetch_add(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX), Relaxed);
    }

    pub(super) fn failure(&self, error: &HttpHookError) {
        self.failures[error.kind() as usize].fetch_add(1, Relaxed);
    }

    pub(super) fn fallback(&self, fallback: Fallback) {
        self.fallbacks[fallback as usize].fetch_add(1, Relaxed);
    }

    pub(super) fn snapshot(&self, hook: HookName, breaker: BreakerState, waiting: usize, pending: usize) -> HookStats {
        let read = |counter: &AtomicU64| counter.load(Relaxed);
        HookStats {
            hook,
            attempts: read(&self.attempts),
            retries: read(&self.retries),
            failures: self.failures.each_ref().map(read),
            fallbacks: self.fallbacks.each_ref().map(read),
            latency: self.latency.each_ref().map(read),
            latency_sum: Duration::from_micros(read(&self.latency_us)).as_secs_f64(),
            waiting,
            pending,
            breaker,
            queued: 0,
            dropped: 0,
        }
    }
}
