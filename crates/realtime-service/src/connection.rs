//! One task per connection: read, decide, carry out; and write whatever waits.

use std::{
    cell::RefCell,
    collections::VecDeque,
    future::Future,
    mem,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use realtime_core::{
    Frame,
    auth::{Refusal, RefusalReason},
    connection::record,
    session::{Effect, Input, Opening, Session, welcome},
};
use realtime_ports::{Incoming, Socket, SocketError, WebSocketConnection};
use realtime_schema::{CloseCode, Closing, Connection, Control};
use tokio::time::{Instant, Sleep, timeout};

use crate::{
    admission::{Admission, Permit},
    effects::{self, Pending},
    metrics::add,
    outbound::{Next, Outbound, Work},
    service::Inner,
};

mod running;
mod waiting;

use running::Running;
use waiting::Waiting;

/// Records and registers a connection that was let in, with `welcome` as the first frame in its queue.
pub(crate) fn open(
    inner: &Inner,
    admission: Admission,
    socket: &Arc<dyn WebSocketConnection>,
) -> Result<(Arc<Connection>, Session, Permit), Refusal> {
    let Admission { claims, client, ping, permit } = admission;
    let (now, wall) = (inner.clock.monotonic(), inner.clock.now());
    let connection = Arc::new(record(socket.id(), &claims, client, wall));
    let opening = Opening { now, wall, ping, jitter: inner.ids.random() };
    let session = Session::open(inner.sessions.clone(), &connection, &claims, &opening);

    let hello = inner.control(&welcome(&session, &connection, now, wall));
    let gone = |_| Refusal::new(RefusalReason::Internal, "the socket was gone at once");
    socket.send(&hello).map_err(gone)?;
    if let Err(error) = inner.registry.register(connection.clone(), socket.clone()) {
        tracing::error!(%error, "an id was given twice");
        return Err(Refusal::new(RefusalReason::Internal, "the connection could not be registered"));
    }
    inner.pubsub.attach(socket.clone(), inner.settings.limits.subscriptions);
    if inner.admissions.is_draining() {
        // Let in before the drain began and registered after it had told everyone.
        socket.close(inner.drained());
    }
    add(&inner.metrics.connections_total, 1);
    tracing::debug!(connection = %connection.id, user = %connection.user, "connected");
    Ok((connection, session, permit))
}

/// Opens one connection and runs it until it is over.
pub(crate) fn serve<S: Socket>(
    inner: Arc<Inner>,
    admission: Admission,
    socket: S,
) -> impl Future<Output = ()> + Send + use<S> {
    match Driver::open(inner, admission, socket) {
        Ok(driver) => Running::new(driver),
        Err(refused) => Running::refused(*refused),
    }
}

/// A connection that could not be opened after all.
struct Refused<S> {
    inner: Arc<Inner>,
    socket: S,
    refusal: Refusal,
}

impl<S: Socket> Refused<S> {
    async fn tell(mut self) {
        let closing = Closing::new(self.refusal.close, self.refusal.message.as_str());
        goodbye(&self.inner, &mut self.socket, End::Ours(Box::new(closing))).await;
    }
}

/// How a connection came to its end.
enum End {
    /// We close it.
    Ours(Box<Closing>),
    /// The peer closed it.
    Theirs(Option<CloseCode>),
    /// The transport is gone, or stuck with a half-written frame.
    Gone,
}

thread_local! {
    /// What is being written by this thread. Shared by its connections, so that one at rest holds no room for it.
    static BATCH: RefCell<VecDeque<Frame>> = RefCell::default();
}

/// What is heard in one turn at the most: whoever sends a lot lets others have theirs.
const HEARD_IN_A_ROW: usize = 16;

/// What a connection's task holds.
///
/// In this order, so that all that a delivery touches lies side by side: with many connections, what a message costs
/// beside the write is mostly the cache lines that it has to fetch.
#[repr(C)]
struct Driver<S> {
    outbound: Arc<Outbound>,
    inner: Arc<Inner>,
    /// The peer, the timer or what is pending may have something, and will not say so again.
    listen: bool,
    /// The last write had to wait for the peer.
    was_blocked: bool,
    /// The session wants the peer to be pinged.
    ping: bool,
    socket: S,
    /// A command or a hook that is under way; nothing more is read until it is done.
    pending: Option<Pending>,
    connection: Arc<Connection>,
    session: Session,
    /// When the timer goes off, on the service's clock.
    armed: Duration,
    _permit: Permit,
}

/// Whatever ends the task, a panic or a drop included, the node forgets the connection.
impl<S> Drop for Driver<S> {
    fn drop(&mut self) {
        self.inner.forget(self.connection.id);
        self.outbound.shut();
    }
}

impl<S: Socket> Driver<S> {
    fn open(inner: Arc<Inner>, admission: Admission, socket: S) -> Result<Self, Box<Refused<S>>> {
        let id = inner.ids.connection_id();
        let outbound = Arc::new(Outbound::new(id, admission.client.clone(), inner.outbound.clone()));
        match open(&inner, admission, &(outbound.clone() as Arc<dyn WebSocketConnection>)) {
            Ok((connection, session, permit)) => {
                let pending = effects::opened(&inner, &connection);
                let armed = session.deadline();
                Ok(Self {
                    inner,
                    connection,
                    session,
                    outbound,
                    socket,
                    pending,
                    ping: false,
                    listen: true,
                    was_blocked: false,
                    armed,
                    _permit: permit,
                })
            }
            Err(refusal) => Err(Box::new(Refused { inner, socket, refusal })),
        }
    }

    /// What is rare, which takes the driver with it. Gives it back if the connection goes on.
    async fn rarely(mut self, turn: Turn) -> Option<Self> {
        let went = match turn {
            Turn::Blocked(rest) => self.unblocked(rest).await,
            Turn::Ping => self.ping().await,
            Turn::End(end) => Err(end),
        };
        match went {
            Ok(()) => {
                // What was waited for may have taken the place of what the socket was to wake the task for.
                self.listen = true;
                Some(self)
            }
            Err(end) => {
                self.end(end).await;
                None
            }
        }
    }

    async fn end(&mut self, end: End) {
        self.inner.forget(self.connection.id);
        self.outbound.shut();
        let code = goodbye(&self.inner, &mut self.socket, end).await;
        tracing::debug!(connection = %self.connection.id, code = code.map(|code| code.0), "disconnected");
        effects::closed(&self.inner, &self.connection, code).await;
    }

    /// Writes what waits; hears and decides if that is why the task was woken.
    ///
    /// By hand, for this is what every connection runs for every message: as one state it is smaller and quicker than
    /// as a `select!` of futures. Woken for its queue alone, a task looks at nothing else.
    fn poll_turn(&mut self, context: &mut Context<'_>, mut timer: Pin<&mut Sleep>) -> Poll<Turn> {
        // Whoever reads slowly is listened to between any two waits for it.
        let mut listened = mem::take(&mut self.was_blocked);
        if listened && let Poll::Ready(turn) = self.poll_listen(timer.as_mut()) {
            return Poll::Ready(turn);
        }
        loop {
            match BATCH.with_borrow_mut(|batch| self.write(context, batch)) {
                Wrote::All => {}
                Wrote::AllButGoodbye => continue,
                Wrote::Not(turn) => return Poll::Ready(turn),
            }
            if !self.listen {
                return Poll::Pending;
            }
            if listened {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            listened = true;
            if let Poll::Ready(turn) = self.poll_listen(timer.as_mut()) {
                return Poll::Ready(turn);
            }
        }
    }

    /// Hears and decides until nothing more has come, or for as long as others can wait.
    fn poll_listen(&mut self, mut timer: Pin<&mut Sleep>) -> Poll<Turn> {
        // What is decided here is written in the same turn.
        self.outbound.stay_awake();
        let waker = Waker::from(self.outbound.clone());
        let context = &mut Context::from_waker(&waker);
        for _ in 0..HEARD_IN_A_ROW {
            let heard = match self.poll_hear(context) {
                Poll::Ready(heard) => heard,
                Poll::Pending if timer.as_mut().poll(context).is_ready() => Heard::Input(Input::Elapsed),
                Poll::Pending => {
                    self.listen = false;
                    break;
                }
            };
            let elapsed = matches!(heard, Heard::Input(Input::Elapsed));
            match heard {
                Heard::Input(input) => self.handle(input),
                Heard::Nothing => {}
                Heard::End(end) => return Poll::Ready(Turn::End(end)),
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
                return Poll::Ready(Turn::Ping);
            }
        }
        Poll::Pending
    }

    /// Writes what waits, after the gaps that are to be told before it, as far as the kernel takes it at once.
    fn write(&mut self, context: &mut Context<'_>, batch: &mut VecDeque<Frame>) -> Wrote {
        // What a panic left of another connection's is not for this one.
        batch.clear();
        let Work { next, listen } = self.outbound.work(context.waker(), batch);
        self.listen |= listen;
        let last = match next {
            None => return Wrote::All,
            Some(Next::Close(closing)) => return Wrote::Not(Turn::End(End::Ours(closing))),
            Some(Next::Batch { gaps, last }) => {
                for gap in gaps.into_iter().rev() {
                    batch.push_front(self.inner.control(&Control::Gap(gap)));
                }
                last
            }
        };
        let (mut messages, mut bytes) = (0, 0);
        for frame in &*batch {
            messages += frame.messages() as usize;
            bytes += frame.wire().len();
        }
        self.inner.metrics.writes.add(messages, bytes);
        match self.socket.poll_send(context, batch) {
            Poll::Ready(Ok(())) if last => Wrote::AllButGoodbye,
            Poll::Ready(Ok(())) => Wrote::All,
            Poll::Ready(Err(_)) => Wrote::Not(Turn::End(End::Gone)),
            Poll::Pending => Wrote::Not(Turn::Blocked(mem::take(batch))),
        }
    }

    /// What comes from the peer, or from what it asked for; nothing is read while that is under way.
    fn poll_hear(&mut self, context: &mut Context<'_>) -> Poll<Heard> {
        if let Some(pending) = &mut self.pending {
            let input = ready!(pending.as_mut().poll(context));
            self.pending = None;
            return Poll::Ready(input.map_or(Heard::Nothing, Heard::Input));
        }
        Poll::Ready(match ready!(self.socket.poll_receive(context)) {
            Ok(Incoming::Closed(code)) => Heard::End(End::Theirs(code)),
            Ok(incoming) => self.read(incoming).map_or(Heard::Nothing, Heard::Input),
            Err(SocketError::Gone(_)) => Heard::End(End::Gone),
            Err(SocketError::Violation { code, reason }) => Heard::End(End::Ours(Box::new(Closing::new(code, reason)))),
        })
    }

    /// What an incoming message means; a text goes by the application's hook first, if it has one.
    fn read(&mut self, incoming: Incoming) -> Option<Input> {
        match incoming {
            Incoming::Text(text) => {
                add(&self.inner.metrics.commands_total, 1);
                if self.inner.handler.is_some() {
                    self.pending = Some(effects::message(&self.inner, &self.connection, text));
                    return None;
                }
                Some(effects::text(&text))
            }
            Incoming::Binary(_) => Some(Input::Binary),
            Incoming::Alive => Some(Input::Alive),
            Incoming::Closed(_) => None,
        }
    }

    /// Lets the session decide, and carries out what it decides.
    fn handle(&mut self, input: Input) {
        let mut next = Some(input);
        // Not kept: a connection at rest should not hold room for what commands need.
        let mut effects = Vec::new();
        while let Some(input) = next.take() {
            self.session.handle(self.inner.clock.monotonic(), input, &mut effects);
            for effect in effects.drain(..) {
                match effect {
                    Effect::Send(control) => {
                        let _ = self.outbound.send(&self.inner.control(&control));
                    }
                    Effect::Ping => self.ping = true,
                    Effect::Close(closing) => self.outbound.close(closing),
                    Effect::Run(run) => match effects::run(&self.inner, &mut self.connection, &self.outbound, run) {
                        effects::Outcome::Now(input) => next = Some(input),
                        effects::Outcome::Later(pending) => self.pending = Some(pending),
                        effects::Outcome::Nothing => {}
                    },
                }
            }
        }
    }

    async fn ping(&mut self) -> Result<(), End> {
        let patience = self.inner.settings.liveness.write_timeout;
        match timeout(patience, self.socket.ping()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Gone),
        }
    }

    /// Waits until the kernel has taken the rest of a batch, unless the reader is too slow or the connection is to
    /// end meanwhile.
    async fn unblocked(&mut self, mut rest: VecDeque<Frame>) -> Result<(), End> {
        self.was_blocked = true;
        self.outbound.is_blocked();
        let send = pin!(self.socket.send(&mut rest));
        let refreshing = self.pending.is_some();
        let (inner, session, outbound) = (&self.inner, &mut self.session, &self.outbound);
        Waiting { inner, session, outbound, refreshing }.write(send).await
    }

    /// The session's deadline on the runtime's clock.
    fn due(&self) -> Instant {
        due(&self.session, &self.inner)
    }
}

fn due(session: &Session, inner: &Inner) -> Instant {
    Instant::now() + session.deadline().saturating_sub(inner.clock.monotonic())
}

/// What a connection's task has to wait for, or be done with.
enum Turn {
    /// The kernel did not take all of a batch: this is left.
    Blocked(VecDeque<Frame>),
    /// A ping is to be written.
    Ping,
    End(End),
}

/// What became of what was to be written.
enum Wrote {
    /// Nothing is left.
    All,
    /// Nothing but a goodbye.
    AllButGoodbye,
    /// It was not all written: this comes first.
    Not(Turn),
}

/// What was heard from the peer or from what it asked for.
enum Heard {
    Input(Input),
    /// Nothing that the session is to know.
    Nothing,
    End(End),
}

/// Says why, closes, and waits for the peer to have heard it. Answers with the code of the close.
async fn goodbye<S: Socket>(inner: &Inner, socket: &mut S, end: End) -> Option<CloseCode> {
    let patience = inner.settings.liveness.close_timeout;
    match end {
        End::Gone => None,
        End::Theirs(code) => {
            let answer = code.filter(|code| code.0 != 1005).unwrap_or(CloseCode::NORMAL);
            socket.close(answer, "", patience).await;
            code
        }
        End::Ours(closing) => {
            let mut last = VecDeque::from([inner.control(&Control::Closing((*closing).clone()))]);
            if let Ok(Ok(())) = timeout(patience, socket.send(&mut last)).await {
                socket.close(closing.code, &closing.reason, patience).await;
            }
            Some(closing.code)
        }
    }
}

/// A future that is boxed because it is rare: a resting connection should not pay for its size.
pub(crate) type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;
