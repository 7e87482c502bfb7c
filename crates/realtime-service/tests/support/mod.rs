//! A socket without a network, and a service to serve it: for stories that need time to stand still.

#![allow(dead_code, unreachable_pub, reason = "each story uses its part of it")]

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use realtime_adapters::testing::TestJwtVerifier;
use realtime_core::{
    Frame,
    auth::{ConnectRequest, Refusal},
};
use realtime_ports::{Clock, Incoming, Socket, SocketError};
use realtime_schema::{CloseCode, JwtClaims, Timestamp, UserId};
use realtime_service::{Service, ServiceBuilder, Settings};
use serde_json::Value;
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::Instant,
};

/// The wall clock when the runtime's began.
pub const WALL_S: i64 = 1_795_438_800;

/// A clock that follows the runtime's, which tests can hold still and move on.
pub struct RuntimeClock(Instant);

impl RuntimeClock {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(Instant::now()))
    }
}

impl Clock for RuntimeClock {
    fn now(&self) -> Timestamp {
        let ms = i64::try_from(self.monotonic().as_millis()).expect("a test is short");
        Timestamp::from_millis(WALL_S * 1000 + ms)
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}

type Sending = Pin<Box<dyn Future<Output = Result<(), SocketError>> + Send>>;

/// The server's end of a socket without a network.
pub struct FakeSocket {
    incoming: mpsc::Receiver<Incoming>,
    written: mpsc::Sender<Written>,
    /// While true, the peer does not read: writes wait.
    stalled: watch::Receiver<bool>,
    /// The message that is being written.
    sending: Option<Sending>,
    /// What comes after it.
    waiting: VecDeque<Value>,
}

/// What the server wrote.
#[derive(Debug, PartialEq)]
pub enum Written {
    Frame(Value),
    Ping,
    Close(CloseCode, String),
}

impl FakeSocket {
    fn put(&self, written: Written) -> impl Future<Output = Result<(), SocketError>> + Send + use<> {
        let gone = |_| SocketError::Gone(std::io::ErrorKind::BrokenPipe.into());
        let (mut stalled, sender) = (self.stalled.clone(), self.written.clone());
        async move {
            stalled.wait_for(|stalled| !stalled).await.map_err(|_| gone(()))?;
            sender.send(written).await.map_err(|_| gone(()))
        }
    }
}

impl Socket for FakeSocket {
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<Incoming, SocketError>> {
        self.incoming
            .poll_recv(cx)
            .map(|next| next.ok_or_else(|| SocketError::Gone(std::io::ErrorKind::UnexpectedEof.into())))
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, batch: &mut VecDeque<Frame>) -> Poll<Result<(), SocketError>> {
        loop {
            let texts = batch.drain(..).flat_map(|frame| frame.texts().map(str::to_owned).collect::<Vec<_>>());
            self.waiting.extend(texts.map(|text| serde_json::from_str::<Value>(&text).expect("JSON")));
            if self.sending.is_none()
                && let Some(frame) = self.waiting.pop_front()
            {
                self.sending = Some(Box::pin(self.put(Written::Frame(frame))));
            }
            let Some(sending) = &mut self.sending else { return Poll::Ready(Ok(())) };
            let sent = ready!(sending.as_mut().poll(cx));
            self.sending = None;
            sent?;
        }
    }

    async fn ping(&mut self) -> Result<(), SocketError> {
        self.put(Written::Ping).await
    }

    async fn close(&mut self, code: CloseCode, reason: &str, close_timeout: Duration) {
        let _ = tokio::time::timeout(close_timeout, self.put(Written::Close(code, reason.into()))).await;
    }
}

/// The client's end.
pub struct Peer {
    pub incoming: mpsc::Sender<Incoming>,
    written: mpsc::Receiver<Written>,
    pub stalled: watch::Sender<bool>,
    pub task: JoinHandle<()>,
}

impl Peer {
    pub async fn says(&self, text: &str) {
        self.incoming.send(Incoming::Text(text.into())).await.expect("the connection lives");
    }

    /// What the server wrote next; nothing when it hung up.
    pub async fn next(&mut self) -> Option<Written> {
        tokio::time::timeout(Duration::from_secs(3600), self.written.recv()).await.expect("an answer within the hour")
    }

    pub async fn frame(&mut self) -> Value {
        match self.next().await {
            Some(Written::Frame(frame)) => frame,
            other => panic!("not a frame: {other:?}"),
        }
    }

    /// The next frame, which has to be of this type; its payload.
    pub async fn expects(&mut self, kind: &str) -> Value {
        let frame = self.frame().await;
        assert_eq!(frame["type"], kind, "{frame}");
        frame["payload"].clone()
    }

    /// A `closing` frame, then a close with the same code, then nothing. Returns the code.
    pub async fn expects_close(&mut self) -> u16 {
        let told = self.expects("closing").await;
        let Some(Written::Close(code, reason)) = self.next().await else { panic!("no close after `closing`") };
        assert_eq!((told["code"].as_u64(), told["reason"].as_str()), (Some(code.0.into()), Some(reason.as_str())));
        assert_eq!(self.next().await, None);
        code.0
    }
}

pub fn claims(user: &str, grants: &[&str]) -> JwtClaims {
    JwtClaims {
        grants: grants.iter().map(|grant| grant.parse().expect("a grant")).collect(),
        roles: vec!["member".parse().expect("a role")],
        ..JwtClaims::new(UserId::new(user).expect("a user"))
    }
}

/// Knows `alice`, `bob` and `carol` by tokens of their names; each may subscribe to everything.
pub fn verifier() -> TestJwtVerifier {
    ["alice", "bob", "carol"]
        .into_iter()
        .fold(TestJwtVerifier::default(), |verifier, user| verifier.and(user, claims(user, &["subscribe:**"])))
}

pub fn builder(settings: Settings) -> ServiceBuilder {
    Service::builder().verifier(Arc::new(verifier())).clock(RuntimeClock::new()).settings(settings)
}

/// The default settings with a change.
pub fn with(change: impl FnOnce(&mut Settings)) -> Settings {
    let mut settings = Settings::default();
    change(&mut settings);
    settings
}

pub async fn service(settings: Settings) -> Service {
    builder(settings).build().await.expect("a service")
}

/// Connects with `token`; reads the `welcome`.
pub async fn connect(service: &Service, token: &str) -> Peer {
    let mut peer = try_connect(service, ConnectRequest::with_token(token)).await.expect("admitted");
    peer.expects("welcome").await;
    peer
}

pub async fn try_connect(service: &Service, request: ConnectRequest) -> Result<Peer, Refusal> {
    let admission = service.admit(&request).await?;
    let (incoming, received) = mpsc::channel(1024);
    let (write, written) = mpsc::channel(1024);
    let (stalled, stall) = watch::channel(false);
    let socket =
        FakeSocket { incoming: received, written: write, stalled: stall, sending: None, waiting: VecDeque::new() };
    let service = service.clone();
    let task = tokio::spawn(async move { service.serve(admission, socket).await });
    Ok(Peer { incoming, written, stalled, task })
}
