//! A small generator of random numbers (mulberry32): the same seed gives the same schedule.

#[derive(Debug)]
pub(super) struct Random(u32);

impl Random {
    pub(super) fn new(seed: u32) -> Self {
        Self(seed.wrapping_mul(2_654_435_761))
    }

    /// In [0, 1).
    pub(super) fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x6d2b_79f5);
        let mut t = self.0;
        t = (t ^ (t >> 15)).wrapping_mul(t | 1);
        t ^= t.wrapping_add((t ^ (t >> 7)).wrapping_mul(t | 61));
        f64::from(t ^ (t >> 14)) / 4_294_967_296.0
    }

    /// A whole number below `n`.
    pub(super) fn below(&mut self, n: u64) -> u64 {
        (self.next() * n as f64) as u64
    }

    pub(super) fn chance(&mut self, p: f64) -> bool {
        self.next() < p
    }

    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }
}
