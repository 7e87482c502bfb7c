//! One node of a world.

use std::{fmt, sync::Arc};

use realtime_adapters::local::{LocalPubSub, LocalRegistry};
use realtime_service::Service;

/// One node: the real service, with adapters that come from the world's seed.
pub struct Node {
    pub(crate) index: usize,
    pub(crate) service: Service,
    /// Its tables; `None` if the test has ports of its own.
    pub(crate) tables: Option<Tables>,
}

/// The connections and the subscriptions of a node.
#[derive(Clone)]
pub(crate) struct Tables {
    pub(crate) registry: Arc<LocalRegistry>,
    pub(crate) pubsub: Arc<LocalPubSub>,
    /// Limit of a queue when the node was started; a reload changes that of new connections.
    pub(crate) queue_bytes: usize,
}

impl Node {
    /// The service, as an application has it.
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// Its index in the world, from 0.
    pub fn index(&self) -> usize {
        self.index
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("index", &self.index).field("service", &self.service).finish_non_exhaustive()
    }
}
