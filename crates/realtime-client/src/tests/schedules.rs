//! Random schedules. `CLIENT_SEEDS` sets how many, `CLIENT_SEED` runs one alone.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
};

use super::world::World;

/// Schedules of a run without `CLIENT_SEEDS`.
const SEEDS: u32 = 2_000;

fn number(name: &str) -> Option<u32> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

#[test]
fn random_schedules_keep_what_the_client_promises() {
    let seeds = number("CLIENT_SEEDS").unwrap_or(SEEDS);
    let one = number("CLIENT_SEED");
    let (mut totals, mut delivered, mut gaps) = (BTreeMap::<String, u64>::new(), 0, 0);
    for seed in one.map_or(1..=seeds, |seed| seed..=seed) {
        let mut world = World::new(seed);
        if catch_unwind(AssertUnwindSafe(|| world.run(40))).is_err() {
            panic!("seed {seed} fails: run it alone with CLIENT_SEED={seed}");
        }
        delivered += world.oracle.delivered;
        gaps += world.oracle.gaps;
        for (what, count) in world.counts {
            *totals.entry(what).or_default() += count;
        }
    }
    println!("{seeds} schedules: {delivered} messages, {gaps} gaps; {totals:?}");
    // A search that never comes to these shows nothing.
    if one.is_none() && seeds >= 1_000 {
        for what in ["resumed true", "resumed false", "kill", "stop", "sleep", "Waiting"] {
            assert!(totals.get(what).copied().unwrap_or(0) > u64::from(seeds / 20), "{what}: {totals:?}");
        }
    }
}
