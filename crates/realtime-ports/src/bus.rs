//! The transport of publications between nodes.

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
    /// The engine behind the bus can't be reached, or the bus was started already.
    async fn start(&self, delivery: Arc<dyn Delivery>) -> Result<(), BusError>;

    /// Passes `envelope` to this node's [`Delivery`], and to the other nodes if there are any.
    /// Envelopes that one caller publishes one after the other are delivered in that order.
    ///
    /// # Errors
    /// The envelope may or may not have reached other nodes; publishing it again may duplicate it there.
    async fn publish(&self, envelope: Arc<Envelope>) -> Result<Published, BusError>;

    /// True if envelopes reach other nodes, the default. A node keeps histories only on a bus that reaches none: the
    /// others would not know its positions.
    fn reaches_other_nodes(&self) -> bool {
        true
    }

    /// True if the bus delivers only what [`Self::listen`] asks for. Not selective by default: then every envelope
    /// is delivered to every node, and neither `listen` nor `unlisten` is called.
    fn is_selective(&self) -> bool {
        false
    }

    /// Requests the envelopes of these routes. When it has returned, this node misses none of them. Repeating it
    /// changes nothing. Cold: called for the first subscriber of a route on this node.
    ///
    /// # Errors
    /// The engine behind the bus can't be reached; the routes may or may not be delivered from now on.
    async fn listen(&self, routes: &[Route]) -> Result<(), BusError> {
        let _ = routes;
        Ok(())
    }

    /// Ends the request for the envelopes of these routes; some may still be delivered. Unknown routes are ignored.
    /// Cold: called after the last subscriber of a route on this node has left; called again if it fails.
    ///
    /// # Errors
    /// The engine behind the bus can't be reached; the routes may or may not be delivered from now on.
    async fn unlisten(&self, routes: &[Route]) -> Result<(), BusError> {
        let _ = routes;
        Ok(())
    }

    /// Publishes several envelopes in their order, with a result for each. A bus that can deliver them together
    /// should: each recipient is then visited once.
    async fn publish_batch(&self, envelopes: Vec<Arc<Envelope>>) -> Vec<Result<Published, BusError>> {
        let mut results = Vec::with_capacity(envelopes.len());
        for envelope in envelopes {
            results.push(self.publish(envelope).await);
        }
        results
    }
}

/// This node's side of the bus. Hot: called once per envelope; never blocks.
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait Delivery: Send + Sync {
    /// Queues the envelope's message once on each local recipient, and returns how many accepted it.
    fn deliver(&self, envelope: &Envelope) -> u64;

    /// Delivers several envelopes in their order, and returns a count for each.
    fn deliver_batch(&self, envelopes: &[Arc<Envelope>]) -> Vec<u64> {
        envelopes.iter().map(|envelope| self.deliver(envelope)).collect()
    }
}

/// The result of a publication.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Published {
    /// Number of connections of this node that accepted it.
    pub delivered: u64,
    /// Whether it was sent to other nodes as well.
    pub other_nodes: bool,
    /// Its position in its stream, with history.
    pub position: Option<StreamPosition>,
}

impl Published {
    /// An envelope delivered on this node only, to `delivered` of its connections.
    pub fn locally(delivered: u64) -> Self {
        Self { delivered, other_nodes: false, position: None }
    }

    /// With its position in its stream's history.
    #[must_use]
    pub fn at(self, position: StreamPosition) -> Self {
        Self { position: Some(position), ..self }
    }
}

/// Why an envelope was not published.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BusError {
    /// The engine behind the bus can't be reached now.
    #[error("the message bus is unavailable")]
    Unavailable(#[source] Arc<dyn Error + Send + Sync>),
    /// `start` was called twice, or `publish` before it.
    #[error("the message bus was {0}")]
    Misused(&'static str),
}
