//! A socket without a network: the connection of an application that serves its clients itself.

use std::{
    collections::VecDeque,
    io,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use realtime_core::Frame;
use realtime_ports::{Incoming, Socket, SocketError, WebSocketConnection};
use realtime_schema::{CloseCode, Closing};

/// Hands each frame to the application's connection. Nothing comes in but proof that it is still open.
pub(super) struct Mailbox {
    connection: Arc<dyn WebSocketConnection>,
    /// A ping was sent, and the connection was open.
    alive: bool,
    /// The task that waits for the next input.
    reader: Option<Waker>,
}

impl Mailbox {
    pub(super) fn new(connection: Arc<dyn WebSocketConnection>) -> Self {
        Self { connection, alive: false, reader: None }
    }
}

fn gone() -> SocketError {
    SocketError::Gone(io::ErrorKind::NotConnected.into())
}

impl Socket for Mailbox {
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<Incoming, SocketError>> {
        if std::mem::take(&mut self.alive) {
            return Poll::Ready(Ok(Incoming::Alive));
        }
        self.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    fn poll_send(&mut self, _: &mut Context<'_>, batch: &mut VecDeque<Frame>) -> Poll<Result<(), SocketError>> {
        // One that is full closes itself.
        let sent = batch.drain(..).try_for_each(|frame| self.connection.send(&frame));
        Poll::Ready(sent.map_err(|_| gone()))
    }

    async fn ping(&mut self) -> Result<(), SocketError> {
        if !self.connection.is_open() {
            return Err(gone());
        }
        self.alive = true;
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
        Ok(())
    }

    async fn send_closing(&mut self, closing: &Closing, _: Frame) -> Result<(), SocketError> {
        // The port's own way: it sends a `closing` frame of its own.
        self.connection.close(closing.clone());
        Ok(())
    }

    async fn close(&mut self, code: CloseCode, reason: &str, _: Duration) {
        self.connection.close(Closing::new(code, reason));
    }
}
