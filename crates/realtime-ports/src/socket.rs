//! A client's socket: the stream that one task owns.

use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    io,
    task::{Context, Poll},
    time::Duration,
};

use realtime_core::Frame;
use realtime_schema::{CloseCode, Closing};

/// An event of a socket. The socket itself has answered pings and joined fragments.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Incoming {
    /// A whole text message.
    Text(String),
    /// A whole binary message.
    Binary(Vec<u8>),
    /// A ping or a pong, which only shows that the peer is alive.
    Alive,
    /// The peer closed with this code, if it gave one. No event follows.
    Closed(Option<CloseCode>),
}

/// Why a socket can't be used any more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SocketError {
    /// The peer broke the protocol: close with this code.
    #[error("{reason}")]
    Violation {
        /// 1002, 1007 or 1009 (RFC 6455 section 7.4.1).
        code: CloseCode,
        /// The violation, as text.
        reason: String,
    },
    /// The transport is gone.
    #[error("the transport is gone: {0}")]
    Gone(#[from] io::Error),
}

/// One socket, owned by the one task that reads and writes it. Not object-safe, so that the hot path is not boxed.
///
/// The operations of every message are poll functions, so that an idle connection holds no futures for them.
pub trait Socket: Send + 'static {
    /// Polls for the next event.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<Incoming, SocketError>>;

    /// Writes all of `batch`, in order and in as few calls to the kernel as it takes, and leaves it empty.
    ///
    /// While it is pending, the unsent rest stays in `batch`, which the caller must pass again. A caller that stops
    /// early can only drop the socket, because the peer may have received half a frame.
    fn poll_send(&mut self, cx: &mut Context<'_>, batch: &mut VecDeque<Frame>) -> Poll<Result<(), SocketError>>;

    /// Writes a ping (RFC 6455 section 5.5.2).
    fn ping(&mut self) -> impl Future<Output = Result<(), SocketError>> + Send;

    /// Number of bytes of a batch's first frame that were written while [`Self::poll_send`] was pending. With the number
    /// of frames left it shows that a slow peer makes progress. 0, the default, if frames are written whole.
    fn partly_sent(&self) -> usize {
        0
    }

    /// Writes `frame`, the `closing` frame with the reason of the close; [`Self::close`] follows.
    fn send_closing(
        &mut self,
        closing: &Closing,
        frame: Frame,
    ) -> impl Future<Output = Result<(), SocketError>> + Send {
        let _ = closing;
        let mut batch = VecDeque::from([frame]);
        poll_fn(move |cx| self.poll_send(cx, &mut batch))
    }

    /// Writes a close frame, then reads until the peer has closed too or `close_timeout` has passed.
    fn close(&mut self, code: CloseCode, reason: &str, close_timeout: Duration) -> impl Future<Output = ()> + Send;

    /// [`Self::poll_receive`] as a future. Cancel-safe.
    fn receive(&mut self) -> impl Future<Output = Result<Incoming, SocketError>> + Send {
        poll_fn(|cx| self.poll_receive(cx))
    }

    /// [`Self::poll_send`] as a future. If it was dropped early, the caller must send the rest of the same `batch`.
    fn send(&mut self, batch: &mut VecDeque<Frame>) -> impl Future<Output = Result<(), SocketError>> + Send {
        poll_fn(|cx| self.poll_send(cx, batch))
    }
}
