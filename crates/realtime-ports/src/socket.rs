//! A client's socket: the handle that others send through, and the stream that one task owns.

use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    io,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use realtime_core::Frame;
use realtime_schema::{ClientId, CloseCode, Closing, ConnectionId};

/// The handle of one connection, shared by everyone who sends to it. Hot: nothing here blocks.
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait WebSocketConnection: Send + Sync {
    /// The connection.
    fn id(&self) -> ConnectionId;

    /// The client that it named itself, for messages that leave it out.
    fn client(&self) -> Option<ClientId>;

    /// Whether it still takes frames.
    fn is_open(&self) -> bool;

    /// Whether a quarter of what may wait for it does so through no fault of its reader: its task has had no turn yet.
    /// Whoever has much to send lets it have one first.
    fn is_behind(&self) -> bool {
        false
    }

    /// Queues `frame` behind what waits already.
    ///
    /// # Errors
    /// [`SendError::Closed`] when the connection is closing or gone, [`SendError::Full`] when the queue is full
    /// and its policy was to close: the connection is then closing with 4513.
    fn send(&self, frame: &Frame) -> Result<(), SendError>;

    /// Says why with a `closing` frame, then closes, with the code and the reason of `closing`. Does not wait.
    /// Only the first call counts.
    fn close(&self, closing: Closing);
}

/// What is done with each socket of a selection: a closure, mostly.
pub trait SocketVisitor {
    /// Called with each socket, while its place in the registry or the topic is locked: it must not block.
    fn visit(&mut self, socket: &Arc<dyn WebSocketConnection>);
}

impl<F: FnMut(&Arc<dyn WebSocketConnection>)> SocketVisitor for F {
    fn visit(&mut self, socket: &Arc<dyn WebSocketConnection>) {
        self(socket);
    }
}

/// Why a frame was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The connection is closing or gone.
    #[error("the connection is closed")]
    Closed,
    /// The queue was full; the connection is closing with 4513.
    #[error("the connection's queue is full")]
    Full,
}

/// What a socket yields. Pings are answered and fragments joined before this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A whole text message.
    Text(String),
    /// A whole binary message.
    Binary(Vec<u8>),
    /// Only proof of life: a ping or a pong.
    Alive,
    /// The peer said goodbye with this code, if it gave one. Nothing more comes.
    Closed(Option<CloseCode>),
}

/// Why a socket can't go on.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// The peer broke the protocol: close with this code.
    #[error("{reason}")]
    Violation {
        /// 1002, 1007 or 1009 (RFC 6455 section 7.4.1).
        code: CloseCode,
        /// What it did.
        reason: String,
    },
    /// The transport is gone; nobody is there to tell.
    #[error("the transport is gone: {0}")]
    Gone(#[from] io::Error),
}

/// One socket, owned by the one task that reads and writes it. Not object-safe, so that the hot path is not boxed.
///
/// What happens for every message is polled, so that a connection at rest holds no futures for it.
pub trait Socket: Send + 'static {
    /// What comes next, once it is here.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<Incoming, SocketError>>;

    /// Writes all of `batch`, in order and in as few calls to the kernel as it takes, and leaves it empty.
    ///
    /// While it is pending, what is left of the batch stays in it and is to be handed in again: whoever gives up
    /// half-way is left with a socket that is only fit to be dropped, for the peer may have half a frame.
    fn poll_send(&mut self, cx: &mut Context<'_>, batch: &mut VecDeque<Frame>) -> Poll<Result<(), SocketError>>;

    /// Writes a ping (RFC 6455 section 5.5.2).
    fn ping(&mut self) -> impl Future<Output = Result<(), SocketError>> + Send;

    /// Writes a close frame, then reads on until the peer has closed too or `patience` is over.
    fn close(&mut self, code: CloseCode, reason: &str, patience: Duration) -> impl Future<Output = ()> + Send;

    /// [`Self::poll_receive`] as a future. Cancel-safe.
    fn receive(&mut self) -> impl Future<Output = Result<Incoming, SocketError>> + Send {
        poll_fn(|cx| self.poll_receive(cx))
    }

    /// [`Self::poll_send`] as a future. After it was dropped half-way, the same `batch` is to be sent on.
    fn send(&mut self, batch: &mut VecDeque<Frame>) -> impl Future<Output = Result<(), SocketError>> + Send {
        poll_fn(|cx| self.poll_send(cx, batch))
    }
}
