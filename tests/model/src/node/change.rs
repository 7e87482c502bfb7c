//! Changes of a connection's subscriptions.

use super::*;

impl Config {
    /// Subscribe, unsubscribe: by the connection's task (`mine`) or by an administrator.
    pub(super) fn change(
        &self,
        st: &State,
        me: usize,
        program: &[Cmd],
        mine: bool,
        out: &mut Vec<(String, Result<State, String>)>,
    ) {
        let p = &st.procs[me];
        let Some(cmd) = program.get(p.i as usize) else { return };
        let id = (me as u8) * 16 + p.i;
        let mut n = st.clone();
        let who = if mine { 'T' } else { 'A' };
        let done = |n: &mut State| {
            n.procs[me] = Proc { i: p.i + 1, ..Proc::default() };
            if n.conn == me as u8 {
                n.conn = FREE;
            }
        };
        match cmd.clone() {
            // Held streams go on from where the client says; the caller has one part of its own.
            Cmd::Begin(held) => {
                n.client[0].open.push(id);
                n.resume = Some((id, 1));
                for (s, since) in held {
                    let next = match since {
                        Since::At(x) => x + 1,
                        Since::Last => st.client[s as usize].last + 1,
                        Since::Live => LIVE,
                    };
                    if let Some(g) = n.gates.iter_mut().find(|g| g.s == s && g.held) {
                        (g.next, g.held) = (next, false);
                        g.owes.push(PART);
                        n.client[s as usize].expects.push((id | 128, next));
                        n.resume = n.resume.map(|(id, left)| (id, left + 1));
                    }
                }
                n.awake = true;
                n.procs[me].i += 1;
                out.push((format!("T: begins resume {id}"), Ok(n)));
            }
            Cmd::Settle => {
                if let Some(done) = self.part(&mut n) {
                    self.control(&mut n, Done(done));
                }
                n.awake = true;
                n.procs[me].i += 1;
                out.push(("T: all of the resume is counted".into(), Ok(n)));
            }
            // A topic of the resume; full: the limit of subscriptions.
            Cmd::Part(s, since, full) => {
                let si = s as usize;
                match p.pc {
                    0 if st.conn == FREE => {
                        (n.conn, n.procs[me].pc) = (me as u8, 31);
                        n.resume = n.resume.map(|(id, left)| (id, left + 1));
                        n.procs[me].r = match since {
                            Since::Live => LIVE,
                            Since::At(x) => x + 1,
                            Since::Last => st.client[si].last + 1,
                        };
                        out.push((format!("T: resumes s{s}"), Ok(n)));
                    }
                    31 => {
                        n.q.retain(|i| !matches!(i, Pub(t, ..) if *t == s));
                        if let Some(g) = n.gates.iter_mut().find(|g| g.s == s) {
                            (g.next, g.held) = (p.r, false);
                        } else {
                            n.gates.push(Gate { s, next: p.r, held: false, opening: !st.present[si], owes: vec![] });
                        }
                        n.procs[me].pc = 32;
                        out.push((format!("T: gate of s{s} at {}", p.r), Ok(n)));
                    }
                    32 if st.readers[si] == 0 => {
                        if full {
                            n.gates.retain(|g| g.s != s);
                            let twice = self.tries.part_twice && self.part(&mut n).is_some();
                            // Not the last part: that one is the caller's, until it settles.
                            if self.part(&mut n).is_some() || twice {
                                let lost = "the ack of the resume is lost".to_owned();
                                return out.push(("T: counts it".into(), Result::Err(lost)));
                            }
                            self.control(&mut n, Gone(s));
                            done(&mut n);
                        } else {
                            (n.present[si], n.procs[me].pc) = (true, 33);
                        }
                        out.push((format!("T: index insert s{s}, full: {full}"), Ok(n)));
                    }
                    33 => {
                        let begun = st.resume.map_or(0, |(id, _)| id);
                        for g in n.gates.iter_mut().filter(|g| g.s == s) {
                            g.opening = false;
                            g.owes.push(PART);
                        }
                        n.client[si].expects.push((begun | 128, p.r));
                        n.awake = true;
                        done(&mut n);
                        out.push((format!("T: gate of s{s} opened"), Ok(n)));
                    }
                    _ => {}
                }
            }
            Cmd::Sub(s, since) => {
                let si = s as usize;
                match p.pc {
                    0 if self.tries.no_conn_lock || st.conn == FREE => {
                        if !self.tries.no_conn_lock {
                            n.conn = me as u8;
                        }
                        n.procs[me].r = match since {
                            Since::Live => LIVE,
                            Since::At(x) => x + 1,
                            Since::Last => st.client[si].last + 1,
                        };
                        n.procs[me].pc = if self.tries.index_first {
                            12
                        } else if self.tries.no_gate && since == Since::Live {
                            14
                        } else {
                            11
                        };
                        out.push((format!("{who}: subscribe s{s} from {}", n.procs[me].r), Ok(n)));
                    }
                    11 | 13 => {
                        n.client[si].open.push(id);
                        n.client[si].expects.push((id, p.r));
                        let live = st.present[si] && p.pc == 11;
                        if let Some(g) = n.gates.iter_mut().find(|g| g.s == s) {
                            // Already gated: the newest wish counts, all answers are owed.
                            if p.r != LIVE {
                                (g.next, g.held) = (p.r, false);
                                for e in &mut n.client[si].expects {
                                    e.1 = p.r;
                                }
                            }
                            if self.tries.lose_owed { g.owes = vec![id] } else { g.owes.push(id) }
                        } else {
                            if !self.tries.replay_over_live && !self.tries.keep_queued && p.r != LIVE {
                                n.q.retain(|i| !matches!(i, Pub(t, ..) if *t == s));
                            }
                            // Live already: what is queued, or else the top, is where it stands; under the stream's lock.
                            let again = live && p.r == LIVE;
                            if again && !self.tries.repeat_unlocked && st.owner[si] != FREE {
                                return;
                            }
                            let from = if self.tries.repeat_unlocked { LIVE } else { Self::top(st, si) + 1 };
                            let next = if again { Self::oldest(st, s).unwrap_or(from) } else { p.r };
                            if live && p.r == LIVE {
                                n.q.retain(|i| !matches!(i, Pub(t, ..) if *t == s));
                            }
                            n.gates.push(Gate {
                                s,
                                next,
                                held: false,
                                opening: !st.present[si] && !self.tries.early_open,
                                owes: vec![id],
                            });
                        }
                        n.awake = true;
                        n.procs[me].pc = 12;
                        if p.pc == 13 {
                            done(&mut n);
                        }
                        out.push((format!("{who}: gate of s{s} at {}", p.r), Ok(n)));
                    }
                    12 if st.readers[si] == 0 => {
                        n.present[si] = true;
                        n.procs[me].pc = if self.tries.index_first { 13 } else { 16 };
                        out.push((format!("{who}: index insert s{s}"), Ok(n)));
                    }
                    16 => {
                        for g in n.gates.iter_mut().filter(|g| g.s == s) {
                            g.opening = false;
                        }
                        n.awake = true;
                        done(&mut n);
                        out.push((format!("{who}: gate of s{s} opened"), Ok(n)));
                    }
                    14 if st.owner[si] == FREE => {
                        n.procs[me].r = st.top[si];
                        n.procs[me].pc = 15;
                        out.push((format!("{who}: reads top {}", st.top[si]), Ok(n)));
                    }
                    15 if st.readers[si] == 0 => {
                        n.client[si].open.push(id);
                        n.client[si].expects.push((id, p.r + 1));
                        self.control(&mut n, Ack(id, s, p.r));
                        n.present[si] = true;
                        done(&mut n);
                        out.push((format!("{who}: ack {}, index insert s{s}", p.r), Ok(n)));
                    }
                    _ => {}
                }
            }
            Cmd::Unsub(s) => {
                let si = s as usize;
                let remove_gate = |n: &mut State| {
                    if let Some(at) = n.gates.iter().position(|g| g.s == s) {
                        let gate = n.gates.remove(at);
                        if !self.tries.lose_owed {
                            for owed in gate.owes {
                                if owed == PART {
                                    if let Some(id) = self.part(n) {
                                        self.control(n, Done(id));
                                    }
                                } else {
                                    self.control(n, Err(owed, s));
                                }
                            }
                        }
                    }
                };
                let answer = |n: &mut State| {
                    if !self.tries.keep_queued {
                        n.q.retain(|i| !matches!(i, Pub(t, ..) if *t == s));
                    }
                    if mine {
                        n.client[si].open.push(id);
                        self.control(n, Un(id, s));
                    } else {
                        self.control(n, Gone(s));
                    }
                };
                match p.pc {
                    0 if self.tries.no_conn_lock || st.conn == FREE => {
                        if !self.tries.no_conn_lock {
                            n.conn = me as u8;
                        }
                        n.procs[me].pc = if self.tries.gate_first_unsub { 23 } else { 21 };
                        out.push((format!("{who}: unsubscribe s{s}"), Ok(n)));
                    }
                    21 if st.readers[si] == 0 => {
                        n.present[si] = false;
                        n.procs[me].pc = 22;
                        out.push((format!("{who}: index remove s{s}"), Ok(n)));
                    }
                    22 => {
                        // What a resume has asked for of it ends with the answer.
                        for e in n.client[si].expects.iter_mut().filter(|e| e.0 & 128 > 0) {
                            e.0 |= 64;
                        }
                        remove_gate(&mut n);
                        answer(&mut n);
                        done(&mut n);
                        out.push((format!("{who}: gate of s{s} away, answer queued"), Ok(n)));
                    }
                    23 => {
                        remove_gate(&mut n);
                        n.procs[me].pc = 24;
                        out.push((format!("{who}: gate of s{s} away"), Ok(n)));
                    }
                    24 if st.readers[si] == 0 => {
                        n.present[si] = false;
                        n.procs[me].pc = 25;
                        out.push((format!("{who}: index remove s{s}"), Ok(n)));
                    }
                    25 => {
                        if mine {
                            n.client[si].open.push(id);
                            self.control(&mut n, Un(id, s));
                        } else {
                            self.control(&mut n, Gone(s));
                        }
                        done(&mut n);
                        out.push((format!("{who}: answer queued"), Ok(n)));
                    }
                    _ => {}
                }
            }
            Cmd::Resume(s, since) => {
                let si = s as usize;
                let next = match since {
                    Since::At(x) => x + 1,
                    Since::Last => st.client[si].last + 1,
                    Since::Live => LIVE,
                };
                n.client[si].open.push(id);
                let held = n.gates.iter_mut().find(|g| g.s == s && g.held);
                if let Some(g) = held {
                    (g.next, g.held) = (next, false);
                    g.owes.push(id);
                    n.client[si].expects.push((id, next));
                } else if self.tries.late_resume {
                    n.client[si].expects.push((id, next));
                    n.gates.push(Gate { s, next, held: false, opening: false, owes: vec![id] });
                } else {
                    self.control(&mut n, Err(id, s));
                }
                n.awake = true;
                n.procs[me].i += 1;
                out.push((format!("T: resume s{s} from {next}"), Ok(n)));
            }
        }
    }
}
