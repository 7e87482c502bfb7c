//! A stream with a write deadline: a peer that never reads its response is dropped.

use std::{
    future::Future,
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};

use super::in_flight::InFlight;

/// A TCP stream that fails when its peer has not taken a whole answer within a time.
///
/// The time begins when the kernel first takes no more, and ends with the flush that follows an answer: a peer that
/// takes a byte now and then gains nothing.
#[derive(Debug)]
pub(crate) struct WriteDeadline {
    stream: TcpStream,
    patience: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
    /// Is told whether the peer has taken everything.
    in_flight: Arc<InFlight>,
}

impl WriteDeadline {
    pub(super) fn new(stream: TcpStream, patience: Duration, in_flight: Arc<InFlight>) -> Self {
        Self { stream, patience, waiting: None, in_flight }
    }

    pub(crate) fn into_inner(self) -> TcpStream {
        self.stream
    }

    /// What a write came to, unless the peer has been waited for long enough.
    fn bounded<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if self.waiting.is_none() && written.is_pending() {
            self.waiting = Some(Box::pin(sleep(self.patience)));
            self.in_flight.set_unflushed(true);
        }
        if self.waiting.as_mut().is_some_and(|waiting| waiting.as_mut().poll(cx).is_ready()) {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer does not take its answer")));
        }
        written
    }
}

impl AsyncRead for WriteDeadline {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for WriteDeadline {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.bounded(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.bounded(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The HTTP server flushes when all of an answer was written.
        self.waiting = None;
        self.in_flight.set_unflushed(false);
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
