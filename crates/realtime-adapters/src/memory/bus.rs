//! A bus for one node.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use realtime_ports::{BusError, Delivery, MessageBus, Published};
use realtime_schema::Envelope;

/// Hands each envelope straight to this node's delivery: there are no other nodes.
///
/// It queues nothing, so that what one caller publishes keeps its order.
#[derive(Default)]
pub struct MemoryBus {
    delivery: OnceLock<Arc<dyn Delivery>>,
}

impl MemoryBus {
    /// A bus that is still to be started.
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl MessageBus for MemoryBus {
    async fn start(&self, delivery: Arc<dyn Delivery>) -> Result<(), BusError> {
        self.delivery.set(delivery).map_err(|_| BusError::Misused("started twice"))
    }

    async fn publish(&self, envelope: Arc<Envelope>) -> Result<Published, BusError> {
        let delivery = self.delivery.get().ok_or(BusError::Misused("published to before it was started"))?;
        Ok(Published { delivered: delivery.deliver(&envelope), other_nodes: false, position: None })
    }
}
