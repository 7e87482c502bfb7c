//! Identifiers and jitter.

use std::{
    hash::{BuildHasher, RandomState},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use realtime_ports::IdGenerator;
use realtime_schema::{ConnectionId, MessageId, NodeId};
use uuid::Uuid;

/// UUIDs, version 7 (RFC 9562 section 5.7): each later than the one before, and random where they are not time.
#[derive(Debug, Default)]
pub struct UuidGenerator {
    key: RandomState,
    drawn: AtomicU64,
}

impl UuidGenerator {
    /// A generator with a random key of its own.
    pub fn new() -> Self {
        Self::default()
    }
}

impl IdGenerator for UuidGenerator {
    fn connection_id(&self) -> ConnectionId {
        ConnectionId(Uuid::now_v7())
    }

    fn message_id(&self) -> MessageId {
        MessageId(Uuid::now_v7())
    }

    fn node_id(&self) -> NodeId {
        NodeId(Uuid::now_v7())
    }

    fn random(&self) -> u64 {
        // A keyed hash of a counter: no call to the system, and no two draws are related without the key.
        self.key.hash_one(self.drawn.fetch_add(1, Relaxed))
    }
}
