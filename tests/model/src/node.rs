//! One node (A.3): locks are the stream's, the connection's (shard), the index's (readers/writer), the queue's.
//! A section that takes no other lock inside is one step; whatever is nested is several.
//! Leaf locks (queue, index write, FIFO) are therefore steps, the others have an owner in the state.

mod change;
mod client;
mod publish;
mod task;

/// What is tried otherwise than in the corrected algorithm. All false/0 = the corrected one.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Try {
    pub(crate) defer_overflow: u8, // 1: after the fan-out under the stream's lock, 2: after its release
    pub(crate) overflow_literal: bool, // nothing of s queued: next = top+1 instead of the frame that did not fit
    pub(crate) page_first: bool,   // a page is written before what waits in the queue
    pub(crate) page_in_queue: bool, // a page and its ack go through the queue, where an overflow can drop
    pub(crate) gate_first_unsub: bool, // unsubscribe: gate, then index, then ack
    pub(crate) keep_queued: bool, // unsubscribe leaves queued frames; a gate may meet frames of its stream in the queue
    pub(crate) lose_owed: bool,   // whoever removes or replaces a gate forgets the ack it owes
    pub(crate) no_conn_lock: bool, // changes of one connection's subscriptions are not serialised
    pub(crate) two_sections: bool, // pump reads the gate and moves it in two queue sections
    pub(crate) snapshot: bool,    // the fan-out iterates over a copy, the index is free meanwhile
    pub(crate) no_wake: bool,     // a gate made by an overflow does not wake the task
    pub(crate) blind_sleep: bool, // the task rests when the queue is empty, whatever gates there are
    pub(crate) index_first: bool, // subscribe: index, then gate
    pub(crate) early_open: bool,  // subscribe: the gate can be pumped before the index has the connection (as written)
    pub(crate) repeat_unlocked: bool, // a repeated subscribe without since: a Live gate over a live stream, without the stream's lock
    pub(crate) no_gate: bool,         // subscribe without since: position, then index, no gate
    pub(crate) beyond: bool,          // since > top: taken for complete
    pub(crate) replay_over_live: bool, // since on a live subscription: queued frames stay
    pub(crate) ctl_drops: bool,       // a control frame that finds no room drops the oldest publication without a gate
    pub(crate) nested_total: bool,    // the bound over all logs is enforced under the publisher's stream lock
    pub(crate) late_resume: bool,     // a resume after hold_ms makes a gate again
    pub(crate) base_zero: bool,       // a stream that was forgotten begins at 0 again
    pub(crate) no_dead_mark: bool,    // a publisher appends to a stream that was forgotten since it looked
    pub(crate) except_in_page: bool,  // a page has what excludes the client
    pub(crate) part_twice: bool,      // a part of a resume that fails is counted by the gate and by the caller
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Item {
    Pub(u8, u8, u8),
    Gap(u8, u8, u8),
    Ack(u8, u8, u8),
    Un(u8, u8),
    Err(u8, u8),
    Gone(u8),
    Done(u8),
}
use Item::*;
const UNKNOWN: u8 = 255; // Gap(s, UNKNOWN, to): from unknown
const PART: u8 = 255; // owed: a part of the resume
const LIVE: u8 = 254; // gate: from the top, whatever that is when the page is taken

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Gate {
    s: u8,
    next: u8,
    held: bool,
    opening: bool,
    owes: Vec<u8>,
}
impl Gate {
    fn open(&self) -> bool {
        !self.held && !self.opening
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Since {
    Live,
    At(u8),
    Last,
}
#[derive(Clone, Debug)]
pub(crate) enum Cmd {
    Sub(u8, Since),
    Unsub(u8),
    Resume(u8, Since),
    Begin(Vec<(u8, Since)>),
    Part(u8, Since, bool),
    Settle,
}
#[derive(Clone, Debug)]
pub(crate) enum Thread {
    Publish(Vec<(u8, u8)>),
    Except(Vec<(u8, u8, bool)>),
    Forget(Vec<u8>),
    Task(Vec<Cmd>),
    Admin(Vec<Cmd>),
    Expire(Vec<u8>),
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Proc {
    pc: u8,
    i: u8,
    r: u8,
    r2: u8,
    over: bool,
}

/// What the client knows of a stream: the offset it is to see next while it is subscribed, and the last it saw.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Client {
    on: bool,
    next: u8,
    last: u8,
    expects: Vec<(u8, u8)>,
    open: Vec<u8>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct State {
    top: [u8; 2],
    front: [u8; 2],
    owner: [u8; 2],
    readers: [u8; 2],
    present: [bool; 2],
    conn: u8,
    fifo: Vec<(u8, u8)>,
    q: Vec<Item>,
    gates: Vec<Gate>,
    awake: bool,
    batch: Vec<Item>,
    client: [Client; 2],
    procs: Vec<Proc>,
    wanted: [u16; 2],
    exists: [bool; 2],
    inc: [u8; 2],
    base: u8,
    map: u8,
    resume: Option<(u8, u8)>,
}
const FREE: u8 = 9;

#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) threads: Vec<Thread>,
    pub(crate) size: u8,
    pub(crate) bound: u8,
    pub(crate) page: u8,
    pub(crate) total: u8,
    pub(crate) before: [u8; 2],
    pub(crate) hold: Option<[bool; 2]>,
    pub(crate) live: [bool; 2],
    pub(crate) tries: Try,
    pub(crate) absent: bool,
}

impl Config {
    pub(crate) fn init(&self) -> State {
        let top = self.before;
        let mut st = State {
            top,
            front: [1, 1],
            owner: [FREE; 2],
            readers: [0; 2],
            present: self.live,
            conn: FREE,
            fifo: vec![],
            q: vec![],
            gates: vec![],
            awake: true,
            batch: vec![],
            client: Default::default(),
            procs: vec![Proc::default(); self.threads.len()],
            wanted: [0; 2],
            exists: [true; 2],
            inc: [0; 2],
            base: 0,
            map: FREE,
            resume: None,
        };
        for (s, top) in top.into_iter().enumerate() {
            for o in 1..=top {
                st.wanted[s] |= 1 << o;
            }
            st.exists[s] = top > 0 || !self.absent;
            st.front[s] = (top + 1).saturating_sub(self.size).max(1);
            if self.live[s] {
                st.client[s] = Client { on: true, next: top + 1, last: top, ..Client::default() };
            }
        }
        if let Some(held) = self.hold {
            // Connected: gates were made held, then the index entries. The welcome's position is `before`.
            for s in 0..2u8 {
                if held[s as usize] {
                    st.gates.push(Gate { s, next: LIVE, held: true, opening: false, owes: vec![] });
                    st.present[s as usize] = true;
                }
            }
        }
        st
    }

    /// The top and the front of a stream; one that does not exist begins above all that were forgotten.
    fn top(st: &State, s: usize) -> u8 {
        if st.exists[s] { st.top[s] } else { st.base }
    }
    fn front(st: &State, s: usize) -> u8 {
        if st.exists[s] { st.front[s] } else { st.base + 1 }
    }
    /// Nothing for the client from a up to but not b.
    fn none(st: &State, s: usize, a: u8, b: u8) -> bool {
        (a..b).all(|o| st.wanted[s] >> o & 1 == 0)
    }

    /// One part of a resume is complete.
    fn part(&self, n: &mut State) -> Option<u8> {
        let (id, left) = n.resume?;
        n.resume = if left > 1 { Some((id, left - 1)) } else { None };
        (left <= 1).then_some(id)
    }

    fn len(st: &State) -> u8 {
        st.q.iter().map(|i| if let Pub(_, a, b) = i { b - a + 1 } else { 1 }).sum()
    }

    fn gate(st: &mut State, s: u8, next: u8) {
        st.q.retain(|i| !matches!(i, Pub(t, ..) if *t == s));
        st.gates.push(Gate { s, next, held: false, opening: false, owes: vec![] });
    }

    fn oldest(st: &State, s: u8) -> Option<u8> {
        st.q.iter().find_map(|i| match i {
            Pub(t, a, _) if *t == s => Some(*a),
            _ => None,
        })
    }

    /// A publication for the queue. True if it did not fit and the caller has to handle it.
    fn push(&self, st: &mut State, s: u8, a: u8, b: u8) -> bool {
        if st.gates.iter().any(|g| g.s == s) {
            return false;
        }
        if st.q.is_empty() || Self::len(st) + (b - a + 1) <= self.bound {
            st.q.push(Pub(s, a, b));
            st.awake = true;
            return false;
        }
        if self.tries.defer_overflow > 0 {
            return true;
        }
        let next = Self::oldest(st, s).unwrap_or(if self.tries.overflow_literal { st.top[s as usize] + 1 } else { a });
        Self::gate(st, s, next);
        if !self.tries.no_wake {
            st.awake = true;
        }
        false
    }

    /// A control frame for the queue, which is never dropped: publications give way.
    fn control(&self, st: &mut State, item: Item) {
        while !st.q.is_empty() && Self::len(st) + 1 > self.bound {
            let Some(at) = st.q.iter().position(|i| matches!(i, Pub(..))) else { break };
            let Pub(s, a, b) = st.q[at] else { unreachable!() };
            if self.tries.ctl_drops {
                if a < b {
                    st.q[at] = Pub(s, a + 1, b);
                } else {
                    st.q.remove(at);
                }
            } else {
                Self::gate(st, s, a);
            }
        }
        st.q.push(item);
        st.awake = true;
    }

    pub(crate) fn next(&self, st: &State, out: &mut Vec<(String, Result<State, String>)>) {
        if !self.tries.keep_queued && !self.tries.page_in_queue && !self.tries.replay_over_live {
            for g in &st.gates {
                if Self::oldest(st, g.s).is_some() {
                    out.push(("invariant".into(), Result::Err("a gate and queued frames of its stream".into())));
                    return;
                }
            }
        }
        for (me, thread) in self.threads.iter().enumerate() {
            match thread {
                Thread::Publish(program) => self.publish(
                    st,
                    me,
                    st.procs.get(me).and_then(|p| program.get(p.i as usize)).map(|x| (x.0, x.1, false)),
                    out,
                ),
                Thread::Except(program) => self.publish(st, me, program.get(st.procs[me].i as usize).copied(), out),
                Thread::Forget(program) => self.forget(st, me, program, out),
                Thread::Expire(program) => self.expire(st, me, program, out),
                Thread::Task(program) => self.task(st, me, program, out),
                Thread::Admin(program) => self.change(st, me, program, false, out),
            }
        }
    }
}
