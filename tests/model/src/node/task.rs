//! The task of a connection: it writes what waits, and pages.

use super::*;

impl Config {
    pub(super) fn task(&self, st: &State, me: usize, program: &[Cmd], out: &mut Vec<(String, Result<State, String>)>) {
        let p = &st.procs[me];
        if p.pc >= 10 {
            return self.change(st, me, program, true, out);
        }
        if p.pc == 1 {
            let s = p.r as usize;
            if st.owner[s] == FREE && st.map == FREE {
                let mut n = st.clone();
                n.owner[s] = me as u8;
                n.procs[me].pc = 2;
                out.push((format!("T: lock s{s}"), Ok(n)));
            }
            return;
        }
        if p.pc == 2 {
            let s = p.r;
            let si = s as usize;
            let mut n = st.clone();
            n.owner[si] = FREE;
            n.procs[me] = Proc { i: p.i, ..Proc::default() };
            let Some(at) = st.gates.iter().position(|g| g.s == s && g.open()) else {
                out.push((format!("T: the gate of s{s} is gone"), Ok(n)));
                return;
            };
            let (top, front) = (Self::top(st, si), Self::front(st, si));
            let (mut next, mut page) = (st.gates[at].next, vec![]);
            if next == LIVE {
                next = top + 1;
            }
            if next > top + 1 && !self.tries.beyond {
                page.push(Gap(s, UNKNOWN, top));
                next = top + 1;
            }
            if next < front {
                page.push(Gap(s, next, front - 1));
                next = front;
            }
            for _ in 0..self.page {
                if next <= top {
                    if st.wanted[si] >> next & 1 == 1 || self.tries.except_in_page {
                        page.push(Pub(s, next, next));
                    }
                    next += 1;
                }
            }
            let what = format!("T: page of s{s} {page:?}, next {next}{}", if next > top { ", gate away" } else { "" });
            if self.tries.two_sections {
                n.batch = std::mem::take(&mut n.q);
                n.batch.extend(page);
                n.owner[si] = me as u8;
                n.procs[me] = Proc { pc: 3, i: p.i, r: s, r2: next, over: false };
                out.push((what, Ok(n)));
                return;
            }
            if next > top {
                for owed in n.gates.remove(at).owes {
                    if owed == PART {
                        if let Some(id) = self.part(&mut n) {
                            page.push(Done(id));
                        }
                    } else {
                        page.push(Ack(owed, s, top));
                    }
                }
            } else {
                n.gates[at].next = next;
            }
            if self.tries.page_in_queue {
                n.q.extend(page);
            } else if self.tries.page_first {
                n.batch = page;
            } else {
                n.batch = std::mem::take(&mut n.q);
                n.batch.extend(page);
            }
            out.push((what, Ok(n)));
            return;
        }
        if p.pc == 3 {
            let (s, si) = (p.r, p.r as usize);
            let mut n = st.clone();
            n.owner[si] = FREE;
            n.procs[me] = Proc { i: p.i, ..Proc::default() };
            if let Some(at) = st.gates.iter().position(|g| g.s == s) {
                if p.r2 > st.top[si] {
                    for owed in n.gates.remove(at).owes {
                        if owed != PART {
                            n.batch.push(Ack(owed, s, st.top[si]));
                        } else if let Some(id) = self.part(&mut n) {
                            n.batch.push(Done(id));
                        }
                    }
                } else {
                    n.gates[at].next = p.r2;
                }
            }
            out.push((format!("T: moves the gate of s{s} to {}", p.r2), Ok(n)));
            return;
        }
        if !st.batch.is_empty() {
            let mut n = st.clone();
            let item = n.batch.remove(0);
            let read = self.read(&mut n, &item);
            out.push((format!("T: writes {item:?}"), read.map(|()| n)));
            return;
        }
        let more = (p.i as usize) < program.len();
        let held = st.gates.iter().any(|g| g.held);
        if st.awake {
            let mut n = st.clone();
            let room = !self.tries.page_in_queue || st.q.is_empty();
            for g in st.gates.iter().filter(|g| g.open() && room) {
                let mut n = st.clone();
                (n.procs[me].pc, n.procs[me].r) = (1, g.s);
                out.push((format!("T: looks at the gate of s{}", g.s), Ok(n)));
            }
            if !st.q.is_empty() {
                n.batch = std::mem::take(&mut n.q);
                out.push((format!("T: takes {:?}", n.batch), Ok(n)));
            } else if self.tries.blind_sleep || !st.gates.iter().any(|g| g.open()) {
                n.awake = false;
                out.push(("T: sleeps".into(), Ok(n)));
            }
        }
        if held {
            let mut n = st.clone();
            for g in n.gates.iter_mut().filter(|g| g.held) {
                (g.held, g.next) = (false, self.before[g.s as usize] + 1);
                n.batch.push(Gap(g.s, UNKNOWN, self.before[g.s as usize]));
            }
            // The queue goes before: what is told there is older.
            let mut batch = std::mem::take(&mut n.q);
            batch.append(&mut n.batch);
            n.batch = batch;
            n.awake = true;
            out.push(("T: hold is over".into(), Ok(n)));
        }
        if more {
            self.change(st, me, program, true, out);
        }
    }
}
