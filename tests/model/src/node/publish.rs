//! Threads that publish, expire and forget.

use super::*;

impl Config {
    pub(super) fn expire(&self, st: &State, me: usize, program: &[u8], out: &mut Vec<(String, Result<State, String>)>) {
        let Some(&s) = program.get(st.procs[me].i as usize) else { return };
        if st.owner[s as usize] != FREE {
            return;
        }
        let mut n = st.clone();
        n.front[s as usize] = (n.front[s as usize] + 1).min(n.top[s as usize] + 1);
        n.procs[me].i += 1;
        out.push((format!("E{me}: oldest of s{s} expires, front {}", n.front[s as usize]), Ok(n)));
    }

    pub(super) fn forget(&self, st: &State, me: usize, program: &[u8], out: &mut Vec<(String, Result<State, String>)>) {
        let p = &st.procs[me];
        let Some(&s) = program.get(p.i as usize) else { return };
        let si = s as usize;
        let mut n = st.clone();
        match p.pc {
            // The map, the stream, a look at the index: held together.
            0 if st.owner[si] == FREE && st.map == FREE => {
                if st.exists[si] && !st.present[si] {
                    (n.owner[si], n.map, n.procs[me].pc) = (me as u8, me as u8, 1);
                } else {
                    n.procs[me].i += 1;
                }
                out.push((format!("F{me}: no one listens to s{s}"), Ok(n)));
            }
            1 => {
                n.exists[si] = false;
                n.inc[si] += 1;
                if !self.tries.base_zero {
                    n.base = n.base.max(n.top[si]);
                }
                n.front[si] = n.top[si] + 1;
                (n.owner[si], n.map) = (FREE, FREE);
                n.procs[me] = Proc { i: p.i + 1, ..Proc::default() };
                out.push((format!("F{me}: s{s} is forgotten, base {}", n.base), Ok(n)));
            }
            _ => {}
        }
    }

