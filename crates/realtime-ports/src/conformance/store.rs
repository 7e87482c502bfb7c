//! The promises of every [`LogStore`].

use std::sync::Arc;

use bytes::Bytes;
use realtime_schema::{ClientId, MessageId, MessageType, Receipt, Revocation, RevocationId, Route, Timestamp};

use super::scene::{Dice, id, role, topic, user};
use crate::{Appended, Loaded, LogStore, Once, Record, StoreError, StoredSecret};

mod retained;

pub use retained::{Retained, RetainedStream};

/// Opens one store again and again: each call returns what is stored in the same place. The suite drops a store before
/// it opens it again, with or without a [close](LogStore::close).
pub type Opener = Box<dyn FnMut() -> Arc<dyn LogStore>>;

/// Runs the whole suite. Each part takes an opener of a place of its own, with nothing in it.
///
/// # Panics
/// The store breaks a promise of the port; the message says which.
pub fn store_conformance(fresh: impl Fn() -> Opener) {
    a_new_store_is_empty(fresh());
    everything_is_loaded_as_it_was_committed(fresh());
    trimmed_messages_are_gone_and_the_position_stays(fresh());
    a_forgotten_stream_is_gone_and_may_begin_anew(fresh());
    a_position_without_messages_is_kept(fresh());
    the_latest_key_revocation_and_secret_count(fresh());
    the_topics_of_users_are_kept_until_they_are_taken_away(fresh());
    a_batch_is_stored_as_a_whole_or_not_at_all(fresh());
    the_generation_stays_over_a_close_and_over_a_crash(fresh());
    a_store_is_loaded_once_and_before_anything_else(fresh());
    any_order_of_changes_is_loaded_as_the_last_state(fresh());
}

/// The streams of a suite: one of each kind that has messages.
fn streams() -> [Route; 4] {
    [Route::All, Route::User(user("älice")), Route::Role(role("admin")), Route::Topic(topic("order:1"))]
}

