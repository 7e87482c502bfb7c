//! One WebSocket: tungstenite reads frames and makes control frames; ready-made frames go straight to the stream.
//!
//! tungstenite is used without its stream: it is fed what was read, and what it wants to write is kept in `out`,
//! which is written between whole frames. So its output can never be mixed into ours, and a connection at rest
//! holds neither its state nor a read buffer.

use std::{
    cell::RefCell,
    collections::VecDeque,
    future::poll_fn,
    io::{self, Error, ErrorKind, IoSlice, Read, Write},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use realtime_core::Frame;
use realtime_ports::{Incoming, Socket, SocketError};
use realtime_schema::CloseCode;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf},
    time::timeout,
};
use tokio_tungstenite::tungstenite::{
    self, Message, Utf8Bytes,
    protocol::{CloseFrame, Role, WebSocketContext},
};

use super::{
    config::WsConfig,
    tracker::{FrameTracker, TooManyFragments},
    transport::Transport,
};

/// The buffer that all sockets of a thread share: what is read at once, and what small frames are gathered in.
const SCRATCH_BYTES: usize = 64 * 1024;
/// What is read from a socket at once.
const READ_BYTES: usize = 16 * 1024;
/// Frames up to this size cost less to copy together than to hand to the kernel piece by piece.
const SMALL_FRAME: usize = 4 * 1024;
/// How many large frames one call hands to the kernel at most.
const MAX_SLICES: usize = 64;
/// The longest reason that fits into a close frame beside its code (RFC 6455 section 5.5).
const MAX_REASON_BYTES: usize = 123;
/// A ping without a payload.
const PING: [u8; 2] = [0x89, 0x00];

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH_BYTES].into());
}

/// A WebSocket after its handshake, as its server sees it.
#[derive(Debug)]
pub struct WsSocket<S = Transport> {
    stream: S,
    config: Arc<WsConfig>,
    /// `None` when the socket is idle.
    busy: Option<Box<Busy>>,
    /// How much of a batch's first frame the peer has: until it has the rest, nothing else can be written.
    written: usize,
    /// The peer sent a close frame or broke the protocol: what it sends from now on is ignored.
    ended: bool,
}

/// The state of a socket while it receives a message or writes control frames.
#[derive(Debug, Default)]
struct Busy {
    /// Only while a message is incomplete.
    context: Option<WebSocketContext>,
    tracker: FrameTracker,
    /// Read from the stream, and not yet by tungstenite: only while several messages came at once.
    unread: VecDeque<u8>,
    /// Control frames to be written before anything else.
    out: Vec<u8>,
}

impl Busy {
    /// Whether all of it can be dropped.
    fn is_done(&self) -> bool {
        self.context.is_none() && self.unread.is_empty() && self.out.is_empty() && self.tracker.is_between_messages()
    }
}

/// What tungstenite sees in place of a stream: bytes that were read already, and room for what it writes.
struct Feed<'a> {
    unread: &'a mut VecDeque<u8>,
    out: &'a mut Vec<u8>,
    tracker: &'a mut FrameTracker,
    max_fragments: u32,
}

impl Read for Feed<'_> {
    /// Never hands on more than the present frame, so that between two messages tungstenite holds nothing.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let (front, _) = self.unread.as_slices();
        if front.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        let most = front.len().min(buf.len());
        let n = self.tracker.advance(&front[..most], self.max_fragments).map_err(Error::other)?;
        buf[..n].copy_from_slice(&front[..n]);
        self.unread.drain(..n);
        Ok(n)
    }
}

impl Write for Feed<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.out.extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> WsSocket<S> {
    /// A socket over `stream`, on which the handshake is done; `read` came with the handshake already.
    pub fn new(stream: S, read: Vec<u8>, config: Arc<WsConfig>) -> Self {
        let unread = VecDeque::from(read);
        let busy = (!unread.is_empty()).then(|| Box::new(Busy { unread, ..Busy::default() }));
        Self { stream, busy, written: 0, ended: false, config }
    }

