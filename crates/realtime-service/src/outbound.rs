//! One connection's way out: the handle that senders share, and the end that its task drains.

use std::{
    collections::VecDeque,
    future::poll_fn,
    mem,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU32},
    task::{Poll, Wake, Waker},
    time::Duration,
};

use realtime_core::{
    Frame,
    outbound::{OutboundQueue, QueueLimits, Verdict},
};
use realtime_ports::{QueueChange, SendError, SocketActivity, WebSocketConnection};
use realtime_schema::{ClientId, CloseCode, Closing, ConnectionId, Gap, Route, Topic};

use crate::metrics::{Metrics, add};

mod activity;

use activity::{Address, millis};

/// What all queues of a node have in common.
#[derive(Debug)]
pub(crate) struct OutboundShared {
    pub(crate) limits: QueueLimits,
    pub(crate) metrics: Arc<Metrics>,
}

/// The queue of one connection, with a bound and a verdict.
///
/// In this order, so that what a delivery touches lies side by side.
#[repr(C)]
pub(crate) struct Outbound {
    shared: Arc<OutboundShared>,
    /// Frames that the connection's task has written. It alone writes here.
    sent_frames: AtomicU32,
    /// When the client last sent anything, in milliseconds on the service's clock. They wrap after 49 days, and a client
    /// is never silent for that long.
    received_ms: AtomicU32,
    state: Mutex<State>,
    id: ConnectionId,
    client: Option<ClientId>,
    address: Address,
}

#[derive(Default)]
struct State {
    queue: OutboundQueue,
    /// The connection's task.
    task: Option<Waker>,
    /// True if the task has been woken since it last looked here: then it need not be woken again.
    awake: bool,
    /// True if something else than the queue has woken it.
    listen: bool,
    /// True while it waits for a slow reader.
    blocked: bool,
    /// True while what the task polls waits for [room](Outbound::room).
    full: bool,
    turn: Turn,
    phase: Phase,
    /// While the phase is [`Phase::Closing`].
    closing: Option<Box<Closing>>,
}

/// Whether the task may read a page of a history.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Turn {
    /// Not before it has waited.
    #[default]
    None,
    /// It waits.
    Waiting,
    /// Now, one page.
    Allowed,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Open,
    /// To be closed, once what waits was written.
    Closing,
    Closed,
}

/// What the connection's task has to do next.
pub(crate) struct Work {
    /// What to write, if there is something.
    pub(crate) next: Option<Next>,
    /// The peer, the timer or a pending command has woken the task: it should look at them.
    pub(crate) listen: bool,
    /// The topics whose lists of present users are needed: the queue had no room for changes.
    pub(crate) outdated: Vec<Topic>,
}

/// What the connection's task has to write next.
pub(crate) enum Next {
    /// The batch was filled.
    Batch {
        /// To be sent before it.
        gaps: Vec<Gap>,
        /// The close follows it: ask again.
        last: bool,
    },
    /// Nothing was taken: what waits goes before the next page of this stream's history.
    Page(Route),
    /// Nothing was taken: the task is to wait for [`PageTurns`](crate::page_turns::PageTurns), and to ask again.
    Turn,
    /// Only the close.
    Close(Box<Closing>),
}

