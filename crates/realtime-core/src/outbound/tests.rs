//! A full queue, policy by policy.

mod gates;
mod schedules;

use proptest::prelude::*;
use realtime_schema::{Control, Message, MessageId, MessageType, Payload, Ping, Route, Timestamp};

use super::*;
use crate::codec::{encode_control, encode_publication};

const LIMITS: QueueLimits = QueueLimits { messages: 3, bytes: 10_000 };

fn frame(kind: &str, topic: &str, n: u32, overflow: Overflow) -> Frame {
    encode_publication(&message(kind, topic, n), overflow)
}

fn message(kind: &str, topic: &str, n: u32) -> Message {
    Message {
        id: MessageId(uuid::Uuid::from_u128(n.into())),
        to: Route::Topic(topic.parse().expect("a topic")).into(),
        kind: MessageType::new(kind).expect("a type"),
        payload: Payload::of(&n).expect("JSON"),
        timestamp: Timestamp::EPOCH,
        except_client: None,
    }
}

fn payloads(queue: &mut OutboundQueue) -> (Vec<u32>, Vec<Gap>) {
    let mut batch = VecDeque::new();
    let gaps = queue.take(&mut batch);
    let read = |text: &str| {
        let value: serde_json::Value = serde_json::from_str(text).expect("JSON");
        value["payload"].as_u64().map_or(u32::MAX, |n| u32::try_from(n).expect("small"))
    };
    (batch.iter().flat_map(Frame::texts).map(read).collect(), gaps)
}

#[test]
fn within_its_bounds_a_queue_keeps_the_order_and_loses_nothing() {
    let mut queue = OutboundQueue::default();
    for n in 0..3 {
        assert_eq!(queue.push(frame("t", "a", n, Overflow::Close), LIMITS), Verdict::Queued { dropped: 0 });
    }
    assert_eq!(payloads(&mut queue), (vec![0, 1, 2], vec![]));
    assert!(queue.is_empty());
}

#[test]
fn a_full_queue_without_droppable_messages_closes_the_connection() {
    let mut queue = OutboundQueue::default();
    for n in 0..3 {
        queue.push(frame("t", "a", n, Overflow::Drop), LIMITS);
    }
    assert_eq!(queue.push(frame("t", "a", 3, Overflow::Close), LIMITS), Verdict::Full);
    assert_eq!(payloads(&mut queue).0, [0, 1, 2], "a refused frame changes nothing");
}

#[test]
fn a_control_frame_replaces_only_messages_that_may_be_dropped() {
    let control = || encode_control(&Control::Ping(Ping {}), Timestamp::EPOCH);
    let mut queue = OutboundQueue::default();
    for n in 0..3 {
        queue.push(frame("t", "a", n, Overflow::Drop), LIMITS);
    }
    assert_eq!(queue.push(control(), LIMITS), Verdict::Queued { dropped: 1 });
    let mut queue = OutboundQueue::default();
    for n in 0..3 {
        queue.push(frame("t", "a", n, Overflow::Close), LIMITS);
    }
    assert_eq!(queue.push(control(), LIMITS), Verdict::Full);
}

#[test]
fn bytes_are_bounded_like_messages_but_one_message_always_fits() {
    let size = frame("t", "a", 0, Overflow::Close).text_len();
    let limits = QueueLimits { messages: 100, bytes: size * 2 };
    let mut queue = OutboundQueue::default();
    assert_eq!(queue.push(frame("t", "a", 0, Overflow::Close), limits), Verdict::Queued { dropped: 0 });
    assert_eq!(queue.push(frame("t", "a", 1, Overflow::Close), limits), Verdict::Queued { dropped: 0 });
    assert_eq!(queue.push(frame("t", "a", 2, Overflow::Close), limits), Verdict::Full);
    let tiny = QueueLimits { messages: 1, bytes: 1 };
    assert_eq!(
        OutboundQueue::default().push(frame("t", "a", 0, Overflow::Close), tiny),
        Verdict::Queued { dropped: 0 }
    );
}

#[test]
fn drop_removes_the_oldest_and_counts_them_by_stream() {
    let mut queue = OutboundQueue::default();
    for n in 0..5 {
        queue.push(frame("t", if n == 0 { "b" } else { "a" }, n, Overflow::Drop), LIMITS);
    }
    let (left, gaps) = payloads(&mut queue);
    assert_eq!(left, [2, 3, 4]);
    let gap = |topic: &str| dropped_one(Some(Stream::Topic(topic.parse().expect("a topic"))));
    assert_eq!(gaps, [gap("b"), gap("a")]);
    assert_eq!(payloads(&mut queue), (vec![], vec![]), "a gap is reported once");
}

