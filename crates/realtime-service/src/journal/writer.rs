//! The task that commits.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use realtime_core::{Frame, epoch::Epoch, policy::Retention};
use realtime_ports::{Appended as AppendedRecord, Clock, LogStore, Record, StoreError};
use realtime_schema::{MessageId, Receipt, Route, StreamPosition};
use tokio::{
    sync::{mpsc, oneshot},
    task::spawn_blocking,
    time::{Instant, timeout},
};

use super::{AppendJob, Health, Job};
use crate::{
    settings::LiveSettings,
    streams::{Appended, Streams},
};

/// Most records of one commit, and most bytes of text.
const MAX_RECORDS: usize = 1_000;
const MAX_BYTES: usize = 1024 * 1024;
/// How long the writer waits for jobs before it commits what expired meanwhile and lets the store tidy up. Also the time
/// between two tries of a commit that failed.
const IDLE: Duration = Duration::from_secs(1);

pub(super) struct Writer {
    store: Arc<dyn LogStore>,
    streams: Arc<Streams>,
    clock: Arc<dyn Clock>,
    settings: LiveSettings,
    health: Arc<Health>,
    /// What expired or was forgotten, and is not committed yet.
    notes: Vec<Record>,
}

/// What is committed together.
#[derive(Default)]
struct Batch {
    records: Vec<Record>,
    bytes: usize,
    /// The next offsets of the streams in this batch, after what it appends.
    tops: HashMap<Route, (Epoch, u64)>,
    appends: Vec<Pending>,
    stores: Vec<oneshot::Sender<Result<(), StoreError>>>,
}

/// Messages that have their offsets, and are not stored yet.
struct Pending {
    route: Route,
    retention: Retention,
    frames: Vec<Frame>,
    done: oneshot::Sender<Result<Appended, StoreError>>,
}

impl Writer {
    pub(super) fn new(
        store: Arc<dyn LogStore>,
        streams: Arc<Streams>,
        clock: Arc<dyn Clock>,
        settings: LiveSettings,
        health: Arc<Health>,
    ) -> Self {
        Self { store, streams, clock, settings, health, notes: Vec::new() }
    }