    pub(super) fn publish(
        &self,
        st: &State,
        me: usize,
        now: Option<(u8, u8, bool)>,
        out: &mut Vec<(String, Result<State, String>)>,
    ) {
        let p = &st.procs[me];
        let Some((s, k, except)) = now else { return };
        let (si, bit) = (s as usize, 1u8 << me);
        let mut n = st.clone();
        match p.pc {
            0 if st.map == FREE && (st.exists[si] || st.owner[si] == FREE) => {
                if !st.exists[si] {
                    (n.exists[si], n.top[si], n.front[si]) = (true, st.base, st.base + 1);
                }
                (n.procs[me].r2, n.procs[me].pc) = (n.inc[si], 9);
                out.push((format!("P{me}: looks s{s} up"), Ok(n)));
            }
            9 if st.owner[si] == FREE && (st.inc[si] != p.r2 || !st.exists[si]) => {
                if self.tries.no_dead_mark {
                    out.push(("lost".into(), Result::Err("appended to a forgotten stream".into())));
                    return;
                }
                n.procs[me] = Proc { i: p.i, ..Proc::default() };
                out.push((format!("P{me}: s{s} was forgotten, looks again"), Ok(n)));
            }
            9 if st.owner[si] == FREE => {
                n.owner[si] = me as u8;
                n.top[si] += k;
                n.front[si] = n.front[si].max((n.top[si] + 1).saturating_sub(self.size));
                for o in n.top[si] + 1 - k..=n.top[si] {
                    if o > 15 {
                        return;
                    }
                    if !except {
                        n.wanted[si] |= 1 << o;
                    }
                    if st.wanted[si] >> o & 1 == 1 {
                        out.push(("again".into(), Result::Err(format!("offset {o} of s{s} is used twice"))));
                        return;
                    }
                }
                n.procs[me].r = n.top[si];
                if self.total > 0 {
                    for o in 0..k {
                        n.fifo.push((s, n.top[si] + 1 - k + o));
                    }
                }
                n.procs[me].pc = 1;
                out.push((format!("P{me}: lock s{s}, append {}..{}", n.top[si] + 1 - k, n.top[si]), Ok(n)));
            }
            1 => {
                n.procs[me].r2 = u8::from(st.present[si]);
                if !self.tries.snapshot {
                    n.readers[si] |= bit;
                }
                n.procs[me].pc = 2;
                out.push((format!("P{me}: index read"), Ok(n)));
            }
            2 => {
                let (a, b) = (p.r + 1 - k, p.r);
                if p.r2 == 1 && !except {
                    n.procs[me].over = self.push(&mut n, s, a, b);
                }
                n.readers[si] &= !bit;
                n.procs[me].r2 = 0;
                let over = n.procs[me].over;
                if self.total > 0 && self.tries.nested_total && n.fifo.len() > self.total as usize {
                    n.procs[me].pc = 5;
                } else if over && self.tries.defer_overflow == 1 {
                    n.procs[me].pc = 3;
                } else {
                    n.owner[si] = FREE;
                    n.procs[me].pc = if over {
                        4
                    } else if self.total > 0 && n.fifo.len() > self.total as usize {
                        6
                    } else {
                        0
                    };
                }
                if n.procs[me].pc == 0 {
                    n.procs[me].i += 1;
                    n.procs[me].r = 0;
                }
                let what = if over {
                    "did not fit"
                } else if n.gates.len() > st.gates.len() {
                    "overflow: gate"
                } else {
                    "pushed or skipped"
                };
                out.push((format!("P{me}: {a}..{b} of s{s} {what}, index and stream released"), Ok(n)));
            }
            3 | 4 => {
                let next = Self::oldest(st, s).unwrap_or(if self.tries.overflow_literal {
                    st.top[si] + 1
                } else {
                    p.r + 1 - k
                });
                if !n.gates.iter().any(|g| g.s == s) {
                    Self::gate(&mut n, s, next);
                }
                n.awake = true;
                if p.pc == 3 {
                    n.owner[si] = FREE;
                }
                n.procs[me] = Proc { i: p.i + 1, ..Proc::default() };
                out.push((format!("P{me}: late overflow: gate of s{s} at {next}"), Ok(n)));
            }
            // The bound over all logs, nested: pop the oldest of all, then its stream's lock, under one's own.
            5 => {
                let (t, o) = n.fifo.remove(0);
                (n.procs[me].r, n.procs[me].r2, n.procs[me].pc) = (o, t, 8);
                out.push((format!("P{me}: pops the oldest of all, of s{t}, while it holds s{s}"), Ok(n)));
            }
            8 if p.r2 == s || st.owner[p.r2 as usize] == FREE => {
                n.front[p.r2 as usize] = n.front[p.r2 as usize].max(p.r + 1);
                n.owner[si] = FREE;
                n.procs[me] = Proc { i: p.i + 1, ..Proc::default() };
                out.push((format!("P{me}: trims s{} under s{s}", p.r2), Ok(n)));
            }
            // The same with no lock held: pop first, then the stream's lock.
            6 => {
                n.procs[me].pc = if n.fifo.len() > self.total as usize {
                    let (t, o) = n.fifo.remove(0);
                    n.procs[me].r = o;
                    n.procs[me].r2 = t;
                    7
                } else {
                    0
                };
                if n.procs[me].pc == 0 {
                    n.procs[me] = Proc { i: p.i + 1, ..Proc::default() }
                }
                out.push((format!("P{me}: pops the oldest of all"), Ok(n)));
            }
            7 if st.owner[p.r2 as usize] == FREE => {
                n.front[p.r2 as usize] = n.front[p.r2 as usize].max(p.r + 1);
                n.procs[me] = Proc { pc: 6, i: p.i, ..Proc::default() };
                out.push((format!("P{me}: trims s{}", p.r2), Ok(n)));
            }
            _ => {}
        }
    }
}
