//! The way to the durable store: one task that commits what others bring, in batches, and only then lets it be seen.
//!
//! Offsets are given when a batch is committed. So a commit that fails gives none, and no client sees an offset that a
//! restart would give again.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use realtime_core::{PreparedFrame, policy::Retention};
use realtime_ports::{Clock, LogStore, Once, Record, StoreError, Usage};
use realtime_schema::{MessageId, Receipt, Route, Timestamp};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::timeout,
};

use crate::streams::{Appended, Streams};

mod writer;

use writer::Writer;

/// Most jobs that wait for the writer.
const QUEUE: usize = 4_096;
/// Longest wait for a place in the queue.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(10);

/// The handle of the writer. When it is dropped or closed, the writer commits what waits, closes the store, and ends.
pub(crate) struct Journal {
    /// `None` once it is closed.
    jobs: ArcSwapOption<mpsc::Sender<Job>>,
    store: Arc<dyn LogStore>,
    /// The last commit failed.
    failing: Arc<AtomicBool>,
    writer: Mutex<Option<JoinHandle<()>>>,
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
    pub(crate) fn start(store: Arc<dyn LogStore>, streams: Arc<Streams>, clock: Arc<dyn Clock>) -> Self {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let failing = Arc::new(AtomicBool::new(false));
        let writer = Writer::new(store.clone(), streams, clock, failing.clone());
        let writer = tokio::spawn(writer.run(queue));
        Self { jobs: ArcSwapOption::from_pointee(jobs), store, failing, writer: Mutex::new(Some(writer)) }
    }

    /// Commits what waits and closes the store. Nothing can be stored afterwards.
    pub(crate) async fn close(&self) {
        self.jobs.store(None);
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            let _ = writer.await;
        }
    }

    /// Stores messages, appends them to the history of their stream, and queues them on its live connections.
    pub(crate) async fn append(
        &self,
        route: Route,
        retention: Retention,
        messages: Vec<(MessageId, PreparedFrame)>,
        once: Option<OnceKey>,
    ) -> Result<Appended, StoreError> {
        let (done, outcome) = oneshot::channel();
        self.run(Job::Append(Box::new(AppendJob { route, retention, messages, once, done })), outcome).await
    }

    /// Stores records. When it has returned, they survive what the store is configured for.
    pub(crate) async fn store(&self, records: Vec<Record>) -> Result<(), StoreError> {
        let (done, outcome) = oneshot::channel();
        self.run(Job::Store { records, done }, outcome).await
    }

    async fn run<T>(&self, job: Job, outcome: oneshot::Receiver<Result<T, StoreError>>) -> Result<T, StoreError> {
        let Some(jobs) = self.jobs.load_full() else { return Err(overloaded("the store is closed")) };
        match timeout(QUEUE_TIMEOUT, jobs.send(job)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(overloaded("the writer of the store has ended")),
            Err(_) => return Err(overloaded("the store is too slow: its queue is full")),
        }
        // Without a deadline of its own: the writer answers every job, and a caller that gave up would not know whether
        // its message was stored.
        outcome.await.unwrap_or_else(|_| Err(overloaded("the writer of the store has ended")))
    }

    /// True unless the last commit failed.
    pub(crate) fn is_healthy(&self) -> bool {
        !self.failing.load(Relaxed)
    }

    /// The space that the store takes.
    pub(crate) fn usage(&self) -> Usage {
        self.store.usage()
    }
}

fn overloaded(what: &'static str) -> StoreError {
    StoreError::Unavailable(Arc::new(std::io::Error::other(what)))
}
