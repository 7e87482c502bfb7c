//! Traces: what happens to a user, on a topic or in streams, while it happens. Bounded in number, in time and in what
//! waits; a trace costs a publication one look at a counter while there is none.

use std::{
    fmt,
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use realtime_ports::{Clock, ConnectionRegistry, PubSubManager, Selection, WebSocketConnection};
use realtime_schema::{FieldError, Topic, TraceEvent, TraceEventKind, TraceRequest, UserId};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{service::Service, settings::LiveSettings};

mod events;
mod reader;
mod watch;

pub use reader::Trace;
use watch::{Target, Watch, WatchRequest};

/// Why a trace was not started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TraceError {
    /// The request does not name exactly one of a user, a topic and streams, or a time that is too long.
    #[error("{0}")]
    Invalid(FieldError),
    /// As many traces as are allowed are running.
    #[error("limits.traces is {limit}, and as many are running; wait until one has ended")]
    TooMany {
        /// `limits.traces`.
        limit: usize,
    },
    /// The node is shutting down.
    #[error("this node is shutting down")]
    Draining,
}

impl Service {
    /// Shows what happens to a user or on a topic from now on, on this node: messages, connections, subscriptions and gaps.
    /// Of streams, it shows the messages. Payloads are shown on request, and wait for the reader up to
    /// [`TraceSettings::bytes`](crate::TraceSettings::bytes). The trace ends by itself, after the time that was requested or when the node drains; drop it
    /// to end it sooner. Who reads slowly misses events, and is sent how many: nothing waits for the reader.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use realtime_adapters::testing::TestJwtVerifier;
    /// # use realtime_ports::RealtimeService;
    /// # use realtime_schema::{JwtClaims, Payload, UserId};
    /// # use realtime_service::Service;
    /// use realtime_schema::{TraceEventKind, TraceRequest};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let alice = UserId::new("alice")?;
    /// # let verifier = TestJwtVerifier::new("let-me-in", JwtClaims::new(alice.clone()));
    /// # let service = Service::builder().verifier(Arc::new(verifier)).build().await?;
    /// let request = TraceRequest { user: Some(alice.clone()), seconds: Some(1), ..TraceRequest::default() };
    /// let mut trace = service.trace(&request)?;
    /// service.send_to_user(alice, "greeting".parse()?, Payload::of(&"hello")?).await?;
    ///
    /// let mut kinds = Vec::new();
    /// while let Some(event) = trace.next().await {
    ///     kinds.push(event.event);
    /// }
    /// assert_eq!(kinds, [TraceEventKind::Started, TraceEventKind::Published, TraceEventKind::Ended]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The request is not valid, as many traces as are allowed are running, or the node drains.
    pub fn trace(&self, request: &TraceRequest) -> Result<Trace, TraceError> {
        self.0.traces.start(request)
    }
}

/// The traces of this node.
pub(crate) struct Traces {
    /// How many there are: all that a publication looks at while there is none.
    active: AtomicUsize,
    watches: RwLock<Vec<Arc<Watch>>>,
    /// Cancelled when the node drains.
    stopping: CancellationToken,
    registry: Arc<dyn ConnectionRegistry>,
    pubsub: Arc<dyn PubSubManager>,
    settings: LiveSettings,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Traces").field("active", &self.active).finish_non_exhaustive()
    }
}

impl Traces {
    pub(crate) fn new(
        registry: Arc<dyn ConnectionRegistry>,
        pubsub: Arc<dyn PubSubManager>,
        settings: LiveSettings,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (active, watches) = (AtomicUsize::new(0), RwLock::default());
        Self { active, watches, stopping: CancellationToken::new(), registry, pubsub, settings, clock }
    }

    /// True if anything is traced. One relaxed load.
    pub(crate) fn is_active(&self) -> bool {
        self.active.load(Relaxed) > 0
    }

    /// Ends all traces, and starts none any more.
    pub(crate) fn stop(&self) {
        self.stopping.cancel();
    }

