//! The delivery of `disconnect`: each connection that ends is reported to the backend at last, in the background.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use realtime_schema::{DisconnectHook, HookName};
use tokio::{
    sync::{Semaphore, mpsc, watch},
    time::{Instant, sleep, timeout},
};

use super::{
    config::HttpHooksConfig,
    error::HttpHookError,
    exchange::{Expects, Outgoing},
    hook::{Hook, body_of, jittered},
};

/// The longest pause before the first retry, and before any other.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Delivers `disconnect` requests. Dropping it ends the delivery once the queue is empty.
pub(super) struct Disconnects {
    queue: mpsc::Sender<Item>,
    shared: Arc<Shared>,
}

struct Shared {
    hook: Arc<Hook>,
    /// How long a delivery is tried.
    age: Duration,
    /// Requests that are not delivered yet.
    queued: watch::Sender<usize>,
    dropped: AtomicU64,
}

struct Item {
    outgoing: Outgoing,
    since: Instant,
}

impl Disconnects {
    pub(super) fn start(hook: Arc<Hook>, config: &HttpHooksConfig) -> Self {
        let (queue, items) = mpsc::channel(config.disconnect_queue);
        let shared = Arc::new(Shared {
            hook,
            age: config.disconnect_age,
            queued: watch::Sender::new(0),
            dropped: AtomicU64::new(0),
        });
        tokio::spawn(deliver_all(shared.clone(), items, config.concurrency));
        Self { queue, shared }
    }

    /// Queues a request; one too many is dropped and counted. Never waits.
    pub(super) fn push(&self, request: &DisconnectHook) {
        let outgoing =
            Outgoing { hook: HookName::Disconnect, id: request.id, body: body_of(request), expects: Expects::Success };
        self.shared.queued.send_modify(|queued| *queued += 1);
        if self.queue.try_send(Item { outgoing, since: Instant::now() }).is_err() {
            self.shared.give_up(&HttpHookError::Overloaded);
        }
    }

    /// Requests that are not delivered yet.
    pub(super) fn queued(&self) -> usize {
        *self.shared.queued.borrow()
    }

    /// Requests that were given up.
    pub(super) fn dropped(&self) -> u64 {
        self.shared.dropped.load(Relaxed)
    }

    /// Waits until no request is queued, at most for `limit`; returns how many are.
    pub(super) async fn drain(&self, limit: Duration) -> usize {
        let mut queued = self.shared.queued.subscribe();
        // The sender lives as long as `self`, so only the deadline ends the wait early.
        let _ = timeout(limit, queued.wait_for(|queued| *queued == 0)).await;
        self.queued()
    }
}

impl Shared {
    fn give_up(&self, error: &HttpHookError) {
        self.dropped.fetch_add(1, Relaxed);
        self.hook.warn(error);
        self.done();
    }

    fn done(&self) {
        self.queued.send_modify(|queued| *queued -= 1);
    }
}

async fn deliver_all(shared: Arc<Shared>, mut items: mpsc::Receiver<Item>, concurrency: usize) {
    let permits = Arc::new(Semaphore::new(concurrency.clamp(1, Semaphore::MAX_PERMITS)));
    while let Some(item) = items.recv().await {
        // It is never closed.
        let Ok(permit) = permits.clone().acquire_owned().await else { return };
        let shared = shared.clone();
        tokio::spawn(async move {
            deliver(&shared, &item).await;
            drop(permit);
        });
    }
}

/// Delivers one request, again and again until it is too old or the backend refuses it for good.
async fn deliver(shared: &Shared, item: &Item) {
    let give_up_at = item.since + shared.age;
    let mut longest_pause = FIRST_PAUSE;
    loop {
        let deadline = give_up_at.min(Instant::now() + shared.hook.attempt_timeout());
        let error = match shared.hook.send(&item.outgoing, deadline, 0).await {
            Ok(_) => return shared.done(),
            Err(error) => error,
        };
        // Requests that wait for the breaker come back at different times: one of them is the try.
        let pause = shared.hook.breaker_wait() + jittered(longest_pause);
        if !error.is_away() || Instant::now() + pause >= give_up_at {
            return shared.give_up(&error);
        }
        sleep(pause).await;
        longest_pause = (longest_pause * 2).min(LONGEST_PAUSE);
    }
}