    /// Runs tungstenite on the bytes that were read; its output goes to `out`.
    fn with_context<T>(&mut self, work: impl FnOnce(&mut WebSocketContext, &mut Feed<'_>) -> T) -> T {
        let config = &self.config;
        let Busy { context, tracker, unread, out } = &mut **self.busy.get_or_insert_default();
        let context =
            context.get_or_insert_with(|| WebSocketContext::new(Role::Server, Some(config.for_tungstenite())));
        let feed = &mut Feed { unread, out, tracker, max_fragments: config.max_fragments };
        work(context, feed)
    }

    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Result<Incoming, SocketError>> {
        if self.written > 0 || self.ended {
            return Poll::Ready(Err(SocketError::Gone(ErrorKind::NotConnected.into())));
        }
        loop {
            // Nothing is read while a control frame waits: a peer that does not read its pongs gets no more of them.
            ready!(self.poll_out(cx))?;
            if self.busy.as_ref().is_some_and(|busy| !busy.unread.is_empty()) {
                match self.next_message() {
                    Ok(None) => {}
                    Ok(Some(incoming)) => {
                        self.ended = matches!(incoming, Incoming::Closed(_));
                        return Poll::Ready(Ok(incoming));
                    }
                    Err(error) => {
                        self.ended = true;
                        return Poll::Ready(Err(error));
                    }
                }
                if self.busy.as_ref().is_some_and(|busy| !busy.out.is_empty()) {
                    continue;
                }
            }
            ready!(self.poll_fill(cx))?;
        }
    }

    /// The next complete message among the bytes that were read.
    fn next_message(&mut self) -> Result<Option<Incoming>, SocketError> {
        loop {
            let read = self.with_context(|context, feed| {
                let read = context.read(feed);
                // A pong or the answer to a close is made by now; take it out.
                let _ = context.flush(feed);
                read
            });
            let incoming = match read {
                Ok(Message::Text(text)) => Some(Incoming::Text(text.as_str().to_owned())),
                Ok(Message::Binary(bytes)) => Some(Incoming::Binary(bytes.to_vec())),
                Ok(Message::Ping(_) | Message::Pong(_)) => Some(Incoming::Alive),
                Ok(Message::Close(frame)) => Some(Incoming::Closed(frame.map(|frame| CloseCode(frame.code.into())))),
                Ok(Message::Frame(_)) => continue,
                Err(tungstenite::Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => None,
                Err(error) => return Err(self.refusal(error)),
            };
            if let Some(busy) = &mut self.busy
                && busy.tracker.is_between_messages()
                && !matches!(incoming, Some(Incoming::Closed(_)))
            {
                busy.context = None;
            }
            self.release();
            return Ok(incoming);
        }
    }

    /// Drops the state if nothing is pending.
    fn release(&mut self) {
        if self.busy.as_ref().is_some_and(|busy| busy.is_done()) {
            self.busy = None;
        }
    }

    /// Reads from the stream into `unread`.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SocketError>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(&mut scratch[..READ_BYTES]);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
            let read = buffer.filled();
            if read.is_empty() {
                return Poll::Ready(Err(SocketError::Gone(ErrorKind::UnexpectedEof.into())));
            }
            self.busy.get_or_insert_default().unread.extend(read);
            Poll::Ready(Ok(()))
        })
    }

    fn refusal(&self, error: tungstenite::Error) -> SocketError {
        let (code, reason) = match error {
            tungstenite::Error::Io(error) if error.get_ref().is_some_and(|error| error.is::<TooManyFragments>()) => {
                (CloseCode::TOO_LARGE, format!("a message in more than {} fragments", self.config.max_fragments))
            }
            tungstenite::Error::Io(error) => return SocketError::Gone(error),
            tungstenite::Error::Capacity(_) => {
                let config = &self.config;
                let reason = format!(
                    "larger than limits.max_message_bytes ({}) or limits.max_frame_bytes ({})",
                    config.max_message_bytes, config.max_frame_bytes
                );
                (CloseCode::TOO_LARGE, reason)
            }
            tungstenite::Error::Utf8(_) => (CloseCode::INVALID_TEXT, "text that is not UTF-8".to_owned()),
            error => (CloseCode::PROTOCOL, error.to_string()),
        };
        SocketError::Violation { code, reason }
    }

    /// Writes the control frames that wait.
    fn poll_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(busy) = &mut self.busy else { return Poll::Ready(Ok(())) };
        if busy.out.is_empty() {
            return Poll::Ready(Ok(()));
        }
        while !busy.out.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &busy.out))?;
            if written == 0 {
                return Poll::Ready(Err(ErrorKind::WriteZero.into()));
            }
            busy.out.drain(..written);
        }
        self.release();
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    async fn write_out(&mut self) -> io::Result<()> {
        if self.written > 0 {
            return Err(ErrorKind::NotConnected.into());
        }
        poll_fn(|cx| self.poll_out(cx)).await
    }

    /// Writes what is left of a batch.
    fn poll_batch(&mut self, cx: &mut Context<'_>, batch: &mut VecDeque<Frame>) -> Poll<io::Result<()>> {
        while let Some(first) = batch.front() {
            // Of another batch than the one that was begun there may be less.
            let rest = first.wire().get(self.written..).ok_or(ErrorKind::NotConnected)?;
            let written = match batch.get(1) {
                None => ready!(Pin::new(&mut self.stream).poll_write(cx, rest))?,
                Some(second) if rest.len().max(second.wire().len()) <= SMALL_FRAME => {
                    ready!(self.poll_gathered(cx, batch))?
                }
                Some(_) => {
                    let mut slices = [IoSlice::new(&[]); MAX_SLICES];
                    let used = batch.len().min(MAX_SLICES);
                    for (slice, frame) in slices.iter_mut().zip(batch.iter()) {
                        *slice = IoSlice::new(frame.wire());
                    }
                    slices[0] = IoSlice::new(rest);
                    ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, &slices[..used]))?
                }
            };
            if written == 0 {
                return Poll::Ready(Err(ErrorKind::WriteZero.into()));
            }
            self.written += written;
            while let Some(frame) = batch.front()
                && self.written >= frame.wire().len()
            {
                self.written -= frame.wire().len();
                batch.pop_front();
            }
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Writes as many frames as fit into the buffer of this thread, in one piece.
    fn poll_gathered(&mut self, cx: &mut Context<'_>, batch: &VecDeque<Frame>) -> Poll<io::Result<usize>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let (mut filled, mut skip) = (0, self.written);
            for frame in batch {
                let bytes = &frame.wire()[skip..];
                let Some(room) = scratch.get_mut(filled..filled + bytes.len()) else { break };
                room.copy_from_slice(bytes);
                filled += bytes.len();
                skip = 0;
            }
            Pin::new(&mut self.stream).poll_write(cx, &scratch[..filled])
        })
    }

    /// Writes a message that is not a ready-made frame, such as an echo.
    ///
    /// # Errors
    /// The stream is gone.
    pub async fn echo(&mut self, message: Incoming) -> Result<(), SocketError> {
        let message = match message {
            Incoming::Text(text) => Message::text(text),
            Incoming::Binary(bytes) => Message::binary(bytes),
            _ => return Ok(()),
        };
        let written =
            self.with_context(|context, feed| context.write(feed, message).and_then(|()| context.flush(feed)));
        written.map_err(|error| self.refusal(error))?;
        Ok(self.write_out().await?)
    }

    /// Writes the close frame, unless it was written already, ends the write half, and reads until the peer ends its
    /// own.
    async fn close_handshake(&mut self, code: CloseCode, reason: &str) -> io::Result<()> {
        let frame = CloseFrame { code: code.0.into(), reason: Utf8Bytes::from(shortened(reason)) };
        // An error says that the peer's own close was answered, which is as good.
        let _ = self.with_context(|context, feed| context.close(feed, Some(frame)));
        self.write_out().await?;
        self.stream.shutdown().await?;
        // If unread bytes are left when the socket is dropped, the kernel resets the connection, and the peer may never
        // see the close frame.
        loop {
            let read = poll_fn(|cx| {
                SCRATCH.with_borrow_mut(|scratch| {
                    let mut buffer = ReadBuf::new(&mut scratch[..READ_BYTES]);
                    ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
                    Poll::Ready(Ok::<_, Error>(buffer.filled().len()))
                })
            });
            if read.await? == 0 {
                return Ok(());
            }
        }
    }
}

/// As much of `reason` as fits into a close frame.
fn shortened(reason: &str) -> &str {
    &reason[..reason.floor_char_boundary(MAX_REASON_BYTES)]
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Socket for WsSocket<S> {
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<Incoming, SocketError>> {
        self.poll_message(cx)
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, batch: &mut VecDeque<Frame>) -> Poll<Result<(), SocketError>> {
        if self.written == 0 {
            ready!(self.poll_out(cx))?;
        }
        self.poll_batch(cx, batch).map_err(SocketError::from)
    }

    fn partly_sent(&self) -> usize {
        self.written
    }

    async fn ping(&mut self) -> Result<(), SocketError> {
        self.busy.get_or_insert_default().out.extend_from_slice(&PING);
        Ok(self.write_out().await?)
    }

    async fn close(&mut self, code: CloseCode, reason: &str, close_timeout: Duration) {
        if self.written == 0 {
            // If the peer is gone or does not respond, the socket is dropped all the same.
            let _ = timeout(close_timeout, self.close_handshake(code, reason)).await;
        }
    }
}

#[cfg(test)]
mod tests;