    fn start(self: &Arc<Self>, request: &TraceRequest) -> Result<Trace, TraceError> {
        let target = target(request)?;
        let settings = self.settings.load();
        let limits = &settings.traces;
        let duration = duration(request, limits.max_duration)?;
        if self.stopping.is_cancelled() {
            return Err(TraceError::Draining);
        }
        let now = self.clock.now();
        let started = TraceEvent {
            until: Some(now.after(duration)),
            user: target.user().cloned(),
            topic: target.topic().cloned(),
            streams: target.streams().to_vec(),
            kind: request.kind.clone(),
            ..TraceEvent::new(TraceEventKind::Started, now)
        };
        let (sender, events) = mpsc::channel(limits.events.max(1));
        let request = WatchRequest {
            target,
            kind: request.kind.clone(),
            payloads: request.payloads,
            until: Instant::now() + duration,
            max_bytes: limits.bytes,
        };
        let watch = Arc::new(Watch::new(request, sender));
        self.add(watch.clone(), limits.max)?;
        // From here on every change is seen, so that nothing is missed between a look at the tables and the next change.
        if let Some(user) = watch.target.user() {
            let mut ids = Vec::new();
            let mut note = |socket: &Arc<dyn WebSocketConnection>| ids.push(socket.id());
            self.registry.visit(&Selection::User(user.clone()), &mut note);
            ids.into_iter().for_each(|id| self.look(&watch, id));
        }
        Ok(Trace::new(self.clone(), watch, events, started))
    }

    fn add(&self, watch: Arc<Watch>, limit: usize) -> Result<(), TraceError> {
        let mut watches = self.write();
        self.prune(&mut watches);
        if watches.len() >= limit {
            return Err(TraceError::TooMany { limit });
        }
        watches.push(watch);
        self.active.store(watches.len(), Relaxed);
        Ok(())
    }

    fn remove(&self, watch: &Arc<Watch>) {
        let mut watches = self.write();
        watches.retain(|known| !Arc::ptr_eq(known, watch));
        self.active.store(watches.len(), Relaxed);
    }

    /// Removes the traces that have expired and whose reader has not looked since.
    fn prune(&self, watches: &mut Vec<Arc<Watch>>) {
        let now = Instant::now();
        watches.retain(|watch| watch.until > now);
        self.active.store(watches.len(), Relaxed);
    }

    fn read(&self) -> RwLockReadGuard<'_, Vec<Arc<Watch>>> {
        self.watches.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Vec<Arc<Watch>>> {
        self.watches.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn target(request: &TraceRequest) -> Result<Target, TraceError> {
    let invalid = |name, message: &str| Err(TraceError::Invalid(FieldError::new(name, message)));
    let TraceRequest { user, topic, streams, .. } = request;
    match (user, topic, streams.as_slice()) {
        (Some(user), None, []) => Ok(Target::User(UserId::clone(user))),
        (None, Some(topic), []) => Ok(Target::Topic(Topic::clone(topic))),
        (None, None, []) => invalid("user", "is missing; give a user, a topic or streams"),
        (None, None, streams) if streams.len() > TraceRequest::MAX_STREAMS => {
            Err(TraceError::Invalid(FieldError::new(
                "streams",
                format!("names {} patterns; give at most {}", streams.len(), TraceRequest::MAX_STREAMS),
            )))
        }
        (None, None, streams) => Ok(Target::Streams(streams.to_vec())),
        (Some(_), Some(_), _) => invalid("topic", "is given beside `user`; give one of them"),
        _ => invalid("streams", "is given beside `user` or `topic`; give one of them"),
    }
}

fn duration(request: &TraceRequest, max: Duration) -> Result<Duration, TraceError> {
    let invalid = |message: String| Err(TraceError::Invalid(FieldError::new("seconds", message)));
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    match request.seconds.map(seconds) {
        None => Ok(seconds(TraceRequest::DEFAULT_SECONDS).min(max)),
        Some(Duration::ZERO) => invalid("must be 1 or more".to_owned()),
        Some(duration) if duration > max => {
            invalid(format!("is over limits.trace_time, which is {} seconds", max.as_secs()))
        }
        Some(duration) => Ok(duration),
    }
}
