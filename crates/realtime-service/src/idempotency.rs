//! Idempotent retries: the first receipt is kept for a while under the publisher's key.

use std::{
    collections::{HashMap, VecDeque},
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use realtime_ports::{PublishError, StoreError};
use realtime_schema::Receipt;
use tokio::time::{Instant, timeout_at};

use crate::to_end::{self, Begun};

/// How long a key whose publication is pending stays, if the window is shorter.
const MIN_WINDOW: Duration = Duration::from_secs(1);

/// Receipts by key, bounded in number and time.
#[derive(Debug, Default)]
pub(crate) struct Receipts(Mutex<State>);

/// The bounds of the receipts kept, at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// How long a key is remembered.
    pub(crate) window: Duration,
    /// Maximum keys remembered; the oldest are forgotten first.
    pub(crate) keys: usize,
    /// Maximum wait for the result of a pending publication.
    pub(crate) wait: Duration,
    /// The time, on the monotonic clock.
    pub(crate) now: Duration,
}

#[derive(Debug, Default)]
struct State {
    by_key: HashMap<Arc<str>, Kept>,
    /// When each key is forgotten, on the monotonic clock. Oldest first.
    order: VecDeque<(Duration, Arc<str>)>,
}

#[derive(Clone, Debug)]
struct Kept {
    /// Of the message, to find a key that is used for another one.
    fingerprint: u128,
    /// Locked while its publication is pending.
    receipt: Arc<tokio::sync::Mutex<Option<Receipt>>>,
}

impl Kept {
    /// A publication under this key is pending, or about to begin.
    fn is_pending(&self) -> bool {
        Arc::strong_count(&self.receipt) > 1 && self.receipt.try_lock().map_or(true, |receipt| receipt.is_none())
    }
}

impl Receipts {
    /// Publishes once for each key: a second caller waits for the first and gets its receipt as a duplicate.
    /// A publication that failed is not remembered. One that was begun runs to its end, also after its caller has gone
    /// away or got [`StoreError::TimedOut`]: a retry finds its receipt.
    pub(crate) async fn once<F>(
        &self,
        key: &str,
        fingerprint: u128,
        bounds: Bounds,
        publish: impl FnOnce() -> F,
    ) -> Result<Receipt, PublishError>
    where
        F: Future<Output = Result<Receipt, PublishError>> + Send + 'static,
    {
        let deadline = Instant::now() + bounds.wait;
        let late = |_| PublishError::Store(StoreError::TimedOut(bounds.wait));
        let kept = self.keep(key, fingerprint, bounds)?;
        let mut receipt = timeout_at(deadline, kept.receipt.lock_owned()).await.map_err(late)?;
        if let Some(first) = &*receipt {
            return Ok(Receipt { duplicate: true, ..first.clone() });
        }
        let publishing = publish();
        let publishing = async move {
            let published = publishing.await?;
            *receipt = Some(published.clone());
            Ok(published)
        };
        match to_end::begin(publishing) {
            Begun::Done(result) => result,
            Begun::Running(task) => {
                let ended = timeout_at(deadline, task).await.map_err(late)?;
                ended.unwrap_or_else(|error| Err(to_end::ended(error)))
            }
        }
    }

    fn keep(&self, key: &str, fingerprint: u128, bounds: Bounds) -> Result<Kept, PublishError> {
        let Bounds { window, keys, now, .. } = bounds;
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while state.order.front().is_some_and(|(until, _)| *until <= now) {
            state.forget_oldest(bounds);
        }
        if let Some(kept) = state.by_key.get_mut(key) {
            // A failed publication frees its key; a pending one does not.
            if Arc::strong_count(&kept.receipt) == 1 && kept.receipt.try_lock().is_ok_and(|receipt| receipt.is_none()) {
                kept.fingerprint = fingerprint;
            }
            return if kept.fingerprint == fingerprint { Ok(kept.clone()) } else { Err(PublishError::KeyReused) };
        }
        // Only a new key displaces another: a retry must find its receipt. Pending ones stay, and are bounded by what
        // waits for the store or the bus.
        for _ in 0..state.order.len() {
            if state.order.len() < keys.max(1) {
                break;
            }
            state.forget_oldest(bounds);
        }
        let key: Arc<str> = key.into();
        let kept = Kept { fingerprint, receipt: Arc::default() };
        state.order.push_back((now + window, key.clone()));
        state.by_key.insert(key, kept.clone());
        Ok(kept)
    }
}

impl Receipts {
    /// Takes over a receipt that a store has kept, until a time on the monotonic clock.
    pub(crate) fn restore(&self, key: Arc<str>, fingerprint: u128, receipt: Receipt, until: Duration) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = Kept { fingerprint, receipt: Arc::new(tokio::sync::Mutex::new(Some(receipt))) };
        if state.by_key.insert(key.clone(), kept).is_none() {
            state.order.push_back((until, key));
        }
    }
}

