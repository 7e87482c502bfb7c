//! The circuit breaker of one hook: after some failures in a row, requests fail without being sent for a while; then one
//! is let through, and its outcome decides.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::config::BreakerConfig;

/// The state of a circuit breaker, in metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BreakerState {
    /// Requests are sent.
    Closed,
    /// Requests fail without being sent.
    Open,
    /// One request is let through to try.
    HalfOpen,
}

/// The circuit breaker of one hook.
pub(super) struct Breaker {
    config: BreakerConfig,
    state: Mutex<State>,
}

enum State {
    Closed {
        /// Failures in a row.
        failures: u32,
    },
    Open {
        until: Instant,
    },
    /// One request was let through and has not ended.
    HalfOpen,
}

/// A request that was let through. Dropped without an outcome, as when its client has gone, it says nothing of the
/// backend: another request may be let through in its place.
#[must_use = "its outcome is what the breaker decides by"]
pub(super) struct Passage<'a> {
    breaker: &'a Breaker,
    is_probe: bool,
    ended: bool,
}

/// What the outcome of a request changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    None,
    Opened,
    Closed,
}

impl Breaker {
    pub(super) fn new(config: BreakerConfig) -> Self {
        Self { config, state: Mutex::new(State::Closed { failures: 0 }) }
    }

    /// Lets a request through, unless the breaker is open.
    pub(super) fn pass(&self, now: Instant) -> Option<Passage<'_>> {
        let mut state = self.lock();
        let is_probe = match *state {
            State::Closed { .. } => false,
            State::Open { until } if now >= until => true,
            State::Open { .. } | State::HalfOpen => return None,
        };
        if is_probe {
            *state = State::HalfOpen;
        }
        Some(Passage { breaker: self, is_probe, ended: false })
    }

    /// Time until a request may be let through, for one that can wait.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        match *self.lock() {
            State::Closed { .. } => Duration::ZERO,
            State::Open { until } => until.saturating_duration_since(now),
            State::HalfOpen => self.config.pause,
        }
    }

    pub(super) fn state(&self) -> BreakerState {
        match *self.lock() {
            State::Closed { .. } => BreakerState::Closed,
            State::Open { .. } => BreakerState::Open,
            State::HalfOpen => BreakerState::HalfOpen,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Passage<'_> {
    /// The backend responded.
    pub(super) fn succeeded(mut self) -> Change {
        self.ended = true;
        let mut state = self.breaker.lock();
        let was_closed = matches!(*state, State::Closed { .. });
        *state = State::Closed { failures: 0 };
        if was_closed { Change::None } else { Change::Closed }
    }

    /// The backend did not respond, or failed.
    pub(super) fn failed(mut self, now: Instant) -> Change {
        self.ended = true;
        let mut state = self.breaker.lock();
        let open = State::Open { until: now + self.breaker.config.pause };
        match &mut *state {
            State::Closed { failures } => {
                *failures += 1;
                if *failures < self.breaker.config.failures {
                    return Change::None;
                }
                *state = open;
                Change::Opened
            }
            State::HalfOpen if self.is_probe => {
                *state = open;
                Change::None
            }
            // One that was let through before the breaker opened.
            State::HalfOpen | State::Open { .. } => Change::None,
        }
    }
}

impl Drop for Passage<'_> {
    fn drop(&mut self) {
        if !self.ended && self.is_probe {
            let mut state = self.breaker.lock();
            if matches!(*state, State::HalfOpen) {
                *state = State::Open { until: Instant::now() };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(5);

    fn breaker() -> Breaker {
        Breaker::new(BreakerConfig { failures: 3, pause: PAUSE })
    }

    fn fail(breaker: &Breaker, now: Instant) -> Change {
        breaker.pass(now).expect("let through").failed(now)
    }

    fn opened(now: Instant) -> Breaker {
        let breaker = breaker();
        assert_eq!([fail(&breaker, now), fail(&breaker, now)], [Change::None; 2]);
        assert_eq!(fail(&breaker, now), Change::Opened);
        breaker
    }

    #[tokio::test]
    async fn it_opens_after_failures_in_a_row_and_a_success_between_them_counts_from_zero() {
        let now = Instant::now();
        let breaker = breaker();
        for _ in 0..5 {
            assert_eq!([fail(&breaker, now), fail(&breaker, now)], [Change::None; 2]);
            assert_eq!(breaker.pass(now).expect("closed").succeeded(), Change::None);
        }
        assert_eq!(opened(now).state(), BreakerState::Open);
    }

    #[tokio::test]
    async fn while_it_is_open_nothing_passes_and_after_the_pause_exactly_one() {
        let now = Instant::now();
        let breaker = opened(now);
        assert!(breaker.pass(now + PAUSE - Duration::from_millis(1)).is_none());
        let probe = breaker.pass(now + PAUSE).expect("one to try");
        assert!(breaker.pass(now + PAUSE).is_none(), "a second one");
        assert_eq!(breaker.state(), BreakerState::HalfOpen);
        assert_eq!(probe.succeeded(), Change::Closed);
        assert!(breaker.pass(now + PAUSE).is_some());
    }

    #[tokio::test]
    async fn a_try_that_fails_opens_it_for_another_pause() {
        let now = Instant::now();
        let breaker = opened(now);
        let later = now + PAUSE;
        assert_eq!(fail(&breaker, later), Change::None);
        assert!(breaker.pass(later + PAUSE - Duration::from_millis(1)).is_none());
        assert!(breaker.pass(later + PAUSE).is_some());
    }

    #[tokio::test]
    async fn a_try_whose_client_has_gone_is_followed_by_another_at_once() {
        let now = Instant::now();
        let breaker = opened(now);
        drop(breaker.pass(now + PAUSE).expect("one to try"));
        assert!(breaker.pass(Instant::now() + PAUSE).is_some(), "the breaker is stuck");
    }

    #[tokio::test]
    async fn a_request_from_before_it_opened_does_not_prolong_the_pause() {
        let now = Instant::now();
        let breaker = breaker();
        let old = breaker.pass(now).expect("closed");
        for _ in 0..3 {
            fail(&breaker, now);
        }
        assert_eq!(old.failed(now + PAUSE / 2), Change::None);
        assert!(breaker.pass(now + PAUSE).is_some());
    }
}
