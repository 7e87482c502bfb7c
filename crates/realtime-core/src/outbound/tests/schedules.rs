//! Random schedules of a node: publishers, connections that come, go, subscribe, resume and read slowly, histories that
//! lose their oldest messages. Each connection receives a strictly rising part of each history, and what it does not
//! receive is what its gaps name.

mod client;
mod node;
mod step;

use std::{fmt::Write as _, panic};

use node::Node;
use step::{Bounds, Dice, Step};

/// Schedules of one run; the variable `REALTIME_SCHEDULES` is another number.
const SCHEDULES: u64 = 5_000;
/// Steps of the longest schedule.
const STEPS: usize = 120;

/// Runs a schedule, and then everything to its end. A panic is a failure too.
fn run(bounds: Bounds, steps: &[Step]) -> Result<(), String> {
    let whole = || {
        let mut node = Node::new(bounds);
        for (at, step) in steps.iter().enumerate() {
            node.take(*step).map_err(|why| format!("step {at}: {why}"))?;
        }
        node.finish()
    };
    panic::catch_unwind(panic::AssertUnwindSafe(whole)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default())
    })
}

/// Leaves out steps for as long as the schedule still fails.
fn shortest(bounds: Bounds, mut steps: Vec<Step>) -> Vec<Step> {
    let mut size = steps.len() / 2;
    while size > 0 {
        let mut at = 0;
        while at < steps.len() {
            let mut fewer = steps.clone();
            fewer.drain(at..(at + size).min(steps.len()));
            if run(bounds, &fewer).is_err() { steps = fewer } else { at += size }
        }
        size /= 2;
    }
    steps
}

fn schedule(seed: u64) -> (Bounds, Vec<Step>) {
    let mut dice = Dice(seed);
    let bounds = Bounds::draw(&mut dice);
    (bounds, Step::schedule(&mut dice, STEPS))
}

#[test]
fn what_a_connection_receives_and_its_gaps_are_the_whole_history_in_order() {
    // A run by hand, not a setting.
    #[allow(clippy::disallowed_methods)]
    let number = |name: &str, default| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (first, count) = (number("REALTIME_SEED", 1), number("REALTIME_SCHEDULES", SCHEDULES));
    for seed in first..first + count {
        let (bounds, steps) = schedule(seed);
        if run(bounds, &steps).is_ok() {
            continue;
        }
        let steps = shortest(bounds, steps);
        let mut story = String::new();
        steps.iter().for_each(|step| writeln!(story, "    {step:?}").expect("a text takes it"));
        let why = run(bounds, &steps).expect_err("it still fails");
        panic!(
            "schedule {} of {count} fails: {why}\n{bounds:?}, the shortest that fails:\n{story}\
             REALTIME_SEED={seed} REALTIME_SCHEDULES=1 runs it alone",
            seed - first + 1
        );
    }
    // What the schedules reach: a property of what never happens is worth nothing.
    let counts = client::take_counts();
    let all = [
        "message",
        "control",
        "subscribe",
        "unsubscribe",
        "refresh",
        "resume",
        "error",
        "retention",
        "position_forgotten",
        "epoch",
        "store_rolled_back",
        "log_went_back",
        "hold_expired",
        "not_granted",
    ];
    let missing: Vec<_> = all.into_iter().filter(|what| !counts.contains_key(*what)).collect();
    assert!(count < SCHEDULES || missing.is_empty(), "no client has received {missing:?}: {counts:?}");
}
