//! Random orders of subscribers and requests, compared with a model of the bus.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::*;

#[derive(Clone, Copy, Debug)]
enum Step {
    Enter(u8),
    Leave(u8),
    /// The pending request to listen to this key ends.
    Listened(u8, bool),
    /// The worker takes the unwanted keys.
    Take,
    /// The worker's pending request ends.
    Left(bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = 0..3_u8;
    let step = prop_oneof![
        key.clone().prop_map(Step::Enter),
        key.clone().prop_map(Step::Leave),
        (key, any::<bool>()).prop_map(|(key, ok)| Step::Listened(key, ok)),
        Just(Step::Take),
        any::<bool>().prop_map(Step::Left),
    ];
    prop::collection::vec(step, 0..200)
}

/// A caller, a worker and a bus.
#[derive(Default)]
struct World {
    interest: Interest<u8>,
    /// Counted subscribers.
    members: HashMap<u8, u32>,
    /// Keys with a pending request to listen.
    asking: HashSet<u8>,
    leaving: Vec<u8>,
    /// Keys that the bus delivers for certain, and keys that it may deliver.
    delivers: HashSet<u8>,
    may_deliver: HashSet<u8>,
}

impl World {
    fn step(&mut self, step: Step) {
        match step {
            Step::Enter(key) => match self.interest.enter(&key) {
                Entered::Held => {
                    assert!(self.delivers.contains(&key), "a held key is delivered by the bus");
                    *self.members.entry(key).or_default() += 1;
                }
                Entered::First => {
                    assert!(self.asking.insert(key), "one request at a time");
                    assert!(!self.leaving.contains(&key), "never during a request to stop");
                    self.may_deliver.insert(key);
                }
                Entered::Wait => assert!(self.asking.contains(&key) || self.leaving.contains(&key)),
            },
            Step::Leave(key) => {
                let Some(count) = self.members.get_mut(&key).filter(|count| **count > 0) else { return };
                *count -= 1;
                let last = *count == 0;
                assert_eq!(self.interest.leave(&key), last, "the last subscriber is reported as the last");
            }
            Step::Listened(key, ok) => {
                if self.asking.remove(&key) {
                    self.interest.listened(&key, ok);
                    if ok {
                        self.delivers.insert(key);
                        *self.members.entry(key).or_default() += 1;
                    }
                }
            }
            Step::Take => {
                if self.leaving.is_empty() {
                    self.leaving = self.interest.take_unwanted(2);
                    for key in &self.leaving {
                        assert_eq!(self.members.get(key).copied().unwrap_or(0), 0, "a key with subscribers is kept");
                        assert!(!self.asking.contains(key), "and so is one with a pending request");
                        self.delivers.remove(key);
                    }
                }
            }
            Step::Left(ok) => {
                for key in std::mem::take(&mut self.leaving) {
                    self.interest.left(&key, ok);
                    if ok {
                        self.may_deliver.remove(&key);
                    }
                }
            }
        }
        for (key, count) in &self.members {
            let pending = u32::from(self.asking.contains(key));
            assert_eq!(self.interest.subscribers(key), count + pending);
            assert!(*count == 0 || self.delivers.contains(key), "a counted subscriber receives the key");
        }
    }
}

proptest! {
    #[test]
    fn a_subscriber_is_counted_only_while_the_bus_delivers_and_no_key_is_left_behind(steps in steps()) {
        let mut world = World::default();
        steps.into_iter().for_each(|step| world.step(step));
        // All leave, every request succeeds, and the worker runs until nothing is left to do.
        for key in 0..3 {
            world.step(Step::Listened(key, true));
            while world.members.get(&key).copied().unwrap_or(0) > 0 {
                world.step(Step::Leave(key));
            }
        }
        for _ in 0..4 {
            world.step(Step::Left(true));
            world.step(Step::Take);
        }
        prop_assert!(world.interest.is_empty());
        prop_assert!(world.may_deliver.is_empty(), "the bus was asked to stop everything: {:?}", world.may_deliver);
    }
}

#[test]
fn a_subscriber_that_comes_back_before_the_worker_ran_needs_no_request() {
    let mut interest = Interest::default();
    assert_eq!(interest.enter(&1), Entered::First);
    assert_eq!(interest.enter(&1), Entered::Wait);
    interest.listened(&1, true);
    assert!(interest.leave(&1));
    assert_eq!(interest.enter(&1), Entered::Held);
    assert!(interest.take_unwanted(9).is_empty());
}

#[test]
fn a_key_without_subscribers_has_none_to_lose() {
    let mut interest = Interest::default();
    assert!(!interest.leave(&1) && interest.is_empty(), "an unknown key");
    assert_eq!(interest.enter(&1), Entered::First);
    assert!(!interest.is_empty());
    interest.listened(&1, false);
    assert!(!interest.leave(&1), "the request failed, so its subscriber is not counted");
    assert_eq!(interest.subscribers(&1), 0);
}

#[test]
fn a_failed_request_is_repeated_until_it_succeeds() {
    let mut interest = Interest::default();
    assert_eq!(interest.enter(&1), Entered::First);
    interest.listened(&1, false);
    assert_eq!(interest.take_unwanted(9), [1]);
    interest.left(&1, false);
    assert_eq!(interest.take_unwanted(9), [1]);
    interest.left(&1, true);
    assert!(interest.is_empty());
}
