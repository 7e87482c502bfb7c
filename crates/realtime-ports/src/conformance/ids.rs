//! The promises of every [`IdGenerator`].

use std::{collections::HashSet, thread};

use crate::IdGenerator;

const THREADS: usize = 4;
const EACH: usize = 1_000;

/// Runs the whole suite. Each part takes one or two fresh generators.
///
/// # Panics
/// The generator breaks a promise of the port; the message says which.
pub fn ids_conformance<G: IdGenerator>(fresh: impl Fn() -> G) {
    ids_are_uuids_of_version_7(&fresh());
    no_id_is_made_twice(&[fresh(), fresh()]);
    random_bits_differ(&[fresh(), fresh()]);
}

/// RFC 9562 section 5.7.
pub fn ids_are_uuids_of_version_7<G: IdGenerator>(ids: &G) {
    for _ in 0..100 {
        for id in [ids.connection_id().0, ids.message_id().0, ids.node_id().0] {
            assert_eq!(id.get_version_num(), 7, "{id} is of version 7");
            assert_eq!(id.as_bytes()[8] >> 6, 0b10, "{id} is of the variant of RFC 9562");
        }
    }
}

/// Not by two threads at once, and not by the generators of two nodes.
pub fn no_id_is_made_twice<G: IdGenerator>(nodes: &[G]) {
    let all: Vec<_> = thread::scope(|scope| {
        let make = |ids: &G| -> Vec<_> {
            (0..EACH).flat_map(|_| [ids.connection_id().0, ids.message_id().0, ids.node_id().0]).collect()
        };
        let threads: Vec<_> = nodes
            .iter()
            .flat_map(|ids| (0..THREADS).map(move |_| ids))
            .map(|ids| scope.spawn(move || make(ids)))
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no thread fails")).collect()
    });
    assert_eq!(all.len(), nodes.len() * THREADS * EACH * 3);
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len(), "every id is made once");
}

/// Between draws and between generators, in the high bits and in the low bits: jitter uses both.
pub fn random_bits_differ<G: IdGenerator>(nodes: &[G]) {
    let draws: Vec<_> = nodes.iter().flat_map(|ids| (0..EACH).map(|_| ids.random())).collect();
    assert_eq!(draws.iter().collect::<HashSet<_>>().len(), draws.len(), "no 64 bits are drawn twice");
    for bit in 0..64 {
        let ones = draws.iter().filter(|draw| *draw >> bit & 1 == 1).count();
        // With fair bits a value outside this range has a probability below 10^-40.
        assert!(
            (draws.len() / 4..draws.len() * 3 / 4).contains(&ones),
            "bit {bit} is one in {ones} of {}",
            draws.len()
        );
    }
}
