//! The promises of every [`Clock`].

use std::{sync::Mutex, thread, time::Duration};

use realtime_schema::Timestamp;

use crate::Clock;

/// Runs the whole suite. Each part takes a fresh clock.
///
/// # Panics
/// The clock breaks a promise of the port; the message says which.
pub fn clock_conformance<C: Clock>(fresh: impl Fn() -> C) {
    monotonic_time_never_goes_back(&fresh());
    the_wall_clock_can_be_written_and_read(&fresh());
}

/// Not even between threads.
pub fn monotonic_time_never_goes_back<C: Clock>(clock: &C) {
    let latest = Mutex::new(Duration::ZERO);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..2_000 {
                    let mut latest = latest.lock().expect("no thread has failed");
                    let now = clock.monotonic();
                    assert!(now >= *latest, "monotonic time went back from {latest:?} to {now:?}");
                    *latest = now;
                }
            });
        }
    });
}

/// RFC 3339 can show its time.
pub fn the_wall_clock_can_be_written_and_read<C: Clock>(clock: &C) {
    let now = clock.now();
    assert_eq!(now.to_string().parse::<Timestamp>(), Ok(now), "the wall clock survives being written and read");
}