impl Outbound {
    /// An open connection with an empty queue. `now` is the service's clock.
    pub(crate) fn new(
        id: ConnectionId,
        client: Option<ClientId>,
        address: Option<IpAddr>,
        now: Duration,
        shared: Arc<OutboundShared>,
    ) -> Self {
        let (address, received_ms) = (address.into(), AtomicU32::new(millis(now)));
        Self { id, client, address, shared, state: Mutex::default(), received_ms, sent_frames: AtomicU32::new(0) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What there is to do; what waits is swapped for the empty `batch`. From now on `task` is woken once for whatever
    /// comes. For the connection's task alone.
    pub(crate) fn work(&self, task: &Waker, batch: &mut VecDeque<Frame>) -> Work {
        let mut state = self.state();
        state.set_waker(task);
        (state.awake, state.blocked) = (false, false);
        let mut listen = mem::take(&mut state.listen);
        let closing = state.phase == Phase::Closing;
        let open = state.phase == Phase::Open;
        let next = if open && state.turn != Turn::Waiting && state.queue.has_open() {
            match mem::take(&mut state.turn) {
                Turn::Allowed => state.queue.next_open().map(Next::Page),
                Turn::None | Turn::Waiting => {
                    state.turn = Turn::Waiting;
                    Some(Next::Turn)
                }
            }
        } else if !state.queue.is_empty() {
            Some(Next::Batch { gaps: state.queue.take(batch), last: closing })
        } else if closing && let Some(closing) = state.closing.take() {
            state.phase = Phase::Closed;
            Some(Next::Close(closing))
        } else {
            None
        };
        if state.full && !state.is_half_full(self.shared.limits) {
            state.full = false;
            listen = true;
        }
        Work { next, listen, outdated: state.queue.take_outdated() }
    }

    /// The client that the queue belongs to.
    pub(crate) fn client_id(&self) -> Option<&ClientId> {
        self.client.as_ref()
    }

    /// Runs `change` on the queue, and wakes no one: for the connection's task.
    pub(crate) fn look<T>(&self, change: impl FnOnce(&mut OutboundQueue) -> T) -> T {
        change(&mut self.state().queue)
    }

    /// The task will ask for [work](Self::work) by itself before it rests: what comes until then need not wake it.
    pub(crate) fn stay_awake(&self) {
        self.state().awake = true;
    }

    /// The task may read one page of a history.
    pub(crate) fn allow_page(&self) {
        let mut state = self.state();
        state.turn = Turn::Allowed;
        state.rouse();
    }

    /// The reader is slow: the task waits for it before it asks for [work](Self::work) again.
    pub(crate) fn mark_blocked(&self) {
        self.state().blocked = true;
    }

    /// Waits until the connection is to be closed.
    pub(crate) async fn closing(&self) {
        poll_fn(|context| {
            let mut state = self.state();
            match state.phase {
                Phase::Open => {
                    state.set_waker(context.waker());
                    Poll::Pending
                }
                Phase::Closing | Phase::Closed => Poll::Ready(()),
            }
        })
        .await;
    }

    /// Waits until the queue is at most half full: a step that queues many control frames waits before each, so that it
    /// does not fill the queue of a client that reads. For what the connection's task polls.
    pub(crate) async fn room(&self) {
        poll_fn(|_| {
            let mut state = self.state();
            state.full = state.phase == Phase::Open && state.is_half_full(self.shared.limits);
            if state.full { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
    }

    /// Frees the memory that bursts have left.
    pub(crate) fn rest(&self) {
        self.state().queue.rest();
    }

    /// Takes nothing more and forgets what waits.
    pub(crate) fn shut(&self) {
        let mut state = self.state();
        state.phase = Phase::Closed;
        state.closing = None;
        state.queue.clear();
        state.task = None;
    }
}

impl State {
    fn set_waker(&mut self, task: &Waker) {
        match &mut self.task {
            Some(known) => known.clone_from(task),
            none => *none = Some(task.clone()),
        }
    }

    fn is_half_full(&self, limits: QueueLimits) -> bool {
        self.queue.len() > limits.messages / 2 || self.queue.bytes() > limits.bytes / 2
    }

    /// Wakes the task if it sleeps. Under the lock, because that saves a clone of the waker for each message; waking
    /// only queues the task.
    fn rouse(&mut self) {
        if !mem::replace(&mut self.awake, true) {
            self.wake();
        }
    }

    fn wake(&self) {
        if let Some(task) = &self.task {
            task.wake_by_ref();
        }
    }

    /// Nothing more is taken. The task is woken for it even while it waits for a slow reader.
    fn close(&mut self, closing: Closing) {
        self.phase = Phase::Closing;
        self.closing = Some(Box::new(closing));
        self.awake = true;
        self.wake();
    }
}

/// Wakes the connection's task for what is not the queue: the peer, the timer, a pending command. So a task that was
/// woken for its queue alone need not look at those.
impl Wake for Outbound {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut state = self.state();
        state.listen = true;
        state.rouse();
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
        self.state().phase == Phase::Open
    }

    fn queued_bytes(&self) -> usize {
        self.state().queue.bytes()
    }

    fn activity(&self, now: Duration) -> SocketActivity {
        self.activity_at(now)
    }

    fn is_behind(&self) -> bool {
        let (state, limits) = (self.state(), self.shared.limits);
        !state.blocked && (state.queue.len() >= limits.messages / 4 || state.queue.bytes() >= limits.bytes / 4)
    }

    fn send(&self, frame: &Frame) -> Result<(), SendError> {
        let mut state = self.state();
        if state.phase != Phase::Open {
            return Err(SendError::Closed);
        }
        let verdict = state.queue.push(frame.clone(), self.shared.limits);
        if verdict == Verdict::Full {
            // What is queued is of no use to a client that reconnects: the close should reach it soon.
            state.queue.clear();
            let limits = self.shared.limits;
            let reason = format!(
                "too slow: more than {} messages or {} bytes were waiting (limits.queue_messages, limits.queue_bytes)",
                limits.messages, limits.bytes
            );
            state.close(Closing::new(CloseCode::TOO_SLOW, reason));
        } else if verdict != Verdict::CatchingUp || state.turn != Turn::Waiting {
            state.rouse();
        }
        drop(state);
        match verdict {
            Verdict::CatchingUp => Err(SendError::CatchingUp),
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

    fn change_queue(&self, change: &mut dyn QueueChange) {
        let mut state = self.state();
        if state.phase == Phase::Open {
            change.apply(&mut state.queue);
            state.rouse();
        }
    }

    fn close(&self, closing: Closing) {
        let mut state = self.state();
        if state.phase == Phase::Open {
            state.close(closing);
        }
    }
}

#[cfg(test)]
mod tests;
