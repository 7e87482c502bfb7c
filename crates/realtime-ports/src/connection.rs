//! The handle of a connection, through which others send, and the visitor of a selection of them.

use std::{net::IpAddr, sync::Arc, time::Duration};

use realtime_core::{Frame, identified::Identified, outbound::OutboundQueue};
use realtime_schema::{ClientId, Closing, ConnectionId};

/// The handle of one connection, shared by all its senders. Hot: nothing here blocks.
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait WebSocketConnection: Send + Sync {
    /// The connection's id, always the same. Tables read it while they are locked: it must be cheap.
    fn id(&self) -> ConnectionId;

    /// The client name that it chose, for messages that exclude it.
    fn client(&self) -> Option<ClientId>;

    /// True while it accepts frames.
    fn is_open(&self) -> bool;

    /// True if its queue is a quarter full and its task has not run since, so that the reader is not to blame. A
    /// sender of a large batch waits for it. A connection that can't tell, or has no task, returns `false`, the default.
    fn is_behind(&self) -> bool {
        false
    }

    /// Number of bytes that wait to be written: 0, the default, for a connection without a queue of its own.
    fn queued_bytes(&self) -> usize {
        0
    }

    /// What it does now, for lists: at `now` on [the monotonic clock](crate::Clock::monotonic). The default knows
    /// [`Self::queued_bytes`] alone.
    fn activity(&self, now: Duration) -> SocketActivity {
        let _ = now;
        SocketActivity { queued_bytes: self.queued_bytes(), ..SocketActivity::default() }
    }

    /// Queues `frame` after those that wait already.
    ///
    /// # Errors
    /// [`SendError::Closed`] when the connection is closing or gone, [`SendError::Full`] when the queue is full
    /// and its policy was to close: the connection is then closing with 4513. [`SendError::CatchingUp`] when it reads
    /// the frame's stream from its history.
    fn send(&self, frame: &Frame) -> Result<(), SendError>;

    /// Runs `change` on its queue, under the queue's lock, and then lets its task look at it: to hold a stream that is
    /// read from its history, and to end one. A connection without a queue of its own does nothing, the default.
    fn change_queue(&self, change: &mut dyn QueueChange) {
        let _ = change;
    }

    /// Sends a `closing` frame, then closes, with the code and the reason of `closing`. Does not wait. Only the first
    /// call has an effect.
    fn close(&self, closing: Closing);
}

/// What a connection does now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketActivity {
    /// The address of the client, if it is known.
    pub address: Option<IpAddr>,
    /// Time since its client last sent anything.
    pub silent_for: Option<Duration>,
    /// Number of messages that wait to be written.
    pub queued_messages: usize,
    /// Number of bytes that wait to be written.
    pub queued_bytes: usize,
    /// Number of frames that were written, control frames included: 4,294,967,295 if there were more.
    pub sent_frames: u32,
}

/// A function called with each socket of a selection: usually a closure.
pub trait SocketVisitor {
    /// Called with each socket while the registry or the topic is locked: it must not block.
    fn visit(&mut self, socket: &Arc<dyn WebSocketConnection>);
}

impl<F: FnMut(&Arc<dyn WebSocketConnection>)> SocketVisitor for F {
    fn visit(&mut self, socket: &Arc<dyn WebSocketConnection>) {
        self(socket);
    }
}

impl dyn WebSocketConnection + '_ {
    /// Runs `change` on the queue, as [`WebSocketConnection::change_queue`] does, and returns its result; `None` if the
    /// connection is closing or has no queue.
    pub fn with_queue<T>(&self, change: impl FnOnce(&mut OutboundQueue) -> T) -> Option<T> {
        let (mut change, mut result) = (Some(change), None);
        self.change_queue(&mut |queue: &mut OutboundQueue| result = change.take().map(|change| change(queue)));
        result
    }
}

/// The tables of the core store sockets without their ids.
impl Identified for dyn WebSocketConnection {
    fn id(&self) -> ConnectionId {
        WebSocketConnection::id(self)
    }
}

/// A change of a connection's queue: usually a closure.
pub trait QueueChange {
    /// Called once, while the queue is locked: it must not block.
    fn apply(&mut self, queue: &mut OutboundQueue);
}

impl<F: FnMut(&mut OutboundQueue)> QueueChange for F {
    fn apply(&mut self, queue: &mut OutboundQueue) {
        self(queue);
    }
}

/// Why a frame was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The connection is closing or gone.
    #[error("the connection is closed")]
    Closed,
    /// The queue was full; the connection is closing with 4513.
    #[error("the connection's queue is full")]
    Full,
    /// The connection reads the frame's stream from its history, and gets the frame from there.
    #[error("the connection reads this stream from its history")]
    CatchingUp,
}
