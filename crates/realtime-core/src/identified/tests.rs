//! The table of values by id, compared with a map under random operations.

use std::collections::BTreeMap;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;

fn id(n: u8) -> ConnectionId {
    ConnectionId(Uuid::from_u128(u128::from(n)))
}

#[test]
fn an_id_a_pair_and_a_shared_value_know_their_connection() {
    assert_eq!([id(7).id(), (id(7), "any").id(), Arc::new((id(7), "any")).id()], [id(7); 3]);
}

#[test]
fn a_table_stores_no_id_beside_a_value() {
    let mut table = IdTable::new();
    (0..112).for_each(|n| assert!(table.insert(Arc::new(id(n)))));
    // 128 buckets of a pointer and a byte, and one group of bytes that ends the table.
    assert!(table.values.allocation_size() <= 128 * 9 + 16);
}

#[test]
fn a_table_that_was_large_frees_its_memory_and_a_small_one_keeps_it() {
    let mut table = IdTable::new();
    (0..200).for_each(|n| assert!(table.insert(id(n))));
    (0..100).for_each(|n| assert!(table.remove(id(n)).is_some()));
    assert!(table.values.capacity() > 112, "half are in use");
    (100..200).for_each(|n| assert!(table.remove(id(n)).is_some()));
    assert!(table.values.capacity() <= KEPT, "{}", table.values.capacity());
}

proptest! {
    #[test]
    fn a_table_behaves_like_a_map(steps in proptest::collection::vec((0_u8..3, 0_u8..70), 0..400)) {
        let mut table = IdTable::new();
        let mut model = BTreeMap::<ConnectionId, usize>::new();
        for (tag, (step, n)) in steps.into_iter().enumerate() {
            match step {
                0 => prop_assert_eq!(table.remove(id(n)).map(|(_, tag)| tag), model.remove(&id(n))),
                1 => {
                    if let Some(value) = table.get_mut(id(n)) {
                        value.1 = tag;
                    }
                    model.entry(id(n)).and_modify(|value| *value = tag);
                }
                _ => {
                    prop_assert_eq!(table.insert((id(n), tag)), !model.contains_key(&id(n)));
                    model.entry(id(n)).or_insert(tag);
                }
            }
            prop_assert_eq!(table.get(id(n)).map(|value| value.1), model.get(&id(n)).copied());
            prop_assert_eq!(table.len(), model.len());
        }
        prop_assert_eq!(table.iter().count(), model.len());
        prop_assert_eq!(table.iter().copied().collect::<BTreeMap<_, _>>(), model);
    }
}
