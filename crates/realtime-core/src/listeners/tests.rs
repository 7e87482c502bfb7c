//! The index of listeners, compared with a simple model under random operations.

use std::{collections::BTreeMap, sync::Arc};

use proptest::prelude::*;
use uuid::Uuid;

use super::*;

fn id(n: u8) -> ConnectionId {
    ConnectionId(Uuid::from_u128(u128::from(n)))
}

fn sorted(index: &ListenerIndex<&'static str, u8>, key: &'static str) -> Vec<(ConnectionId, u8)> {
    let mut all = index.listeners(&key).to_vec();
    all.sort_unstable();
    all
}

#[test]
fn a_single_listener_is_stored_inline() {
    // An adapter's listener is a fat pointer; a set of one must be no larger than its connection and that pointer.
    assert_eq!(size_of::<ListenerSet<Arc<dyn Send>>>(), 32);
}

#[test]
fn a_second_insertion_keeps_the_first_listener() {
    let mut index = ListenerIndex::new();
    assert_eq!(index.insert(&"a", id(1), 10), Some("a"));
    assert_eq!(index.insert(&"a", id(1), 11), None);
    assert_eq!(sorted(&index, "a"), [(id(1), 10)]);
    assert_eq!((index.keys(), index.pairs()), (1, 1));
}

#[test]
fn all_listeners_of_a_key_share_one_copy_of_it() {
    let mut index = ListenerIndex::<Arc<str>, ()>::new();
    let first = index.insert(&Arc::from("order:1"), id(1), ()).expect("new");
    let second = index.insert(&Arc::from("order:1"), id(2), ()).expect("new");
    assert!(Arc::ptr_eq(&first, &second));
}

#[test]
fn a_key_is_removed_with_its_last_listener() {
    let mut index = ListenerIndex::new();
    index.insert(&"a", id(1), 1);
    assert!(!index.remove(&"a", id(2)) && !index.remove(&"b", id(1)));
    assert!(index.remove(&"a", id(1)));
    assert!(!index.exists(&"a") && index.keys() == 0 && index.pairs() == 0);
}

#[test]
fn a_large_set_that_shrinks_frees_its_map_and_its_memory() {
    let mut set = ListenerSet::of(id(0), 0);
    (1..=200).for_each(|n| assert!(set.insert(id(n), n)));
    let Set::Many(many) = &set.0 else { panic!("many listeners") };
    assert!(many.indexes.is_some());
    (3..=200).for_each(|n| assert!(matches!(set.remove(id(n)), Removal::Removed)));
    let Set::Many(many) = &set.0 else { panic!("three listeners") };
    assert!(many.indexes.is_none() && many.listeners.capacity() <= KEPT);
}

proptest! {
    #[test]
    fn an_index_behaves_like_a_map_of_maps(
        steps in proptest::collection::vec((any::<bool>(), 0_usize..3, 0_u8..70), 0..400)
    ) {
        let names = ["a", "b", "c"];
        let mut index = ListenerIndex::new();
        let mut model = BTreeMap::<&str, BTreeMap<ConnectionId, u8>>::new();
        for (at, (insert, name, n)) in steps.into_iter().enumerate() {
            let (key, tag) = (names[name], u8::try_from(at % 251).expect("small"));
            let under = model.entry(key).or_default();
            if insert {
                let new = !under.contains_key(&id(n));
                prop_assert_eq!(index.insert(&key, id(n), tag).is_some(), new);
                under.entry(id(n)).or_insert(tag);
            } else {
                prop_assert_eq!(index.remove(&key, id(n)), under.remove(&id(n)).is_some());
            }
            model.retain(|_, under| !under.is_empty());
            prop_assert_eq!(index.keys(), model.len());
            prop_assert_eq!(index.pairs(), model.values().map(BTreeMap::len).sum::<usize>());
            for key in names {
                let expected: Vec<_> = model.get(key).into_iter().flatten().map(|(id, tag)| (*id, *tag)).collect();
                for (member, _) in &expected {
                    prop_assert!(index.contains(&key, *member));
                }
                prop_assert_eq!(sorted(&index, key), expected);
                prop_assert_eq!(index.exists(&key), model.contains_key(key));
            }
        }
    }
}
