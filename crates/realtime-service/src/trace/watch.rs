//! The node's side of one trace: what it is about, and the bounded way to its reader.

use std::sync::{Mutex, MutexGuard, PoisonError};

use realtime_core::trace::UserView;
use realtime_schema::{Topic, TraceEvent, UserId};
use tokio::{sync::mpsc, time::Instant};

/// What a trace is about.
#[derive(Debug)]
pub(super) enum Target {
    User(UserId),
    Topic(Topic),
}

impl Target {
    pub(super) fn user(&self) -> Option<&UserId> {
        match self {
            Self::User(user) => Some(user),
            Self::Topic(_) => None,
        }
    }

    pub(super) fn topic(&self) -> Option<&Topic> {
        match self {
            Self::Topic(topic) => Some(topic),
            Self::User(_) => None,
        }
    }
}

/// One trace.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) target: Target,
    /// When it ends, whether or not its reader looks.
    pub(super) until: Instant,
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

/// An event, and how many are missing before it.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) skipped: u64,
    pub(super) event: TraceEvent,
}

impl Watch {
    pub(super) fn new(target: Target, until: Instant, sender: mpsc::Sender<Queued>) -> Self {
        Self { target, until, state: Mutex::new(State { view: UserView::default(), skipped: 0, sender }) }
    }

    pub(super) fn is_of_user(&self, user: &UserId) -> bool {
        self.target.user() == Some(user)
    }

    pub(super) fn is_of_topic(&self, topic: &Topic) -> bool {
        self.target.topic() == Some(topic)
    }

    /// Queues an event, or counts it if its reader is behind. Never waits for the reader.
    pub(super) fn push(&self, event: TraceEvent) {
        let mut state = self.state();
        let queued = Queued { skipped: state.skipped, event };
        match state.sender.try_send(queued) {
            Ok(()) => state.skipped = 0,
            Err(_) => state.skipped += 1,
        }
    }

    /// Runs `look` on what is known of the user's connections, alone.
    pub(super) fn with_view<T>(&self, look: impl FnOnce(&mut UserView) -> T) -> T {
        look(&mut self.state().view)
    }

    /// The events that found no room after the last one that is queued.
    pub(super) fn skipped(&self) -> u64 {
        self.state().skipped
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
