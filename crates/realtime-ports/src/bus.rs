//! The way of a publication to the nodes whose connections it is for.

use std::{error::Error, sync::Arc};

use async_trait::async_trait;
use realtime_schema::{Envelope, Route, StreamPosition};

/// Carries envelopes to every node, this one included. Cold: called once per publication.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait MessageBus: Send + Sync {
    /// Sets the one delivery of this node. Called once, before the first publish.
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

    /// True if the bus delivers only what [`Self::listen`] asks for. Not selective by default: then every envelope
    /// is delivered to every node, and neither `listen` nor `unlisten` is called.
    fn is_selective(&self) -> bool {
        false
    }

    /// Asks for the envelopes of these routes. From the return on none of them passes this node by. Repeating it
    /// changes nothing. Cold: called for the first subscriber of a route on this node.
    ///
    /// # Errors
    /// The engine behind the bus can't be reached; the routes may or may not be delivered from now on.
    async fn listen(&self, routes: &[Route]) -> Result<(), BusError> {
        let _ = routes;
        Ok(())
    }

    /// Asks no longer for the envelopes of these routes; some may still be delivered. Unknown routes are ignored.
    /// Cold: called after the last subscriber of a route on this node has left, again if it fails.
    ///
    /// # Errors
    /// The engine behind the bus can't be reached; the routes may or may not be delivered from now on.
    async fn unlisten(&self, routes: &[Route]) -> Result<(), BusError> {
        let _ = routes;
        Ok(())
    }

    /// Publishes several envelopes in their order, with a result for each. A bus that can hand them over together
    /// should: recipients of all of them are then visited once.
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

/// The result of a publication.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Published {
    /// How many connections of this node took it.
    pub delivered: u64,
    /// Whether other nodes were handed it as well.
    pub other_nodes: bool,
    /// Its position in its stream, with history.
    pub position: Option<StreamPosition>,
}

impl Published {
    /// An envelope that only this node was handed, and that `delivered` of its connections took.
    pub fn locally(delivered: u64) -> Self {
        Self { delivered, other_nodes: false, position: None }
    }
}

/// Why an envelope was not published.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BusError {
    /// The engine behind the bus is not there now.
    #[error("the message bus is unavailable")]
    Unavailable(#[source] Arc<dyn Error + Send + Sync>),
    /// `start` was called twice, or `publish` before it.
    #[error("the message bus was {0}")]
    Misused(&'static str),
}
