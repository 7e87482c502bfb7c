//! A stream that is read from its history: when it begins, what stands in for what is lost, and what it owes at the end.

use realtime_schema::{Ack, CommandId, Control, ErrorCode, Stream, StreamPosition, Subscribed};

use super::*;
use crate::{
    codec::prepare_publication,
    epoch::{Epoch, Epochs},
    log::{Bounds, Log},
};

const EPOCHS: Epochs = Epochs { generation: Epoch(7), forgotten: 0, rolled_back: false };
const PAGE: PageLimits = PageLimits { messages: 2, bytes: 10_000 };

pub(super) fn stream() -> Route {
    Route::Topic("a".parse().expect("a topic"))
}

/// The frame of the message with this offset, whose payload is the offset.
pub(super) fn kept(offset: u32) -> Frame {
    kept_with(offset, Overflow::Drop)
}

pub(super) fn kept_with(offset: u32, overflow: Overflow) -> Frame {
    prepare_publication(&message("t", "a", offset), overflow).expect("of a stream").finish(Epoch(7), offset.into())
}

/// The offsets that a queue reads of a history with the messages 1 to 4.
pub(super) fn read_on(queue: &mut OutboundQueue) -> Vec<u64> {
    let limits = PageLimits { messages: 9, bytes: 10_000 };
    let page = queue.take_page(&stream(), &log(4), &EPOCHS, None, limits, &mut VecDeque::new());
    offsets(&page.expect("a page"))
}

/// A history with the messages 1 to `top`.
fn log(top: u32) -> Log {
    let mut log = Log::new(Epoch(7));
    (1..=top).for_each(|offset| log.append(kept(offset), 0));
    log
}

fn after(offset: u64) -> Start {
    Start::After(Some(Epoch(7)), offset)
}

fn page(queue: &mut OutboundQueue, log: &Log) -> Option<Page> {
    queue.take_page(&stream(), log, &EPOCHS, None, PAGE, &mut VecDeque::new())
}

fn offsets(page: &Page) -> Vec<u64> {
    page.frames.iter().filter_map(|frame| frame.kept().map(|kept| kept.first)).collect()
}

fn gated(gate: Gate) -> OutboundQueue {
    let mut queue = OutboundQueue::default();
    queue.add_gate(gate);
    queue
}

fn ack(n: i64, offset: u64) -> Control {
    let position = Some(StreamPosition { epoch: "7".into(), offset });
    Control::Ack(Ack { position, ..Ack::new(CommandId::Number(n)) })
}

#[test]
fn a_history_is_read_page_by_page_and_the_reply_follows_the_last_message() {
    let log = log(4);
    let mut queue = gated(Gate::opening(stream(), after(1)));
    assert!(!queue.has_open() && queue.next_open().is_none() && page(&mut queue, &log).is_none(), "not listed yet");
    queue.open_gate(&stream(), Some(Owed::Ack(CommandId::Number(7))));
    assert!(queue.has_open() && queue.has_gate(&stream()));
    assert_eq!(queue.next_open(), Some(stream()));
    let first = page(&mut queue, &log).expect("a page");
    assert_eq!((offsets(&first), first.gap, first.replies, first.live), (vec![2, 3], None, vec![], false));
    assert_eq!(queue.push(kept(5), LIMITS), Verdict::CatchingUp);
    let last = page(&mut queue, &log).expect("a page");
    assert_eq!((offsets(&last), last.replies, last.live), (vec![4], vec![ack(7, 4)], true));
    assert!(!queue.has_open() && !queue.has_gate(&stream()) && queue.rare.is_none(), "nothing is left of it");
    assert_eq!(queue.push(kept(5), LIMITS), Verdict::Queued { dropped: 0 });
}

#[test]
fn a_page_is_bounded_in_bytes_and_has_at_least_one_message() {
    let log = log(3);
    let size = kept(1).text_len();
    for (bytes, expected) in [(1, vec![1]), (2 * size - 1, vec![1]), (2 * size, vec![1, 2]), (9 * size, vec![1, 2, 3])]
    {
        let mut queue = gated(Gate::open(stream(), after(0)));
        let limits = PageLimits { messages: 9, bytes };
        let page = queue.take_page(&stream(), &log, &EPOCHS, None, limits, &mut VecDeque::new()).expect("a page");
        assert_eq!(offsets(&page), expected, "{bytes} bytes");
    }
}

