//! When a table or a queue that was large gives its memory back.

/// The capacity to shrink to; `None` while at least a quarter is in use. Room for twice of what is in use stays, so that
/// the cost of a removal is constant on average, and the next additions allocate nothing.
pub(crate) fn shrunk(len: usize, capacity: usize) -> Option<usize> {
    (len < capacity / 4).then_some(len * 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_by_less_than_a_quarter_shrinks_to_half_use() {
        for (len, capacity, to) in
            [(0, 0, None), (0, 3, None), (0, 4, Some(0)), (25, 100, None), (24, 100, Some(48)), (3, 1_000, Some(6))]
        {
            assert_eq!(shrunk(len, capacity), to, "{len} of {capacity}");
        }
    }
}
