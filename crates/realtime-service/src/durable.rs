//! What a durable store has kept, when a node starts.

use std::sync::Arc;

use realtime_core::epoch::{Epoch, Epochs};
use realtime_ports::{Clock, Loaded, LogStore, Once, Record, StoreError, StoredSecret};
use realtime_schema::{Revocation, Topic, UserId};

use crate::{idempotency::Receipts, streams::Restored};

/// The contents of a store.
#[derive(Default)]
pub(crate) struct Durable {
    loaded: Loaded,
    pub(crate) streams: Restored,
    once: Vec<Once>,
    pub(crate) revocations: Vec<Revocation>,
    pub(crate) user_topics: Vec<(UserId, Topic)>,
    pub(crate) secret: Option<StoredSecret>,
}

impl Durable {
    /// Reads a store, on a thread that may block.
    pub(crate) async fn load(store: Arc<dyn LogStore>) -> Result<Self, StoreError> {
        let load = move || {
            let mut durable = Self::default();
            durable.loaded = store.load(&mut |record: Record| durable.take(record))?;
            Ok(durable)
        };
        let loaded = tokio::task::spawn_blocking(load).await;
        loaded.unwrap_or_else(|error| Err(StoreError::Unavailable(Arc::new(error))))
    }

    fn take(&mut self, record: Record) {
        match record {
            Record::Appended(appended) => self.streams.appended(appended),
            Record::Position { route, epoch, top } => self.streams.position(route, epoch, top),
            Record::Once(once) => self.once.push(once),
            Record::Revoked(revocation) => self.revocations.push(revocation),
            Record::TopicGiven { user, topic } => self.user_topics.push((user, topic)),
            Record::Secret(secret) => self.secret = Some(secret),
            other => tracing::warn!(?other, "the store has a record that this release does not know"),
        }
    }

    /// The epochs that the node goes on with.
    pub(crate) fn epochs(&self) -> Epochs {
        let Loaded { generation, forgotten, rolled_back, .. } = self.loaded;
        Epochs { generation: Epoch::of_generation(generation), forgotten, rolled_back }
    }

    /// The receipts of the idempotency keys that have not expired.
    pub(crate) fn receipts(&mut self, clock: &dyn Clock) -> Receipts {
        let (receipts, now, wall) = (Receipts::default(), clock.monotonic(), clock.now());
        for Once { key, fingerprint, receipt, expires_at } in std::mem::take(&mut self.once) {
            let left = expires_at.as_millis().saturating_sub(wall.as_millis());
            if let Ok(left) = u64::try_from(left) {
                receipts.restore(key, fingerprint, receipt, now + std::time::Duration::from_millis(left));
            }
        }
        receipts
    }

    /// Says what was found.
    pub(crate) fn log(&self) {
        let Loaded { messages, streams, rolled_back, .. } = self.loaded;
        let (keys, revocations, user_topics) = (self.once.len(), self.revocations.len(), self.user_topics.len());
        tracing::info!(messages, streams, keys, revocations, user_topics, "the store was loaded");
        if rolled_back {
            tracing::warn!(
                "the machine stopped without a clean end: the last messages may be lost, and every stream begins a new epoch"
            );
        }
    }
}
