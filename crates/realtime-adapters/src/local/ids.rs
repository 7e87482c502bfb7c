//! Identifiers and jitter.

use std::{
    hash::{BuildHasher, RandomState},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use realtime_ports::IdGenerator;
use realtime_schema::{ConnectionId, MessageId, NodeId};
use uuid::Uuid;

/// UUIDs, version 7 (RFC 9562 section 5.7): each sorts after the one before; the bits that are not time are random.
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
        // A keyed hash of a counter: no system call, and without the key no value predicts the next.
        self.key.hash_one(self.drawn.fetch_add(1, Relaxed))
    }
}
