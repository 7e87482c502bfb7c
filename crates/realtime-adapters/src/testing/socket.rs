//! A socket that records the frames it is sent.

use std::{
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use realtime_core::Frame;
use realtime_ports::{SendError, WebSocketConnection};
use realtime_schema::{ClientId, CloseCode, Closing, ConnectionId};
use serde_json::Value;

/// A connection without a network: it records each accepted frame, and the close.
#[derive(Debug)]
pub struct TestWebSocketConnection {
    id: ConnectionId,
    client: Option<ClientId>,
    capacity: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    frames: Vec<Frame>,
    gone: bool,
    closing: Option<Closing>,
}

impl TestWebSocketConnection {
    /// An open connection that accepts every frame.
    pub fn new(id: ConnectionId) -> Self {
        Self { id, client: None, capacity: usize::MAX, state: Mutex::default() }
    }

    /// The same, with a client name.
    #[must_use]
    pub fn with_client(mut self, client: ClientId) -> Self {
        self.client = Some(client);
        self
    }

    /// The same, with a queue of `messages` messages and a policy to close when it is full. [`Self::read`] empties it.
    #[must_use]
    pub fn with_capacity(mut self, messages: usize) -> Self {
        self.capacity = messages;
        self
    }

    /// The texts of the frames that were sent and not yet [read](Self::read), oldest first. The `closing` frame is
    /// not among them: see [`Self::closing`].
    pub fn texts(&self) -> Vec<String> {
        self.state().frames.iter().flat_map(Frame::texts).map(str::to_owned).collect()
    }

    /// The same, parsed.
    pub fn messages(&self) -> Vec<Value> {
        self.texts().iter().map(|text| serde_json::from_str(text).expect("a frame is JSON")).collect()
    }

    /// The same, with each frame's `type` alone.
    pub fn kinds(&self) -> Vec<String> {
        self.messages().iter().map(|message| message["type"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Drains the recorded frames, as a reading client would.
    pub fn read(&self) -> Vec<Value> {
        let frames = mem::take(&mut self.state().frames);
        frames.iter().flat_map(Frame::texts).map(|text| serde_json::from_str(text).expect("a frame is JSON")).collect()
    }

    /// The server's close, if it closed the connection.
    pub fn closing(&self) -> Option<Closing> {
        self.state().closing.clone()
    }

    /// Simulates a client that disappears without a close.
    pub fn vanish(&self) {
        self.state().gone = true;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_open(&self) -> bool {
        !self.gone && self.closing.is_none()
    }
}

impl WebSocketConnection for TestWebSocketConnection {
    fn id(&self) -> ConnectionId {
        self.id
    }

    fn client(&self) -> Option<ClientId> {
        self.client.clone()
    }

    fn is_open(&self) -> bool {
        self.state().is_open()
    }

    fn send(&self, frame: &Frame) -> Result<(), SendError> {
        let mut state = self.state();
        if !state.is_open() {
            return Err(SendError::Closed);
        }
        let waiting: u32 = state.frames.iter().chain([frame]).map(Frame::messages).sum();
        if waiting as usize > self.capacity {
            state.closing = Some(Closing::new(CloseCode::TOO_SLOW, "the queue is full"));
            return Err(SendError::Full);
        }
        state.frames.push(frame.clone());
        Ok(())
    }

    fn close(&self, closing: Closing) {
        self.state().closing.get_or_insert(closing);
    }
}