#[test]
fn a_gap_of_a_union_or_of_a_single_connection_names_no_stream() {
    let to_topics = ["a", "b"].map(|topic| Route::Topic(topic.parse().expect("a topic")));
    let union = realtime_schema::Audience::union(to_topics.into()).expect("two routes");
    let connection = Route::Connection(realtime_schema::ConnectionId(uuid::Uuid::nil())).into();
    for to in [union, connection] {
        let mut queue = OutboundQueue::default();
        for n in 0..4 {
            let message = Message { to: Clone::clone(&to), ..message("t", "a", n) };
            queue.push(encode_publication(&message, Overflow::Drop), LIMITS);
        }
        assert_eq!(payloads(&mut queue).1, [dropped_one(None)], "{to:?}");
    }
}

#[test]
fn joined_messages_are_counted_and_dropped_one_by_one() {
    let joined = |numbers: std::ops::Range<u32>| {
        let frames: Vec<_> = numbers.map(|n| frame("t", "a", n, Overflow::Drop)).collect();
        Frame::joined(&frames).expect("some")
    };
    let limits = QueueLimits { messages: 5, ..LIMITS };
    let mut queue = OutboundQueue::default();
    assert_eq!(queue.push(joined(0..3), limits), Verdict::Queued { dropped: 0 });
    assert_eq!(queue.push(joined(3..5), limits), Verdict::Queued { dropped: 0 });
    assert_eq!(queue.len(), 5);
    assert_eq!(queue.push(joined(5..7), limits), Verdict::Queued { dropped: 2 });
    let closing = Frame::joined(&[frame("t", "a", 7, Overflow::Close), frame("t", "a", 8, Overflow::Close)]);
    assert_eq!(queue.push(closing.expect("some"), limits), Verdict::Full, "all or nothing");
    let (left, gaps) = payloads(&mut queue);
    assert_eq!((left, gaps[0].missed), (vec![2, 3, 4, 5, 6], Some(2)));
    assert_eq!(queue.len(), 0);
}

#[test]
fn drop_keeps_messages_that_may_not_be_dropped() {
    let mut queue = OutboundQueue::default();
    queue.push(encode_control(&Control::Ping(Ping {}), Timestamp::EPOCH), LIMITS);
    for n in 0..4 {
        queue.push(frame("t", "a", n, Overflow::Drop), LIMITS);
    }
    assert_eq!(payloads(&mut queue).0, [u32::MAX, 2, 3]);
}

#[test]
fn latest_keeps_the_newest_of_each_type_and_route() {
    let mut queue = OutboundQueue::default();
    let limits = QueueLimits { messages: 4, ..LIMITS };
    queue.push(frame("cpu", "a", 1, Overflow::Latest), limits);
    queue.push(frame("ram", "a", 2, Overflow::Latest), limits);
    queue.push(frame("cpu", "b", 3, Overflow::Latest), limits);
    queue.push(frame("cpu", "a", 4, Overflow::Latest), limits);
    assert_eq!(queue.push(frame("cpu", "a", 5, Overflow::Latest), limits), Verdict::Queued { dropped: 2 });
    assert_eq!(payloads(&mut queue), (vec![2, 3, 5], vec![]));
}

#[test]
fn a_gauge_finds_room_where_a_history_has_what_waits_and_drops_nothing() {
    let mut queue = OutboundQueue::default();
    queue.push(frame("cpu", "a", 1, Overflow::Latest), LIMITS);
    queue.push(frame("t", "b", 2, Overflow::Close), LIMITS);
    queue.push(gates::kept(3), LIMITS);
    assert_eq!(queue.push(frame("cpu", "a", 4, Overflow::Latest), LIMITS), Verdict::Queued { dropped: 0 });
    assert!(queue.has_gate(&gates::stream()));
    assert_eq!(payloads(&mut queue), (vec![1, 2, 4], vec![]));
}

#[test]
fn a_message_that_may_be_dropped_takes_the_place_of_the_oldest_such_and_leaves_histories_alone() {
    let mut queue = OutboundQueue::default();
    queue.push(frame("t", "b", 1, Overflow::Drop), LIMITS);
    queue.push(gates::kept(2), LIMITS);
    queue.push(frame("t", "b", 3, Overflow::Close), LIMITS);
    assert_eq!(queue.push(frame("t", "b", 4, Overflow::Drop), LIMITS), Verdict::Queued { dropped: 1 });
    assert!(!queue.has_gate(&gates::stream()));
    assert_eq!(payloads(&mut queue).0, [2, 3, 4]);
}

#[test]
fn only_a_history_that_drops_for_slow_readers_makes_room() {
    let mut queue = OutboundQueue::default();
    for offset in 1..=3 {
        queue.push(gates::kept_with(offset, Overflow::Close), LIMITS);
    }
    assert_eq!(queue.push(encode_control(&Control::Ping(Ping {}), Timestamp::EPOCH), LIMITS), Verdict::Full);
    assert_eq!(queue.push(gates::kept_with(4, Overflow::Close), LIMITS), Verdict::Full);
    assert_eq!(payloads(&mut queue).0, [1, 2, 3]);
}

