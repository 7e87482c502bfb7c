//! The way to the durable store: one task that commits what others bring, in batches, and only then lets it be seen.
//!
//! Offsets are given when a batch is committed. So a commit that fails gives none, and no client sees an offset that a
//! restart would give again.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use arc_swap::ArcSwapOption;
use realtime_core::{PreparedFrame, policy::Retention};
use realtime_ports::{Clock, LogStore, Once, Record, StoreError, Usage};
use realtime_schema::{MessageId, Receipt, Route, Timestamp};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::{Instant, timeout, timeout_at},
};

use crate::{
    settings::LiveSettings,
    streams::{Appended, Streams},
};

mod writer;

use writer::Writer;

/// Most jobs that wait for the writer.
const QUEUE: usize = 4_096;

/// The handle of the writer. When it is dropped or closed, the writer commits what waits, closes the store, and ends.
pub(crate) struct Journal {
    /// `None` once it is closed.
    jobs: ArcSwapOption<mpsc::Sender<Job>>,
    store: Arc<dyn LogStore>,
    settings: LiveSettings,
    health: Arc<Health>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// What prevents a commit.
#[derive(Default)]
struct Health {
    /// The last commit failed.
    failing: AtomicBool,
    /// The store has not returned within `store.commit_timeout`.
    hanging: AtomicBool,
}

/// What the writer commits.
enum Job {
    /// Messages for one stream, with the results of their publisher under an idempotency key.
    Append(Box<AppendJob>),
    /// Records as they are.
    Store { records: Vec<Record>, done: oneshot::Sender<Result<(), StoreError>> },
}

struct AppendJob {
    route: Route,
    retention: Retention,
    messages: Vec<(MessageId, PreparedFrame)>,
    once: Option<OnceKey>,
    done: oneshot::Sender<Result<Appended, StoreError>>,
}

/// An idempotency key, and what is to be remembered under it.
#[derive(Clone, Debug)]
pub(crate) struct OnceKey {
    pub(crate) key: Arc<str>,
    pub(crate) fingerprint: u128,
    pub(crate) expires_at: Timestamp,
}

impl OnceKey {
    /// The record of a publication under this key.
    pub(crate) fn record(self, receipt: Receipt) -> Record {
        let Self { key, fingerprint, expires_at } = self;
        Record::Once(Once { key, fingerprint, receipt, expires_at })
    }
}

impl Journal {
    /// Starts the writer.
    pub(crate) fn start(
        store: Arc<dyn LogStore>,
        streams: Arc<Streams>,
        clock: Arc<dyn Clock>,
        settings: LiveSettings,
    ) -> Self {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let health = Arc::new(Health::default());
        let writer = Writer::new(store.clone(), streams, clock, settings.clone(), health.clone());
        let writer = Mutex::new(Some(tokio::spawn(writer.run(queue))));
        Self { jobs: ArcSwapOption::from_pointee(jobs), store, settings, health, writer }
    }

    /// Commits what waits and closes the store, within `store.commit_timeout`. Nothing can be stored afterwards.
    pub(crate) async fn close(&self) {
        self.jobs.store(None);
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(writer) = writer else { return };
        let limit = self.settings.load().store.commit_timeout;
        if timeout(limit, writer).await.is_err() {
            tracing::error!(
                ?limit,
                "the store does not respond and was not closed; the next start treats it as a crash"
            );
        }
    }

    /// Stores messages, appends them to the history of their stream, and queues them on its live connections.
    ///
    /// Returns [`StoreError::TimedOut`] after `store.commit_timeout`. The messages may then be stored later; those that are
    /// still queued are dropped. With `once` there is no such limit once they are queued, because a retry must get their
    /// result: the caller sets its own.
    pub(crate) async fn append(
        &self,
        route: Route,
        retention: Retention,
        messages: Vec<(MessageId, PreparedFrame)>,
        once: Option<OnceKey>,
    ) -> Result<Appended, StoreError> {
        let (deadline, keyed) = (self.deadline(), once.is_some());
        let (done, outcome) = oneshot::channel();
        self.enqueue(Job::Append(Box::new(AppendJob { route, retention, messages, once, done })), deadline).await?;
        if keyed { result(outcome).await } else { self.result_until(deadline, outcome).await }
    }

    /// Stores records. When it has returned, they survive what the store is configured for. After
    /// [`StoreError::TimedOut`] they may be stored later.
    pub(crate) async fn store(&self, records: Vec<Record>) -> Result<(), StoreError> {
        let deadline = self.deadline();
        let (done, outcome) = oneshot::channel();
        self.enqueue(Job::Store { records, done }, deadline).await?;
        self.result_until(deadline, outcome).await
    }

    /// The same without a limit once they are queued: for a caller that must know the result, and sets a limit of its own.
    pub(crate) async fn store_to_end(&self, records: Vec<Record>) -> Result<(), StoreError> {
        let (done, outcome) = oneshot::channel();
        self.enqueue(Job::Store { records, done }, self.deadline()).await?;
        result(outcome).await
    }

    /// Queues a job; after an error the store never gets it.
    async fn enqueue(&self, job: Job, deadline: Instant) -> Result<(), StoreError> {
        if self.health.hanging.load(Relaxed) {
            return Err(unavailable("the disk does not respond"));
        }
        let Some(jobs) = self.jobs.load_full() else { return Err(unavailable("the store is closed")) };
        match timeout_at(deadline, jobs.send(job)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(unavailable("the writer of the store has ended")),
            Err(_) => Err(unavailable("the store is too slow: its queue is full")),
        }
    }

    async fn result_until<T>(&self, deadline: Instant, outcome: Outcome<T>) -> Result<T, StoreError> {
        let late = |_| Err(StoreError::TimedOut(self.settings.load().store.commit_timeout));
        timeout_at(deadline, result(outcome)).await.unwrap_or_else(late)
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.settings.load().store.commit_timeout
    }

    /// True unless the last commit failed, or has had no result within `store.commit_timeout`.
    pub(crate) fn is_healthy(&self) -> bool {
        !self.health.failing.load(Relaxed) && !self.health.hanging.load(Relaxed)
    }

    /// The space that the store takes.
    pub(crate) fn usage(&self) -> Usage {
        self.store.usage()
    }
}

/// Receives the result of a job.
type Outcome<T> = oneshot::Receiver<Result<T, StoreError>>;

async fn result<T>(outcome: Outcome<T>) -> Result<T, StoreError> {
    outcome.await.unwrap_or_else(|_| Err(unavailable("the writer of the store has ended")))
}

fn unavailable(what: &'static str) -> StoreError {
    StoreError::Unavailable(Arc::new(std::io::Error::other(what)))
}
