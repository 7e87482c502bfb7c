//! One connection's way out: the handle that senders share, and the end that its task drains.

use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use realtime_core::{
    Frame,
    outbound::{OutboundQueue, QueueLimits, Verdict},
};
use realtime_ports::{SendError, WebSocketConnection};
use realtime_schema::{ClientId, CloseCode, Closing, ConnectionId, Gap};

use crate::metrics::{Metrics, add};

/// What all queues of a node have in common.
#[derive(Debug)]
pub(crate) struct OutboundShared {
    pub(crate) limits: QueueLimits,
    pub(crate) metrics: Arc<Metrics>,
}

/// The queue of one connection, with a bound and a verdict.
pub(crate) struct Outbound {
    id: ConnectionId,
    client: Option<ClientId>,
    shared: Arc<OutboundShared>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    queue: OutboundQueue,
    waker: Option<Waker>,
    phase: Phase,
}

#[derive(Default)]
enum Phase {
    #[default]
    Open,
    /// To be closed, once what waits was written.
    Closing(Box<Closing>),
    Closed,
}

/// What the connection's task has to write next.
pub(crate) enum Next {
    /// The batch was filled; these gaps are to be told before it.
    Batch(Vec<Gap>),
    /// Nothing more than a goodbye.
    Close(Box<Closing>),
}

impl Outbound {
    pub(crate) fn new(id: ConnectionId, client: Option<ClientId>, shared: Arc<OutboundShared>) -> Self {
        Self { id, client, shared, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Once there is something to write, swaps it for the empty `batch`. For the connection's task alone.
    pub(crate) fn poll_next(&self, context: &Context<'_>, batch: &mut VecDeque<Frame>) -> Poll<Next> {
        let mut state = self.state();
        if !state.queue.is_empty() {
            return Poll::Ready(Next::Batch(state.queue.take(batch)));
        }
        if let Phase::Closing(_) = state.phase
            && let Phase::Closing(closing) = std::mem::replace(&mut state.phase, Phase::Closed)
        {
            return Poll::Ready(Next::Close(closing));
        }
        state.wait(context.waker());
        Poll::Pending
    }

    /// Waits until the connection is to be closed.
    pub(crate) async fn closing(&self) {
        poll_fn(|context| {
            let mut state = self.state();
            match state.phase {
                Phase::Open => {
                    state.wait(context.waker());
                    Poll::Pending
                }
                Phase::Closing(_) | Phase::Closed => Poll::Ready(()),
            }
        })
        .await;
    }

    /// Gives room back that bursts have left.
    pub(crate) fn rest(&self) {
        self.state().queue.rest();
    }

    /// Takes nothing more and forgets what waits.
    pub(crate) fn shut(&self) {
        let mut state = self.state();
        state.phase = Phase::Closed;
        state.queue.clear();
        state.waker = None;
    }
}

impl State {
    fn wait(&mut self, waker: &Waker) {
        match &mut self.waker {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }
}

impl WebSocketConnection for Outbound {
    fn id(&self) -> ConnectionId {
        self.id
    }

    fn client(&self) -> Option<ClientId> {
        self.client.clone()
    }

    fn is_open(&self) -> bool {
        matches!(self.state().phase, Phase::Open)
    }

    fn send(&self, frame: &Frame) -> Result<(), SendError> {
        let mut state = self.state();
        if !matches!(state.phase, Phase::Open) {
            return Err(SendError::Closed);
        }
        let verdict = state.queue.push(frame.clone(), self.shared.limits);
        if verdict == Verdict::Full {
            // What waits is of no use to a client that comes back: the goodbye should reach it soon.
            state.queue.clear();
            let limits = self.shared.limits;
            let reason = format!(
                "too slow: more than {} messages or {} bytes were waiting (limits.queue_messages, limits.queue_bytes)",
                limits.messages, limits.bytes
            );
            state.phase = Phase::Closing(Box::new(Closing::new(CloseCode::TOO_SLOW, reason)));
        }
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        match verdict {
            Verdict::Queued { dropped: 0 } => Ok(()),
            Verdict::Queued { dropped } => {
                add(&self.shared.metrics.dropped_total, dropped as usize);
                Ok(())
            }
            Verdict::Full => {
                add(&self.shared.metrics.closed_slow_total, 1);
                Err(SendError::Full)
            }
        }
    }

    fn close(&self, closing: Closing) {
        let mut state = self.state();
        if matches!(state.phase, Phase::Open) {
            state.phase = Phase::Closing(Box::new(closing));
            let waker = state.waker.take();
            drop(state);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

#[cfg(test)]
mod tests;
