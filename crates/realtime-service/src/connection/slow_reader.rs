//! What a connection does while its reader is slow: it waits for the write, for its own end, and for its token's.

use std::{
    collections::VecDeque,
    future::poll_fn,
    mem,
    task::{Context, Poll},
};

use realtime_core::{
    Frame,
    session::{Effect, Input, Session},
};
use realtime_ports::{Socket, SocketError, WebSocketConnection};
use tokio::time::{Instant, sleep_until};

use super::close::End;
use crate::{metrics::add, node::Node, outbound::Outbound};

/// A connection whose batch the kernel did not take at once.
pub(super) struct SlowReader<'a, S> {
    pub(super) node: &'a Node,
    pub(super) session: &'a mut Session,
    pub(super) outbound: &'a Outbound,
    pub(super) socket: &'a mut S,
}

impl<S: Socket> SlowReader<'_, S> {
    /// Writes `rest`. A reader that takes nothing for `write_timeout` is given up; a steady one may take as long as it
    /// needs, until the connection is to be closed: then `rest` has to be taken within `write_timeout` in all.
    pub(super) async fn write(self, rest: VecDeque<Frame>) -> Result<(), End> {
        let Self { node, session, outbound, socket } = self;
        let write_timeout = node.settings.load().liveness.write_timeout;
        let mut rest = Rest::new(rest, socket);
        let (mut until, mut closing) = (Instant::now() + write_timeout, false);
        loop {
            // No ping can be written between the halves of a message, so none is due meanwhile.
            let left =
                session.token_expires_in(node.clock.monotonic()).filter(|_| !closing && !session.is_refreshing());
            let expiry = left.map(|left| Instant::now() + left).filter(|expiry| *expiry < until);
            tokio::select! {
                biased;
                sent = poll_fn(|context| rest.poll_send(context, socket)) => match sent {
                    Sent::All(sent) => return sent.map_err(|_| End::Gone),
                    Sent::Some if closing => {}
                    Sent::Some => until = Instant::now() + write_timeout,
                },
                () = outbound.closing(), if !closing => {
                    closing = true;
                    until = Instant::now() + write_timeout;
                }
                () = sleep_until(expiry.unwrap_or(until)) => {
                    if expiry.is_none() {
                        if !closing {
                            add(&node.metrics.closed_slow_total, 1);
                        }
                        return Err(End::Gone);
                    }
                    expire(node, session, outbound);
                }
            }
        }
    }
}

/// Lets the session end with its token.
fn expire(node: &Node, session: &mut Session, outbound: &Outbound) {
    let mut effects = Vec::new();
    session.handle(node.clock.monotonic(), Input::Elapsed, &mut effects);
    for effect in effects {
        if let Effect::Close(closing) = effect {
            outbound.close(closing);
        }
    }
}

/// What is left of a batch.
struct Rest {
    frames: VecDeque<Frame>,
    /// Frames left, and bytes of the first one that were sent.
    mark: (usize, usize),
}

/// How far a write has come.
enum Sent {
    /// It has ended.
    All(Result<(), SocketError>),
    /// The peer has taken some bytes.
    Some,
}

impl Rest {
    fn new<S: Socket>(frames: VecDeque<Frame>, socket: &S) -> Self {
        Self { mark: (frames.len(), socket.partly_sent()), frames }
    }

    fn poll_send<S: Socket>(&mut self, context: &mut Context<'_>, socket: &mut S) -> Poll<Sent> {
        if let Poll::Ready(sent) = socket.poll_send(context, &mut self.frames) {
            return Poll::Ready(Sent::All(sent));
        }
        let mark = (self.frames.len(), socket.partly_sent());
        if mem::replace(&mut self.mark, mark) == mark { Poll::Pending } else { Poll::Ready(Sent::Some) }
    }
}
