//! A model of the gates of one node: recovery and live delivery through one log per stream, explored over all interleavings
//! of its threads. It has nothing of the code; each change of the algorithm is made here first.
//!
//! ```text
//! cargo run --release -p realtime-model                   all configurations, then all variants
//! cargo run --release -p realtime-model NAME [VARIANT]    those whose name contains NAME, with the path to the flaw
//! ```
//!
//! A line `corrected` must say `ok`. A variant takes one thing back and is expected to break: the shortest way to it is
//! shown; `gate does not wake` alone does not: a full queue is not empty. All of it takes four minutes of one core, and CI only
//! builds it.

mod configs;
mod node;
mod search;
mod variants;

use configs::configs;
use node::Config;
use variants::variants;

const CAP: usize = 6_000_000;

fn show(name: &str, variant: &str, o: &search::Outcome, paths: bool) {
    let verdict = match &o.bad {
        None if o.cut => "CUT OFF".to_string(),
        None => "ok".into(),
        Some((why, p)) => format!("{} steps: {why}", p.len()),
    };
    println!("{name:18} {variant:58} {:>9} states {:>6} ends  {verdict}", o.states, o.ends);
    if paths && let Some((_, path)) = &o.bad {
        for step in path {
            println!("        {step}");
        }
    }
}

fn main() {
    let want = std::env::args().nth(1).unwrap_or_default();
    let only = std::env::args().nth(2).unwrap_or_default();
    println!("== one node, corrected");
    for (name, c) in configs().iter().filter(|c| c.0.contains(&want) && only.is_empty()) {
        let o = search::explore(c.init(), CAP, |s, out| c.next(s, out), |s| c.end(s));
        show(name, "corrected", &o, true);
    }
    println!("== one node, variants: the shortest flaw over all configurations");
    for (variant, tries) in variants().into_iter().filter(|v| v.0.contains(&only)) {
        let mut best: Option<(&str, search::Outcome)> = None;
        for (name, c) in configs().iter().filter(|c| c.0.contains(&want)) {
            let c = Config { tries, ..c.clone() };
            let o = search::explore(c.init(), 400_000, |s, out| c.next(s, out), |s| c.end(s));
            let len = |o: &search::Outcome| o.bad.as_ref().map_or(usize::MAX, |b| b.1.len());
            if best.as_ref().is_none_or(|b| len(&o) < len(&b.1)) {
                best = Some((name, o));
            }
        }
        if let Some((name, o)) = best {
            show(name, variant, &o, true);
        }
    }
}
