//! How many requests of a hook are sent at once, and how many wait.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout_at},
};

use super::error::HttpHookError;

/// Bounded concurrency, with a bounded queue before it.
pub(super) struct Gate {
    permits: Semaphore,
    concurrency: usize,
    waiting: AtomicUsize,
    queue: usize,
}

/// Counts a request that waits, for as long as it does.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Gate {
    pub(super) fn new(concurrency: usize, queue: usize) -> Self {
        let concurrency = concurrency.clamp(1, Semaphore::MAX_PERMITS);
        Self { permits: Semaphore::new(concurrency), concurrency, waiting: AtomicUsize::new(0), queue }
    }

    /// A permit to send; waits for one until `deadline`, unless too many wait already.
    pub(super) async fn enter(&self, deadline: Instant) -> Result<SemaphorePermit<'_>, HttpHookError> {
        if let Ok(permit) = self.permits.try_acquire() {
            return Ok(permit);
        }
        let before = self.waiting.fetch_add(1, Relaxed);
        let _waiting = Waiting(&self.waiting);
        if before >= self.queue {
            return Err(HttpHookError::Overloaded);
        }
        match timeout_at(deadline, self.permits.acquire()).await {
            Ok(Ok(permit)) => Ok(permit),
            // It is never closed.
            Ok(Err(_)) | Err(_) => Err(HttpHookError::Overloaded),
        }
    }

    /// Requests that wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Relaxed)
    }

    /// Requests that are sent now.
    pub(super) fn pending(&self) -> usize {
        self.concurrency - self.permits.available_permits()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_more_than_may_wait_fails_at_once_and_the_others_are_let_through_in_turn() {
        let gate = Gate::new(1, 1);
        let deadline = Instant::now() + Duration::from_secs(1);
        let first = gate.enter(deadline).await.expect("a permit");
        let mut second = Box::pin(gate.enter(deadline));
        assert!(tokio::time::timeout(Duration::ZERO, second.as_mut()).await.is_err());
        assert_eq!((gate.pending(), gate.waiting()), (1, 1));
        assert!(matches!(gate.enter(deadline).await, Err(HttpHookError::Overloaded)));
        drop(first);
        drop(second.await.expect("a permit"));
        assert_eq!((gate.pending(), gate.waiting()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn the_wait_ends_at_the_deadline() {
        let gate = Gate::new(1, 10);
        let _first = gate.enter(Instant::now()).await.expect("a permit");
        let deadline = Instant::now() + Duration::from_secs(1);
        assert!(matches!(gate.enter(deadline).await, Err(HttpHookError::Overloaded)));
        assert_eq!((Instant::now(), gate.waiting()), (deadline, 0));
    }
}
