//! How many connections read a page before others are scheduled.

use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    task::{Wake, Waker},
};

use realtime_core::{
    Label, PreparedFrame,
    epoch::Epoch,
    outbound::{Gate, OutboundQueue, QueueLimits, Start},
    policy::Overflow,
};
use realtime_ports::{QueueChange, WebSocketConnection};
use realtime_schema::{Audience, MessageType, Route};

use super::*;
use crate::outbound::{Next, OutboundShared};

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

struct CatchUp;

impl QueueChange for CatchUp {
    fn apply(&mut self, queue: &mut OutboundQueue) {
        queue.add_gate(Gate::open(Route::All, Start::After(None, 0)));
    }
}

fn catching_up() -> Arc<Outbound> {
    let shared = OutboundShared { limits: QueueLimits { messages: 10, bytes: 1 << 20 }, metrics: Arc::default() };
    let id = "019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d8e".parse().expect("an id");
    let outbound = Arc::new(Outbound::new(id, None, None, std::time::Duration::ZERO, Arc::new(shared)));
    outbound.change_queue(&mut CatchUp);
    outbound
}

fn next(outbound: &Outbound, task: &Waker) -> Option<Next> {
    outbound.work(task, &mut VecDeque::new()).next
}

#[tokio::test]
async fn a_connection_reads_a_page_only_in_its_turn() {
    let (turns, outbound, task) = (PageTurns::start(), catching_up(), Waker::noop());
    assert!(matches!(next(&outbound, task), Some(Next::Turn)));
    assert!(next(&outbound, task).is_none(), "it waits");
    turns.wait(outbound.clone());
    yield_now().await;
    assert!(matches!(next(&outbound, task), Some(Next::Page(Route::All))));
    assert!(matches!(next(&outbound, task), Some(Next::Turn)), "one page for each turn");
}

#[tokio::test]
async fn a_thousand_connections_that_catch_up_leave_room_for_others() {
    let (turns, woken) = (PageTurns::start(), Arc::<Woken>::default());
    let task = Waker::from(woken.clone());
    let connections: Vec<_> = (0..1_000).map(|_| catching_up()).collect();
    for connection in &connections {
        assert!(matches!(next(connection, &task), Some(Next::Turn)));
        turns.wait(connection.clone());
    }
    let mut before = 0;
    while before < connections.len() {
        yield_now().await;
        let now = woken.0.load(Relaxed);
        assert!((1..=AT_ONCE).contains(&(now - before)), "{} at once", now - before);
        before = now;
    }
}

#[tokio::test]
async fn a_publication_wakes_no_connection_that_waits_for_its_turn() {
    let woken = Arc::<Woken>::default();
    let (outbound, task) = (catching_up(), Waker::from(woken.clone()));
    assert!(matches!(next(&outbound, &task), Some(Next::Turn)));
    let to = Audience::from(Route::All);
    let label = Label { overflow: Overflow::Drop, kind: MessageType::new("t").expect("a type"), to, kept: None };
    let prepared = PreparedFrame::encode(label, None, |buffer| std::io::Write::write_all(buffer, b"{\"a\":1}"));
    let sent = outbound.send(&prepared.expect("a frame").finish(Epoch(1), 1));
    assert!(matches!(sent, Err(realtime_ports::SendError::CatchingUp)), "{sent:?}");
    assert_eq!(woken.0.load(Relaxed), 0);
}
