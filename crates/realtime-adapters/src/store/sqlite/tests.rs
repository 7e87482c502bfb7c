//! Rewriting rows loses nothing, and keeps the file small.

use realtime_ports::conformance::store::{Retained, message};
use realtime_schema::{Route, Topic};
use tempfile::TempDir;

use super::*;

impl SqliteLogStore {
    /// A step of the compaction, due or not.
    fn compact(&self) {
        let mut state = self.lock();
        let State { database: Some(database), index: Some(index), compactor } = &mut *state else { panic!("not open") };
        compactor.step(index, database).expect("compacted");
    }

    fn ledger(&self) -> Vec<(u64, u32, u32, u32)> {
        self.lock().index.as_ref().expect("loaded").ledger.list()
    }
}

fn open(dir: &TempDir) -> SqliteLogStore {
    SqliteLogStore::open(StoreConfig::new(dir.path())).expect("it opens")
}

fn route(n: u64) -> Route {
    Route::Topic(Topic::new(format!("order:{n}")).expect("a topic"))
}

/// The same numbers in every run (a linear congruential generator, Knuth's MMIX constants).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

#[test]
fn rows_that_are_written_again_lose_nothing_and_bring_nothing_back() {
    let dir = TempDir::new().expect("a directory");
    let mut store = open(&dir);
    let mut expected = Retained::load(&store).expect("it loads").1;
    let (mut dice, mut tops, mut forgotten) = (Dice(7), [0_u64; 9], 0);
    for step in 0..1_200 {
        let mut batch = Vec::new();
        for _ in 0..=dice.below(6) {
            let n = dice.below(9);
            let top = &mut tops[usize::try_from(n).expect("small")];
            match dice.below(12) {
                0..=3 => batch.push(Record::Trimmed { route: route(n), through: top.saturating_sub(dice.below(4)) }),
                4 if dice.below(4) == 0 => {
                    forgotten += 1;
                    *top = 0;
                    batch.push(Record::Forgotten { route: route(n), reached: forgotten });
                }
                5 => batch.push(Record::Position { route: route(n), epoch: step, top: *top }),
                _ => {
                    *top += 1;
                    batch.push(message(&route(n), step, *top));
                }
            }
        }
        store.commit(&batch).expect("committed");
        batch.iter().for_each(|record| expected.apply(record));
        if dice.below(3) == 0 {
            store.compact();
        }
        if dice.below(25) == 0 {
            let ledger = store.ledger();
            drop(store);
            store = open(&dir);
            assert_eq!(Retained::load(&store).expect("it loads").1, expected, "after step {step}");
            assert_eq!(store.ledger(), ledger, "the same records are needed after step {step}");
        }
    }
}

#[test]
fn the_file_does_not_grow_with_what_goes_through_it() {
    let dir = TempDir::new().expect("a directory");
    let store = open(&dir);
    store.load(&mut |_| {}).expect("it loads");
    // One stream keeps everything, between a hundred that keep their last ten messages.
    let mut largest = Vec::new();
    for turnover in 0..6_u64 {
        for n in 1..=10 {
            let offset = turnover * 10 + n;
            for part in 0..4 {
                let mut batch: Vec<_> = (part * 25..part * 25 + 25).map(|s| message(&route(s), 1, offset)).collect();
                let trims = (part * 25..part * 25 + 25).map(|s| (route(s), offset.saturating_sub(10)));
                batch.extend(trims.map(|(route, through)| Record::Trimmed { route, through }));
                if part == 0 {
                    batch.push(message(&route(1_000), 1, offset));
                }
                store.commit(&batch).expect("committed");
            }
        }
        for _ in 0..50 {
            store.compact();
        }
        while store.idle() {}
        let (live, size) = store.lock().index.as_ref().expect("loaded").ledger.bytes();
        assert!(size < live * 4 / 3 + 64 * 1024, "turnover {turnover}: {size} bytes for {live}");
        largest.push(size);
    }
    assert!(largest[5] < largest[1] * 3 / 2, "{largest:?}");
}
