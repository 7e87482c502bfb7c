//! One socket: HTTP/1.1 with a deadline and a limit on everything.

use std::{
    convert::Infallible,
    future::Future,
    io::{self, ErrorKind},
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Either;
use hyper::{
    body::{Body, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{
    config::AcceptorConfig,
    deadlines::{DeadlineStream, Deadlines},
    in_flight::{InFlight, RequestBody},
    listener::AcceptedSocket,
    reserve::{self, Reserve, Reserved},
    slots::{OverLimit, Slot, Slots},
};
use crate::rate_limited_log::RateLimitedLog;

/// How long a request may still take to arrive once accepting has ended. A half-sent request must not delay shutdown.
const REQUEST_GRACE: Duration = Duration::from_secs(1);

/// What all sockets of a listener share.
pub(super) struct Connections<H> {
    handler: H,
    http: http1::Builder,
    config: AcceptorConfig,
    slots: Slots,
    reserve: Reserve,
    over_limit: RateLimitedLog,
    failed: RateLimitedLog,
    shutdown: CancellationToken,
}

impl<H, F, B> Connections<H>
where
    H: Fn(Request<RequestBody>, SocketAddr) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    pub(super) fn new(config: AcceptorConfig, slots: Slots, handler: H, shutdown: CancellationToken) -> Self {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            // The stream has the deadlines: the library's would count idle time too.
            .header_read_timeout(None)
            .max_buf_size(config.max_header_bytes.max(8192))
            .max_headers(config.max_headers)
            .half_close(false);
        let reserve = Reserve::default();
        let (over_limit, failed) = (RateLimitedLog::default(), RateLimitedLog::default());
        Self { handler, http, config, slots, reserve, over_limit, failed, shutdown }
    }

    /// Serves a socket that has a slot.
    pub(super) async fn serve<S: AcceptedSocket>(&self, socket: S, peer: SocketAddr, slot: Slot) {
        let Some((stream, remote)) = self.prepared(socket, peer).await else { return };
        // Behind a proxy the limit counts for the client, not for the proxy.
        let _address = if remote.ip() == peer.ip() {
            None
        } else {
            match self.slots.take_address(remote.ip()) {
                Ok(address) => address,
                Err(limit) => {
                    drop(slot);
                    let reserved = self.enter_reserve(remote, limit);
                    return self.respond_reserved(stream, remote, limit, reserved).await;
                }
            }
        };
        let _slot = slot;
        self.respond(stream, remote).await;
    }

    /// Takes a socket without a slot into the reserve.
    pub(super) fn enter_reserve(&self, peer: SocketAddr, limit: OverLimit) -> Reserved {
        self.over_limit
            .write(|times| tracing::warn!(limit = limit.setting(), address = %peer.ip(), times, "no free HTTP slot"));
        self.reserve.enter()
    }

    /// Serves a reserved path on a socket that has no slot, or responds with 503.
    pub(super) async fn serve_reserved<S: AcceptedSocket>(
        &self,
        socket: S,
        peer: SocketAddr,
        limit: OverLimit,
        reserved: Reserved,
    ) {
        let prepared = tokio::select! {
            prepared = timeout(reserve::HEAD_TIMEOUT, self.prepared(socket, peer)) => prepared.ok().flatten(),
            () = reserved.evicted.cancelled() => return,
        };
        let Some((stream, remote)) = prepared else { return };
        self.respond_reserved(stream, remote, limit, reserved).await;
    }

    /// Does what comes before HTTP. `None` if that fails, or at shutdown.
    async fn prepared<S: AcceptedSocket>(&self, socket: S, peer: SocketAddr) -> Option<(S::Stream, SocketAddr)> {
        let prepared = tokio::select! {
            prepared = socket.prepare(peer) => prepared,
            () = self.shutdown.cancelled() => return None,
        };
        match prepared {
            Ok(prepared) => Some(prepared),
            Err(error) => {
                // What the operator has to mend, and what scanners of ports cause all day.
                if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::InvalidData) {
                    self.failed
                        .write(|times| tracing::warn!(address = %peer.ip(), %error, times, "connection refused"));
                } else {
                    tracing::debug!(address = %peer.ip(), %error, "a connection failed before HTTP");
                }
                None
            }
        }
    }

    fn deadlines(&self) -> Deadlines {
        Deadlines {
            head: self.config.header_read_timeout,
            keep_alive: self.config.keep_alive_timeout,
            response: self.config.answer_timeout,
        }
    }

    /// Serves HTTP until the peer, a deadline, an upgrade or the shutdown ends it.
    async fn respond<S>(&self, stream: S, remote: SocketAddr)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let in_flight = Arc::new(InFlight::default());
        let stream = DeadlineStream::new(stream, self.deadlines(), in_flight.clone());
        let (handler, progress) = (self.handler.clone(), in_flight.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            let progress = progress.clone();
            let response = handler(request.map(|body| RequestBody::new(body, progress.clone())), remote);
            async move { Ok::<_, Infallible>(progress.respond(response.await)) }
        });
        let mut connection = pin!(self.http.serve_connection(TokioIo::new(stream), service).with_upgrades());
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.shutdown.cancelled() => {
                connection.as_mut().graceful_shutdown();
                loop {
                    match timeout(REQUEST_GRACE, connection.as_mut()).await {
                        Ok(ended) => break ended,
                        // However slow its peer is, it has `answer_timeout` to read the response.
                        Err(_) if in_flight.is_response_pending() => {}
                        Err(_) => {
                            tracing::trace!(%remote, "a request did not arrive before the end");
                            return;
                        }
                    }
                }
            }
        };
        if let Err(error) = ended {
            tracing::trace!(%remote, %error, "an HTTP connection ended");
        }
    }

    /// Serves one request of a socket without a slot.
    async fn respond_reserved<S>(&self, stream: S, remote: SocketAddr, limit: OverLimit, reserved: Reserved)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let deadlines = Deadlines { head: reserve::HEAD_TIMEOUT, ..self.deadlines() };
        let in_flight = Arc::new(InFlight::default());
        let stream = DeadlineStream::new(stream, deadlines, in_flight.clone());
        let (handler, paths) = (self.handler.clone(), self.config.reserved_paths.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            let request = request.map(|body| RequestBody::new(body, in_flight.clone()));
            let is_reserved = paths.iter().any(|path| path == request.uri().path());
            let handled = is_reserved.then(|| handler(request, remote));
            let progress = in_flight.clone();
            async move {
                let response = match handled {
                    Some(handled) => handled.await.map(Either::Left),
                    None => reserve::no_slot(limit).map(Either::Right),
                };
                Ok::<_, Infallible>(progress.respond(response))
            }
        });
        let mut http = self.http.clone();
        http.keep_alive(false);
        let served = async {
            let connection = http.serve_connection(TokioIo::new(stream), service);
            match connection.without_shutdown().await {
                Ok(parts) => linger(parts.io.into_inner()).await,
                Err(error) => Err(io::Error::other(error)),
            }
        };
        tokio::select! {
            ended = timeout(reserve::SOCKET_TIMEOUT, served) => {
                if let Ok(Err(error)) = ended {
                    tracing::trace!(%remote, %error, "an HTTP connection ended");
                }
            }
            () = reserved.evicted.cancelled() => {}
            () = self.shutdown.cancelled() => {}
        }
    }
}

/// Ends the response and reads until the peer closes: a socket that is dropped with its request unread is reset by the
/// kernel, and the response may be lost with it.
async fn linger<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) -> io::Result<()> {
    stream.shutdown().await?;
    let mut discarded = [0; 1024];
    while stream.read(&mut discarded).await? > 0 {}
    Ok(())
}
