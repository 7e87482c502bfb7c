//! Ids and jitter that come from a seed.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use realtime_ports::{Clock, IdGenerator};
use realtime_schema::{ConnectionId, MessageId, NodeId};
use uuid::{Builder, Uuid};

/// The step of splitmix64 (Steele, Lea and Flood, 2014): odd, so that a counter takes every value once.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// Mixes the bits of `n`: the output of splitmix64. No two numbers give the same one.
fn mix(n: u64) -> u64 {
    let n = (n ^ (n >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    n ^ (n >> 31)
}

/// A seed of its own for the part `part` of what `seed` decides.
pub(crate) fn derive(seed: u64, part: u64) -> u64 {
    mix(mix(seed).wrapping_add(part.wrapping_add(1).wrapping_mul(STEP)))
}

/// Random numbers from a seed.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 0 to `max`.
    pub(crate) fn up_to(&mut self, max: u64) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mix(self.0) % max.saturating_add(1)
    }
}

/// UUIDs, version 7, whose time is the clock's and whose random bits come from a seed: each run makes the same ones.
/// Two generators with different seeds make different ones.
pub struct SeededIds {
    clock: Arc<dyn Clock>,
    seed: u64,
    drawn: AtomicU64,
}

impl SeededIds {
    /// A generator that begins anew with `seed`.
    pub fn new(seed: u64, clock: Arc<dyn Clock>) -> Self {
        Self { clock, seed: mix(seed), drawn: AtomicU64::new(0) }
    }

    fn uuid(&self) -> Uuid {
        let ms = u64::try_from(self.clock.now().as_millis()).unwrap_or(0);
        let mut bytes = [0; 10];
        bytes[..8].copy_from_slice(&self.random().to_be_bytes());
        bytes[8..].copy_from_slice(&self.random().to_be_bytes()[..2]);
        Builder::from_unix_timestamp_millis(ms, &bytes).into_uuid()
    }
}

impl std::fmt::Debug for SeededIds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SeededIds").field("seed", &self.seed).field("drawn", &self.drawn).finish_non_exhaustive()
    }
}

impl IdGenerator for SeededIds {
    fn connection_id(&self) -> ConnectionId {
        ConnectionId(self.uuid())
    }

    fn message_id(&self) -> MessageId {
        MessageId(self.uuid())
    }

    fn node_id(&self) -> NodeId {
        NodeId(self.uuid())
    }

    fn random(&self) -> u64 {
        let drawn = self.drawn.fetch_add(1, Ordering::Relaxed);
        mix(self.seed.wrapping_add(drawn.wrapping_mul(STEP)))
    }
}
