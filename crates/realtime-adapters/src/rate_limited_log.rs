//! Logs that a client can cause as often as it likes, at most once a second.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Time between two lines of the same kind.
const INTERVAL: Duration = Duration::from_secs(1);

/// Writes a line at most once a second, with the number of times that it stands for.
#[derive(Debug, Default)]
pub struct RateLimitedLog(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    written: Option<Instant>,
    times: u64,
}

impl RateLimitedLog {
    /// Calls `write` with the number of calls since the last line, unless that was less than a second ago.
    pub fn write(&self, write: impl FnOnce(u64)) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.times += 1;
        if state.written.is_none_or(|at| at.elapsed() >= INTERVAL) {
            state.written = Some(Instant::now());
            let times = std::mem::take(&mut state.times);
            drop(state);
            write(times);
        }
    }
}
