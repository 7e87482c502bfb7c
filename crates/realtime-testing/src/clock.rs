//! Virtual time: the runtime's paused clock, as the service's clock.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use realtime_ports::Clock;
use realtime_schema::Timestamp;
use tokio::time::Instant;

/// A clock that follows the runtime's. With a paused runtime, time passes only while every task waits.
#[derive(Debug)]
pub struct VirtualClock {
    start: Instant,
    /// Milliseconds since 1970 when the monotonic clock began; a step of the wall clock moves it.
    wall_ms: AtomicI64,
}

impl VirtualClock {
    /// The wall clock of a world when it begins, if it is given no other: 2026-11-23T13:00:00Z.
    pub const START: i64 = 1_795_438_800;

    /// A clock whose monotonic time begins now, when its wall clock shows `wall`.
    pub fn starting_at(wall: Timestamp) -> Self {
        Self { start: Instant::now(), wall_ms: AtomicI64::new(wall.as_millis()) }
    }

    /// Steps the wall clock by so many milliseconds, back if it is negative, as NTP or an operator does. The monotonic
    /// clock goes on.
    pub fn step(&self, ms: i64) {
        self.wall_ms.fetch_add(ms, Ordering::Relaxed);
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        let passed = i64::try_from(self.monotonic().as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_millis(self.wall_ms.load(Ordering::Relaxed).saturating_add(passed))
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}
