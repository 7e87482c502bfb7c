//! A bus for one node.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use realtime_ports::{BusError, Delivery, MessageBus, Published};
use realtime_schema::Envelope;

/// Passes each envelope directly to this node's delivery: there are no other nodes.
///
/// It has no queue, so that the publications of one caller keep their order.
#[derive(Default)]
pub struct LocalBus {
    delivery: OnceLock<Arc<dyn Delivery>>,
}

impl LocalBus {
    /// A bus that is not started yet.
    pub fn new() -> Self {
        Self::default()
    }

    fn delivery(&self) -> Result<&dyn Delivery, BusError> {
        self.delivery.get().map(Arc::as_ref).ok_or(BusError::Misused("published to before it was started"))
    }
}

#[async_trait]
impl MessageBus for LocalBus {
    async fn start(&self, delivery: Arc<dyn Delivery>) -> Result<(), BusError> {
        self.delivery.set(delivery).map_err(|_| BusError::Misused("started twice"))
    }

    fn reaches_other_nodes(&self) -> bool {
        false
    }

    async fn publish(&self, envelope: Arc<Envelope>) -> Result<Published, BusError> {
        Ok(Published::locally(self.delivery()?.deliver(&envelope)))
    }

    async fn publish_batch(&self, envelopes: Vec<Arc<Envelope>>) -> Vec<Result<Published, BusError>> {
        match self.delivery() {
            Ok(delivery) => delivery
                .deliver_batch(&envelopes)
                .into_iter()
                .map(|delivered| Ok(Published::locally(delivered)))
                .collect(),
            Err(error) => vec![Err(error); envelopes.len()],
        }
    }
}
