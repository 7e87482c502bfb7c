//! One page of a list, chosen among items that come in any order.

use std::collections::BinaryHeap;

/// Collects the smallest `limit` items that come after a cursor. Holds no more than the page, however many are offered.
///
/// ```
/// use realtime_core::page::PageBuilder;
///
/// let mut page = PageBuilder::new(Some(2), 3);
/// for item in [7, 1, 5, 2, 4, 9] {
///     page.offer(item);
/// }
/// assert_eq!(page.finish(), [4, 5, 7]);
/// ```
#[derive(Clone, Debug)]
pub struct PageBuilder<T> {
    after: Option<T>,
    limit: usize,
    /// The largest first.
    kept: BinaryHeap<T>,
}

impl<T: Ord> PageBuilder<T> {
    /// An empty page for up to `limit` items, all greater than `after`.
    pub fn new(after: Option<T>, limit: usize) -> Self {
        Self { after, limit, kept: BinaryHeap::new() }
    }

    /// Keeps `item` if it belongs on the page as far as it is known yet; false if not. Each item may be offered once.
    pub fn offer(&mut self, item: T) -> bool {
        if self.after.as_ref().is_some_and(|after| item <= *after) {
            return false;
        }
        if self.kept.len() < self.limit {
            self.kept.push(item);
            return true;
        }
        if let Some(mut largest) = self.kept.peek_mut()
            && item < *largest
        {
            *largest = item;
            return true;
        }
        false
    }

    /// Offers items that are in order and come after the cursor: no more of them than the page may need.
    pub fn offer_sorted(&mut self, items: impl IntoIterator<Item = T>) {
        for item in items {
            if !self.offer(item) {
                return;
            }
        }
    }

    /// The page, in order.
    pub fn finish(self) -> Vec<T> {
        self.kept.into_sorted_vec()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pages_show_what_stays_exactly_once_while_the_rest_changes(
            stays in proptest::collection::btree_set(0_u16..500, 0..80),
            changing in proptest::collection::vec(proptest::collection::btree_set(0_u16..500, 0..80), 1..12),
            limit in 1_usize..30,
        ) {
            let (mut seen, mut after) = (Vec::<u16>::new(), None);
            for read in 0_usize.. {
                let others = &changing[read % changing.len()];
                let now: BTreeSet<u16> = stays.union(others).copied().collect();
                let mut page = PageBuilder::new(after, limit);
                // In an order that has nothing to do with the list's.
                let mut shuffled: Vec<u16> = now.iter().copied().collect();
                shuffled.sort_by_key(|item| item.wrapping_mul(40_503));
                for item in shuffled {
                    page.offer(item);
                }
                let page = page.finish();
                let mut sorted = PageBuilder::new(after, limit);
                for half in [0, 1] {
                    let later = now.iter().copied().filter(|item| after.is_none_or(|after| *item > after));
                    sorted.offer_sorted(later.filter(|item| item % 2 == half));
                }
                prop_assert_eq!(&page, &sorted.finish());
                let later = now.into_iter().filter(|item| after.is_none_or(|after| *item > after));
                let expected: Vec<u16> = later.take(limit).collect();
                prop_assert_eq!(&page, &expected);
                let Some(last) = page.last() else { break };
                after = Some(*last);
                seen.extend(page);
            }
            prop_assert!(seen.is_sorted_by(|a, b| a < b), "repeated: {:?}", seen);
            prop_assert!(stays.iter().all(|item| seen.contains(item)), "skipped: {:?}", seen);
        }
    }

    #[test]
    fn a_page_of_nothing_keeps_nothing() {
        let mut page = PageBuilder::<u16>::new(None, 0);
        page.offer(1);
        assert!(page.finish().is_empty());
    }
}
