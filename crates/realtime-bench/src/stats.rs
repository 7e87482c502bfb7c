//! Medians, spreads and percentiles.

/// The median, of at least one value.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

/// The smallest and the largest.
pub(crate) fn spread(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(*v), high.max(*v)))
}

/// Latencies in microseconds, counted in steps of at most 1.6 %.
#[derive(Clone)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

/// Steps within one doubling.
const STEPS: u32 = 64;

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; (STEPS * 40) as usize], total: 0 }
    }
}

impl Histogram {
    pub(crate) fn record(&mut self, micros: u64) {
        let at = Self::place(micros).min(self.counts.len() - 1);
        self.counts[at] += 1;
        self.total += 1;
    }

    /// The value that a share of all (0 to 1) does not exceed.
    pub(crate) fn percentile(&self, share: f64) -> f64 {
        let rank = (self.total as f64 * share).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (at, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Self::value(at);
            }
        }
        f64::NAN
    }

    fn place(micros: u64) -> usize {
        if micros < u64::from(STEPS) {
            return usize::try_from(micros).unwrap_or(0);
        }
        let doubling = micros.ilog2() - STEPS.ilog2();
        let within = (micros >> doubling) - u64::from(STEPS);
        ((doubling + 1) * STEPS) as usize + usize::try_from(within).unwrap_or(0)
    }

    fn value(at: usize) -> f64 {
        let (steps, at) = (STEPS as usize, at);
        if at < steps {
            return at as f64;
        }
        let doubling = u32::try_from(at / steps - 1).unwrap_or(0);
        ((steps + at % steps) as f64) * 2_f64.powi(i32::try_from(doubling).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_and_the_spread_the_ends() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(spread(&[3.0, 1.0, 2.0]), (1.0, 3.0));
    }

    #[test]
    fn percentiles_are_right_within_two_hundredths() {
        let mut histogram = Histogram::default();
        (1..=100_000).for_each(|micros| histogram.record(micros));
        for (share, expected) in [(0.5, 50_000.0), (0.99, 99_000.0), (0.999, 99_900.0)] {
            let found = histogram.percentile(share);
            assert!((found / expected - 1.0).abs() < 0.02, "{share}: {found}");
        }
        let mut small = Histogram::default();
        small.record(7);
        assert_eq!(small.percentile(0.99), 7.0);
    }
}
