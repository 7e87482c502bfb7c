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
    to_end::{self, Begun},
    trace::Traces,
};

mod batch;
mod kept;
mod payloads;
mod turns;

pub(crate) use payloads::Payloads;
use turns::Turns;

/// What becomes of one publication.
type PublishResult = Result<Receipt, PublishError>;

/// Publishes messages on this node.
pub(crate) struct Publisher {
    parts: PublisherParts,
    turns: Turns,
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
    /// The way to the durable store; `None` without one.
    pub(crate) journal: Option<Arc<Journal>>,
    pub(crate) recent: Arc<Recent>,
    pub(crate) traces: Arc<Traces>,
    pub(crate) payloads: Payloads,
    /// The receipts that the store has kept.
    pub(crate) receipts: Receipts,
}

impl Publisher {
    pub(crate) fn new(parts: PublisherParts) -> Self {
        Self { parts, turns: Turns::default() }
    }

    /// Publishes one message of the backend or the application, once for each idempotency key.
    pub(crate) async fn publish(self: &Arc<Self>, request: PublishRequest) -> PublishResult {
        let once = backend_key(&request);
        self.publish_once(request, once).await
    }

    /// Publishes one message, once for each `once`: a key that names the publisher too. Without a result within
    /// `store.commit_timeout` it returns an error, and the message may be published later.
    pub(crate) async fn publish_once(self: &Arc<Self>, request: PublishRequest, once: Option<String>) -> PublishResult {
        self.check(&request)?;
        self.publish_as(request, once, false).await
    }

    /// The rules for payloads, to be replaced.
    pub(crate) fn payloads(&self) -> &Payloads {
        &self.parts.payloads
    }

    /// Publishes several messages in their order, with a result for each. With an idempotency key among them, all are
    /// published even if the caller goes away.
    pub(crate) async fn publish_batch(self: &Arc<Self>, requests: Vec<PublishRequest>) -> Vec<PublishResult> {
        if requests.iter().all(|request| request.idempotency_key.is_none()) {
            return batch::publish(self, requests).await;
        }
        let (publisher, count) = (self.clone(), requests.len());
        match to_end::begin(async move { batch::publish(&publisher, requests).await }) {
            Begun::Done(results) => results,
            Begun::Running(task) => task.await.unwrap_or_else(|error| vec![Err(to_end::ended(error)); count]),
        }
    }

    /// Publishes a message that was checked.
    async fn publish_as(
        self: &Arc<Self>,
        request: PublishRequest,
        once: Option<String>,
        in_batch: bool,
    ) -> PublishResult {
        let Some(key) = once else { return self.publish_checked(request, None, in_batch).await };
        let bounds = self.parts.settings.load().idempotency_bounds(self.parts.clock.monotonic());
        let fingerprint = fingerprint(&request);
        let stored = self.parts.journal.as_ref().map(|_| OnceKey {
            key: key.as_str().into(),
            fingerprint,
            expires_at: self.parts.clock.now().after(bounds.window),
        });
        let publisher = self.clone();
        let publish = || async move { publisher.publish_checked(request, stored, in_batch).await };
        self.parts.receipts.once(&key, fingerprint, bounds, publish).await
    }

    /// Judges a request by the limits, and then by the rules for payloads: before its key is taken, so that a message that
    /// was refused can be repaired and sent with the same one.
    fn check(&self, request: &PublishRequest) -> Result<(), PublishError> {
        let (size, limit) = (request.payload.as_str().len(), self.parts.settings.load().publishing.max_bytes);
        if size > limit {
            return Err(PublishError::TooLarge { size, limit });
        }
        validate(request, limit).map_err(PublishError::Invalid)?;
        kept::check_union(&self.parts.streams, request).map_err(|error| PublishError::Invalid(vec![error]))?;
        self.parts.payloads.check(request)
    }

    async fn publish_checked(&self, request: PublishRequest, once: Option<OnceKey>, in_batch: bool) -> PublishResult {
        let kept = kept::Kept::of(&self.parts.streams, &request);
        let turn = if in_batch { self.wait_for_readers(&request.to, kept.as_ref()).await } else { None };
        if let Some(kept) = kept {
            let mut results = self.publish_kept(kept, vec![request], once).await;
            return results.pop().expect("a result for each request");
        }
        let note = self.note(&request);
        let (id, envelope) = self.envelope(request);
        let receipt = self.receipt(id, note, self.parts.bus.publish(envelope).await?);
        drop(turn);
        // The message went out, whether its key can be stored or not: an error would make the publisher repeat it.
        if let Some((journal, once)) = self.parts.journal.as_deref().zip(once)
            && let Err(error) = journal.store(vec![once.record(receipt.clone())]).await
        {
            tracing::debug!(%error, "an idempotency key of a message without history is not stored: a restart forgets it");
        }
        Ok(receipt)
    }

    /// What is to be known of a publication once it is done.
    fn note(&self, request: &PublishRequest) -> Option<Note> {
        self.parts.recent.note(request, self.parts.traces.is_active())
    }

    /// The message's id, and what the bus is to carry.
    fn envelope(&self, request: PublishRequest) -> (MessageId, Arc<Envelope>) {
        let stamp = Stamp { id: self.parts.ids.message_id(), now: self.parts.clock.now() };
        (stamp.id, Arc::new(Envelope::new(self.parts.node, from_request(request, stamp))))
    }

    /// What the publisher gets.
    fn receipt(&self, id: MessageId, note: Option<Note>, published: Published) -> Receipt {
        self.parts.metrics.publications_total.fetch_add(1, Relaxed);
        let Published { delivered, other_nodes, position, .. } = published;
        let receipt = Receipt { id, delivered, other_nodes, position, duplicate: false };
        if let Some(note) = note {
            if let Some(message) = &note.traced {
                self.parts.traces.published(&note, message, &receipt);
            }
            self.parts.recent.published(note, &receipt);
        }
        receipt
    }
}

/// The key of a request of the backend. No client has such a key: see `ClientPublication::into_request`.
fn backend_key(request: &PublishRequest) -> Option<String> {
    request.idempotency_key.as_ref().map(|key| format!("backend:{key}"))
}
