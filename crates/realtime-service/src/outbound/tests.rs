//! What a connection's queue promises its senders and its task.

use std::{
    cell::RefCell,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use realtime_core::{codec::encode_control, outbound::QueueLimits};
use realtime_ports::conformance::connection::{ConnectionUnderTest, connection_conformance};
use realtime_schema::{Control, Ping, Timestamp};
use tokio::time::timeout;

use super::*;

fn outbound(messages: usize) -> Arc<Outbound> {
    let limits = QueueLimits { messages, bytes: 1 << 20 };
    let shared = Arc::new(OutboundShared { limits, metrics: Arc::default() });
    Arc::new(Outbound::new(
        "019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d8e".parse().expect("an id"),
        None,
        None,
        Duration::ZERO,
        shared,
    ))
}

fn frame() -> Frame {
    encode_control(&Control::Ping(Ping {}), Timestamp::EPOCH)
}

async fn next(outbound: &Outbound, batch: &mut VecDeque<Frame>) -> Option<Next> {
    let work = poll_fn(|context| match outbound.work(context.waker(), batch).next {
        Some(next) => Poll::Ready(next),
        None => Poll::Pending,
    });
    timeout(Duration::from_secs(5), work).await.ok()
}

async fn taken(outbound: &Outbound) -> usize {
    let mut batch = VecDeque::new();
    match next(outbound, &mut batch).await.expect("something to write") {
        Next::Batch { .. } => batch.len(),
        Next::Close(closing) => panic!("closing instead: {closing:?}"),
        Next::Page(_) | Next::Turn => panic!("a page instead"),
    }
}

async fn closed(outbound: &Outbound) -> Closing {
    match next(outbound, &mut VecDeque::new()).await.expect("a close") {
        Next::Close(closing) => *closing,
        Next::Batch { .. } | Next::Page(_) | Next::Turn => panic!("a batch instead"),
    }
}

#[tokio::test]
async fn all_that_waits_is_taken_at_once() {
    let outbound = outbound(10);
    for _ in 0..3 {
        outbound.send(&frame()).expect("room");
    }
    assert_eq!(taken(&outbound).await, 3);
}

#[tokio::test]
async fn a_waiting_task_is_woken_by_a_frame_and_by_a_close() {
    let outbound = outbound(10);
    let sender = outbound.clone();
    let task = tokio::spawn(async move { (taken(&outbound).await, closed(&outbound).await.code) });
    tokio::task::yield_now().await;
    sender.send(&frame()).expect("room");
    tokio::task::yield_now().await;
    sender.close(Closing::new(CloseCode::DRAINING, "bye"));
    assert_eq!(task.await.expect("no panic"), (1, CloseCode::DRAINING));
}

/// A task that counts how often it is woken.
#[derive(Default)]
struct Task(AtomicUsize);

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

#[test]
fn a_task_is_woken_once_for_all_that_comes_and_told_whether_it_was_only_the_queue() {
    let (outbound, task) = (outbound(10), Arc::new(Task::default()));
    let (waker, woken) = (Waker::from(task.clone()), || task.0.swap(0, Relaxed));
    let work = || {
        let mut batch = VecDeque::new();
        let Work { next, listen, .. } = outbound.work(&waker, &mut batch);
        (next.is_some(), batch.len(), listen)
    };
    assert_eq!(work(), (false, 0, false), "nothing yet");
    (0..3).for_each(|_| outbound.send(&frame()).expect("room"));
    assert_eq!((woken(), work()), (1, (true, 3, false)));
    Waker::from(outbound.clone()).wake_by_ref();
    outbound.send(&frame()).expect("room");
    assert_eq!((woken(), work()), (1, (true, 1, true)));
    outbound.stay_awake();
    outbound.send(&frame()).expect("room");
    assert_eq!((woken(), work()), (0, (true, 1, false)), "it looks by itself");
    outbound.stay_awake();
    outbound.close(Closing::new(CloseCode::DRAINING, "bye"));
    assert_eq!(woken(), 1, "it is woken for its end in any case");
}

#[tokio::test]
async fn what_was_queued_before_a_close_is_still_written_and_nothing_after_it() {
    let outbound = outbound(10);
    outbound.send(&frame()).expect("room");
    outbound.close(Closing::new(CloseCode::FORBIDDEN, "first"));
    outbound.close(Closing::new(CloseCode::DRAINING, "second"));
    assert!(!outbound.is_open());
    assert_eq!(outbound.send(&frame()), Err(SendError::Closed));
    assert_eq!(taken(&outbound).await, 1);
    assert_eq!(closed(&outbound).await.reason, "first", "only the first close counts");
}

#[tokio::test]
async fn a_full_queue_closes_as_too_slow_and_names_its_limits() {
    let outbound = outbound(2);
    assert!(outbound.send(&frame()).is_ok() && outbound.send(&frame()).is_ok());
    assert_eq!(outbound.send(&frame()), Err(SendError::Full));
    assert_eq!(outbound.send(&frame()), Err(SendError::Closed));
    let closing = closed(&outbound).await;
    assert_eq!((closing.code, closing.reconnect), (CloseCode::TOO_SLOW, true));
    assert!(closing.reason.contains("limits.queue_messages"), "{}", closing.reason);
}

#[tokio::test]
async fn a_shut_queue_takes_nothing() {
    let outbound = outbound(2);
    outbound.send(&frame()).expect("room");
    outbound.shut();
    assert_eq!(outbound.send(&frame()), Err(SendError::Closed));
    assert!(!outbound.is_open());
}

#[test]
fn it_keeps_every_promise_of_the_port() {
    connection_conformance(|spec| {
        let limits = QueueLimits { messages: spec.capacity, bytes: 1 << 20 };
        let shared = Arc::new(OutboundShared { limits, metrics: Arc::default() });
        let socket = Arc::new(Outbound::new(spec.id, spec.client, None, Duration::ZERO, shared));
        let (reader, closer) = (socket.clone(), socket.clone());
        let read = RefCell::new(Vec::new());
        let texts = move || {
            let mut batch = VecDeque::new();
            reader.state().queue.take(&mut batch);
            read.borrow_mut().extend(batch.iter().flat_map(Frame::texts).map(str::to_owned));
            read.borrow().clone()
        };
        let closing = move || closer.state().closing.as_deref().cloned();
        ConnectionUnderTest { socket, texts: Box::new(texts), closing: Box::new(closing) }
    });
}

#[test]
fn a_queue_fits_into_the_block_that_the_allocator_gives_it() {
    // With the two counters of the Arc and the allocator's own eight bytes 192: a byte more costs each connection 16.
    assert!(size_of::<Outbound>() <= 168, "it has {} bytes", size_of::<Outbound>());
}
