//! The node's side of one trace: what it is about, and the bounded way to its reader.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use realtime_core::trace::UserView;
use realtime_schema::{MessageType, StreamPattern, Topic, TraceEvent, UserId};
use tokio::{sync::mpsc, time::Instant};

/// What a trace is about.
#[derive(Debug)]
pub(super) enum Target {
    User(UserId),
    Topic(Topic),
    Streams(Vec<StreamPattern>),
}

impl Target {
    pub(super) fn user(&self) -> Option<&UserId> {
        match self {
            Self::User(user) => Some(user),
            Self::Topic(_) | Self::Streams(_) => None,
        }
    }

    pub(super) fn topic(&self) -> Option<&Topic> {
        match self {
            Self::Topic(topic) => Some(topic),
            Self::User(_) | Self::Streams(_) => None,
        }
    }

    pub(super) fn streams(&self) -> &[StreamPattern] {
        match self {
            Self::Streams(patterns) => patterns,
            Self::User(_) | Self::Topic(_) => &[],
        }
    }
}

/// One trace.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) target: Target,
    /// The type of the messages that are shown; `None` for all.
    pub(super) kind: Option<MessageType>,
    /// Whether payloads are shown.
    pub(super) payloads: bool,
    /// When it ends, whether or not its reader looks.
    pub(super) until: Instant,
    /// Maximum bytes of payloads that wait for the reader. A larger one fits if no other waits.
    max_bytes: usize,
    /// Bytes of payloads that wait for the reader.
    bytes: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The connections of the user that is traced.
    view: UserView,
    /// Events that found no room since the last one that did.
    skipped: u64,
    sender: mpsc::Sender<Queued>,
}

/// What a trace is to show.
pub(super) struct WatchRequest {
    pub(super) target: Target,
    pub(super) kind: Option<MessageType>,
    pub(super) payloads: bool,
    pub(super) until: Instant,
    pub(super) max_bytes: usize,
}

fn payload_bytes(event: &TraceEvent) -> usize {
    event.payload.as_ref().map_or(0, |payload| payload.as_str().len())
}

/// An event, and how many are missing before it.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) skipped: u64,
    pub(super) event: TraceEvent,
}

impl Watch {
    pub(super) fn new(request: WatchRequest, sender: mpsc::Sender<Queued>) -> Self {
        let WatchRequest { target, kind, payloads, until, max_bytes } = request;
        let state = Mutex::new(State { view: UserView::default(), skipped: 0, sender });
        Self { target, kind, payloads, until, max_bytes, bytes: AtomicUsize::new(0), state }
    }

    pub(super) fn is_of_user(&self, user: &UserId) -> bool {
        self.target.user() == Some(user)
    }

    pub(super) fn is_of_topic(&self, topic: &Topic) -> bool {
        self.target.topic() == Some(topic)
    }

    /// Queues an event, or counts it if its reader is behind. Never waits for the reader.
    pub(super) fn push(&self, event: TraceEvent) {
        let size = payload_bytes(&event);
        let mut state = self.state();
        let waiting = self.bytes.load(Relaxed);
        if size > 0 && waiting > 0 && waiting + size > self.max_bytes {
            state.skipped += 1;
            return;
        }
        // Before the reader can take it.
        self.bytes.fetch_add(size, Relaxed);
        let queued = Queued { skipped: state.skipped, event };
        match state.sender.try_send(queued) {
            Ok(()) => state.skipped = 0,
            Err(_) => {
                self.bytes.fetch_sub(size, Relaxed);
                state.skipped += 1;
            }
        }
    }

    /// The reader has taken an event out of the queue.
    pub(super) fn taken(&self, event: &TraceEvent) {
        self.bytes.fetch_sub(payload_bytes(event), Relaxed);
    }

    /// Runs `look` on what is known of the user's connections, alone.
    pub(super) fn with_view<T>(&self, look: impl FnOnce(&mut UserView) -> T) -> T {
        look(&mut self.state().view)
    }

    /// The events that found no room after the last one that is queued. Each is counted once.
    pub(super) fn take_skipped(&self) -> u64 {
        std::mem::take(&mut self.state().skipped)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
