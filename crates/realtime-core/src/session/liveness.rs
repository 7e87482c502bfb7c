//! Pings at an interval, and the close after unanswered ones.

use std::time::Duration;

use realtime_schema::PingMode;

/// The time of the next ping, and the number of unanswered ones.
#[derive(Clone, Debug)]
pub(super) struct Liveness {
    mode: PingMode,
    /// In milliseconds. This field and the next are narrow to keep the session of an idle connection small.
    every_ms: u32,
    unanswered: u16,
    due: Duration,
}

/// The action that is due.
pub(super) enum Due {
    /// Nothing yet.
    Nothing,
    /// A ping of this kind.
    Ping(PingMode),
    /// The peer is considered dead.
    Dead,
}

impl Liveness {
    /// Pings every `interval`, changed by up to 10 % up or down with `jitter`.
    pub(super) fn new(mode: PingMode, interval: Duration, now: Duration, jitter: u64) -> Self {
        let permille = 900 + u32::try_from(jitter % 201).expect("below 201");
        let every_ms = u32::try_from((interval * permille / 1000).as_millis()).unwrap_or(u32::MAX).max(1);
        let mut new = Self { mode, every_ms, due: now, unanswered: 0 };
        new.due = now.saturating_add(new.every());
        new
    }

    pub(super) fn due(&self) -> Duration {
        self.due
    }

    /// Time between pings.
    pub(super) fn every(&self) -> Duration {
        Duration::from_millis(self.every_ms.into())
    }

    /// Any frame counts as a pong.
    pub(super) fn alive(&mut self) {
        self.unanswered = 0;
    }

    pub(super) fn elapsed(&mut self, now: Duration, misses: u32) -> Due {
        if now < self.due {
            return Due::Nothing;
        }
        if u32::from(self.unanswered) >= misses.min(u16::MAX.into()) {
            return Due::Dead;
        }
        self.unanswered += 1;
        // Counted from now, not from the due time: after a stall one ping is sent, not several.
        self.due = now.saturating_add(self.every());
        Due::Ping(self.mode)
    }
}
