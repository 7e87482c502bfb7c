//! The bounds over all histories: their age, their bytes, and their number.

use std::{
    mem,
    sync::{Arc, MutexGuard, PoisonError, Weak, atomic::Ordering::Relaxed},
    time::Duration,
};

use realtime_core::{expiry::Expiry, log::Log};
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use super::{
    Streams,
    logs::{State, StreamLog},
};
use crate::metrics::add;

/// How often the age of messages and positions is looked at.
const EXPIRE_EVERY: Duration = Duration::from_secs(1);
/// Most streams that one publication tries to forget. One with subscribers is never forgotten.
const TRIES: usize = 64;

type Queue<'a> = MutexGuard<'a, Expiry<Arc<StreamLog>>>;

impl Streams {
    /// Starts the task that removes expired messages and positions, until the streams are dropped.
    pub(crate) fn expire_by_age(self: &Arc<Self>) -> AbortOnDropHandle<()> {
        let streams = Arc::downgrade(self);
        AbortOnDropHandle::new(tokio::spawn(async move {
            loop {
                sleep(EXPIRE_EVERY).await;
                let Some(streams) = Weak::upgrade(&streams) else { return };
                streams.expire();
            }
        }))
    }

    /// Removes the messages and the positions that have expired.
    pub(super) fn expire(&self) {
        let now = self.now();
        loop {
            // Bound to a name, so that the lock is free while a stream is locked.
            let expired = self.by_messages().pop_expired(now);
            let Some((age, stream)) = expired else { break };
            self.shorten(&stream, age, now, |log| log.expire(now.saturating_sub(age)));
        }
        loop {
            let expired = self.by_positions().pop_expired(now);
            let Some((age, stream)) = expired else { break };
            self.forget_quiet(stream, now, now.saturating_sub(age));
        }
    }

    /// A history has its first message.
    pub(super) fn begun(&self, stream: Arc<StreamLog>, age: u64, now: u64) {
        self.by_messages().push(age, now, stream);
        let max = self.settings.load().history.total_streams;
        for _ in 0..TRIES {
            if self.logs.count() <= max {
                return;
            }
            let oldest = self.by_positions().pop_oldest();
            if let Some((_, stream)) = oldest {
                self.forget_quiet(stream, now, now);
                continue;
            }
            let oldest = self.by_messages().pop_oldest();
            let Some((age, stream)) = oldest else { return };
            self.forget_oldest(&stream, age, now);
        }
    }

    /// Removes the oldest messages of all until the rest is within `history.total_bytes`.
    pub(super) fn keep_total(&self) {
        let total = usize::try_from(self.settings.load().history.total_bytes).unwrap_or(usize::MAX);
        loop {
            let over = self.bytes.load(Relaxed).saturating_sub(total);
            if over == 0 {
                return;
            }
            let oldest = self.by_messages().pop_oldest();
            let Some((age, stream)) = oldest else { return };
            self.shorten(&stream, age, self.now(), |log| log.evict(over));
        }
    }

    /// Removes messages of a log that was taken out of its queue, and puts it back where it belongs.
    fn shorten(&self, stream: &Arc<StreamLog>, age: u64, now: u64, remove: impl FnOnce(&mut Log) -> usize) {
        let shortened = stream.change(|state| {
            let had = state.log.len();
            let freed = remove(&mut state.log);
            self.trimmed(stream.route(), freed, state.log.floor());
            (freed, had - state.log.len(), state.log.oldest())
        });
        let Some((freed, removed, oldest)) = shortened else { return };
        self.bytes.fetch_sub(freed, Relaxed);
        add(&self.metrics.history_removed_total, removed);
        match oldest {
            Some(oldest) => self.by_messages().push(age, oldest, stream.clone()),
            None => self.quiet(stream.clone(), now),
        }
    }

    /// Of a history only the position is left.
    pub(super) fn quiet(&self, stream: Arc<StreamLog>, now: u64) {
        let expires = |state: &mut State| {
            state.quiet_since = now;
            !mem::replace(&mut state.position_expires, true)
        };
        if stream.change(expires) == Some(true) {
            self.push_position(stream, now);
        }
    }

    fn push_position(&self, stream: Arc<StreamLog>, since: u64) {
        let age = millis(self.settings.load().history.position_age);
        self.by_positions().push(age, since, stream);
    }

    /// Forgets a stream that was taken out of its queue, if it has had no message since `before` and no connection
    /// listens to it. Else it goes back, unless it has messages again.
    fn forget_quiet(&self, stream: Arc<StreamLog>, now: u64, before: u64) {
        let mut again = None;
        let forgotten = self.logs.forget(
            &stream,
            |state| {
                state.position_expires = state.log.is_empty();
                if !state.log.is_empty() {
                    return false;
                }
                let listened = self.hub.has_listener(stream.route());
                if listened || state.quiet_since > before {
                    again = Some(if listened { now } else { state.quiet_since });
                }
                again.is_none()
            },
            |reached| self.note_forgotten(&stream, reached),
        );
        match again {
            Some(since) => self.push_position(stream, since),
            None => add(&self.metrics.history_forgotten_total, usize::from(forgotten)),
        }
    }

    /// Forgets a stream with its messages, which were the oldest of all, unless a connection listens to it.
    fn forget_oldest(&self, stream: &Arc<StreamLog>, age: u64, now: u64) {
        let mut freed = 0;
        let forgotten = self.logs.forget(
            stream,
            |state| {
                freed = state.log.bytes();
                !self.hub.has_listener(stream.route())
            },
            |reached| self.note_forgotten(stream, reached),
        );
        if forgotten {
            self.bytes.fetch_sub(freed, Relaxed);
            add(&self.metrics.history_forgotten_total, 1);
        } else {
            self.shorten(stream, age, now, |_| 0);
        }
    }

    /// Forgets the streams that have no history by the settings of now. What is published to them meanwhile is kept
    /// nowhere: a client that comes back when they have a history again gets a gap.
    pub(crate) fn forget_without_history(&self) {
        self.logs.forget_all(
            |route| !self.has_history(route),
            |route, log, reached| {
                self.bytes.fetch_sub(log.bytes(), Relaxed);
                add(&self.metrics.history_forgotten_total, 1);
                if let Some(notes) = &self.notes {
                    notes.forgotten(route, reached);
                }
            },
        );
    }

    fn note_forgotten(&self, stream: &StreamLog, reached: u64) {
        if let Some(notes) = &self.notes {
            notes.forgotten(stream.route(), reached);
        }
    }

    pub(super) fn by_messages(&self) -> Queue<'_> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn by_positions(&self) -> Queue<'_> {
        self.positions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A duration in whole milliseconds.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
