//! A stream with deadlines: a peer that sends its request too slowly, stays idle for too long or does not read its
//! response is disconnected.

use std::{
    future::Future,
    io::{self, ErrorKind, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep, sleep_until},
};

use super::in_flight::{InFlight, Phase};

/// How long a socket in HTTP may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadlines {
    /// For the first byte of a new connection, and from the first byte of a head to its last.
    pub(super) head: Duration,
    /// Between two requests.
    pub(super) keep_alive: Duration,
    /// For the peer to read a whole response, once the kernel buffers no more of it.
    pub(super) response: Duration,
}

/// A stream that fails when its peer is too slow. Once it is upgraded, nothing is timed any more.
///
/// The deadline of a response begins when the kernel first takes no more, and ends with the flush that follows the
/// response: a peer that reads a byte now and then gains nothing.
#[derive(Debug)]
pub(crate) struct DeadlineStream<S> {
    stream: S,
    deadlines: Deadlines,
    /// The deadline of reads, and the phase that it was set for. Set whenever a read is pending.
    read: Option<(Phase, Pin<Box<Sleep>>)>,
    /// The deadline of the present response, while a write is pending.
    write: Option<Pin<Box<Sleep>>>,
    in_flight: Arc<InFlight>,
}

impl<S> DeadlineStream<S> {
    pub(super) fn new(stream: S, deadlines: Deadlines, in_flight: Arc<InFlight>) -> Self {
        Self { stream, deadlines, read: None, write: None, in_flight }
    }

    pub(crate) fn into_inner(self) -> S {
        self.stream
    }

    /// Fails once the deadline of the present phase has passed.
    fn poll_read_deadline(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let phase = self.in_flight.phase();
        let wait = match phase {
            Phase::Upgraded => {
                self.read = None;
                return Poll::Pending;
            }
            Phase::New | Phase::Head => self.deadlines.head,
            // While a request is handled, its handler sets the deadline; the timer only looks again.
            Phase::Handled | Phase::Between => self.deadlines.keep_alive,
        };
        let end = Instant::now() + wait;
        let (set_for, deadline) = self.read.get_or_insert_with(|| (phase, Box::pin(sleep_until(end))));
        if *set_for != phase {
            *set_for = phase;
            deadline.as_mut().reset(end);
        }
        while deadline.as_mut().poll(cx).is_ready() {
            if phase != Phase::Handled && !self.in_flight.is_response_pending() {
                return Poll::Ready(Err(io::Error::new(ErrorKind::TimedOut, "the request did not arrive in time")));
            }
            deadline.as_mut().reset(end);
        }
        Poll::Pending
    }

    /// The result of a write, unless its deadline has passed.
    fn bounded<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if self.in_flight.phase() == Phase::Upgraded {
            return written;
        }
        if self.write.is_none() && written.is_pending() {
            self.write = Some(Box::pin(sleep(self.deadlines.response)));
            self.in_flight.set_unflushed(true);
        }
        if self.write.as_mut().is_some_and(|deadline| deadline.as_mut().poll(cx).is_ready()) {
            return Poll::Ready(Err(io::Error::new(ErrorKind::TimedOut, "the peer does not read its response")));
        }
        written
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for DeadlineStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        match Pin::new(&mut self.stream).poll_read(cx, buf) {
            Poll::Pending => self.poll_read_deadline(cx),
            Poll::Ready(read) => {
                if buf.filled().len() > before {
                    self.in_flight.head_begins();
                }
                Poll::Ready(read)
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for DeadlineStream<S> {
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
        // The HTTP server flushes when all of a response was written. TLS may still hold a part of it.
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        if flushed.is_ready() {
            self.write = None;
            self.in_flight.set_unflushed(false);
            if self.in_flight.phase() == Phase::Between {
                // The wait for the next request begins here: the HTTP server reads again only once it is woken.
                let _begun = self.poll_read_deadline(cx);
            }
        }
        self.bounded(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    const HEAD: Duration = Duration::from_secs(10);
    const KEEP_ALIVE: Duration = Duration::from_secs(75);

    fn pair() -> (DeadlineStream<DuplexStream>, DuplexStream, Arc<InFlight>) {
        let (ours, theirs) = duplex(64);
        let in_flight = Arc::new(InFlight::default());
        let deadlines = Deadlines { head: HEAD, keep_alive: KEEP_ALIVE, response: Duration::from_secs(30) };
        (DeadlineStream::new(ours, deadlines, in_flight.clone()), theirs, in_flight)
    }

    /// How long a read took that failed at its deadline.
    async fn cut_after(stream: &mut DeadlineStream<DuplexStream>) -> Duration {
        let start = Instant::now();
        assert_eq!(stream.read_u8().await.expect_err("a deadline").kind(), ErrorKind::TimedOut);
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_connection_that_sends_nothing_is_cut_at_the_deadline_of_a_head() {
        let (mut stream, _peer, _) = pair();
        assert_eq!(cut_after(&mut stream).await.as_secs(), HEAD.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn the_deadline_of_a_head_counts_from_its_first_byte_whatever_follows() {
        let (mut stream, mut peer, in_flight) = pair();
        in_flight.set_phase(Phase::Between);
        let drip = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(60)).await;
            for _ in 0..4 {
                peer.write_u8(b'x').await.expect("read");
                tokio::time::sleep(Duration::from_secs(3)).await;
            }
            peer
        });
        stream.read_u8().await.expect("idle for longer than a head may take");
        let first = Instant::now();
        let error = loop {
            match stream.read_u8().await {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert_eq!((error.kind(), first.elapsed().as_secs()), (ErrorKind::TimedOut, HEAD.as_secs()));
        drip.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_is_cut_at_a_deadline_of_its_own() {
        let (mut stream, _peer, in_flight) = pair();
        in_flight.set_phase(Phase::Between);
        assert_eq!(cut_after(&mut stream).await.as_secs(), KEEP_ALIVE.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn the_idle_time_counts_from_the_end_of_the_response() {
        let (mut stream, _peer, in_flight) = pair();
        in_flight.set_phase(Phase::Handled);
        let (start, mut polls) = (Instant::now(), 0);
        let cut = poll_fn(|cx| {
            let mut byte = [0];
            let read = Pin::new(&mut stream).poll_read(cx, &mut ReadBuf::new(&mut byte));
            polls += 1;
            if polls == 1 {
                // As the HTTP server does: it reads ahead while it handles a request, and again only once it is woken.
                in_flight.set_phase(Phase::Between);
                assert!(Pin::new(&mut stream).poll_flush(cx).is_ready());
            }
            read
        });
        assert_eq!(cut.await.expect_err("a deadline").kind(), ErrorKind::TimedOut);
        assert_eq!(start.elapsed().as_secs(), KEEP_ALIVE.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_is_handled_and_an_upgraded_socket_are_not_cut() {
        for phase in [Phase::Handled, Phase::Upgraded] {
            let (mut stream, mut peer, in_flight) = pair();
            in_flight.set_phase(phase);
            let later = tokio::spawn(async move {
                tokio::time::sleep(KEEP_ALIVE * 10).await;
                peer.write_u8(b'x').await.expect("read");
                peer
            });
            stream.read_u8().await.expect("not cut");
            assert_eq!(in_flight.phase(), phase);
            drop(later);
        }
    }
}
