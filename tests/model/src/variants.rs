//! What is tried otherwise than in the algorithm: each is expected to break.

use crate::node::Try;

pub(crate) fn variants() -> Vec<(&'static str, Try)> {
    let t = Try::default();
    vec![
        ("overflow handled under the stream's lock, after the fan-out", Try { defer_overflow: 1, ..t }),
        ("overflow handled after the stream's lock", Try { defer_overflow: 2, ..t }),
        ("overflow with nothing of s queued: next = top+1", Try { overflow_literal: true, ..t }),
        ("page written before the queue, queue not purged", Try { page_first: true, keep_queued: true, ..t }),
        ("page written before the queue", Try { page_first: true, ..t }),
        ("page and ack through the queue", Try { page_in_queue: true, ..t }),
        ("unsubscribe: gate, index, ack (as written)", Try { gate_first_unsub: true, keep_queued: true, ..t }),
        ("queue not purged at unsubscribe", Try { keep_queued: true, ..t }),
        ("owed acks forgotten", Try { lose_owed: true, ..t }),
        ("no lock per connection for changes", Try { no_conn_lock: true, ..t }),
        ("pump reads and moves the gate in two sections", Try { two_sections: true, ..t }),
        ("fan-out over a snapshot", Try { snapshot: true, ..t }),
        ("gate does not wake", Try { no_wake: true, ..t }),
        ("a task rests on an empty queue, gates or not", Try { blind_sleep: true, ..t }),
        ("index before gate", Try { index_first: true, ..t }),
        ("gate pumped before the index insert (as written)", Try { early_open: true, ..t }),
        ("repeated live subscribe without the stream's lock", Try { repeat_unlocked: true, ..t }),
        ("live subscribe without a gate", Try { no_gate: true, ..t }),
        ("since > top is complete", Try { beyond: true, ..t }),
        ("since over a live subscription, queue kept", Try { replay_over_live: true, ..t }),
        ("control frame drops the oldest publication", Try { ctl_drops: true, ..t }),
        ("total bound under the stream's lock", Try { nested_total: true, ..t }),
        ("resume after the hold makes a gate", Try { late_resume: true, ..t }),
        ("a forgotten stream begins at 0 again", Try { base_zero: true, ..t }),
        ("a publisher appends to a forgotten stream", Try { no_dead_mark: true, ..t }),
        ("a page has what excludes the client", Try { except_in_page: true, ..t }),
        ("a failed part of a resume is counted twice", Try { part_twice: true, ..t }),
    ]
}
