//! Timers, one of each kind. The driver runs them; the machine knows when each is due, and judges a late one with care.

use super::{
    events::Effect,
    state::{Armed, Step},
    types::Timer,
};

/// A day. Timers of some platforms expire at once above 2^31 - 1 ms.
const LONGEST: f64 = 24.0 * 3_600_000.0;
/// After sleep, overdue timers run before the frames that already wait in the socket: they get this much more.
const GRACE: f64 = 1_000.0;

/// Whether it declares something dead.
fn judges(timer: Timer) -> bool {
    matches!(timer, Timer::Token | Timer::Dial | Timer::Idle | Timer::Command)
}

pub(super) fn arm(m: &mut Step<'_>, timer: Timer, after: f64) {
    arm_again(m, timer, after, false);
}

fn arm_again(m: &mut Step<'_>, timer: Timer, after: f64, graced: bool) {
    let key = m.state.next_key;
    m.state.next_key += 1;
    let ms = after.ceil().max(0.0);
    m.state.timers.insert(timer, Armed { key, due: m.now + ms, clamped: ms > LONGEST, graced });
    m.effects.push(Effect::Arm { timer, key, ms: ms.min(LONGEST) as u64 });
}

pub(super) fn disarm(m: &mut Step<'_>, timers: &[Timer]) {
    for &timer in timers {
        if m.state.timers.remove(&timer).is_some() {
            m.effects.push(Effect::Disarm(timer));
        }
    }
}

/// Whether the timer that expired is to be acted on now.
pub(super) fn expired(m: &mut Step<'_>, timer: Timer, key: u64) -> bool {
    let Some(armed) = m.state.timers.get(&timer).copied().filter(|armed| armed.key == key) else { return false };
    let late = m.now - armed.due;
    if armed.clamped && late < 0.0 {
        arm(m, timer, -late);
    } else if judges(timer) && late >= GRACE && !armed.graced {
        arm_again(m, timer, GRACE, true);
    } else {
        m.state.timers.remove(&timer);
        return true;
    }
    false
}
