//! What a connection still heeds while its reader is slow.

use std::{future::Future, pin::Pin};

use realtime_core::session::{Effect, Input, Session};
use realtime_ports::{SocketError, WebSocketConnection};
use tokio::time::{Instant, sleep_until};

use super::End;
use crate::{metrics::add, outbound::Outbound, service::Inner};

/// A connection whose reader is slow: the kernel did not take its batch at once.
pub(super) struct Waiting<'a> {
    pub(super) inner: &'a Inner,
    pub(super) session: &'a mut Session,
    pub(super) outbound: &'a Outbound,
    /// The peer asked for something, and maybe for a longer life, that is not decided before the write is over.
    pub(super) refreshing: bool,
}

impl Waiting<'_> {
    /// Waits for `send`.
    pub(super) async fn write(
        self,
        mut send: Pin<&mut impl Future<Output = Result<(), SocketError>>>,
    ) -> Result<(), End> {
        let settings = &self.inner.settings;
        let mut patience = Instant::now() + settings.liveness.write_timeout;
        let mut closing = false;
        loop {
            // No ping can be written between the halves of a message, so none is due: `patience` bounds the silence.
            let expiry =
                self.session.token_lasts(self.inner.clock.monotonic()).filter(|_| !closing && !self.refreshing);
            let due = expiry.map_or(patience, |left| patience.min(Instant::now() + left));
            tokio::select! {
                biased;
                sent = &mut send => return sent.map_err(|_| End::Gone),
                () = self.outbound.closing(), if !closing => {
                    closing = true;
                    patience = patience.min(Instant::now() + settings.liveness.close_timeout);
                }
                () = sleep_until(due) => {
                    if Instant::now() >= patience {
                        if !closing {
                            add(&self.inner.metrics.closed_slow_total, 1);
                        }
                        return Err(End::Gone);
                    }
                    // The token's end came first.
                    let mut effects = Vec::new();
                    self.session.handle(self.inner.clock.monotonic(), Input::Elapsed, &mut effects);
                    for effect in effects {
                        if let Effect::Close(closing) = effect {
                            self.outbound.close(closing);
                        }
                    }
                }
            }
        }
    }
}
