//! Many publications at once: handed to the bus in turns, so that the readers keep up.

use std::mem;

use realtime_ports::{PublishError, RealtimeService};
use realtime_schema::{ClientLimits, PublishRequest, Receipt};

use crate::service::Service;

type Answer = Result<Receipt, PublishError>;

/// What a frame has beside its payload, about: its id, time, type and topic.
const AROUND_PAYLOAD: u64 = 256;

/// How much is published before readers get their turn. Within a turn, what a connection gets is written at once.
struct Turn {
    publications: u32,
    bytes: u64,
    deliveries: u64,
}

impl Turn {
    /// Nobody's queue may fill up because its task had no turn: no more than a quarter of one. And a few milliseconds'
    /// work at the most.
    fn of(limits: &ClientLimits) -> Self {
        Self {
            publications: (limits.queue_messages / 4).clamp(1, 64),
            bytes: limits.queue_bytes / 4,
            deliveries: 64 * 1024,
        }
    }

    fn takes(&mut self, request: &PublishRequest) {
        self.publications = self.publications.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(request.payload.as_str().len() as u64 + AROUND_PAYLOAD);
    }

    fn count(&mut self, answers: &[Answer]) {
        let delivered: u64 = answers.iter().flatten().map(|receipt| receipt.delivered).sum();
        self.deliveries = self.deliveries.saturating_sub(delivered);
    }

    fn is_over(&self) -> bool {
        self.publications == 0 || self.bytes == 0 || self.deliveries == 0
    }
}

/// Publishes `requests` in their order, with an answer for each. Those in a row that go to the same audience go
/// together.
pub(crate) async fn publish(service: &Service, requests: Vec<PublishRequest>) -> Vec<Answer> {
    let limits = &service.settings().limits;
    let mut answers = Vec::with_capacity(requests.len());
    let mut turn = Turn::of(limits);
    let mut together: Vec<PublishRequest> = Vec::new();
    for request in requests {
        let alone = request.idempotency_key.is_some();
        let refused = service.0.check(&request).err();
        let apart = alone
            || refused.is_some()
            || together.last().is_some_and(|last| last.to != request.to || last.except_client != request.except_client);
        if apart || turn.is_over() {
            hand_over(service, mem::take(&mut together), &mut turn, &mut answers).await;
        }
        if turn.is_over() {
            turn = Turn::of(limits);
            tokio::task::yield_now().await;
        }
        match refused {
            Some(error) => answers.push(Err(error)),
            None => {
                turn.takes(&request);
                if alone {
                    let answer = service.publish(request).await;
                    turn.count(std::slice::from_ref(&answer));
                    answers.push(answer);
                } else {
                    together.push(request);
                }
            }
        }
    }
    hand_over(service, together, &mut turn, &mut answers).await;
    answers
}

async fn hand_over(service: &Service, requests: Vec<PublishRequest>, turn: &mut Turn, answers: &mut Vec<Answer>) {
    if requests.is_empty() {
        return;
    }
    let inner = &service.0;
    let envelopes: Vec<_> = requests.into_iter().map(|request| inner.envelope(request)).collect();
    let ids: Vec<_> = envelopes.iter().map(|envelope| envelope.message.id).collect();
    let published = inner.bus.publish_batch(envelopes).await;
    let first = answers.len();
    answers.extend(ids.into_iter().zip(published).map(|(id, published)| Ok(inner.receipt(id, published?))));
    turn.count(&answers[first..]);
}
