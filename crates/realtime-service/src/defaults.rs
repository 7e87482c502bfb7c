//! The default adapters, composed. The only module of this crate that names one.

use std::sync::Arc;

use realtime_adapters::memory::{MemoryBus, MemoryPubSub, MemoryRegistry, SystemClock, UuidGenerator};

use crate::builder::ServiceBuilder;

/// Gives every port that has no adapter yet the one of the in-memory node.
pub(crate) fn complete(builder: ServiceBuilder) -> ServiceBuilder {
    builder.defaults(
        || Arc::new(MemoryRegistry::default()),
        || Arc::new(MemoryPubSub::default()),
        || Arc::new(MemoryBus::default()),
        || Arc::new(SystemClock::default()),
        || Arc::new(UuidGenerator::default()),
    )
}
