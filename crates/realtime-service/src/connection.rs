//! One task per connection: read, decide, carry out; and write whatever waits.

use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
};

use realtime_core::{
    Frame,
    auth::Refusal,
    connection::record,
    session::{Effect, Input, Opening, Session, welcome},
};
use realtime_ports::{Incoming, Socket, SocketError, WebSocketConnection};
use realtime_schema::{CloseCode, Closing, Connection, Control, ErrorCode};
use tokio::time::{Instant, sleep_until, timeout};

use crate::{
    admission::{Admission, Permit},
    effects::{self, Pending},
    metrics::add,
    outbound::{Next, Outbound},
    service::Inner,
};

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
    let gone = |_| Refusal::new(ErrorCode::Internal, CloseCode::SERVER_FAULT, "the socket was gone at once");
    socket.send(&hello).map_err(gone)?;
    if let Err(error) = inner.registry.register(connection.clone(), socket.clone()) {
        tracing::error!(%error, "an id was given twice");
        return Err(Refusal::new(
            ErrorCode::Internal,
            CloseCode::SERVER_FAULT,
            "the connection could not be registered",
        ));
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
///
/// The future is as small as it can be, for it is what a connection at rest costs: what is done once or rarely is
/// done before it or boxed within it.
pub(crate) fn serve<S: Socket>(
    inner: Arc<Inner>,
    admission: Admission,
    socket: S,
) -> impl Future<Output = ()> + Send + use<S> {
    let mut opened = Driver::open(inner, admission, socket);
    async move {
        match &mut opened {
            Ok(driver) => driver.live().await,
            Err(refused) => Box::pin(refused.tell()).await,
        }
    }
}

/// A connection that could not be opened after all.
struct Refused<S> {
    inner: Arc<Inner>,
    socket: S,
    refusal: Refusal,
}

impl<S: Socket> Refused<S> {
    async fn tell(&mut self) {
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

/// Batches that are written before the peer is listened to again: who is sent a lot must still be heard.
const WRITES_IN_A_ROW: u8 = 16;

/// What a connection's task holds.
struct Driver<S> {
    inner: Arc<Inner>,
    connection: Arc<Connection>,
    session: Session,
    outbound: Arc<Outbound>,
    socket: S,
    /// A command or a hook that is under way; nothing more is read until it is done.
    pending: Option<Pending>,
    /// The session wants the peer to be pinged.
    ping: bool,
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
                Ok(Self { inner, connection, session, outbound, socket, pending, ping: false, _permit: permit })
            }
            Err(refusal) => Err(Box::new(Refused { inner, socket, refusal })),
        }
    }

    async fn live(&mut self) {
        let end = self.run().await;
        self.inner.forget(self.connection.id);
        self.outbound.shut();
        let code = Box::pin(goodbye(&self.inner, &mut self.socket, end)).await;
        tracing::debug!(connection = %self.connection.id, code = code.map(|code| code.0), "disconnected");
        effects::closed(&self.inner, &self.connection, code).await;
    }

    async fn run(&mut self) -> End {
        let mut batch = VecDeque::new();
        let mut armed = self.session.deadline();
        let mut deadline = pin!(sleep_until(self.due()));
        let mut writes = 0_u8;
        loop {
            let listen = writes >= WRITES_IN_A_ROW;
            // A block of its own, so that the task does not keep room for an event that was acted on.
            let step = {
                let event = tokio::select! {
                    biased;
                    next = self.outbound.next(&mut batch), if !listen => Event::Write(next),
                    input = done(&mut self.pending) => Event::Done(input),
                    incoming = self.socket.receive(), if self.pending.is_none() => Event::Read(incoming),
                    () = deadline.as_mut() => Event::Elapsed,
                    () = std::future::ready(()), if listen => Event::Nothing,
                };
                self.react(event, &mut batch)
            };
            match step {
                Step::Write => match self.write(&mut batch).await {
                    Ok(Took::NoTime) => writes = writes.saturating_add(1),
                    Ok(Took::Time) => writes = WRITES_IN_A_ROW,
                    Err(end) => return end,
                },
                Step::End(end) => return end,
                Step::Decided { elapsed } => {
                    writes = 0;
                    if std::mem::take(&mut self.ping) && Box::pin(self.ping()).await.is_err() {
                        return End::Gone;
                    }
                    // Moving a timer takes a lock: only when the session moved its own, or it has just fired.
                    if elapsed || armed != self.session.deadline() {
                        armed = self.session.deadline();
                        deadline.as_mut().reset(self.due());
                    }
                }
            }
        }
    }

    /// What is to be done about an event, as far as it needs no waiting.
    fn react(&mut self, event: Event, batch: &mut VecDeque<Frame>) -> Step {
        let elapsed = matches!(event, Event::Elapsed);
        let input = match event {
            Event::Write(Next::Close(closing)) => return Step::End(End::Ours(closing)),
            Event::Write(Next::Batch(gaps)) => {
                for gap in gaps.into_iter().rev() {
                    batch.push_front(self.inner.control(&Control::Gap(gap)));
                }
                return Step::Write;
            }
            Event::Done(input) => {
                self.pending = None;
                input
            }
            Event::Elapsed => Some(Input::Elapsed),
            Event::Nothing => None,
            Event::Read(Ok(Incoming::Closed(code))) => return Step::End(End::Theirs(code)),
            Event::Read(Ok(incoming)) => self.read(incoming),
            Event::Read(Err(SocketError::Gone(_))) => return Step::End(End::Gone),
            Event::Read(Err(SocketError::Violation { code, reason })) => {
                return Step::End(End::Ours(Box::new(Closing::new(code, reason))));
            }
        };
        if let Some(input) = input {
            self.handle(input);
        }
        Step::Decided { elapsed }
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
        let patience = self.inner.settings.write_timeout;
        match timeout(patience, self.socket.ping()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Gone),
        }
    }

    /// Writes the whole batch, unless the reader is too slow or the connection is to end meanwhile.
    async fn write(&mut self, batch: &mut VecDeque<Frame>) -> Result<Took, End> {
        let metrics = &self.inner.metrics;
        add(&metrics.writes_total, 1);
        add(&metrics.frames_out_total, batch.len());
        add(&metrics.bytes_out_total, batch.iter().map(|frame| frame.wire().len()).sum());

        let mut send = pin!(self.socket.send(batch));
        // Mostly the kernel takes it all at once, and no clock is looked at.
        if let Poll::Ready(sent) = poll_fn(|context| Poll::Ready(send.as_mut().poll(context))).await {
            return sent.map(|()| Took::NoTime).map_err(|_| End::Gone);
        }
        let waiting = Waiting { inner: &self.inner, session: &mut self.session, outbound: &self.outbound };
        Box::pin(waiting.write(send)).await.map(|()| Took::Time)
    }

    /// The session's deadline on the runtime's clock.
    fn due(&self) -> Instant {
        due(&self.session, &self.inner)
    }
}

