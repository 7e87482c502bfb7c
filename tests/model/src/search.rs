//! Breadth-first search over all interleavings, with the shortest path to what is wrong.
use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;

pub(crate) struct Outcome {
    pub(crate) states: usize,
    pub(crate) ends: usize,
    pub(crate) bad: Option<(String, Vec<String>)>,
    pub(crate) cut: bool,
}

/// `next` answers the steps that are possible, each named; an `Err` in place of a state is a broken invariant.
/// A state without a step is an end: `end` judges it (a deadlock is an end that is not as it should be).
pub(crate) fn explore<S: Clone + Eq + Hash + Debug>(
    init: S,
    cap: usize,
    next: impl Fn(&S, &mut Vec<(String, Result<S, String>)>),
    end: impl Fn(&S) -> Result<(), String>,
) -> Outcome {
    let mut seen: HashMap<std::rc::Rc<S>, ()> = HashMap::new();
    let first = std::rc::Rc::new(init);
    let mut all = vec![(first.clone(), 0usize, String::new())];
    seen.insert(first, ());
    let (mut at, mut ends, mut out) = (0, 0, Vec::new());
    let path = |all: &Vec<(std::rc::Rc<S>, usize, String)>, mut i: usize, last: String| {
        let mut p = vec![last];
        while i != 0 {
            p.push(all[i].2.clone());
            i = all[i].1;
        }
        p.reverse();
        p
    };
    while at < all.len() {
        let state = all[at].0.clone();
        out.clear();
        next(&state, &mut out);
        if out.is_empty() {
            ends += 1;
            if let Err(why) = end(&state) {
                let p = path(&all, at, format!("end: {state:?}"));
                return Outcome { states: all.len(), ends, bad: Some((why, p)), cut: false };
            }
        }
        for (label, result) in out.drain(..) {
            match result {
                Err(why) => {
                    let p = path(&all, at, label);
                    return Outcome { states: all.len(), ends, bad: Some((why, p)), cut: false };
                }
                Ok(s) => {
                    if !seen.contains_key(&s) {
                        let s = std::rc::Rc::new(s);
                        seen.insert(s.clone(), ());
                        all.push((s, at, label));
                    }
                }
            }
        }
        at += 1;
        if all.len() > cap {
            return Outcome { states: all.len(), ends, bad: None, cut: true };
        }
    }
    Outcome { states: all.len(), ends, bad: None, cut: false }
}
