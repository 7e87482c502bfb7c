//! The client's end of a connection: a task that reads, answers pings, and keeps what has come.

use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};

use realtime_ports::{Clock, Incoming};
use realtime_schema::{CloseCode, Closing};
use serde_json::Value;
use tokio::{sync::Notify, task::JoinHandle};

use crate::{
    audit::Recipient,
    lock,
    pipe::{Control, Gone, Reader, Writer},
    scene::Scene,
    socket::{EMPTY_FRAME, Outgoing, header},
};

/// Most frames that wait for the test to read them. A client with more stops reading, as if it were asleep.
const MAX_UNREAD: usize = 65_536;

/// Bytes of the mask of a client's frame (RFC 6455 section 5.3).
const MASK: usize = 4;

/// How a connection ended, as its client saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Closed {
    /// The code of the close frame; 1006 if there was none.
    pub code: CloseCode,
    /// The reason of the close frame.
    pub reason: String,
    /// The `closing` frame, if it was the last frame.
    pub closing: Option<Closing>,
}

/// One connection of a client.
pub(crate) struct Line {
    pub(crate) state: Arc<LineState>,
    to_node: Arc<ToNode>,
    up: Control<Incoming>,
    down: Control<Outgoing>,
    task: JoinHandle<()>,
}

/// The way to the node: one message at a time, in the order in which they are sent.
type ToNode = tokio::sync::Mutex<Writer<Incoming>>;

/// What the task and the test share.
pub(crate) struct LineState {
    scene: Arc<Scene>,
    name: String,
    inner: Mutex<Inner>,
    /// A pong is being sent.
    answering: AtomicBool,
    /// Notified when there is more to read, or the connection has ended.
    changed: Notify,
}

struct Inner {
    recipient: Recipient,
    unread: VecDeque<Value>,
    asleep: bool,
    ignores_pings: bool,
    pings: u64,
    closing: Option<Closing>,
    closed: Option<Closed>,
    task: Option<Waker>,
}

impl LineState {
    pub(crate) fn new(scene: Arc<Scene>, name: String, recipient: Recipient, ignores_pings: bool) -> Self {
        let inner = Inner {
            recipient,
            unread: VecDeque::new(),
            asleep: false,
            ignores_pings,
            pings: 0,
            closing: None,
            closed: None,
            task: None,
        };
        Self { scene, name, inner: Mutex::new(inner), answering: AtomicBool::new(false), changed: Notify::new() }
    }

    pub(crate) fn note(&self, what: impl std::fmt::Display) {
        self.scene.trace.note(self.scene.clock.monotonic(), &self.name, what);
    }

    pub(crate) fn set_asleep(&self, asleep: bool) {
        self.note(if asleep { "falls asleep" } else { "wakes up" });
        self.update(|inner| inner.asleep = asleep);
    }

    pub(crate) fn ignore_pings(&self, ignore: bool) {
        self.update(|inner| inner.ignores_pings = ignore);
    }

    pub(crate) fn pings(&self) -> u64 {
        lock(&self.inner).pings
    }

    pub(crate) fn lost(&self) -> Vec<String> {
        lock(&self.inner).recipient.lost(&self.scene.audit)
    }

    pub(crate) fn closed(&self) -> Option<Closed> {
        lock(&self.inner).closed.clone()
    }

    /// Takes the first unread frame that `wanted` accepts.
    pub(crate) fn take(&self, wanted: impl FnMut(&Value) -> bool) -> Option<Value> {
        self.update(|inner| {
            let at = inner.unread.iter().position(wanted)?;
            inner.unread.remove(at)
        })
    }

    pub(crate) fn take_all(&self) -> Vec<Value> {
        self.update(|inner| inner.unread.drain(..).collect())
    }