#[test]
fn what_is_lost_has_a_gap_with_its_reason_and_its_bounds() {
    let mut kept_3_and_4 = log(4);
    kept_3_and_4.trim(Bounds { entries: 2, bytes: usize::MAX });
    let other = Start::After(Some(Epoch(6)), 1);
    for (start, from, to, missed, reason, read) in [
        (after(1), Some(2), 2, Some(1), GapReason::Retention, vec![3, 4]),
        (after(0), Some(1), 2, Some(2), GapReason::Retention, vec![3, 4]),
        (after(5), None, 4, None, GapReason::LogWentBack, vec![]),
        (other, None, 2, None, GapReason::Epoch, vec![3, 4]),
        (Start::After(None, 1), None, 2, None, GapReason::Epoch, vec![3, 4]),
    ] {
        let page = page(&mut gated(Gate::open(stream(), start.clone())), &kept_3_and_4).expect("a page");
        let position = Some(StreamPosition { epoch: "7".into(), offset: to });
        let stream = Stream::of(&stream());
        assert_eq!(page.gap, Some(Gap { stream, from, to: Some(to), missed, position, reason }), "{start:?}");
        assert_eq!((offsets(&page), page.live), (read, true), "{start:?}");
    }
    for (start, read) in [(after(2), vec![3, 4]), (after(4), vec![]), (Start::Live, vec![])] {
        let page = page(&mut gated(Gate::open(stream(), start.clone())), &kept_3_and_4).expect("a page");
        assert_eq!((page.gap, page.frames.len()), (None, read.len()), "{start:?}");
    }
}

#[test]
fn a_position_from_before_a_stream_was_forgotten_has_a_gap_of_unknown_size() {
    let epochs = Epochs { forgotten: 10, ..EPOCHS };
    let mut log = Log::begin(&epochs);
    log.append(kept(11), 0);
    let gap = |offset| page(&mut gated(Gate::open(stream(), after(offset))), &log).expect("a page").gap;
    let lost = gap(9).expect("a gap");
    assert_eq!(
        (lost.from, lost.to, lost.missed, lost.reason),
        (Some(10), Some(10), None, GapReason::PositionForgotten)
    );
    assert_eq!(gap(10), None, "of a stream that had no message yet");
}

#[test]
fn a_held_stream_stands_still_until_its_client_says_where_it_stopped() {
    let log = log(3);
    let mut queue = gated(Gate::held(stream(), after(3)));
    assert!(queue.is_held(&stream()) && !queue.has_open());
    assert!(!queue.is_held(&Route::All));
    queue.open_gate(&stream(), None);
    assert!(queue.is_held(&stream()), "to be listed does not open it");
    assert!(page(&mut queue, &log).is_none());

    // A subscription without a position changes nothing; one with a position is read from there.
    queue.add_gate(Gate::opening(stream(), Start::Live).owing([Owed::Ack(CommandId::Number(1))]));
    assert!(queue.is_held(&stream()));
    queue.add_gate(Gate::opening(stream(), after(1)).owing([Owed::Ack(CommandId::Number(2))]));
    assert!(!queue.is_held(&stream()) && !queue.has_open());
    queue.open_gate(&stream(), None);
    let page = page(&mut queue, &log).expect("a page");
    assert_eq!((offsets(&page), page.replies), (vec![2, 3], vec![ack(1, 3), ack(2, 3)]), "both replies are owed");
}

#[test]
fn a_newer_position_of_a_stream_that_is_read_moves_it_and_it_is_still_read() {
    let mut queue = gated(Gate::open(stream(), after(3)));
    queue.add_gate(Gate::opening(stream(), after(1)));
    let page = page(&mut queue, &log(3)).expect("it is open");
    assert_eq!(offsets(&page), [2, 3]);
}

#[test]
fn a_hold_that_expires_leaves_a_gap_up_to_where_each_stream_was_held() {
    let mut queue = gated(Gate::held(stream(), after(2)));
    queue.hold();
    assert!(queue.release_held(&GapReason::HoldExpired));
    assert!(!queue.is_holding());
    let page = page(&mut queue, &log(3)).expect("a page");
    let gap = page.gap.clone().expect("a gap");
    assert_eq!((gap.from, gap.to, gap.missed, gap.reason), (None, Some(2), None, GapReason::HoldExpired));
    assert_eq!(offsets(&page), [3]);
}

#[test]
fn a_resume_is_acknowledged_once_with_the_position_of_every_stream_that_caught_up() {
    let log = log(3);
    let mut queue = gated(Gate::held(Route::All, after(0)));
    queue.add_gate(Gate::held(stream(), after(2)));
    queue.hold();
    assert_eq!(queue.begin_resume(Some(CommandId::Number(7))), Ok(()));
    assert_eq!(queue.begin_resume(Some(CommandId::Number(8))), Err(ResumePending));
    queue.resume_held(vec![Resumed { stream: stream(), start: Some(after(1)), cause: None }]);
    assert!(!queue.is_held(&stream()) && queue.is_held(&Route::All));
    assert_eq!(queue.settle_resume(), None, "two streams have to catch up");
    assert!(!queue.is_held(&Route::All) && !queue.is_holding(), "what was not named goes on from where it was held");
    let page = page(&mut queue, &log).expect("a page");
    assert_eq!((offsets(&page), page.replies), (vec![2, 3], vec![]));
    let nothing = Log::new(Epoch(7));
    let last = queue.take_page(&Route::All, &nothing, &EPOCHS, None, PAGE, &mut VecDeque::new()).expect("a page");
    let position = |offset| StreamPosition { epoch: "7".into(), offset };
    let streams = [(Stream::All, position(0)), (Stream::of(&stream()).expect("a stream"), position(3))].into();
    let acknowledged = Ack { streams: Some(streams), ..Ack::new(CommandId::Number(7)) };
    assert_eq!(last.replies, [Control::Ack(acknowledged)]);
    assert!(queue.rare.is_none());
}

