//! Many publications at once: handed to the bus in portions that the readers keep up with.

use std::{mem, sync::Arc};

use realtime_schema::{ClientLimits, PublishRequest};

use super::{PublishResult, Publisher, backend_key, kept::Kept};

/// Maximum publications of one portion.
const MAX_PORTION: u32 = 64;
/// Approximate frame overhead, in bytes: id, time, type and topic.
const FRAME_OVERHEAD: u64 = 256;
/// Bytes of publications after whose check the task yields: the bytes bound the work of a check.
const CHECKED_PER_YIELD: u64 = 64 * 1024;
/// Deliveries after which the task yields: a few milliseconds' work.
const DELIVERIES_PER_YIELD: u64 = 64 * 1024;

/// Consecutive publications for the same audience: no more than a quarter of a queue, so that no queue fills up only
/// because its task has not run.
struct Portion {
    requests: Vec<PublishRequest>,
    publications_left: u32,
    bytes_left: u64,
}

impl Portion {
    fn new(limits: &ClientLimits) -> Self {
        Self {
            requests: Vec::new(),
            publications_left: (limits.queue_messages / 4).clamp(1, MAX_PORTION),
            bytes_left: limits.queue_bytes / 4,
        }
    }

    fn has_room_for(&self, request: &PublishRequest) -> bool {
        self.requests.last().is_none_or(|last| {
            self.publications_left > 0
                && self.bytes_left > size_of(request)
                && last.to == request.to
                && last.except_client == request.except_client
                && last.history == request.history
        })
    }

    fn push(&mut self, request: PublishRequest) {
        self.publications_left = self.publications_left.saturating_sub(1);
        self.bytes_left = self.bytes_left.saturating_sub(size_of(&request));
        self.requests.push(request);
    }
}

fn size_of(request: &PublishRequest) -> u64 {
    request.payload.as_str().len() as u64 + FRAME_OVERHEAD
}

/// Publishes `requests` in their order, with a result for each. Consecutive ones for the same audience go together.
pub(super) async fn publish(publisher: &Arc<Publisher>, requests: Vec<PublishRequest>) -> Vec<PublishResult> {
    let limits = &publisher.parts.settings.load().limits.clone();
    let mut batch = Batch { publisher, results: Vec::with_capacity(requests.len()), deliveries: 0 };
    let mut portion = Portion::new(limits);
    let mut checked = 0;
    for request in requests {
        let alone = request.idempotency_key.is_some();
        let refused = publisher.check(&request).err();
        if publisher.parts.payloads.are_checked() {
            checked += size_of(&request);
        }
        if checked >= CHECKED_PER_YIELD {
            checked = 0;
            tokio::task::yield_now().await;
        }
        if alone || refused.is_some() || !portion.has_room_for(&request) {
            batch.publish(mem::replace(&mut portion, Portion::new(limits)).requests).await;
        }
        match refused {
            Some(error) => batch.results.push(Err(error)),
            None if alone => batch.publish_alone(request).await,
            None => portion.push(request),
        }
    }
    batch.publish(portion.requests).await;
    batch.results
}

/// A batch that is being published.
struct Batch<'a> {
    publisher: &'a Arc<Publisher>,
    results: Vec<PublishResult>,
    /// Since the task yielded.
    deliveries: u64,
}

impl Batch<'_> {
    async fn publish(&mut self, requests: Vec<PublishRequest>) {
        let Some(first) = requests.first() else { return };
        let publisher = self.publisher;
        let kept = Kept::of(&publisher.parts.streams, first);
        let turn = publisher.wait_for_readers(&first.to, kept.as_ref()).await;
        if let Some(kept) = kept {
            let results = publisher.publish_kept(kept, requests, None).await;
            drop(turn);
            return self.record(results).await;
        }
        let begin = |request| {
            let note = publisher.note(&request);
            let (id, envelope) = publisher.envelope(request);
            ((id, note), envelope)
        };
        let (begun, envelopes): (Vec<_>, Vec<_>) = requests.into_iter().map(begin).unzip();
        let published = publisher.parts.bus.publish_batch(envelopes).await;
        drop(turn);
        let results =
            begun.into_iter().zip(published).map(|((id, note), published)| Ok(publisher.receipt(id, note, published?)));
        self.record(results.collect()).await;
    }

    async fn publish_alone(&mut self, request: PublishRequest) {
        let once = backend_key(&request);
        let result = self.publisher.publish_as(request, once, true).await;
        self.record(vec![result]).await;
    }

    async fn record(&mut self, results: Vec<PublishResult>) {
        self.deliveries += results.iter().flatten().map(|receipt| receipt.delivered).sum::<u64>();
        self.results.extend(results);
        if self.deliveries >= DELIVERIES_PER_YIELD {
            self.deliveries = 0;
            tokio::task::yield_now().await;
        }
    }
}