/// A message that differs from all others in each field that may differ.
pub fn message(route: &Route, epoch: u64, offset: u64) -> Record {
    Record::Appended(Appended {
        route: route.clone(),
        epoch,
        offset,
        at: Timestamp::from_millis(1_795_442_400_000 + i64::try_from(offset).unwrap_or(0)),
        kind: MessageType::new(format!("kind.{}", offset % 3)).expect("a type"),
        text: Bytes::from(format!(r#"{{"type":"message","payload":"ü{offset}","offset":{offset}}}"#)),
        except: offset.is_multiple_of(5).then(|| ClientId::new("tab-1").expect("a client")),
    })
}

fn once(key: &str, fingerprint: u128) -> Record {
    let receipt = Receipt {
        id: MessageId(id(usize::try_from(fingerprint % 1_000).expect("small")).0),
        delivered: 3,
        other_nodes: false,
        position: None,
        duplicate: false,
    };
    // The end of the year 9998: no clock of a test is beyond.
    let expires_at = Timestamp::from_millis(253_370_764_800_000);
    Record::Once(Once { key: key.into(), fingerprint, receipt, expires_at })
}

fn revocation(n: usize, reason: &str) -> Revocation {
    Revocation {
        id: RevocationId(id(n).0),
        jti: None,
        user: Some(user("mallory")),
        issued_before: None,
        until: Timestamp::from_millis(253_370_764_800_000),
        reason: reason.to_owned(),
        created_at: Timestamp::EPOCH,
    }
}

fn load(store: &Arc<dyn LogStore>) -> Retained {
    Retained::load(&**store).expect("it loads").1
}

fn loaded(store: &Arc<dyn LogStore>) -> Loaded {
    Retained::load(&**store).expect("it loads").0
}

fn commit(store: &Arc<dyn LogStore>, expected: &mut Retained, batch: &[Record]) {
    store.commit(batch).expect("committed");
    batch.iter().for_each(|record| expected.apply(record));
}

/// It has a generation all the same.
pub fn a_new_store_is_empty(mut open: Opener) {
    let store = open();
    let (loaded, retained) = Retained::load(&*store).expect("a new store loads");
    assert_eq!(retained, Retained::default(), "a new store has nothing in it");
    assert_ne!(loaded.generation, 0, "it has a generation");
    assert!(!loaded.rolled_back, "and lost nothing");
    store.commit(&[]).expect("an empty batch is no error");
}

/// In order and unchanged, over a close and over a crash.
pub fn everything_is_loaded_as_it_was_committed(mut open: Opener) {
    let mut expected = Retained::default();
    for (round, closed) in [true, false, true].into_iter().enumerate() {
        let store = open();
        assert_eq!(load(&store), expected, "round {round} has everything of the round before");
        for n in 1..=20 {
            let batch: Vec<_> = streams().iter().map(|to| message(to, 7, round as u64 * 100 + n)).collect();
            commit(&store, &mut expected, &batch);
        }
        let more = [once(&format!("k{round}"), round as u128 + (1 << 100)), Record::Revoked(revocation(round, "lost"))];
        commit(&store, &mut expected, &more);
        if closed {
            store.close().expect("closed");
        }
    }
    assert_eq!(load(&open()), expected);
}

/// An emptied stream still knows its epoch and its highest offset.
pub fn trimmed_messages_are_gone_and_the_position_stays(mut open: Opener) {
    let [all, user, role, _] = streams();
    let mut expected = Retained::default();
    let store = open();
    load(&store);
    for n in 1..=10 {
        commit(&store, &mut expected, &[message(&all, 3, n), message(&user, 3, 2 * n), message(&role, 3, n)]);
    }
    let trimmed = |route: &Route, through| Record::Trimmed { route: route.clone(), through };
    commit(&store, &mut expected, &[trimmed(&all, 4), trimmed(&user, 11), trimmed(&role, u64::MAX)]);
    commit(&store, &mut expected, &[trimmed(&all, 2), trimmed(&Route::Topic(topic("unknown")), 2)]);
    drop(store);
    let store = open();
    let retained = load(&store);
    assert_eq!(retained, expected, "exactly what was not trimmed is loaded");
    assert_eq!(retained.streams[&format!("{role:?}")].position, (3, 10), "the position outlives the messages");
    commit(&store, &mut expected, &[message(&role, 3, 11), trimmed(&all, u64::MAX), message(&all, 3, 30)]);
    store.close().expect("closed");
    drop(store);
    assert_eq!(load(&open()), expected, "what comes after a trim is kept");
}

/// With nothing of its former life.
pub fn a_forgotten_stream_is_gone_and_may_begin_anew(mut open: Opener) {
    let [all, user, ..] = streams();
    let mut expected = Retained::default();
    let store = open();
    load(&store);
    for n in 1..=10 {
        commit(&store, &mut expected, &[message(&all, 1, n), message(&user, 1, n)]);
    }
    commit(&store, &mut expected, &[Record::Forgotten { route: all.clone(), reached: 17 }]);
    drop(store);
    let store = open();
    let (loaded, retained) = Retained::load(&*store).expect("it loads");
    assert_eq!((&retained, loaded.forgotten), (&expected, 17), "it is gone, and what it has reached is kept");
    commit(&store, &mut expected, &[message(&all, 2, 1), message(&all, 2, 2)]);
    commit(&store, &mut expected, &[Record::Forgotten { route: all.clone(), reached: 18 }, message(&all, 3, 5)]);
    drop(store);
    assert_eq!(load(&open()), expected, "only its new life is loaded");
}

/// And a new epoch leaves the messages.
pub fn a_position_without_messages_is_kept(mut open: Opener) {
    let [all, user, ..] = streams();
    let mut expected = Retained::default();
    let store = open();
    load(&store);
    let position = |route: &Route, epoch, top| Record::Position { route: route.clone(), epoch, top };
    commit(&store, &mut expected, &[position(&all, 9, 0), message(&user, 9, 1), message(&user, 9, 2)]);
    commit(&store, &mut expected, &[position(&user, 10, 2)]);
    drop(store);
    let store = open();
    assert_eq!(load(&store), expected);
    commit(&store, &mut expected, &[message(&user, 10, 3), message(&all, 9, 1)]);
    drop(store);
    assert_eq!(load(&open()), expected, "a message follows a position");
}

/// What was replaced or removed does not come back.
pub fn the_latest_key_revocation_and_secret_count(mut open: Opener) {
    let mut expected = Retained::default();
    let store = open();
    load(&store);
    let secret = |text: &str| Record::Secret(StoredSecret(text.as_bytes().into()));
    let two = [Record::Revoked(revocation(1, "lost")), Record::Revoked(revocation(2, "stolen"))];
    commit(&store, &mut expected, &[once("k", 1), secret("first"), once("l", 2)]);
    commit(&store, &mut expected, &two);
    commit(&store, &mut expected, &[once("k", 3), secret("second"), Record::Revoked(revocation(1, "found"))]);
    let removed = [RevocationId(id(2).0), RevocationId(id(3).0)].map(Record::RevocationRemoved);
    commit(&store, &mut expected, &removed);
    drop(store);
    assert_eq!(load(&open()), expected);
}

/// Each pair of a user and a topic on its own.
pub fn the_topics_of_users_are_kept_until_they_are_taken_away(mut open: Opener) {
    let mut expected = Retained::default();
    let store = open();
    load(&store);
    let pair = |of: &str, name: &str| (user(of), topic(name));
    let given = |(user, topic)| Record::TopicGiven { user, topic };
    let taken = |(user, topic)| Record::TopicTaken { user, topic };
    let (a, b, other) = (pair("älice", "order:1"), pair("älice", "order:2"), pair("bob", "order:1"));
    commit(&store, &mut expected, &[given(a.clone()), given(b.clone()), given(a.clone()), given(other.clone())]);
    commit(&store, &mut expected, &[taken(b.clone()), taken(pair("bob", "order:2")), taken(pair("carol", "order:1"))]);
    drop(store);
    let store = open();
    assert_eq!(load(&store), expected, "over a crash");
    commit(&store, &mut expected, &[taken(a.clone()), given(a.clone()), given(b.clone()), taken(b)]);
    store.close().expect("closed");
    drop(store);
    let store = open();
    let retained = load(&store);
    assert_eq!(retained, expected, "over a close, and the last of a batch counts");
    assert_eq!(Vec::from_iter(retained.user_topics), [other, a]);
}

/// A batch with an invalid record is refused as a whole.
pub fn a_batch_is_stored_as_a_whole_or_not_at_all(mut open: Opener) {
    let [all, user, ..] = streams();
    let mut expected = Retained::default();
    let store = open();
    load(&store);
    commit(&store, &mut expected, &[message(&all, 1, 5)]);
    let invalid = [
        ("offset 0", message(&user, 1, 0)),
        ("an offset that is used", message(&all, 1, 5)),
        ("a lower offset in a new epoch", message(&all, 2, 4)),
        ("a lower position", Record::Position { route: all.clone(), epoch: 2, top: 4 }),
        ("a single connection", message(&Route::Connection(id(1)), 1, 1)),
    ];
    for (what, invalid) in invalid {
        let batch = [message(&all, 1, 6), once("k", 1), invalid];
        let refused = store.commit(&batch);
        assert!(matches!(refused, Err(StoreError::Misused(_))), "{what} returned {refused:?}");
    }
    commit(&store, &mut expected, &[message(&all, 1, 6)]);
    drop(store);
    assert_eq!(load(&open()), expected, "nothing of a refused batch is stored");
}

/// Only a loss changes it.
pub fn the_generation_stays_over_a_close_and_over_a_crash(mut open: Opener) {
    let store = open();
    let first = loaded(&store).generation;
    store.commit(&[message(&Route::All, 1, 1)]).expect("committed");
    drop(store);
    let store = open();
    let after_crash = loaded(&store);
    assert_eq!((after_crash.generation, after_crash.rolled_back), (first, false), "a crash of the process");
    store.close().expect("closed");
    drop(store);
    let after_close = loaded(&open());
    assert_eq!((after_close.generation, after_close.rolled_back), (first, false), "a close");
}

/// A caller that breaks the order is told.
pub fn a_store_is_loaded_once_and_before_anything_else(mut open: Opener) {
    let misused = |result: Result<(), StoreError>| matches!(result, Err(StoreError::Misused(_)));
    let store = open();
    assert!(misused(store.commit(&[message(&Route::All, 1, 1)])), "a commit before the load");
    load(&store);
    assert!(misused(store.load(&mut |_| {}).map(drop)), "a second load");
    store.commit(&[message(&Route::All, 1, 1)]).expect("committed");
    store.close().expect("closed");
    assert!(misused(store.commit(&[message(&Route::All, 1, 2)])), "a commit after the close");
    drop(store);
    assert_eq!(load(&open()).streams.len(), 1);
}

/// With maintenance, closes and crashes between them.
pub fn any_order_of_changes_is_loaded_as_the_last_state(mut open: Opener) {
    let (mut dice, mut expected, mut forgotten) = (Dice::new(8), Retained::default(), 0);
    let routes: Vec<_> = (0..12).map(|n| Route::Topic(topic(&format!("order:{n}")))).chain(streams()).collect();
    let mut store = open();
    load(&store);
    for step in 0..1_500 {
        let mut batch = Vec::new();
        for _ in 0..=dice.below(8) {
            let route = &routes[dice.below(routes.len())];
            let mut now = expected.clone();
            batch.iter().for_each(|record| now.apply(record));
            let known = now.streams.get(&format!("{route:?}"));
            let (epoch, top) = known.map_or((step, 0), |stream| stream.position);
            batch.push(match dice.below(22) {
                0 => {
                    forgotten += 1;
                    Record::Forgotten { route: route.clone(), reached: forgotten }
                }
                1..=5 => Record::Trimmed { route: route.clone(), through: top.saturating_sub(dice.below(5) as u64) },
                6 => Record::Position { route: route.clone(), epoch: step, top: top + dice.below(2) as u64 },
                7 => once(&format!("k{}", dice.below(9)), step.into()),
                8 => Record::Revoked(revocation(dice.below(5), "again")),
                9 => Record::RevocationRemoved(RevocationId(id(dice.below(5)).0)),
                10 => Record::TopicGiven { user: user("a"), topic: topic(&format!("t{}", dice.below(4))) },
                11 => Record::TopicTaken { user: user("a"), topic: topic(&format!("t{}", dice.below(4))) },
                _ => message(route, epoch, top + 1 + dice.below(2) as u64),
            });
        }
        commit(&store, &mut expected, &batch);
        match dice.below(60) {
            0 => {
                if dice.below(2) == 0 {
                    store.close().expect("closed");
                }
                drop(store);
                store = open();
                let (loaded, retained) = Retained::load(&*store).expect("it loads");
                assert_eq!(retained, expected, "what is loaded at step {step} is what was committed");
                assert_eq!(loaded.forgotten, forgotten, "what was reached at step {step}");
            }
            1..=9 => drop(store.idle()),
            _ => {}
        }
    }
}
