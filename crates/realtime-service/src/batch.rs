//! Many publications at once: handed to the bus in portions that the readers keep up with.

use std::{mem, time::Duration};

use realtime_core::message::plan;
use realtime_ports::{PublishError, RealtimeService};
use realtime_schema::{Audience, ClientLimits, PublishRequest, Receipt};

use crate::{
    hub,
    service::{Inner, Service},
};

type Answer = Result<Receipt, PublishError>;

/// The most publications that go together.
const MOST_TOGETHER: u32 = 64;
/// What a frame has beside its payload, about: its id, time, type and topic.
const AROUND_PAYLOAD: u64 = 256;
/// Deliveries after which others get their turn: a few milliseconds' work.
const IN_A_ROW: u64 = 64 * 1024;
/// Time between two looks at whether the readers have had their turn, and how long to wait for it. Who is still behind
/// then is judged by the limits of its queue.
const LOOK_EVERY: Duration = Duration::from_millis(1);
const PATIENCE: Duration = Duration::from_secs(2);

/// Publications in a row for the same audience: no more than a quarter of a queue, so that nobody's queue fills up
/// because its task had no turn.
struct Together {
    requests: Vec<PublishRequest>,
    publications_left: u32,
    bytes_left: u64,
}

impl Together {
    fn new(limits: &ClientLimits) -> Self {
        Self {
            requests: Vec::new(),
            publications_left: (limits.queue_messages / 4).clamp(1, MOST_TOGETHER),
            bytes_left: limits.queue_bytes / 4,
        }
    }

    /// Whether `request` may be one of them.
    fn has_room_for(&self, request: &PublishRequest) -> bool {
        self.requests.last().is_none_or(|last| {
            self.publications_left > 0
                && self.bytes_left > size_of(request)
                && last.to == request.to
                && last.except_client == request.except_client
        })
    }

    fn push(&mut self, request: PublishRequest) {
        self.publications_left = self.publications_left.saturating_sub(1);
        self.bytes_left = self.bytes_left.saturating_sub(size_of(&request));
        self.requests.push(request);
    }
}

fn size_of(request: &PublishRequest) -> u64 {
    request.payload.as_str().len() as u64 + AROUND_PAYLOAD
}

/// Publishes `requests` in their order, with an answer for each. Those in a row that go to the same audience go
/// together.
pub(crate) async fn publish(service: &Service, requests: Vec<PublishRequest>) -> Vec<Answer> {
    let inner = &service.0;
    let limits = &service.settings().limits;
    let mut batch = Batch { service, answers: Vec::with_capacity(requests.len()), in_a_row: 0 };
    let mut together = Together::new(limits);
    for request in requests {
        let alone = request.idempotency_key.is_some();
        let refused = inner.check(&request).err();
        if alone || refused.is_some() || !together.has_room_for(&request) {
            batch.publish(mem::replace(&mut together, Together::new(limits)).requests).await;
        }
        match refused {
            Some(error) => batch.answers.push(Err(error)),
            None if alone => batch.publish_alone(request).await,
            None => together.push(request),
        }
    }
    batch.publish(together.requests).await;
    batch.answers
}

/// A batch on its way.
struct Batch<'a> {
    service: &'a Service,
    answers: Vec<Answer>,
    in_a_row: u64,
}

impl Batch<'_> {
    async fn publish(&mut self, requests: Vec<PublishRequest>) {
        let Some(first) = requests.first() else { return };
        let inner = &self.service.0;
        let turn = inner.readers_turn(&first.to).await;
        let envelopes: Vec<_> = requests.into_iter().map(|request| inner.envelope(request)).collect();
        let ids: Vec<_> =
            envelopes.iter().filter_map(|envelope| envelope.message().map(|message| message.id)).collect();
        let published = inner.bus.publish_batch(envelopes).await;
        drop(turn);
        let answers = ids.into_iter().zip(published).map(|(id, published)| Ok(inner.receipt(id, published?)));
        self.answered(answers.collect()).await;
    }

    async fn publish_alone(&mut self, request: PublishRequest) {
        let turn = self.service.0.readers_turn(&request.to).await;
        let answer = self.service.publish(request).await;
        drop(turn);
        self.answered(vec![answer]).await;
    }

    async fn answered(&mut self, answers: Vec<Answer>) {
        self.in_a_row += answers.iter().flatten().map(|receipt| receipt.delivered).sum::<u64>();
        self.answers.extend(answers);
        if self.in_a_row >= IN_A_ROW {
            self.in_a_row = 0;
            tokio::task::yield_now().await;
        }
    }
}

impl Inner {
    /// Waits until everyone who is meant has had a turn to write what waits. While the answer is held no other batch
    /// adds to it, so that several at once don't fill the queues that each of them found empty.
    async fn readers_turn(&self, to: &Audience) -> tokio::sync::MutexGuard<'_, ()> {
        let begun = tokio::time::Instant::now();
        loop {
            let turn = self.batches.lock().await;
            if !self.is_anyone_behind(to) || begun.elapsed() >= PATIENCE {
                return turn;
            }
            drop(turn);
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn is_anyone_behind(&self, to: &Audience) -> bool {
        let mut behind = false;
        for route in plan(to).routes.iter() {
            hub::visit(&*self.registry, &*self.pubsub, route, |socket| behind = behind || socket.is_behind());
        }
        behind
    }
}
