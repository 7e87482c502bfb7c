//! The accept loop: each socket gets a slot and a task of its own.

use std::{future::Future, io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Body;
use tokio::time::sleep;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    config::AcceptorConfig, connection::Connections, in_flight::RequestBody, listener::Listener, slots::Slots,
};
use crate::rate_limited_log::RateLimitedLog;

/// How long accepting pauses when the process is out of file descriptors or memory.
const PAUSE: Duration = Duration::from_millis(75);

/// Accepts sockets and serves HTTP/1.1 with upgrades on them, until `shutdown` is cancelled; then stops accepting,
/// waits for pending responses, gives up requests that have not arrived a second later, and returns.
///
/// An upgraded socket no longer belongs to the acceptor: the code that took it ends it.
///
/// The handler gets the address of the client as the listener knows it: the other end of the socket, or the one that
/// the PROXY protocol names.
pub async fn serve<L, H, F, B>(listener: L, config: AcceptorConfig, handler: H, shutdown: CancellationToken)
where
    L: Listener,
    H: Fn(Request<RequestBody>, SocketAddr) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let slots = Slots::new(&config);
    serve_with_slots(listener, config, slots, handler, shutdown).await;
}

/// The same with slots that were made before, from the same `config`: the caller can read how many are in use.
pub async fn serve_with_slots<L, H, F, B>(
    mut listener: L,
    config: AcceptorConfig,
    slots: Slots,
    handler: H,
    shutdown: CancellationToken,
) where
    L: Listener,
    H: Fn(Request<RequestBody>, SocketAddr) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let connections = Arc::new(Connections::new(config, slots.clone(), handler, shutdown.clone()));
    let tasks = TaskTracker::new();
    let accept_errors = RateLimitedLog::default();
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (socket, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if is_of_one_socket(&error) => continue,
            Err(error) => {
                // Without a pause a process that is out of descriptors would spin.
                accept_errors.write(|times| tracing::warn!(%error, times, "can't accept; pausing"));
                sleep(PAUSE).await;
                continue;
            }
        };
        let connections = connections.clone();
        match slots.take(peer) {
            Ok(slot) => tasks.spawn(async move { connections.serve(socket, peer, slot).await }),
            Err(limit) => {
                let reserved = connections.enter_reserve(peer, limit);
                tasks.spawn(async move { connections.serve_reserved(socket, peer, limit, reserved).await })
            }
        };
    }
    drop(listener);
    tasks.close();
    tasks.wait().await;
}

/// Whether the error concerns one socket, which is gone already, and not the listener.
fn is_of_one_socket(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}
