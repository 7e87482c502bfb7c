//! The network between a client and its node.

use std::time::Duration;

use tokio::time::sleep;

/// How the network between a client and its node is: the same in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Network {
    /// Time from a write to its arrival. 0 by default: at once, on the same tick of the clock.
    pub latency: Duration,
    /// Most that [`Self::latency`] grows by, at random from the world's seed. Order is kept. 0 by default.
    pub jitter: Duration,
    /// Bytes on their way in one direction: the buffers of both kernels. Writes wait when it is full, which happens when
    /// the reader stops. 64 KiB by default; 1 at least.
    pub buffer: usize,
}

impl Default for Network {
    fn default() -> Self {
        Self { latency: Duration::ZERO, jitter: Duration::ZERO, buffer: 64 * 1024 }
    }
}

impl Network {
    /// The default with another latency.
    pub fn with_latency(latency: Duration) -> Self {
        Self { latency, ..Self::default() }
    }

    /// The default with buffers of so many bytes: with few, a reader that stops holds up the next write.
    pub fn with_buffer(bytes: usize) -> Self {
        Self { buffer: bytes, ..Self::default() }
    }

    /// The same, with a random addition to the latency.
    #[must_use]
    pub fn and_jitter(self, jitter: Duration) -> Self {
        Self { jitter, ..self }
    }

    /// Longest time from a write to its arrival.
    pub(crate) fn longest(&self) -> Duration {
        self.latency.saturating_add(self.jitter)
    }
}

/// Waits until what was sent both ways has arrived and every task has run.
pub(crate) async fn settle(network: Network) {
    sleep(network.longest() * 2 + Duration::from_millis(1)).await;
}
