//! What the application reads: subscriptions and listeners.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use futures_util::Stream;
use tokio::sync::{Notify, mpsc, watch};

use crate::{
    machine::{ConnectionPhase, ConnectionState, Failure, Gap, Message, SubscriptionStatus, failure},
    options::Ready,
};

/// A message, or messages that were lost, in their order.
#[derive(Clone, Debug)]
pub enum Delivery {
    /// A message.
    Message(Message),
    /// Messages that this client can no longer receive: load the state again.
    Gap(Gap),
}

/// The subscriptions and lists that the application has dropped. Their number is at most that of all.
#[derive(Debug, Default)]
pub(crate) struct Dropped {
    ids: Mutex<Vec<u64>>,
    pub(crate) notify: Notify,
}

impl Dropped {
    pub(crate) fn add(&self, id: u64) {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).push(id);
        self.notify.notify_one();
    }

    pub(crate) fn take(&self) -> Vec<u64> {
        std::mem::take(&mut *self.ids.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A subscription to a topic: a stream of its messages and gaps.
///
/// Counted: two subscriptions to a topic are one on the wire, with the options of the first. Dropping it ends it; the
/// wire follows a second after the last one.
#[derive(Debug)]
#[must_use = "a subscription ends when it is dropped"]
pub struct Subscription {
    pub(crate) id: u64,
    pub(crate) topic: String,
    pub(crate) deliveries: mpsc::Receiver<Delivery>,
    pub(crate) status: watch::Receiver<SubscriptionStatus>,
    pub(crate) connection: watch::Receiver<ConnectionState>,
    pub(crate) dropped: Arc<Dropped>,
}

impl Subscription {
    /// The topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Its state now.
    pub fn status(&self) -> SubscriptionStatus {
        self.status.borrow().clone()
    }

    /// Waits until the server has subscribed this client: from then on it receives.
    ///
    /// # Errors
    /// The server refused or ended the subscription, or the client has stopped.
    pub async fn ready(&mut self) -> Result<Ready, Failure> {
        let stopped = |state: &ConnectionState| state.phase == ConnectionPhase::Stopped;
        let settled = self.status.wait_for(|status| *status != SubscriptionStatus::Pending);
        let status = tokio::select! {
            biased;
            status = settled => status.map(|status| status.clone()).ok(),
            _ = self.connection.wait_for(stopped) => None,
        };
        match status {
            Some(SubscriptionStatus::Live { position, recovered }) => Ok(Ready { position, recovered }),
            Some(SubscriptionStatus::Ended { error }) => Err(error),
            Some(SubscriptionStatus::Pending) | None => Err(failure("stopped", "the client has stopped", false)),
        }
    }

    /// The next message or gap. `None` after the client has ended.
    pub async fn next(&mut self) -> Option<Delivery> {
        self.deliveries.recv().await
    }

    /// Ends it, as dropping does.
    pub fn unsubscribe(self) {}
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.dropped.add(self.id);
    }
}

impl Stream for Subscription {
    type Item = Delivery;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Delivery>> {
        self.deliveries.poll_recv(context)
    }
}

/// A stream of the messages and gaps of a pattern, whichever subscription they come by, and of streams that need none:
/// see [`Client::listen`](crate::Client::listen).
#[derive(Debug)]
pub struct Listener {
    pub(crate) deliveries: mpsc::Receiver<Delivery>,
}

impl Listener {
    /// The next message or gap. `None` after the client has ended.
    pub async fn next(&mut self) -> Option<Delivery> {
        self.deliveries.recv().await
    }
}

impl Stream for Listener {
    type Item = Delivery;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Delivery>> {
        self.deliveries.poll_recv(context)
    }
}

/// The name by which listeners know a delivery: its topic, or the name of its stream behind `@`.
pub(crate) fn address_of(delivery: &Delivery) -> String {
    let (topic, stream) = match delivery {
        Delivery::Message(message) => (message.topic.as_deref(), message.stream.as_deref()),
        Delivery::Gap(gap) => {
            (gap.stream.as_deref().and_then(|stream| stream.strip_prefix("topic:")), gap.stream.as_deref())
        }
    };
    topic.map_or_else(|| format!("@{}", stream.unwrap_or_default()), str::to_owned)
}

/// `*` is one part, `**` at the end one or more.
pub(crate) fn matches(pattern: &str, address: &str) -> bool {
    let (mut pattern, mut parts) = (pattern.split(':').peekable(), address.split(':'));
    while let Some(part) = pattern.next() {
        let Some(own) = parts.next() else { return false };
        if part == "**" && pattern.peek().is_none() {
            return true;
        }
        if part != "*" && part != own {
            return false;
        }
    }
    parts.next().is_none()
}

#[test]
fn a_pattern_matches_part_by_part() {
    for (pattern, address) in
        [("order:*", "order:1"), ("chat:**", "chat:a:b"), ("@role:admin", "@role:admin"), ("@user", "@user")]
    {
        assert!(matches(pattern, address), "{pattern} {address}");
    }
    for (pattern, address) in [("order:*", "order"), ("order:*", "order:1:2"), ("chat:**", "chat"), ("a", "b")] {
        assert!(!matches(pattern, address), "{pattern} {address}");
    }
}
