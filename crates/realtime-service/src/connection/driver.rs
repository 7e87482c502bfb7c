//! What the task of a connection holds, and its fast path: what every connection does for every message.

use std::{
    cell::RefCell,
    collections::VecDeque,
    future::Future,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use realtime_core::{
    Frame,
    client_message::ClientMessage,
    codec::decode,
    outbound::{OutboundQueue, Page},
    session::{Effect, Input, Session},
};
use realtime_ports::{Incoming, Socket, SocketError, WebSocketConnection};
use realtime_schema::{Closing, Connection, Control, Gap, Route};
use tokio::time::{Instant, Sleep};

use super::{
    close::End,
    effects, hooks,
    opening::Opened,
    pending::{Outcome, Pending},
};
use crate::{
    admission::Permit,
    metrics::add,
    node::Node,
    outbound::{Next, Outbound, Work},
};

thread_local! {
    /// What this thread is writing. Shared by its connections, so that an idle one holds no room for it.
    static BATCH: RefCell<VecDeque<Frame>> = RefCell::default();
}

/// Inputs handled per poll at most, so that one client can't starve the others.
const MAX_INPUTS: usize = 16;

/// What a connection's task holds.
///
/// In this order, so that all that a delivery touches lies side by side: with many connections, what a message costs
/// beside the write is mostly the cache lines that it has to fetch.
#[repr(C)]
pub(super) struct Driver<S> {
    pub(super) outbound: Arc<Outbound>,
    pub(super) node: Arc<Node>,
    /// The peer, the timer or the pending command may have something, and will not wake the task again for it.
    pub(super) listen: bool,
    /// The last write had to wait for the peer.
    pub(super) was_blocked: bool,
    /// The session wants the peer to be pinged.
    ping: bool,
    pub(super) socket: S,
    /// A pending command or hook; nothing more is read until it is done.
    pub(super) pending: Option<Pending>,
    pub(super) connection: Arc<Connection>,
    pub(super) session: Session,
    /// When the timer fires, on the service's clock.
    armed: Duration,
    _permit: Permit,
}

/// A step that the fast path can't do.
pub(super) enum SlowStep {
    /// The kernel did not take all of a batch: write the rest.
    Write(VecDeque<Frame>),
    Ping,
    End(End),
}

/// How a write ended.
enum Written {
    /// Nothing is left.
    All,
    /// Something else is to be written next.
    More,
    /// Not all was written: this comes first.
    Not(SlowStep),
}

/// What the peer sent, or how a pending command or hook ended.
enum Received {
    Input(Input),
    /// Nothing for the session.
    Nothing,
    End(End),
}

/// However the task ends, by a panic or a drop too, the node forgets the connection.
impl<S> Drop for Driver<S> {
    fn drop(&mut self) {
        self.forget();
    }
}

impl<S> Driver<S> {
    pub(super) fn forget(&self) {
        self.node.connections.forget(self.connection.id);
        self.outbound.shut();
    }

    /// The session's deadline on the runtime's clock.
    pub(super) fn due(&self) -> Instant {
        Instant::now() + self.session.deadline().saturating_sub(self.node.clock.monotonic())
    }
}

impl<S: Socket> Driver<S> {
    pub(super) fn new(node: Arc<Node>, opened: Opened, socket: S) -> Self {
        let Opened { connection, session, outbound, permit, given } = opened;
        Self {
            pending: hooks::opened(&node, &connection, &outbound, given),
            armed: session.deadline(),
            node,
            connection,
            session,
            outbound,
            socket,
            ping: false,
            listen: true,
            was_blocked: false,
            _permit: permit,
        }
    }

    /// Writes what waits; reads and decides if that is why the task was woken.
    ///
    /// By hand, for this is what every connection runs for every message: as one state it is smaller and quicker than
    /// as a `select!` of futures. Woken for its queue alone, a task looks at nothing else.
    pub(super) fn poll_fast_path(&mut self, context: &mut Context<'_>, mut timer: Pin<&mut Sleep>) -> Poll<SlowStep> {
        // A slow reader's input is read between any two waits for it.
        let mut listened = mem::take(&mut self.was_blocked);
        if listened && let Poll::Ready(step) = self.poll_inputs(timer.as_mut()) {
            return Poll::Ready(step);
        }
        loop {
            match BATCH.with_borrow_mut(|batch| self.write(context, batch)) {
                Written::All => {}
                Written::More => continue,
                Written::Not(step) => return Poll::Ready(step),
            }
            if !self.listen {
                return Poll::Pending;
            }
            if listened {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            listened = true;
            if let Poll::Ready(step) = self.poll_inputs(timer.as_mut()) {
                return Poll::Ready(step);
            }
        }
    }

    /// Reads and decides until nothing more has come, or for as long as others can wait.
    fn poll_inputs(&mut self, mut timer: Pin<&mut Sleep>) -> Poll<SlowStep> {
        // What is decided here is written in the same poll.
        self.outbound.stay_awake();
        let waker = Waker::from(self.outbound.clone());
        let context = &mut Context::from_waker(&waker);
        for _ in 0..MAX_INPUTS {
            let received = match self.poll_input(context) {
                Poll::Ready(received) => received,
                Poll::Pending if timer.as_mut().poll(context).is_ready() => Received::Input(Input::Elapsed),
                Poll::Pending => {
                    self.listen = false;
                    break;
                }
            };
            let elapsed = matches!(received, Received::Input(Input::Elapsed));
            match received {
                Received::Input(input) => self.handle(input),
                Received::Nothing => {}
                Received::End(end) => return Poll::Ready(SlowStep::End(end)),
            }
            // Moving a timer takes a lock: only when the session moved its own, or it has just fired.
            if elapsed || self.armed != self.session.deadline() {
                if elapsed {
                    self.outbound.rest();
                }
                self.armed = self.session.deadline();
                timer.as_mut().reset(self.due());
            }
            if mem::take(&mut self.ping) {
                return Poll::Ready(SlowStep::Ping);
            }
        }
        Poll::Pending
    }

    /// Writes what waits, after the gaps that come before it, as far as the kernel takes it at once.
    fn write(&mut self, context: &mut Context<'_>, batch: &mut VecDeque<Frame>) -> Written {
        // What a panic left of another connection's is not for this one.
        batch.clear();
        let Work { next, listen, outdated } = self.outbound.work(context.waker(), batch);
        self.listen |= listen;
        if !outdated.is_empty() {
            let not_watched = self.node.presence.repair(self.connection.id, outdated);
            self.outbound.look(|queue| queue.forget_outdated(&not_watched));
        }
        let then = match next {
            None => return Written::All,
            Some(Next::Close(closing)) => return Written::Not(SlowStep::End(End::Ours(closing))),
            Some(Next::Batch { gaps, last }) => {
                self.put_gaps_first(gaps, batch);
                if last { Written::More } else { Written::All }
            }
            Some(Next::Page(stream)) => {
                self.take_page(&stream, batch);
                Written::More
            }
            Some(Next::Turn) => {
                self.node.page_turns.wait(self.outbound.clone());
                return Written::More;
            }
        };
        let (mut messages, mut bytes) = (0, 0);
        for frame in &*batch {
            messages += frame.messages() as usize;
            bytes += frame.wire().len();
        }
        self.node.metrics.writes.add(messages, bytes);
        self.outbound.sent(messages);
        match self.socket.poll_send(context, batch) {
            Poll::Ready(Ok(())) => then,
            Poll::Ready(Err(_)) => Written::Not(SlowStep::End(End::Gone)),
            Poll::Pending => Written::Not(SlowStep::Write(mem::take(batch))),
        }
    }

    fn put_gaps_first(&self, gaps: Vec<Gap>, batch: &mut VecDeque<Frame>) {
        gaps.iter().for_each(|gap| self.node.gap(&self.connection, gap));
        for gap in gaps.into_iter().rev() {
            batch.push_front(self.node.control.encode(&Control::Gap(gap)));
        }
    }

    /// Takes what waits and the next page of a stream's history.
    fn take_page(&self, stream: &Route, batch: &mut VecDeque<Frame>) {
        let outbound = &self.outbound;
        let queue = |read: &mut dyn FnMut(&mut OutboundQueue)| outbound.look(read);
        let Some(page) = self.node.streams.take_page(stream, outbound.client_id(), batch, queue) else { return };
        add(&self.node.metrics.history_pages_total, 1);
        let Page { dropped, gap, frames, replies, .. } = page;
        self.put_gaps_first(dropped, batch);
        if let Some(gap) = gap {
            self.node.gap(&self.connection, &gap);
            batch.push_back(self.node.control.encode(&Control::Gap(gap)));
        }
        if self.node.traces.is_active() {
            let messages = frames.iter().map(|frame| u64::from(frame.messages())).sum();
            self.node.traces.history(&self.connection, stream, messages);
        }
        batch.extend(frames);
        batch.extend(replies.iter().map(|reply| self.node.control.encode(reply)));
    }

    /// The outcome of the pending command or hook, or else what comes from the peer.
    fn poll_input(&mut self, context: &mut Context<'_>) -> Poll<Received> {
        if let Some(pending) = &mut self.pending {
            let input = ready!(pending.as_mut().poll(context));
            self.pending = None;
            return Poll::Ready(input.map_or(Received::Nothing, Received::Input));
        }
        Poll::Ready(match ready!(self.socket.poll_receive(context)) {
            Ok(Incoming::Closed(code)) => Received::End(End::Theirs(code)),
            Ok(incoming) => self.read(incoming).map_or(Received::Nothing, Received::Input),
            Err(SocketError::Violation { code, reason }) => {
                Received::End(End::Ours(Box::new(Closing::new(code, reason))))
            }
            Err(_) => Received::End(End::Gone),
        })
    }

    /// What an incoming message means.
    fn read(&mut self, incoming: Incoming) -> Option<Input> {
        match incoming {
            Incoming::Text(text) => {
                add(&self.node.metrics.commands_total, 1);
                Some(match self.node.hooks {
                    Some(_) => Input::Hooked(Box::new(ClientMessage::new(text))),
                    None => Input::Text(decode(&text)),
                })
            }
            Incoming::Binary(_) => Some(Input::Binary),
            Incoming::Alive => Some(Input::Alive),
            _ => None,
        }
    }

    /// Lets the session decide, and carries out what it decides.
    fn handle(&mut self, input: Input) {
        let mut next = Some(input);
        // Not kept: an idle connection should not hold room for what commands need.
        let mut effects = Vec::new();
        while let Some(input) = next.take() {
            let now = self.node.clock.monotonic();
            if matches!(input, Input::Text(_) | Input::Hooked(_) | Input::Binary | Input::Alive) {
                self.outbound.received(now);
            }
            self.session.handle(now, input, &mut effects);
            for effect in effects.drain(..) {
                match effect {
                    Effect::Send(control) => {
                        if let Control::Error(error) = &control {
                            self.node.traces.refused(&self.connection, error);
                        }
                        let _ = self.outbound.send(&self.node.control.encode(&control));
                    }
                    Effect::Ping => self.ping = true,
                    Effect::Close(closing) => self.outbound.close(closing),
                    Effect::Run(run) => match effects::run(&self.node, &mut self.connection, &self.outbound, run) {
                        Outcome::Now(input) => next = Some(input),
                        Outcome::Later(pending) => self.pending = Some(pending),
                        Outcome::Nothing => {}
                    },
                    other => debug_assert!(false, "{other:?} is not carried out"),
                }
            }
        }
    }
}
