//! The ids of connections in their order, in as little memory as they take.

use realtime_schema::ConnectionId;

use crate::capacity::shrunk;

/// Ids in their order. They are made in their order, so that a new one goes to the end; one that goes moves those after
/// it, which takes a microsecond for some thousands.
#[derive(Debug, Default)]
pub(crate) struct IdOrder(Vec<ConnectionId>);

impl IdOrder {
    /// Adds an id that is not there.
    pub(crate) fn insert(&mut self, id: ConnectionId) {
        let Self(ids) = self;
        if ids.len() == ids.capacity() {
            // By an eighth, not to double: there are as many as connections.
            ids.reserve_exact((ids.len() / 8).max(4));
        }
        let at = match ids.last() {
            Some(last) if *last > id => ids.binary_search(&id).unwrap_or_else(|at| at),
            _ => ids.len(),
        };
        ids.insert(at, id);
    }

    /// Removes an id.
    pub(crate) fn remove(&mut self, id: ConnectionId) {
        let Self(ids) = self;
        if let Ok(at) = ids.binary_search(&id) {
            ids.remove(at);
            if let Some(capacity) = shrunk(ids.len(), ids.capacity()) {
                ids.shrink_to(capacity);
            }
        }
    }

    /// The ids from the first one after `after`.
    pub(crate) fn after(&self, after: Option<ConnectionId>) -> impl Iterator<Item = ConnectionId> {
        let start = after.map_or(0, |after| self.0.partition_point(|id| *id <= after));
        self.0[start..].iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    proptest! {
        #[test]
        fn they_are_in_order_whatever_comes_and_goes(
            steps in proptest::collection::vec((any::<bool>(), 0_u128..200), 0..400),
            after in proptest::option::of(0_u128..200),
        ) {
            let id = |n| ConnectionId(Uuid::from_u128(n));
            let (mut order, mut model) = (IdOrder::default(), BTreeSet::new());
            for (comes, n) in steps {
                if !comes {
                    order.remove(id(n));
                    model.remove(&id(n));
                } else if model.insert(id(n)) {
                    order.insert(id(n));
                }
            }
            let expected: Vec<_> = model.into_iter().filter(|known| after.is_none_or(|after| *known > id(after))).collect();
            prop_assert_eq!(order.after(after.map(id)).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn a_crowd_that_has_gone_leaves_no_memory() {
        let mut order = IdOrder::default();
        (0..10_000).for_each(|n| order.insert(ConnectionId(Uuid::from_u128(n))));
        assert!(order.0.capacity() < 11_500, "{}", order.0.capacity());
        (0..10_000).for_each(|n| order.remove(ConnectionId(Uuid::from_u128(n))));
        assert!(order.0.capacity() < 100, "{}", order.0.capacity());
    }
}
