//! The node's end of a connection.

use std::{
    collections::VecDeque,
    io,
    task::{Context, Poll, ready},
    time::Duration,
};

use realtime_core::Frame;
use realtime_ports::{Incoming, Socket, SocketError};
use realtime_schema::CloseCode;
use tokio::time::timeout;

use crate::pipe::{Gone, Reader, Sending, Writer};

/// What a node writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outgoing {
    Text(String),
    Ping,
    Close(CloseCode, String),
}

/// Bytes of a frame without a payload: a ping, or a pong, which is masked.
pub(crate) const EMPTY_FRAME: usize = 6;

/// Bytes of the header of a frame (RFC 6455 section 5.2) with so many bytes of payload.
pub(crate) fn header(payload: usize) -> usize {
    match payload {
        0..=125 => 2,
        126..=0xFFFF => 4,
        _ => 10,
    }
}

/// A socket without a network, for the service to serve.
pub(crate) struct NodeSocket {
    from_client: Reader<Incoming>,
    to_client: Writer<Outgoing>,
    /// What is left of the first frame of a batch.
    sending: Option<PartlySent>,
    peer_closed: bool,
}

/// A frame that is being written: its messages, each a WebSocket frame.
struct PartlySent {
    size: usize,
    rest: VecDeque<Sending<Outgoing>>,
}

impl PartlySent {
    fn new(frame: &Frame) -> Self {
        let message = |text: &str| Sending::new(header(text.len()) + text.len(), Outgoing::Text(text.to_owned()));
        let rest: VecDeque<_> = frame.texts().map(message).collect();
        Self { size: rest.iter().map(Sending::left).sum(), rest }
    }

    fn poll(&mut self, cx: &mut Context<'_>, to: &Writer<Outgoing>) -> Poll<Result<(), Gone>> {
        while let Some(message) = self.rest.front_mut() {
            ready!(to.poll_write(cx, message))?;
            self.rest.pop_front();
        }
        Poll::Ready(Ok(()))
    }

    fn sent(&self) -> usize {
        self.size - self.rest.iter().map(Sending::left).sum::<usize>()
    }
}

impl NodeSocket {
    pub(crate) fn new(from_client: Reader<Incoming>, to_client: Writer<Outgoing>) -> Self {
        Self { from_client, to_client, sending: None, peer_closed: false }
    }
}

impl From<Gone> for SocketError {
    fn from(_: Gone) -> Self {
        Self::Gone(io::ErrorKind::ConnectionReset.into())
    }
}

impl Socket for NodeSocket {
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<Incoming, SocketError>> {
        let incoming = ready!(self.from_client.poll_next(cx))?;
        self.peer_closed |= matches!(incoming, Incoming::Closed(_));
        Poll::Ready(Ok(incoming))
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, batch: &mut VecDeque<Frame>) -> Poll<Result<(), SocketError>> {
        while let Some(frame) = batch.front() {
            let sending = self.sending.get_or_insert_with(|| PartlySent::new(frame));
            ready!(sending.poll(cx, &self.to_client))?;
            self.sending = None;
            batch.pop_front();
        }
        Poll::Ready(Ok(()))
    }

    fn partly_sent(&self) -> usize {
        self.sending.as_ref().map_or(0, PartlySent::sent)
    }

    async fn ping(&mut self) -> Result<(), SocketError> {
        Ok(self.to_client.write(EMPTY_FRAME, Outgoing::Ping).await?)
    }

    async fn close(&mut self, code: CloseCode, reason: &str, close_timeout: Duration) {
        let handshake = async {
            let bytes = EMPTY_FRAME + reason.len();
            let mut open = self.to_client.write(bytes, Outgoing::Close(code, reason.to_owned())).await.is_ok();
            while open && !self.peer_closed {
                open = self.receive().await.is_ok();
            }
        };
        // A peer that does not close in time is left to its own timeouts.
        let _ = timeout(close_timeout, handshake).await;
    }
}
