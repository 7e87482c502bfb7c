//! The state that an application loads before it follows a topic: when, again after what, and what its failure means.

use super::{
    events::Effect,
    out::{open, report},
    recovery::stream_of,
    state::{Phase, Step, SubPhase},
    subscriptions::{PAUSE, emit, end, leave_topic, pump},
    timers::arm,
    types::{Failure, LoadReason, Position, SubscriptionStatus, Timer},
};

const LONGEST_PAUSE: f64 = 30_000.0;

/// The application loads its state again: the wire waits, and continues from where the state was read.
pub(super) fn reload(m: &mut Step<'_>, key: u64, reason: LoadReason) {
    let phase = m.sub(key).phase;
    if open(m) && matches!(phase, SubPhase::Live | SubPhase::Asking) {
        leave_topic(m, key);
        emit(m, key, SubscriptionStatus::Pending);
    }
    let now = m.now;
    let sub = m.sub(key);
    sub.phase = SubPhase::Loading;
    sub.load_reason = reason;
    if sub.loads == 0 {
        return begin(m, key);
    }
    let pause = LONGEST_PAUSE.min(PAUSE * f64::from(1u32 << (sub.loads - 1).min(10)));
    let due = now + pause;
    sub.load_at = due;
    if m.state.timers.get(&Timer::Load).is_none_or(|armed| armed.due > due) {
        arm(m, Timer::Load, pause);
    }
}

fn begin(m: &mut Step<'_>, key: u64) {
    let sub = m.sub(key);
    sub.loads += 1;
    sub.load_at = 0.0;
    let load = Effect::Load { topic: sub.topic.clone(), generation: sub.generation, reason: sub.load_reason };
    m.effects.push(load);
}

/// After a stop, what was being loaded is loaded anew; the end of an older load is ignored.
pub(super) fn load_again(m: &mut Step<'_>) {
    for key in m.state.subscriptions.keys() {
        if m.sub(key).phase == SubPhase::Loading {
            m.state.generation += 1;
            m.sub(key).generation = m.state.generation;
            begin(m, key);
        }
    }
}

pub(super) fn load_expired(m: &mut Step<'_>) {
    let mut next = f64::INFINITY;
    for key in m.state.subscriptions.keys() {
        let now = m.now;
        let sub = m.sub(key);
        if sub.phase != SubPhase::Loading || sub.load_at == 0.0 {
            continue;
        }
        if sub.load_at <= now {
            begin(m, key);
        } else {
            next = next.min(sub.load_at);
        }
    }
    if next < f64::INFINITY {
        let left = next - m.now;
        arm(m, Timer::Load, left);
    }
}

/// The subscription that waits for this load.
fn loading(m: &mut Step<'_>, topic: &str, generation: u64) -> Option<u64> {
    let key = m.state.subscriptions.key(topic).filter(|_| m.state.phase != Phase::Stopped)?;
    let sub = m.sub(key);
    (sub.generation == generation && sub.phase == SubPhase::Loading && sub.load_at == 0.0).then_some(key)
}

pub(super) fn loaded(m: &mut Step<'_>, topic: &str, generation: u64, position: Option<Position>) {
    let Some(key) = loading(m, topic, generation) else { return };
    m.sub(key).phase = SubPhase::Queued;
    if let Some(position) = position {
        m.state.positions.insert(stream_of(topic), position);
    }
    pump(m);
}

pub(super) fn load_failed(m: &mut Step<'_>, topic: &str, generation: u64, error: Failure) {
    let Some(key) = loading(m, topic, generation) else { return };
    if !error.retry {
        return end(m, key, error);
    }
    report(m, error);
    let reason = m.sub(key).load_reason;
    reload(m, key, reason);
}
