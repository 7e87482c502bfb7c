//! The way of a publication to the nodes whose connections it is for.

use std::{error::Error, sync::Arc};

use async_trait::async_trait;
use realtime_schema::{Envelope, StreamPosition};

/// Carries envelopes to every node, this one included. Cold: called once per publication.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait MessageBus: Send + Sync {
    /// Names the one place on this node that envelopes are delivered to. Called once, before the first publish.
    ///
    /// # Errors
    /// The engine behind it can't be reached, or it was started already.
    async fn start(&self, delivery: Arc<dyn Delivery>) -> Result<(), BusError>;

    /// Hands `envelope` to this node's [`Delivery`], and to the other nodes if there are any.
    /// Envelopes that one caller publishes one after the other arrive in that order.
    ///
    /// # Errors
    /// The envelope may or may not have reached other nodes; publishing it again may double it there.
    async fn publish(&self, envelope: Arc<Envelope>) -> Result<Published, BusError>;

    /// Publishes several envelopes in their order, with an answer for each. A bus that can hand them over together
    /// should: a crowd that gets them all is then visited once.
    async fn publish_batch(&self, envelopes: Vec<Arc<Envelope>>) -> Vec<Result<Published, BusError>> {
        let mut answers = Vec::with_capacity(envelopes.len());
        for envelope in envelopes {
            answers.push(self.publish(envelope).await);
        }
        answers
    }
}

/// Where the bus delivers. Hot: called once per envelope; never blocks.
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait Delivery: Send + Sync {
    /// Queues the envelope's message on each local connection that it is for, each once, and counts those that took it.
    fn deliver(&self, envelope: &Envelope) -> u64;

    /// Delivers several envelopes in their order, with a count for each.
    fn deliver_batch(&self, envelopes: &[Arc<Envelope>]) -> Vec<u64> {
        envelopes.iter().map(|envelope| self.deliver(envelope)).collect()
    }
}

/// What became of an envelope.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// How many connections of this node took it.
    pub delivered: u64,
    /// Whether other nodes were handed it as well.
    pub other_nodes: bool,
    /// Where it stands in its stream, with history.
    pub position: Option<StreamPosition>,
}

/// Why an envelope was not published.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BusError {
    /// The engine behind the bus is not there now.
    #[error("the message bus is unavailable")]
    Unavailable(#[source] Arc<dyn Error + Send + Sync>),
    /// `start` was called twice, or `publish` before it.
    #[error("the message bus was {0}")]
    Misused(&'static str),
}