#[test]
fn a_message_to_a_history_leaves_its_stream_to_it_from_the_oldest_that_waits() {
    let mut queue = OutboundQueue::default();
    queue.push(frame("t", "b", 9, Overflow::Close), LIMITS);
    queue.push(gates::kept(2), LIMITS);
    queue.push(gates::kept(3), LIMITS);
    assert_eq!(queue.push(gates::kept(4), LIMITS), Verdict::CatchingUp);
    assert_eq!((queue.len(), queue.bytes()), (1, frame("t", "b", 9, Overflow::Close).text_len()));
    assert!(queue.has_open());
    assert_eq!(gates::read_on(&mut queue), [2, 3, 4]);
}

#[test]
fn a_queue_holds_what_the_server_gives_until_the_client_resumes_or_the_hold_expires() {
    let mut queue = OutboundQueue::default();
    assert!(!queue.is_holding());
    queue.hold();
    assert!(queue.is_holding());
    assert!(!queue.release_held(&GapReason::HoldExpired), "nothing was held");
    assert!(!queue.is_holding() && queue.rare.is_none(), "and nothing is left of it");
    queue.hold();
    assert_eq!(queue.begin_resume(None), Ok(()));
    assert!(queue.is_holding(), "the streams are not counted yet");
    assert_eq!(queue.settle_resume(), None);
    assert!(!queue.is_holding() && queue.rare.is_none());
}

#[test]
fn a_queue_shows_which_message_waits_and_which_stream_has_lost_some() {
    let mut queue = OutboundQueue::default();
    queue.push(frame("t", "b", 0, Overflow::Drop), LIMITS);
    for n in 1..=3 {
        queue.push(frame("t", "a", n, Overflow::Drop), LIMITS);
    }
    let holds = |queue: &OutboundQueue, n| queue.holds(MessageId(uuid::Uuid::from_u128(n)));
    assert_eq!([0, 1, 3, 4].map(|n| holds(&queue, n)), [false, true, true, false]);
    let topic = |name: &str| Stream::Topic(name.parse().expect("a topic"));
    let gaps = [Some(topic("b")), Some(topic("a")), None].map(|stream| queue.has_gap(stream.as_ref()));
    assert_eq!(gaps, [true, false, false]);
    payloads(&mut queue);
    assert!(!queue.has_gap(Some(&topic("b"))), "the client was sent it");
    assert!(!holds(&queue, 3));
}

#[test]
fn an_idle_queue_keeps_no_memory_and_a_busy_one_keeps_its_messages() {
    let mut queue = OutboundQueue::default();
    let limits = QueueLimits { messages: 1_000, ..LIMITS };
    for n in 0..10 {
        queue.push(frame("t", "a", n, Overflow::Close), limits);
    }
    queue.rest();
    assert_eq!(payloads(&mut queue).0.len(), 10, "it was not idle");
    assert!(queue.frames.capacity() >= 9, "for the next burst");
    for n in 0..5 {
        queue.push(frame("t", "a", n, Overflow::Close), limits);
    }
    assert_eq!(payloads(&mut queue).0.len(), 5);
    assert_eq!(queue.frames.capacity(), KEPT, "a small burst keeps room for another one");
    queue.rest();
    assert_eq!(queue.frames.capacity(), 0);
    for n in 0..4 {
        queue.push(frame("t", "a", n, Overflow::Drop), LIMITS);
    }
    queue.clear();
    assert!(queue.is_empty() && (queue.len(), queue.bytes()) == (0, 0));
    assert_eq!(payloads(&mut queue), (vec![], vec![]));
}

proptest! {
    #[test]
    fn no_order_of_pushes_breaks_the_bounds_or_loses_a_message_silently(
        pushes in prop::collection::vec((0..3_u8, 0..2_u8, 0..3_u8), 0..60), messages in 1..6_usize,
    ) {
        let limits = QueueLimits { messages, bytes: 600 };
        let mut queue = OutboundQueue::default();
        let (mut accepted, mut dropped) = (0_usize, 0_usize);
        for (n, (policy, kind, topic)) in pushes.into_iter().enumerate() {
            let overflow = [Overflow::Close, Overflow::Drop, Overflow::Latest][usize::from(policy)];
            let (kind, topic) = (["x", "y"][usize::from(kind)], ["a", "b", "c"][usize::from(topic)]);
            let n = u32::try_from(n).expect("small");
            if let Verdict::Queued { dropped: lost } = queue.push(frame(kind, topic, n, overflow), limits) {
                accepted += 1;
                dropped += usize::try_from(lost).expect("small");
            }
            prop_assert!(queue.len() <= messages.max(1));
            prop_assert_eq!(queue.bytes, queue.first.iter().chain(&queue.frames).map(Frame::text_len).sum::<usize>());
            prop_assert!(queue.len() == 1 || queue.bytes <= limits.bytes);
        }
        prop_assert_eq!(queue.len(), accepted - dropped);
        let (left, _) = payloads(&mut queue);
        prop_assert!(left.is_sorted());
    }
}