    /// Commits until the journal is closed.
    pub(super) async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        loop {
            match timeout(IDLE, jobs.recv()).await {
                Ok(Some(job)) => self.commit(job, &mut jobs).await,
                Ok(None) => break,
                Err(_) => self.idle(&jobs).await,
            }
        }
        self.commit_notes().await;
        if let Err(error) = self.blocking(|store| store.close()).await {
            tracing::warn!(%error, "the store was not closed cleanly; the next start treats it as a crash");
        }
    }

    /// Commits a job and what waits behind it.
    async fn commit(&mut self, first: Job, jobs: &mut mpsc::Receiver<Job>) {
        self.take_notes();
        let mut batch = Batch { records: self.notes.clone(), ..Batch::default() };
        self.add(first, &mut batch);
        while batch.records.len() < MAX_RECORDS
            && batch.bytes < MAX_BYTES
            && let Ok(job) = jobs.try_recv()
        {
            self.add(job, &mut batch);
        }
        let Batch { records, appends, stores, .. } = batch;
        let committed = self.committed(records).await;
        if committed.is_ok() {
            self.notes.clear();
        }
        for Pending { route, retention, frames, done } in appends {
            let outcome = match &committed {
                Ok(()) => Ok(self.streams.append_stored(&route, retention, frames)),
                Err(error) => {
                    self.streams.end_writing(&route);
                    Err(error.clone())
                }
            };
            let _ = done.send(outcome);
        }
        for done in stores {
            let _ = done.send(committed.clone());
        }
    }

    fn add(&self, job: Job, batch: &mut Batch) {
        match job {
            Job::Store { mut records, done } => {
                batch.records.append(&mut records);
                batch.stores.push(done);
            }
            Job::Append(job) => self.add_messages(*job, batch),
        }
    }

    /// Gives messages their offsets.
    fn add_messages(&self, job: AppendJob, batch: &mut Batch) {
        // Its publisher has stopped waiting, and repeats it if it matters.
        if job.done.is_closed() {
            return;
        }
        let AppendJob { route, retention, messages, once, done } = job;
        let at = self.clock.now();
        let head = self.streams.begin_writing(&route);
        let (epoch, top) = batch.tops.entry(route.clone()).or_insert(head);
        let mut frames = Vec::with_capacity(messages.len());
        let mut first = None;
        for (id, prepared) in messages {
            *top += 1;
            let frame = prepared.finish(*epoch, *top);
            first.get_or_insert((id, *top));
            let text = frame.text_bytes();
            batch.bytes += text.len();
            let Some(kind) = frame.label().map(|label| label.kind.clone()) else { continue };
            batch.records.push(Record::Appended(AppendedRecord {
                route: route.clone(),
                epoch: epoch.0,
                offset: *top,
                at,
                kind,
                text,
                except: frame.kept().and_then(|kept| kept.except.clone()),
            }));
            frames.push(frame);
        }
        if let Some((once, (id, offset))) = once.zip(first) {
            batch.records.push(once.record(receipt(id, *epoch, offset)));
        }
        batch.appends.push(Pending { route, retention, frames, done });
    }

    /// Commits `records`, and remembers whether that succeeded.
    async fn committed(&self, records: Vec<Record>) -> Result<(), StoreError> {
        let committed = self.blocking(move |store| store.commit(&records)).await;
        let was_failing = self.health.failing.swap(committed.is_err(), Relaxed);
        match &committed {
            Err(error) if !was_failing => {
                tracing::error!(%error, "nothing can be stored: publishing to streams with a history is refused");
            }
            Ok(()) if was_failing => tracing::info!("the store works again"),
            _ => {}
        }
        committed
    }

    /// Runs `work` on a thread that may block, and waits for its end: its result decides which offsets are used. If that
    /// takes longer than `store.commit_timeout`, the journal takes no jobs meanwhile.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn LogStore) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.store.clone();
        let begun = Instant::now();
        let mut work = spawn_blocking(move || work(store.as_ref()));
        let done = match timeout(self.settings.load().store.commit_timeout, &mut work).await {
            Ok(done) => done,
            Err(_) => {
                self.health.hanging.store(true, Relaxed);
                tracing::error!(
                    waited = ?begun.elapsed(),
                    "the disk does not respond: publishing to streams with a history is refused"
                );
                let done = work.await;
                self.health.hanging.store(false, Relaxed);
                tracing::info!(waited = ?begun.elapsed(), "the disk responds again");
                done
            }
        };
        done.unwrap_or_else(|error| Err(StoreError::Unavailable(Arc::new(error))))
    }

    /// Nothing waits: commits what expired, tries again after a failure, and lets the store tidy up.
    async fn idle(&mut self, jobs: &mpsc::Receiver<Job>) {
        self.commit_notes().await;
        while jobs.is_empty() && self.blocking(|store| Ok(store.idle())).await.unwrap_or(false) {}
    }

    async fn commit_notes(&mut self) {
        self.take_notes();
        let due = !self.notes.is_empty() || self.health.failing.load(Relaxed);
        if due && self.committed(self.notes.clone()).await.is_ok() {
            self.notes.clear();
        }
    }

    fn take_notes(&mut self) {
        self.notes.append(&mut self.streams.take_notes());
    }
}

/// What a publisher gets that repeats its key after a restart. How many connections took the message is not known before
/// it is stored.
fn receipt(id: MessageId, epoch: Epoch, offset: u64) -> Receipt {
    let position = Some(StreamPosition { epoch: epoch.to_string(), offset });
    Receipt { id, delivered: 0, other_nodes: false, position, duplicate: false }
}