impl State {
    /// Forgets the oldest key, unless its publication is pending: that one stays for another window, or a retry would
    /// publish twice.
    fn forget_oldest(&mut self, bounds: Bounds) {
        let Some((_, old)) = self.order.pop_front() else { return };
        if self.by_key.get(&old).is_some_and(Kept::is_pending) {
            self.order.push_back((bounds.now + bounds.window.max(MIN_WINDOW), old));
        } else {
            self.by_key.remove(&old);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use realtime_core::fingerprint::fingerprint;
    use realtime_ports::BusError;
    use realtime_schema::{Payload, PublishRequest, Route};

    use super::*;

    fn request(payload: u32) -> PublishRequest {
        PublishRequest::new(Route::All, "tick".parse().expect("a type"), Payload::of(&payload).expect("JSON"))
    }

    fn receipt() -> Receipt {
        let id = "019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d8e".parse().expect("an id");
        Receipt { id, delivered: 3, other_nodes: false, position: None, duplicate: false }
    }

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    struct Publisher {
        receipts: Receipts,
        keys: usize,
        published: Arc<AtomicU32>,
    }

    impl Publisher {
        fn new(max: usize) -> Self {
            Self { receipts: Receipts::default(), keys: max, published: Arc::default() }
        }

        async fn publish(&self, key: &str, payload: u32, now: u64) -> Result<Receipt, PublishError> {
            let published = self.published.clone();
            let publish = || async move {
                published.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                Ok(receipt())
            };
            self.receipts.once(key, fingerprint(&request(payload)), self.at(now), publish).await
        }

        fn at(&self, now: u64) -> Bounds {
            Bounds { window: seconds(60), keys: self.keys, wait: seconds(10), now: seconds(now) }
        }

        fn published(&self) -> u32 {
            self.published.load(Ordering::Relaxed)
        }
    }

    #[tokio::test]
    async fn a_retry_gets_the_first_receipt_and_publishes_nothing() {
        let publisher = Publisher::new(10);
        assert!(!publisher.publish("k", 1, 0).await.expect("published").duplicate);
        let again = publisher.publish("k", 1, 59).await.expect("answered");
        assert!(again.duplicate && again.delivered == 3);
        assert_eq!(publisher.published(), 1);
    }

    #[tokio::test]
    async fn two_at_the_same_time_publish_once() {
        let publisher = Publisher::new(10);
        let (first, second) = tokio::join!(publisher.publish("k", 1, 0), publisher.publish("k", 1, 0));
        assert_ne!(first.expect("answered").duplicate, second.expect("answered").duplicate);
        assert_eq!(publisher.published(), 1);
    }

    #[tokio::test]
    async fn a_key_used_for_another_message_is_refused() {
        let publisher = Publisher::new(10);
        publisher.publish("k", 1, 0).await.expect("published");
        assert!(matches!(publisher.publish("k", 2, 0).await, Err(PublishError::KeyReused)));
    }

    #[tokio::test]
    async fn keys_are_forgotten_after_the_window_and_the_oldest_beyond_the_bound() {
        let publisher = Publisher::new(2);
        publisher.publish("a", 1, 0).await.expect("published");
        publisher.publish("b", 1, 1).await.expect("published");
        publisher.publish("c", 1, 2).await.expect("published");
        assert!(publisher.publish("c", 1, 2).await.expect("answered").duplicate);
        assert!(!publisher.publish("a", 1, 3).await.expect("published").duplicate, "beyond the bound");
        assert!(publisher.publish("c", 1, 4).await.expect("answered").duplicate, "a retry displaces no key");
        assert!(publisher.publish("a", 1, 4).await.expect("answered").duplicate, "nor its own");
        assert!(!publisher.publish("c", 1, 62).await.expect("published").duplicate, "after the window");
    }

    #[tokio::test]
    async fn a_publication_that_failed_may_be_tried_again() {
        let publisher = Publisher::new(10);
        let fail = || async { Err(PublishError::Bus(BusError::Misused("started twice"))) };
        assert!(publisher.receipts.once("k", fingerprint(&request(1)), publisher.at(0), fail).await.is_err());
        assert!(!publisher.publish("k", 1, 0).await.expect("published").duplicate);
        assert!(publisher.receipts.once("l", fingerprint(&request(1)), publisher.at(0), fail).await.is_err());
        assert!(!publisher.publish("l", 2, 0).await.expect("a corrected one is no other one").duplicate);
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_whose_publication_is_pending_is_not_forgotten_and_its_retries_wait_for_a_limited_time() {
        let publisher = Publisher::new(1);
        let (commit, committed) = tokio::sync::oneshot::channel::<()>();
        let pending = || async move {
            committed.await.expect("committed");
            Ok(receipt())
        };
        let timed_out =
            |result| matches!(result, Err(PublishError::Store(StoreError::TimedOut(wait))) if wait == seconds(10));
        let print = fingerprint(&request(1));
        assert!(timed_out(publisher.receipts.once("k", print, publisher.at(0), pending).await));
        assert!(timed_out(publisher.publish("k", 1, 10).await), "a retry has a limit of its own");
        assert!(!publisher.publish("other", 1, 20).await.expect("published").duplicate);
        assert!(timed_out(publisher.publish("k", 1, 100).await), "neither the window nor another key displaces it");
        commit.send(()).expect("still running");
        assert!(publisher.publish("k", 1, 110).await.expect("published").duplicate);
        assert_eq!(publisher.published(), 1, "the other one");
    }
}
