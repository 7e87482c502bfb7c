//! The index of listeners, compared with a simple model under random operations.

use std::{collections::BTreeMap, sync::Arc};

use proptest::prelude::*;
use uuid::Uuid;

use super::*;

fn id(n: u8) -> ConnectionId {
    ConnectionId(Uuid::from_u128(u128::from(n)))
}

fn sorted(index: &ListenerIndex<&'static str, (ConnectionId, u8)>, key: &'static str) -> Vec<(ConnectionId, u8)> {
    let mut all = index.listeners(&key).to_vec();
    all.sort_unstable();
    all
}

#[test]
fn a_single_listener_is_stored_inline() {
    // An adapter's listener is a fat pointer; a set of one must be no larger.
    assert_eq!(size_of::<ListenerSet<Arc<dyn Identified>>>(), 16);
}

#[test]
fn a_second_insertion_keeps_the_first_listener() {
    let mut index = ListenerIndex::new();
    assert_eq!(index.insert(&"a", (id(1), 10)), Some("a"));
    assert_eq!(index.insert(&"a", (id(1), 11)), None);
    assert_eq!(sorted(&index, "a"), [(id(1), 10)]);
    assert_eq!((index.keys(), index.pairs()), (1, 1));
}

#[test]
fn all_listeners_of_a_key_share_one_copy_of_it() {
    let mut index = ListenerIndex::<Arc<str>, ConnectionId>::new();
    let first = index.insert(&Arc::from("order:1"), id(1)).expect("new");
    let second = index.insert(&Arc::from("order:1"), id(2)).expect("new");
    assert!(Arc::ptr_eq(&first, &second));
}

#[test]
fn a_key_is_removed_with_its_last_listener() {
    let mut index = ListenerIndex::new();
    index.insert(&"a", (id(1), 1));
    assert!(index.contains(&"a", id(1)) && !index.contains(&"a", id(2)) && !index.contains(&"b", id(1)));
    assert!(!index.remove(&"a", id(2)) && !index.remove(&"b", id(1)));
    assert!(index.remove(&"a", id(1)));
    assert!(!index.exists(&"a") && index.keys() == 0 && index.pairs() == 0);
}

fn many<L>(set: &ListenerSet<L>) -> &Many<L> {
    let Set::Many(many) = &set.0 else { panic!("one listener") };
    many
}

#[test]
fn a_large_set_that_shrinks_frees_its_hash_table_and_its_memory() {
    let mut set = ListenerSet::of(id(0));
    (1..=200).for_each(|n| assert!(set.insert(id(n))));
    let hashed = |set: &ListenerSet<ConnectionId>| many(set).indexes.as_ref().map(|indexes| indexes.table.capacity());
    assert!(hashed(&set).is_some_and(|capacity| capacity >= 200));
    (31..=200).for_each(|n| assert!(matches!(set.remove(id(n)), Removal::Removed)));
    assert!(hashed(&set).is_some_and(|capacity| capacity < 200), "{:?}", hashed(&set));
    (3..=30).for_each(|n| assert!(matches!(set.remove(id(n)), Removal::Removed)));
    assert!(hashed(&set).is_none() && many(&set).listeners.capacity() <= KEPT);
}

#[test]
fn a_set_near_the_limit_keeps_its_hash_table() {
    let mut set = ListenerSet::of(id(0));
    let full = u8::try_from(HASHED_ABOVE).expect("small");
    (1..full).for_each(|n| assert!(set.insert(id(n))));
    assert!(many(&set).indexes.is_none());
    for _ in 0..3 {
        assert!(set.insert(id(full)));
        assert!(many(&set).indexes.is_some());
        assert!(matches!(set.remove(id(full)), Removal::Removed));
        assert!(many(&set).indexes.is_some());
    }
}

#[test]
fn a_listener_of_a_large_set_takes_16_bytes_and_its_share_of_a_table_of_indexes() {
    let socket = |n: u32| Arc::new(ConnectionId(Uuid::from_u128(u128::from(n)))) as Arc<dyn Identified>;
    let mut set = ListenerSet::of(socket(0));
    for n in 1..10_000 {
        assert!(set.insert(socket(n)));
        let many = many(&set);
        assert!(many.listeners.capacity() <= many.listeners.len() * 5 / 4 + 2);
        if let Some(indexes) = &many.indexes {
            let buckets = (many.listeners.len() * 8 / 7 + 1).next_power_of_two();
            assert!(indexes.table.allocation_size() <= buckets * 5 + 16, "{} of {n}", indexes.table.allocation_size());
        }
    }
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
                prop_assert_eq!(index.insert(&key, (id(n), tag)).is_some(), new);
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
        let sizes: BTreeMap<_, _> = index.iter().map(|(key, set)| (*key, set.as_slice().len())).collect();
        prop_assert_eq!(sizes, model.iter().map(|(key, under)| (*key, under.len())).collect::<BTreeMap<_, _>>());
    }
}