fn due(session: &Session, inner: &Inner) -> Instant {
    Instant::now() + session.deadline().saturating_sub(inner.clock.monotonic())
}

/// A connection whose reader is slow: the kernel did not take its batch at once.
struct Waiting<'a> {
    inner: &'a Inner,
    session: &'a mut Session,
    outbound: &'a Outbound,
}

impl Waiting<'_> {
    async fn write(self, mut send: Pin<&mut impl Future<Output = Result<(), SocketError>>>) -> Result<(), End> {
        let settings = &self.inner.settings;
        let mut patience = Instant::now() + settings.write_timeout;
        let mut closing = false;
        loop {
            // No ping can be written between the halves of a message, so none is due: `patience` bounds the silence.
            let expiry = self.session.token_lasts(self.inner.clock.monotonic()).filter(|_| !closing);
            let due = expiry.map_or(patience, |left| patience.min(Instant::now() + left));
            tokio::select! {
                biased;
                sent = &mut send => return sent.map_err(|_| End::Gone),
                () = self.outbound.closing(), if !closing => {
                    closing = true;
                    patience = patience.min(Instant::now() + settings.close_timeout);
                }
                () = sleep_until(due) => {
                    if Instant::now() >= patience {
                        if !closing {
                            add(&self.inner.metrics.closed_slow_total, 1);
                        }
                        return Err(End::Gone);
                    }
                    // The token's end came first.
                    let mut effects = Vec::new();
                    self.session.handle(self.inner.clock.monotonic(), Input::Elapsed, &mut effects);
                    for effect in effects {
                        if let Effect::Close(closing) = effect {
                            self.outbound.close(closing);
                        }
                    }
                }
            }
        }
    }
}

/// Whether the kernel took a batch at once.
enum Took {
    NoTime,
    Time,
}

/// What woke the task.
enum Event {
    Write(Next),
    Done(Option<Input>),
    Read(Result<Incoming, SocketError>),
    /// The session's deadline has come.
    Elapsed,
    /// Nothing was there to be read or done.
    Nothing,
}

/// What is to be done next.
enum Step {
    /// Write the batch.
    Write,
    /// Go on; the session has decided, because its deadline came or something else happened.
    Decided {
        elapsed: bool,
    },
    End(End),
}

/// Waits for what is under way; for ever if nothing is.
async fn done(pending: &mut Option<Pending>) -> Option<Input> {
    match pending {
        Some(pending) => Pin::new(pending).await,
        None => std::future::pending().await,
    }
}

/// Says why, closes, and waits for the peer to have heard it. Answers with the code of the close.
async fn goodbye<S: Socket>(inner: &Inner, socket: &mut S, end: End) -> Option<CloseCode> {
    let patience = inner.settings.close_timeout;
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
