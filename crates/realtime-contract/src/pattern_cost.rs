//! What a `pattern` costs for each byte of a text, at worst.
//!
//! The engine makes an automaton of a pattern while it matches. If that grows too large (`a[ab]{300}c` needs one of 2^300
//! states), it follows all states of the pattern for each byte instead: linear in the text, and hundreds of times slower.

use std::collections::BTreeMap;

use regex_automata::{
    dfa::{StartKind, dense},
    nfa::thompson::{Config, NFA, WhichCaptures},
};

use crate::{
    graph::Graph,
    limits::{AUTOMATON_BYTES, PATTERN_BYTES},
    schema_path::SchemaPath,
};

/// The price of a byte of text, for each state that is followed for it: what following one costs, in looks of an automaton.
const PRICE_OF_A_STATE: u64 = 8;

/// The price of a byte of text, in looks of an automaton, by the file whose schema checks it: that of the most expensive
/// `pattern` that can be reached from there.
pub(crate) struct Prices<'g, 'f> {
    graph: &'g Graph<'f>,
    known: BTreeMap<&'f str, u64>,
}

impl<'g, 'f> Prices<'g, 'f> {
    pub(crate) fn new(graph: &'g Graph<'f>) -> Self {
        Self { graph, known: BTreeMap::new() }
    }

    /// The price for the schema of a file.
    pub(crate) fn of(&mut self, file: &SchemaPath) -> u64 {
        let mut most = 1;
        for node in self.graph.reached_from(file) {
            let own = node.schema.get("pattern").and_then(|pattern| pattern.as_str());
            let fields = node.schema.get("patternProperties").and_then(|fields| fields.as_object());
            let fields = fields.into_iter().flatten().map(|(pattern, _)| pattern.as_str());
            for pattern in own.into_iter().chain(fields) {
                most = most.max(*self.known.entry(pattern).or_insert_with(|| price(pattern)));
            }
        }
        most
    }
}

/// The price of a byte for one pattern.
fn price(pattern: &str) -> u64 {
    let Ok(pattern) = jsonschema_regex::to_rust_regex(pattern) else { return 1 };
    // The engine reads forwards, and backwards from the end of a text where the pattern is bound to it.
    [(false, StartKind::Unanchored), (true, StartKind::Anchored)]
        .map(|way| price_of_a_way(&pattern, way))
        .into_iter()
        .max()
        .unwrap_or(1)
}

fn price_of_a_way(pattern: &str, (reverse, start): (bool, StartKind)) -> u64 {
    let config = Config::new().reverse(reverse).which_captures(WhichCaptures::None).nfa_size_limit(Some(PATTERN_BYTES));
    // One that is too large was refused, or is a mere repetition, which the library counts itself.
    let Ok(states) = NFA::compiler().configure(config).build(pattern) else { return 1 };
    let limits = dense::Config::new()
        .start_kind(start)
        .dfa_size_limit(Some(AUTOMATON_BYTES))
        .determinize_size_limit(Some(AUTOMATON_BYTES));
    match dense::Builder::new().configure(limits).build_from_nfa(&states) {
        Ok(_) => 1,
        Err(_) => PRICE_OF_A_STATE * states.states().len() as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_with_a_small_automaton_costs_one_look_for_each_byte() {
        for pattern in [
            "^[a-z0-9-]+$",
            "^(a+)+$",
            "^.{1,1000}$",
            "^[A-Z]{3}-[0-9]{1,12}$",
            "^[^@\\s]+@[^@\\s]+\\.[a-z]{2,}$",
            "^\\p{L}+$",
            "^(0|[1-9]\\d*)\\.(0|[1-9]\\d*)\\.(0|[1-9]\\d*)(?:-[0-9A-Za-z.-]+)?$",
            "^https?://[^/]+/.*$",
        ] {
            assert_eq!(price(pattern), 1, "{pattern}");
        }
    }

    #[test]
    fn a_pattern_with_an_automaton_that_explodes_costs_its_states() {
        for (pattern, states) in
            [("\\bword\\b", 6), ("a[ab]{30}c", 30), ("a[ab]{1000}c", 1_000), ("([ab]{1,30}a){1,30}cb", 900)]
        {
            let price = price(pattern);
            assert!(price >= PRICE_OF_A_STATE * states && price < PRICE_OF_A_STATE * states * 5, "{pattern}: {price}");
        }
    }
}
