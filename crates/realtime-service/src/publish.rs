//! Publishing: check, idempotency key, envelope, bus, receipt.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use realtime_core::{
    fingerprint::fingerprint,
    message::{Stamp, from_request, validate},
};
use realtime_ports::{Clock, IdGenerator, MessageBus, PublishError, Published};
use realtime_schema::{Envelope, MessageId, NodeId, PublishRequest, Receipt};

use crate::{
    hub::Hub,
    idempotency::Receipts,
    journal::{Journal, OnceKey},
    metrics::Metrics,
    recent::{Note, Recent},
    settings::LiveSettings,
    streams::Streams,
};

mod batch;
mod kept;

/// What becomes of one publication.
type PublishResult = Result<Receipt, PublishError>;

/// Publishes messages on this node.
pub(crate) struct Publisher {
    node: NodeId,
    settings: LiveSettings,
    bus: Arc<dyn MessageBus>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGenerator>,
    metrics: Arc<Metrics>,
    hub: Arc<Hub>,
    streams: Arc<Streams>,
    /// The way to the durable store; `None` without one.
    journal: Option<Arc<Journal>>,
    recent: Arc<Recent>,
    receipts: Receipts,
    /// Held while a portion of a batch is queued.
    batches: tokio::sync::Mutex<()>,
}

/// What a publisher needs of the node.
pub(crate) struct PublisherParts {
    pub(crate) node: NodeId,
    pub(crate) settings: LiveSettings,
    pub(crate) bus: Arc<dyn MessageBus>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdGenerator>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) streams: Arc<Streams>,
    pub(crate) journal: Option<Arc<Journal>>,
    pub(crate) recent: Arc<Recent>,
    /// The receipts that the store has kept.
    pub(crate) receipts: Receipts,
}

impl Publisher {
    pub(crate) fn new(parts: PublisherParts) -> Self {
        let PublisherParts { node, settings, bus, clock, ids, metrics, hub, streams, journal, recent, receipts } =
            parts;
        let batches = tokio::sync::Mutex::default();
        Self { node, settings, bus, clock, ids, metrics, hub, streams, journal, recent, receipts, batches }
    }

    /// Publishes one message of the backend or the application, once for each idempotency key.
    pub(crate) async fn publish(&self, request: PublishRequest) -> PublishResult {
        // No client has such a key: see `ClientPublication::into_request`.
        let once = request.idempotency_key.as_ref().map(|key| format!("backend:{key}"));
        self.publish_once(request, once).await
    }

    /// Publishes one message, once for each `once`: a key that names the publisher too.
    pub(crate) async fn publish_once(&self, request: PublishRequest, once: Option<String>) -> PublishResult {
        self.check(&request)?;
        match once {
            None => self.publish_checked(request, None).await,
            Some(key) => {
                let bounds = self.settings.load().publishing.idempotency_bounds(self.clock.monotonic());
                let again = request.clone();
                let fingerprint = fingerprint(&request);
                let stored = self.journal.as_ref().map(|_| OnceKey {
                    key: key.as_str().into(),
                    fingerprint,
                    expires_at: self.clock.now().after(bounds.window),
                });
                self.receipts.once(&key, fingerprint, bounds, || self.publish_checked(again, stored)).await
            }
        }
    }

    /// Publishes several messages in their order, with a result for each.
    pub(crate) async fn publish_batch(&self, requests: Vec<PublishRequest>) -> Vec<PublishResult> {
        batch::publish(self, requests).await
    }

    /// Judges a request by the limits.
    fn check(&self, request: &PublishRequest) -> Result<(), PublishError> {
        let (size, limit) = (request.payload.as_str().len(), self.settings.load().publishing.max_bytes);
        if size > limit {
            return Err(PublishError::TooLarge { size, limit });
        }
        validate(request, limit).map_err(PublishError::Invalid)?;
        kept::check_union(&self.streams, request).map_err(|error| PublishError::Invalid(vec![error]))
    }

    async fn publish_checked(&self, request: PublishRequest, once: Option<OnceKey>) -> PublishResult {
        if let Some(kept) = kept::Kept::of(&self.streams, &request) {
            let mut results = self.publish_kept(kept, vec![request], once).await;
            return results.pop().expect("a result for each request");
        }
        let note = Note::of(&request);
        let (id, envelope) = self.envelope(request);
        let receipt = self.receipt(id, note, self.bus.publish(envelope).await?);
        if let Some((journal, once)) = self.journal.as_deref().zip(once) {
            journal.store(vec![once.record(receipt.clone())]).await.map_err(PublishError::Store)?;
        }
        Ok(receipt)
    }

    /// The message's id, and what the bus is to carry.
    fn envelope(&self, request: PublishRequest) -> (MessageId, Arc<Envelope>) {
        let stamp = Stamp { id: self.ids.message_id(), now: self.clock.now() };
        (stamp.id, Arc::new(Envelope::new(self.node, from_request(request, stamp))))
    }

    /// What the publisher gets.
    fn receipt(&self, id: MessageId, note: Note, published: Published) -> Receipt {
        self.metrics.publications_total.fetch_add(1, Relaxed);
        let Published { delivered, other_nodes, position, .. } = published;
        let receipt = Receipt { id, delivered, other_nodes, position, duplicate: false };
        self.recent.published(note, &receipt);
        receipt
    }
}
