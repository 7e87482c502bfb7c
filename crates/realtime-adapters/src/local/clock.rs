//! The machine's clocks.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use realtime_ports::Clock;
use realtime_schema::Timestamp;

/// The machine's wall clock, and its monotonic clock, counted from the creation of this value.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time starts now.
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let ms = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_millis(match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => ms(since),
            // A machine whose clock was never set can show a time before 1970.
            Err(before) => -ms(before.duration()),
        })
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wall_clock_shows_the_machines_time() {
        let before = SystemTime::now();
        let now = UNIX_EPOCH + Duration::from_millis(u64::try_from(SystemClock::new().now().as_millis()).expect("now"));
        assert!(now + Duration::from_millis(1) > before && now <= SystemTime::now());
    }

    #[test]
    fn monotonic_time_starts_with_the_clock() {
        let begun = Instant::now();
        let clock = SystemClock::new();
        assert!(clock.monotonic() <= begun.elapsed());
    }
}
