//! The promises of every [`MessageBus`], tested with one node.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
};

use realtime_core::{
    bus,
    message::{Content, Stamp},
};
use realtime_schema::{Envelope, MessageId, MessageType, NodeId, Payload, Route, Timestamp};

use super::scene::{id, role, topic, user};
use crate::{BusError, Delivery, MessageBus};

/// Runs the whole suite. Each part takes a fresh bus, not started, of a node of its own.
///
/// # Panics
/// The bus breaks a promise of the port; the message says which.
pub async fn bus_conformance<B: MessageBus>(fresh: impl Fn() -> B) {
    a_bus_is_started_before_it_is_published_to(&fresh()).await;
    a_bus_is_started_once(&fresh()).await;
    an_envelope_is_delivered_once_and_unchanged(&fresh()).await;
    the_result_counts_the_connections_that_accepted_it(&fresh()).await;
    a_batch_is_delivered_in_its_order_with_a_result_for_each(&fresh()).await;
    each_caller_keeps_its_order(&fresh()).await;
}

/// Records deliveries, and returns `accepted` as the count of connections.
struct Mailbox {
    delivered: Mutex<Vec<Envelope>>,
    accepted: u64,
}

impl Mailbox {
    fn new(accepted: u64) -> Arc<Self> {
        Arc::new(Self { delivered: Mutex::default(), accepted })
    }

    fn take(&self) -> Vec<Envelope> {
        std::mem::take(&mut self.delivered.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Delivery for Mailbox {
    fn deliver(&self, envelope: &Envelope) -> u64 {
        self.delivered.lock().unwrap_or_else(PoisonError::into_inner).push(envelope.clone());
        self.accepted
    }
}

fn envelope(to: Route, n: usize) -> Arc<Envelope> {
    let payload = Payload::from_text(n.to_string()).expect("a number is JSON");
    let content = Content { kind: MessageType::new("note").expect("a type"), payload };
    let stamp = Stamp { id: MessageId(id(n).0), now: Timestamp::EPOCH };
    Arc::new(bus::envelope(NodeId(id(0).0), to, content, stamp))
}

/// The number that [`envelope`] carries.
fn number(envelope: &Envelope) -> usize {
    let message = envelope.message().expect("a publication");
    message.payload.as_str().parse().expect("a number")
}

async fn started<B: MessageBus>(bus: &B, accepted: u64) -> Arc<Mailbox> {
    let mailbox = Mailbox::new(accepted);
    bus.start(Arc::clone(&mailbox) as _).await.expect("a fresh bus starts");
    mailbox
}

/// Publishing before the start is an error of the caller: it returns `Misused`.
pub async fn a_bus_is_started_before_it_is_published_to<B: MessageBus>(bus: &B) {
    let early = bus.publish(envelope(Route::All, 1)).await;
    assert!(matches!(early, Err(BusError::Misused(_))), "publishing before the start returned {early:?}");
    let mailbox = started(bus, 0).await;
    assert_eq!(mailbox.take(), [], "a refused envelope is not delivered later");
    bus.publish(envelope(Route::All, 2)).await.expect("a started bus accepts a publication");
    assert_eq!(mailbox.take().len(), 1, "and delivers it");
}

/// A second start is an error of the caller; the first delivery stays.
pub async fn a_bus_is_started_once<B: MessageBus>(bus: &B) {
    let (first, second) = (started(bus, 0).await, Mailbox::new(0));
    let again = bus.start(Arc::clone(&second) as _).await;
    assert!(matches!(again, Err(BusError::Misused(_))), "a second start returned {again:?}");
    bus.publish(envelope(Route::All, 1)).await.expect("it still works");
    assert_eq!((first.take().len(), second.take().len()), (1, 0), "only the first delivery gets it");
}

/// For every kind of route, before `publish` returns.
pub async fn an_envelope_is_delivered_once_and_unchanged<B: MessageBus>(bus: &B) {
    let mailbox = started(bus, 0).await;
    let routes = [
        Route::All,
        Route::User(user("alice")),
        Route::Role(role("admin")),
        Route::Connection(id(1)),
        Route::Topic(topic("order:1")),
    ];
    for (n, route) in routes.into_iter().enumerate() {
        let sent = envelope(route, n);
        bus.publish(Arc::clone(&sent)).await.expect("published");
        assert_eq!(mailbox.take(), [(*sent).clone()], "this node gets the envelope, once, unchanged");
    }
}

/// The count is of this node's connections.
pub async fn the_result_counts_the_connections_that_accepted_it<B: MessageBus>(bus: &B) {
    let _mailbox = started(bus, 42).await;
    let published = bus.publish(envelope(Route::All, 1)).await.expect("published");
    assert_eq!(published.delivered, 42, "the result counts this node's connections that accepted it");
}

/// As if they were published one after the other. A failure is returned for each of them.
pub async fn a_batch_is_delivered_in_its_order_with_a_result_for_each<B: MessageBus>(bus: &B) {
    let batch: Vec<_> = (0..10).map(|n| envelope(Route::Topic(topic(&format!("order:{}", n / 4))), n)).collect();
    for early in bus.publish_batch(batch[..2].to_vec()).await {
        assert!(matches!(early, Err(BusError::Misused(_))), "a batch before the start returned {early:?}");
    }
    let mailbox = started(bus, 42).await;
    let results = bus.publish_batch(batch.clone()).await;
    assert_eq!(results.len(), batch.len(), "each envelope has a result");
    for result in results {
        assert_eq!(
            result.expect("published").delivered,
            42,
            "each result counts this node's connections that accepted it"
        );
    }
    let sent: Vec<_> = batch.iter().map(|envelope| (**envelope).clone()).collect();
    assert_eq!(mailbox.take(), sent, "each is delivered once, in the order of the batch");
    assert!(bus.publish_batch(Vec::new()).await.is_empty(), "an empty batch has no results");
}

/// With several callers at once, the publications of each arrive in its order, and none is lost.
pub async fn each_caller_keeps_its_order<B: MessageBus>(bus: &B) {
    const CALLERS: usize = 4;
    const EACH: usize = 50;
    let mailbox = started(bus, 0).await;
    let caller = async |caller: usize| {
        for n in 0..EACH {
            bus.publish(envelope(Route::All, caller * EACH + n)).await.expect("published");
        }
    };
    all((0..CALLERS).map(|n| Box::pin(caller(n)) as Pin<Box<dyn Future<Output = ()> + '_>>).collect()).await;
    let arrived: Vec<usize> = mailbox.take().iter().map(number).collect();
    assert_eq!(arrived.len(), CALLERS * EACH, "everything arrives once");
    for caller in 0..CALLERS {
        let range = caller * EACH..(caller + 1) * EACH;
        let of_caller: Vec<_> = arrived.iter().copied().filter(|n| range.contains(n)).collect();
        assert!(of_caller.is_sorted(), "a caller's envelopes arrived out of order: {of_caller:?}");
        assert_eq!(of_caller, range.collect::<Vec<_>>(), "each of a caller's envelopes arrived once");
    }
}

/// Polls all of them on this task, with any runtime.
async fn all(mut futures: Vec<Pin<Box<dyn Future<Output = ()> + '_>>>) {
    poll_fn(|context| {
        futures.retain_mut(|future| future.as_mut().poll(context).is_pending());
        if futures.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