    /// Waits until there is something new since the last wait.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Changes the state, and lets the task look at it.
    fn update<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        let mut inner = lock(&self.inner);
        let result = change(&mut inner);
        if let Some(task) = inner.task.take() {
            task.wake();
        }
        result
    }

    /// The next frame, while the client reads.
    fn poll_read(&self, cx: &mut Context<'_>, from_node: &mut Reader<Outgoing>) -> Poll<Result<Outgoing, Gone>> {
        {
            let mut inner = lock(&self.inner);
            inner.task = Some(cx.waker().clone());
            if inner.asleep || inner.unread.len() >= MAX_UNREAD {
                return Poll::Pending;
            }
        }
        from_node.poll_next(cx)
    }

    /// Keeps a frame; returns the answer if it is a ping.
    fn received(&self, text: &str) -> Option<Incoming> {
        self.note(format_args!("< {text}"));
        let frame: Value = serde_json::from_str(text).expect("a frame of the service is JSON");
        let mut inner = lock(&self.inner);
        inner.recipient.receives(&frame, &self.scene.audit);
        if frame["type"] == "ping" && frame.get("id").is_none() {
            inner.pings += 1;
            return (!inner.ignores_pings).then(|| Incoming::Text(r#"{"action":"pong"}"#.into()));
        }
        inner.closing = match frame["type"].as_str() {
            Some("closing") => serde_json::from_value(frame["payload"].clone()).ok(),
            _ => None,
        };
        inner.unread.push_back(frame);
        self.changed.notify_one();
        None
    }

    fn pinged(&self) -> Option<Incoming> {
        self.note("< ping");
        let mut inner = lock(&self.inner);
        inner.pings += 1;
        (!inner.ignores_pings).then_some(Incoming::Alive)
    }

    fn end(&self, code: CloseCode, reason: String) {
        self.note(format_args!("< closed {} {reason}", code.0));
        let mut inner = lock(&self.inner);
        let closing = inner.closing.take();
        inner.closed = Some(Closed { code, reason, closing });
        self.changed.notify_one();
    }
}

/// Bytes of a client's message on the wire.
fn size(incoming: &Incoming) -> usize {
    let payload = match incoming {
        Incoming::Text(text) => text.len(),
        Incoming::Binary(bytes) => bytes.len(),
        _ => 0,
    };
    header(payload) + MASK + payload
}

impl Line {
    pub(crate) fn new(state: LineState, from_node: Reader<Outgoing>, to_node: Writer<Incoming>) -> Self {
        let (up, down) = (to_node.control(), from_node.control());
        let (state, to_node) = (Arc::new(state), Arc::new(ToNode::new(to_node)));
        let task = tokio::spawn(read(state.clone(), from_node, to_node.clone()));
        Self { state, to_node, up, down, task }
    }

    /// Sends a message; waits while the buffers are full. A connection that is gone takes nothing, without an error.
    pub(crate) async fn send(&self, message: Incoming) {
        match &message {
            Incoming::Text(text) => {
                self.state.note(format_args!("> {text}"));
                lock(&self.state.inner).recipient.sends(text);
            }
            Incoming::Binary(bytes) => self.state.note(format_args!("> {} bytes, binary", bytes.len())),
            Incoming::Closed(code) => self.state.note(format_args!("> close {}", code.map_or(1005, |code| code.0))),
            _ => self.state.note("> pong"),
        }
        let _ = self.to_node.lock().await.write(size(&message), message).await;
    }

    /// Resets the connection: both sides are notified.
    pub(crate) fn cut(&self) {
        self.state.note("connection is cut");
        self.up.cut();
        self.down.cut();
    }

    /// Nothing arrives any more, and neither side is notified.
    pub(crate) fn silence(&self) {
        self.state.note("network is gone");
        self.up.silence();
        self.down.silence();
    }

    /// The client's process has ended: what it sent still arrives, and then the node sees the end of the stream.
    pub(crate) fn end(&self) {
        self.task.abort();
        self.up.end();
        self.down.cut();
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.end();
    }
}

async fn read(state: Arc<LineState>, mut from_node: Reader<Outgoing>, to_node: Arc<ToNode>) {
    loop {
        let answer = match poll_fn(|cx| state.poll_read(cx, &mut from_node)).await {
            Ok(Outgoing::Text(text)) => state.received(&text),
            Ok(Outgoing::Ping) => state.pinged(),
            Ok(Outgoing::Close(code, reason)) => {
                // The node may not wait for it.
                let _ = to_node.lock().await.write(EMPTY_FRAME, Incoming::Closed(Some(code))).await;
                return state.end(code, reason);
            }
            Err(Gone) => return state.end(CloseCode(1006), String::new()),
        };
        // Reading goes on while a pong waits for room. Pings that come meanwhile are answered by the one pong (RFC 6455
        // section 5.5.3).
        let Some(answer) = answer.filter(|_| !state.answering.swap(true, Ordering::Relaxed)) else { continue };
        let (state, to_node) = (state.clone(), to_node.clone());
        tokio::spawn(async move {
            state.note("> pong");
            let _ = to_node.lock().await.write(size(&answer), answer).await;
            state.answering.store(false, Ordering::Relaxed);
        });
    }
}
