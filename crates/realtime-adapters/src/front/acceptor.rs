//! The accept loop: HTTP/1.1 with a deadline and a bound on everything, each socket in a task of its own.

use std::{
    convert::Infallible,
    future::Future,
    io,
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Request, Response};
use hyper::{
    body::{Body, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use realtime_schema::{ErrorCode, Problem};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    config::AcceptorConfig,
    in_flight::{InFlight, RequestBody},
    write_deadline::WriteDeadline,
};

/// How long accepting pauses when the process is out of file descriptors or memory.
const PAUSE: Duration = Duration::from_millis(75);
/// How often the same trouble is logged.
const LOG_EVERY: Duration = Duration::from_secs(1);
/// How many sockets at once are told that there is no room for them; what comes beyond those is dropped.
const MAX_TOLD: usize = 256;
/// How long one of them may take to hear it.
const TELL_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a request may still take to arrive once accepting has ended. A half-sent request must not delay shutdown.
const REQUEST_GRACE: Duration = Duration::from_secs(1);
/// When to come back to a server without room.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Accepts sockets and serves HTTP/1.1 with upgrades on them, until `shutdown` is cancelled; then stops accepting,
/// lets requests that are being answered end, gives up on those that have not arrived a second later, and returns.
///
/// Upgraded sockets are no longer the acceptor's: whoever took them ends them.
pub async fn serve<H, F, B>(listener: TcpListener, config: AcceptorConfig, handler: H, shutdown: CancellationToken)
where
    H: Fn(Request<RequestBody>, SocketAddr) -> F + Clone + Send + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let room = Arc::new(Semaphore::new(config.max_http_sockets.clamp(1, Semaphore::MAX_PERMITS)));
    let (told, no_room) = (Arc::new(Semaphore::new(MAX_TOLD)), no_room());
    let tasks = TaskTracker::new();
    let (mut broken, mut crowded) = (Quiet::default(), Quiet::default());
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(config.header_read_timeout)
        .max_buf_size(config.max_header_bytes.max(8192))
        .max_headers(config.max_headers)
        .half_close(false);
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, remote) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if is_the_peers(&error) => continue,
            Err(error) => {
                // Without a pause a process that is out of descriptors would spin.
                broken.say(|n| tracing::warn!(%error, times = n, "can't accept; pausing"));
                sleep(PAUSE).await;
                continue;
            }
        };
        let Ok(place) = room.clone().try_acquire_owned() else {
            crowded
                .say(|n| tracing::warn!(limit = config.max_http_sockets, times = n, "limits.http_sockets are taken"));
            if let Ok(telling) = told.clone().try_acquire_owned() {
                let (no_room, shutdown) = (no_room.clone(), shutdown.clone());
                tasks.spawn(async move {
                    tokio::select! {
                        _ = timeout(TELL_TIMEOUT, tell(stream, &no_room)) => {}
                        () = shutdown.cancelled() => {}
                    }
                    drop(telling);
                });
            }
            continue;
        };
        let _ = stream.set_nodelay(true);
        let in_flight = Arc::new(InFlight::default());
        let stream = WriteDeadline::new(stream, config.answer_timeout, in_flight.clone());
        let (handler, http, shutdown) = (handler.clone(), http.clone(), shutdown.clone());
        tasks.spawn(async move {
            serve_one(stream, remote, in_flight, http, handler, shutdown).await;
            drop(place);
        });
    }
    drop(listener);
    tasks.close();
    tasks.wait().await;
}

async fn serve_one<H, F, B>(
    stream: WriteDeadline,
    remote: SocketAddr,
    in_flight: Arc<InFlight>,
    http: http1::Builder,
    handler: H,
    shutdown: CancellationToken,
) where
    H: Fn(Request<RequestBody>, SocketAddr) -> F + Clone + Send + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let asked = in_flight.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let asked = asked.clone();
        let answer = handler(request.map(|body| RequestBody::new(body, asked.clone())), remote);
        async move { Ok::<_, Infallible>(asked.answer(answer.await)) }
    });
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service).with_upgrades());
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            loop {
                match timeout(REQUEST_GRACE, connection.as_mut()).await {
                    Ok(ended) => break ended,
                    // However slow it is, it has `answer_timeout` to take its answer.
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

/// The answer to a socket for which there is no room.
fn no_room() -> Bytes {
    let after_ms = u64::try_from(RETRY_AFTER.as_millis()).ok();
    let detail = "limits.http_sockets of this server are taken; come back later";
    let problem = Problem { after_ms, ..Problem::new(ErrorCode::Unavailable, detail) };
    let body = serde_json::to_string(&problem).expect("a problem is plain data");
    let head = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\nretry-after: {}\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n",
        RETRY_AFTER.as_secs(),
        body.len()
    );
    Bytes::from(head + &body)
}

/// Gives a socket an answer to whatever it asks, and reads on until it hangs up: one that is dropped with its request
/// unread is reset by the kernel, and the answer may be lost with it.
async fn tell(mut stream: TcpStream, answer: &[u8]) -> io::Result<()> {
    stream.write_all(answer).await?;
    stream.shutdown().await?;
    let mut unheard = [0; 1024];
    while stream.read(&mut unheard).await? > 0 {}
    Ok(())
}

/// Whether the error is one socket's, which is gone already, and not the listener's.
fn is_the_peers(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// Says a thing at most once a second, with how often it happened since.
#[derive(Default)]
struct Quiet {
    said: Option<Instant>,
    times: u64,
}

impl Quiet {
    fn say(&mut self, say: impl FnOnce(u64)) {
        self.times += 1;
        if self.said.is_none_or(|at| at.elapsed() >= LOG_EVERY) {
            self.said = Some(Instant::now());
            say(std::mem::take(&mut self.times));
        }
    }
}
