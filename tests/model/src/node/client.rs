//! What the client sees, and what must hold at the end.

use super::*;

impl Config {
    /// The client reads what was written.
    pub(super) fn read(&self, st: &mut State, item: &Item) -> Result<(), String> {
        let s = match item {
            Pub(s, ..) | Gap(s, ..) | Ack(_, s, _) | Un(_, s) | Err(_, s) | Gone(s) => *s as usize,
            Done(_) => 0,
        };
        let (top, front) = (Self::top(st, s), Self::front(st, s));
        let wanted = st.wanted[s];
        let none = |a: u8, b: u8| (a..b).all(|o| wanted >> o & 1 == 0);
        if let Done(cmd) = *item {
            return self.done(st, cmd);
        }
        let c = &mut st.client[s];
        match *item {
            Pub(_, a, b) => {
                let starts = |x: u8| c.expects.first().is_some_and(|e| e.1 == LIVE || (e.1 <= x && none(e.1, x)));
                if !c.on || (a != c.next && a < c.next && starts(a)) {
                    if !starts(a) {
                        return Result::Err(format!("{a} of stream {s} after the end of the subscription"));
                    }
                    (c.on, c.next) = (true, a);
                }
                if a < c.next {
                    return Result::Err(format!("{a} of stream {s} again or out of order, {} was next", c.next));
                }
                if wanted >> a & 1 == 0 {
                    return Result::Err(format!("{a} of stream {s} excludes the client"));
                }
                if !none(c.next.min(a), a) {
                    return Result::Err(format!("silent loss: {a} of stream {s} came, {} was next", c.next));
                }
                (c.next, c.last) = (b + 1, b);
            }
            Gap(_, a, b) => {
                if a != UNKNOWN {
                    if !c.on {
                        match c.expects.first() {
                            Some(e) if e.1 <= a && none(e.1, a) => (c.on, c.next) = (true, a),
                            _ => return Result::Err(format!("gap {a}..{b} of stream {s} outside a subscription")),
                        }
                    }
                    if c.expects.first().is_some_and(|e| e.1 <= a && none(e.1, a)) {
                        c.next = a;
                    }
                    if a < c.next || !none(c.next, a) {
                        return Result::Err(format!("gap {a}..{b} of stream {s}, {} was next", c.next));
                    }
                    if b >= front {
                        return Result::Err(format!("gap {a}..{b} of stream {s} names what is kept from {front}"));
                    }
                }
                (c.on, c.next, c.last) = (true, b + 1, b);
            }
            Ack(cmd, _, pos) => {
                if !c.open.contains(&cmd) {
                    return Result::Err(format!("command {cmd} answered twice"));
                }
                c.open.retain(|o| *o != cmd);
                let since = c.expects.iter().position(|e| e.0 == cmd).map(|at| c.expects.remove(at).1);
                if !c.on {
                    match since {
                        Some(LIVE) => (c.on, c.next) = (true, pos + 1),
                        Some(n) => (c.on, c.next) = (true, n),
                        None => return Result::Err("ack of what was not asked".into()),
                    }
                }
                if pos + 1 < c.next || !none(c.next, pos + 1) {
                    return Result::Err(format!("ack of stream {s} says {pos}, but {} was next", c.next));
                }
                if pos > top {
                    return Result::Err("ack beyond the top".into());
                }
                (c.last, c.next) = (pos, pos + 1);
            }
            Done(_) => {}
            Un(cmd, _) => {
                c.expects.retain(|e| e.0 & 192 != 192);
                if !c.open.contains(&cmd) {
                    return Result::Err(format!("command {cmd} answered twice"));
                }
                c.open.retain(|o| *o != cmd);
                c.on = false;
            }
            Err(cmd, _) => {
                if !c.open.contains(&cmd) {
                    return Result::Err(format!("command {cmd} answered twice"));
                }
                c.open.retain(|o| *o != cmd);
                c.expects.retain(|e| e.0 != cmd);
            }
            Gone(_) => {
                c.on = false;
                c.expects.retain(|e| e.0 & 192 != 192);
            }
        }
        Ok(())
    }

    /// The ack of a resume: all of its streams are live.
    pub(super) fn done(&self, st: &mut State, cmd: u8) -> Result<(), String> {
        if !st.client[0].open.contains(&cmd) {
            return Result::Err(format!("resume {cmd} answered twice"));
        }
        st.client[0].open.retain(|o| *o != cmd);
        for s in 0..2 {
            let at = st.client[s].expects.iter().position(|e| e.0 & !64 == cmd | 128);
            let Some((_, next)) = at.map(|at| st.client[s].expects.remove(at)) else { continue };
            let c = &mut st.client[s];
            if !c.on {
                (c.on, c.next) = (true, next);
            }
        }
        Ok(())
    }

    pub(crate) fn end(&self, st: &State) -> Result<(), String> {
        for (i, (t, p)) in self.threads.iter().zip(&st.procs).enumerate() {
            let all = match t {
                Thread::Publish(v) => v.len(),
                Thread::Except(v) => v.len(),
                Thread::Forget(v) => v.len(),
                Thread::Task(v) | Thread::Admin(v) => v.len(),
                Thread::Expire(v) => v.len(),
            };
            if (p.i as usize) < all || p.pc != 0 {
                return Result::Err(format!("deadlock: thread {i} does not go on"));
            }
        }
        for s in 0..2 {
            let c = &st.client[s];
            if st.resume.is_some() {
                return Result::Err("a resume is left".into());
            }
            if !c.open.is_empty() {
                return Result::Err(format!("commands {:?} were never answered", c.open));
            }
            if c.on != st.present[s] {
                return Result::Err(format!("stream {s}: client thinks {}, index says {}", c.on, st.present[s]));
            }
            if c.on && !Self::none(st, s, c.next, Self::top(st, s) + 1) {
                return Result::Err(format!("stream {s} at rest: {} is next, top is {}", c.next, st.top[s]));
            }
            if st.gates.iter().any(|g| g.s as usize == s) && !st.present[s] {
                return Result::Err("a gate is left".into());
            }
        }
        if !st.q.is_empty() || !st.batch.is_empty() {
            return Result::Err("something is left unwritten".into());
        }
        Ok(())
    }
}