#[test]
fn a_stream_that_is_counted_and_has_no_gate_does_not_hold_back_the_ack_of_a_resume() {
    let mut queue = OutboundQueue::default();
    queue.begin_resume(Some(CommandId::Number(7))).expect("none is pending");
    queue.expect_resumed();
    queue.expect_resumed();
    queue.not_resumed();
    assert_eq!(queue.settle_resume(), None, "one is still counted");
    queue.add_gate(Gate::open(stream(), after(3)).owing([Owed::Resumed]));
    let page = page(&mut queue, &log(3)).expect("a page");
    let streams = [(Stream::of(&stream()).expect("a stream"), StreamPosition { epoch: "7".into(), offset: 3 })];
    let acknowledged = Ack { streams: Some(streams.into()), ..Ack::new(CommandId::Number(7)) };
    assert_eq!(page.replies, [Control::Ack(acknowledged)]);
}

#[test]
fn a_stream_that_ends_before_it_caught_up_owes_an_error_to_its_subscribe_and_nothing_to_the_server() {
    let notice = Subscribed {
        topic: "a".parse().expect("a topic"),
        position: None,
        reason: Some(realtime_schema::SubscribedReason::Server),
    };
    let owed = [Owed::Ack(CommandId::Number(7)), Owed::Subscribed(notice)];
    let mut queue = gated(Gate::opening(stream(), after(1)).owing(owed));
    let errors = queue.end_stream(&stream());
    let [Control::Error(reply)] = errors.as_slice() else { panic!("not one error: {errors:?}") };
    assert_eq!((&reply.code, &reply.id), (&ErrorCode::Conflict, &Some(CommandId::Number(7))));
    assert!(queue.rare.is_none() && queue.end_stream(&stream()).is_empty());

    queue.push(kept(1), LIMITS);
    queue.push(frame("t", "b", 1, Overflow::Close), LIMITS);
    assert!(queue.end_stream(&stream()).is_empty());
    assert_eq!(payloads(&mut queue).0, [1], "what waits of another stream stays");
}

#[test]
fn the_end_of_a_resumed_stream_completes_its_part_of_the_ack() {
    let mut queue = gated(Gate::held(stream(), after(1)));
    queue.begin_resume(Some(CommandId::Number(7))).expect("none is pending");
    assert_eq!(queue.settle_resume(), None);
    let acknowledged = Ack { streams: Some([].into()), ..Ack::new(CommandId::Number(7)) };
    assert_eq!(queue.end_stream(&stream()), [Control::Ack(acknowledged)]);
}

#[test]
fn each_stream_that_is_read_has_its_turn() {
    let mut queue = gated(Gate::open(stream(), Start::Live));
    queue.add_gate(Gate::held(Route::Role("admin".parse().expect("a role")), Start::Live));
    queue.add_gate(Gate::open(Route::All, Start::Live));
    let turns: Vec<_> = std::iter::from_fn(|| queue.next_open()).take(4).collect();
    assert_eq!(turns, [stream(), Route::All, stream(), Route::All], "a held one has none");
}

#[test]
fn a_live_subscriber_that_subscribes_again_reads_from_the_oldest_message_that_waits() {
    let log = log(3);
    let mut queue = OutboundQueue::default();
    queue.push(kept(2), LIMITS);
    queue.push(kept(3), LIMITS);
    queue.add_gate_over_live(Gate::open(stream(), Start::Live).owing([Owed::Ack(CommandId::Number(7))]), &log);
    assert_eq!((queue.len(), queue.bytes()), (0, 0));
    let read = page(&mut queue, &log).expect("a page");
    assert_eq!((offsets(&read), read.replies), (vec![2, 3], vec![ack(7, 3)]));

    queue.add_gate_over_live(Gate::open(stream(), Start::Live), &log);
    let read = page(&mut queue, &log).expect("a page");
    assert_eq!((offsets(&read), read.gap), (vec![], None), "nothing waits: it goes on from the top");
}

#[test]
fn a_client_is_left_out_of_the_pages_as_of_live_delivery() {
    let mut excluded = message("t", "a", 1);
    excluded.except_client = Some("tab".parse().expect("a client"));
    let mut log = Log::new(Epoch(7));
    log.append(prepare_publication(&excluded, Overflow::Drop).expect("of a stream").finish(Epoch(7), 1), 0);
    log.append(kept(2), 0);
    for (client, read) in [(Some("tab"), vec![2]), (Some("other"), vec![1, 2]), (None, vec![1, 2])] {
        let client = client.map(|name| name.parse().expect("a client"));
        let mut queue = gated(Gate::open(stream(), after(0)));
        let page = queue.take_page(&stream(), &log, &EPOCHS, client.as_ref(), PAGE, &mut VecDeque::new());
        assert_eq!(offsets(&page.expect("a page")), read, "{client:?}");
    }
}
