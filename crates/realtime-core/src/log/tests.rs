//! What a log keeps, and the position that outlives it.

use proptest::prelude::*;
use realtime_schema::{Audience, MessageType, Route, Topic};

use super::*;
use crate::{frame::PreparedFrame, policy::Overflow};

pub(crate) fn frame(offset: u64, payload: usize) -> Frame {
    let route = Route::Topic(Topic::new("order:1").expect("a topic"));
    let label = crate::Label {
        overflow: Overflow::Drop,
        kind: MessageType::new("news").expect("a type"),
        to: Audience::from(route),
        kept: None,
    };
    let write = |buffer: &mut Vec<u8>| {
        buffer.extend_from_slice(br#"{"payload":""#);
        buffer.extend(std::iter::repeat_n(b'x', payload));
        buffer.extend_from_slice(br#""}"#);
        Ok::<(), ()>(())
    };
    PreparedFrame::encode(label, None, write).expect("writes").finish(Epoch(7), offset)
}

fn offsets<'a>(frames: impl Iterator<Item = &'a Frame>) -> Vec<u64> {
    frames.filter_map(|frame| frame.kept().map(|kept| kept.first)).collect()
}

#[test]
fn the_offset_is_the_last_field_of_the_frame() {
    let text = frame(17, 3).texts().next().map(str::to_owned);
    assert_eq!(text.as_deref(), Some(r#"{"payload":"xxx","offset":17}"#));
}

#[test]
fn the_oldest_go_first_and_the_position_outlives_all() {
    let mut log = Log::new(Epoch(7));
    assert_eq!((log.top(), log.floor(), log.position().offset), (0, 0, 0));
    assert!(log.is_empty());
    (1..=5).for_each(|offset| log.append(frame(offset, 1), offset * 10));
    assert!(log.trim(Bounds { entries: 3, bytes: usize::MAX }) > 0);
    assert_eq!((log.floor(), log.top(), log.len()), (2, 5, 3));
    assert_eq!((log.is_empty(), log.oldest()), (false, Some(30)));
    assert_eq!(offsets(log.from(0)), [3, 4, 5]);
    assert_eq!(offsets(log.from(4)), [4, 5]);
    assert_eq!(offsets(log.from(6)), [0_u64; 0]);
    assert_eq!(offsets(log.before(5).rev()), [4, 3]);
    log.expire(40);
    assert_eq!(offsets(log.from(0)), [5]);
    let all = log.bytes();
    assert_eq!(log.evict(1), all);
    assert_eq!((log.floor(), log.top(), log.bytes(), log.oldest()), (5, 5, 0, None));
    assert_eq!(log.position(), StreamPosition { epoch: "7".into(), offset: 5 });
}

#[test]
fn one_message_is_kept_however_large_it_is() {
    let mut log = Log::new(Epoch(7));
    log.append(frame(1, 10), 0);
    log.append(frame(2, 10_000), 0);
    log.trim(Bounds { entries: 100, bytes: 1_000 });
    assert_eq!(offsets(log.from(0)), [2]);
}

#[test]
fn what_fits_exactly_is_kept_and_no_more_is_evicted_than_asked_for() {
    let filled = || {
        let mut log = Log::new(Epoch(7));
        (1..=3).for_each(|offset| log.append(frame(offset, 10), 0));
        log
    };
    let each = filled().bytes() / 3;
    for (bytes, kept) in [(3 * each, vec![1, 2, 3]), (3 * each - 1, vec![2, 3]), (0, vec![3])] {
        let mut log = filled();
        let freed = log.trim(Bounds { entries: 3, bytes });
        assert_eq!((offsets(log.from(0)), freed), (kept, filled().bytes() - log.bytes()), "{bytes} bytes");
    }
    for (bytes, kept) in [(0, vec![1, 2, 3]), (each, vec![2, 3]), (each + 1, vec![3]), (9 * each, vec![])] {
        let mut log = filled();
        let freed = log.evict(bytes);
        assert_eq!((offsets(log.from(0)), freed), (kept, filled().bytes() - log.bytes()), "{bytes} bytes");
        assert_eq!(log.bytes(), log.len() * each);
    }
}

#[test]
fn a_log_that_begins_another_epoch_keeps_its_messages_and_counts_on() {
    let mut log = Log::new(Epoch(7));
    (1..=3).for_each(|offset| log.append(frame(offset, 1), 0));
    log.trim(Bounds { entries: 2, bytes: usize::MAX });
    assert_eq!(log.unknown(), 1, "a client of another epoch gets what is kept");
    log.begin_epoch(Epoch(8));
    assert_eq!((log.epoch(), log.position()), (Epoch(8), StreamPosition { epoch: "8".into(), offset: 3 }));
    assert_eq!(offsets(log.from(0)), [2, 3]);
    assert_eq!(log.unknown(), 3, "of the earlier epoch a client may have received anything");
}

#[test]
fn a_log_that_begins_after_others_were_forgotten_begins_above_their_offsets() {
    let epochs = Epochs { generation: Epoch(7), forgotten: 10, rolled_back: false };
    let log = Log::begin(&epochs);
    assert_eq!((log.began(), log.top(), log.floor(), log.epoch()), (10, 10, 10, Epoch(7)));
    assert_eq!(Log::new(Epoch(7)).began(), 0);
}

#[test]
fn a_stream_that_becomes_quiet_gives_back_what_it_needed() {
    let mut log = Log::new(Epoch(7));
    (1..=1_000).for_each(|offset| log.append(frame(offset, 1), offset));
    log.trim(Bounds { entries: 10, bytes: usize::MAX });
    assert!(log.entries.capacity() <= 80, "room for {} entries", log.entries.capacity());
    log.expire(1_000);
    assert_eq!(log.entries.capacity(), 0);
}

proptest! {
    /// Whatever is appended and dropped, the entries are the offsets above the floor, and the bytes are their sum.
    #[test]
    fn what_is_kept_is_what_is_above_the_floor(steps in prop::collection::vec((0_u8..4, 0_u64..40), 1..80)) {
        let (mut log, mut now, mut freed, mut added) = (Log::new(Epoch(7)), 0, 0, 0);
        for (step, n) in steps {
            now += n;
            match step {
                0 => {
                    let frame = frame(log.top() + 1 + n % 3, usize::try_from(n).expect("small"));
                    added += frame.wire().len() + ENTRY_OVERHEAD;
                    log.append(frame, now);
                }
                1 => freed += log.trim(Bounds { entries: usize::try_from(n % 5).expect("small"), bytes: 900 }),
                2 => freed += log.expire(now.saturating_sub(30)),
                _ => freed += log.evict(usize::try_from(n).expect("small") * 10),
            }
            let kept = offsets(log.from(0));
            prop_assert!(kept.is_sorted());
            prop_assert!(kept.iter().all(|offset| *offset > log.floor() && *offset <= log.top()));
            prop_assert_eq!(kept.is_empty(), log.floor() == log.top());
            prop_assert_eq!(log.bytes(), added - freed);
        }
    }
}
