//! What an application gives to the client, and what it gets back.

use std::{any::Any, error::Error, fmt, pin::Pin, sync::Arc};

use serde::Deserialize;
use serde_json::Value;

use crate::machine::{Failure, LoadReason, Message, Position, Session, TokenReason, failure};

/// A future that is kept.
pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type Provider = Arc<dyn Fn(TokenReason) -> BoxFuture<Result<Option<String>, String>> + Send + Sync>;
type Loader = Arc<dyn Fn(LoadReason) -> BoxFuture<Result<Option<Position>, Failure>> + Send + Sync>;

/// Returns tokens: asked before every attempt, and before a token expires.
#[derive(Clone)]
pub struct TokenProvider(Provider);

impl TokenProvider {
    /// An async closure. `Ok(None)` says that no user is signed in: the client stops. An error or an empty token is
    /// followed by another attempt, later; so is a call that takes longer than 10 s.
    pub fn new<F, R, E>(provider: F) -> Self
    where
        F: Fn(TokenReason) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Option<String>, E>> + Send + 'static,
        E: fmt::Display,
    {
        Self(Arc::new(move |reason| {
            let token = provider(reason);
            Box::pin(async move { token.await.map_err(|error| error.to_string()) })
        }))
    }

    /// One token for ever. When it has expired, the client stops.
    pub fn fixed(token: impl Into<String>) -> Self {
        let token = token.into();
        Self(Arc::new(move |_| {
            let token = token.clone();
            Box::pin(async move { Ok(Some(token)) })
        }))
    }

    pub(crate) fn ask(&self, reason: TokenReason) -> BoxFuture<Result<Option<String>, String>> {
        (self.0)(reason)
    }
}

impl fmt::Debug for TokenProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenProvider")
    }
}

/// How a client connects, and its limits.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    pub(crate) url: String,
    pub(crate) token: TokenProvider,
    pub(crate) client: Option<String>,
    pub(crate) session: Option<Session>,
    pub(crate) max_offline: usize,
    pub(crate) queue: usize,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<Arc<tokio_rustls::rustls::ClientConfig>>,
}

impl ClientOptions {
    /// `url` is the server's endpoint, such as `wss://example.com/ws`; `ws://` is not encrypted.
    pub fn new(url: impl Into<String>, token: TokenProvider) -> Self {
        Self {
            url: url.into(),
            token,
            client: None,
            session: None,
            max_offline: 100,
            queue: 256,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// The name of this process or device: 1 to 64 characters, the same over reconnects. A random one by default.
    #[must_use]
    pub fn client(mut self, client: impl Into<String>) -> Self {
        self.client = Some(client.into());
        self
    }

    /// Continues where another process stopped, with its client's name: see [`Client::close`](crate::Client::close).
    #[must_use]
    pub fn session(mut self, session: Session) -> Self {
        self.session = Some(session);
        self
    }

    /// Publications that wait for a connection or a reply, at most, and as many other commands. 100 by default, and
    /// 256 KiB of each; one more is refused with `limit_exceeded`.
    #[must_use]
    pub fn max_offline(mut self, publications: usize) -> Self {
        self.max_offline = publications;
        self
    }

    /// Deliveries that wait in a [`Subscription`](crate::Subscription) or [`Listener`](crate::Listener) until they are
    /// read: 256 by default, at least 1. While one is full, the client reads nothing from the server.
    #[must_use]
    pub fn queue(mut self, deliveries: usize) -> Self {
        self.queue = deliveries.max(1);
        self
    }

    /// A TLS configuration in place of the one with the certificates of the operating system.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, config: Arc<tokio_rustls::rustls::ClientConfig>) -> Self {
        self.tls = Some(config);
        self
    }
}

/// How a topic is subscribed to.
#[derive(Clone, Default)]
pub struct SubscribeOptions {
    pub(crate) since: Option<Position>,
    pub(crate) load: Option<Loader>,
}

impl SubscribeOptions {
    /// The last position that the application has: what follows it is delivered.
    #[must_use]
    pub fn since(mut self, position: Position) -> Self {
        self.since = Some(position);
        self
    }

    /// Loads the application's state, and returns the position at which it was read (read the position first: see
    /// [`Client::position`](crate::Client::position)); `None` if the topic has no history. Called before the first
    /// message, and again after a gap; an error is reported, and it is called again, later. A [`Failure`] of the server
    /// that the same call will receive again (`retry` is false, `status` is 4xx) ends the subscription; it may also be
    /// in a `Box<dyn Error + Send + Sync>`.
    #[must_use]
    pub fn load<F, R, E>(mut self, load: F) -> Self
    where
        F: Fn(LoadReason) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Option<Position>, E>> + Send + 'static,
        E: fmt::Display + 'static,
    {
        self.load = Some(Arc::new(move |reason| {
            let loaded = load(reason);
            Box::pin(async move { loaded.await.map_err(|error| load_error(&error)) })
        }));
        self
    }
}

/// A load is repeated after an error, unless the server will refuse it again.
pub(crate) fn load_error<E: fmt::Display + 'static>(error: &E) -> Failure {
    let any: &dyn Any = error;
    let boxed = any.downcast_ref::<Box<dyn Error + Send + Sync>>().and_then(|error| error.downcast_ref());
    let refusal: Option<&Failure> = any.downcast_ref().or(boxed);
    refusal
        .filter(|error| !error.retry && (400..500).contains(&error.status))
        .cloned()
        .unwrap_or_else(|| failure("load_failed", error.to_string(), true))
}

impl fmt::Debug for SubscribeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubscribeOptions").field("since", &self.since).field("load", &self.load.is_some()).finish()
    }
}

/// How a message is published.
#[derive(Clone, Debug, Default)]
pub struct PublishOptions {
    /// 1 to 128 characters: a message with the same key is published once. A random one by default.
    pub idempotency_key: Option<String>,
    /// This client does not receive its own message.
    pub without_echo: bool,
}

/// The reply to a publication.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Published {
    /// The id of the message.
    pub message: String,
    /// Its position, if the topic has history.
    pub position: Option<Position>,
    /// Whether it had been published before.
    #[serde(default)]
    pub duplicate: bool,
}

/// Which page of a history is read.
#[derive(Clone, Debug, Default)]
pub struct HistoryOptions {
    /// The page has the messages after it, or those before it with `reverse`.
    pub since: Option<Position>,
    /// The most messages; 0 returns the position alone. The server has a limit of its own.
    pub limit: Option<u32>,
    /// From the newest message to the oldest.
    pub reverse: bool,
}

/// A page of a history.
#[derive(Clone, Debug, Deserialize)]
pub struct HistoryPage {
    /// The position of the stream now.
    pub position: Position,
    /// The messages.
    #[serde(default)]
    pub publications: Vec<Message>,
    /// Whether there are more in this direction.
    #[serde(default)]
    pub more: bool,
}

/// A subscription is live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// Up to which everything has come, if the topic has history.
    pub position: Option<Position>,
    /// The number of messages that were missed and have come.
    pub recovered: u64,
}

/// The result of [`Client::call`](crate::Client::call).
#[derive(Debug, Deserialize)]
pub(crate) struct Called {
    #[serde(default)]
    pub(crate) result: Value,
}
