//! The slow path of a connection's task: what is rare, as a future.

use std::collections::VecDeque;

use realtime_core::Frame;
use realtime_ports::Socket;
use tokio::time::timeout;

use super::{
    close::{End, close},
    driver::{Driver, SlowStep},
    hooks, log,
    slow_reader::SlowReader,
};

impl<S: Socket> Driver<S> {
    /// Runs a step of the slow path. Owns the driver meanwhile; returns it if the connection survives.
    pub(super) async fn run_slow_path(mut self, step: SlowStep) -> Option<Self> {
        let result = match step {
            SlowStep::Write(rest) => self.write_slowly(rest).await,
            SlowStep::Ping => self.ping().await,
            SlowStep::End(end) => Err(end),
        };
        match result {
            Ok(()) => {
                // This step's waker may have replaced the one that the socket was to wake the task by.
                self.listen = true;
                Some(self)
            }
            Err(end) => {
                self.end(end).await;
                None
            }
        }
    }

    async fn end(&mut self, end: End) {
        self.forget();
        let (ended_by, reason) = (end.by(), end.reason().map(str::to_owned));
        let code = close(&self.node, &mut self.socket, end).await;
        self.node.metrics.closes.record(code);
        log::disconnected(&self.node, &self.connection, code, ended_by);
        self.node.traces.closed(&self.connection, code, ended_by, reason.as_deref());
        hooks::closed(&self.node, &self.connection, code).await;
    }

    async fn ping(&mut self) -> Result<(), End> {
        let write_timeout = self.node.settings.load().liveness.write_timeout;
        match timeout(write_timeout, self.socket.ping()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Gone),
        }
    }

    /// Waits until the kernel has taken the rest of a batch.
    async fn write_slowly(&mut self, rest: VecDeque<Frame>) -> Result<(), End> {
        self.was_blocked = true;
        self.outbound.mark_blocked();
        let slow = SlowReader {
            node: &self.node,
            session: &mut self.session,
            outbound: &self.outbound,
            socket: &mut self.socket,
        };
        slow.write(rest).await
    }
}
