//! Subscriptions: what the application wants, counted, and how it gets onto each connection.

use serde_json::{Value, json};

use super::{
    events::Effect,
    loads::reload,
    out::{failure, open, position, send_own, text},
    recovery::{keep, stream_of},
    state::{Leaving, Own, Step, SubPhase, Subscription},
    timers::arm,
    types::{Emission, Failure, LoadReason, Position, SubscriptionStatus, Timer},
};

/// The wire follows the last subscriber after this time: an application that changes its view subscribes again.
const LINGER: f64 = 1_000.0;
/// Subscribe commands in flight: half a burst at most, so that refusals never close the connection.
const WINDOW: f64 = 32.0;
/// Before a refused command is sent again, if the server says no time.
pub(super) const PAUSE: f64 = 1_000.0;

/// The pause that a refusal asks for.
pub(super) fn pause(error: &Failure) -> f64 {
    error.after_ms.map_or(PAUSE, |ms| ms as f64)
}

pub(super) fn emit(m: &mut Step<'_>, key: u64, status: SubscriptionStatus) {
    let sub = m.sub(key);
    let (topic, generation) = (sub.topic.clone(), sub.generation);
    m.effects.push(Effect::Emit(Emission::Subscription { topic, generation, status }));
}

fn emit_live(m: &mut Step<'_>, key: u64) {
    let sub = m.sub(key);
    let (stream, recovered) = (stream_of(&sub.topic), sub.recovered);
    let position = m.state.positions.get(&stream).cloned();
    emit(m, key, SubscriptionStatus::Live { position, recovered });
}

pub(super) fn subscribe(m: &mut Step<'_>, topic: String, since: Option<Position>, load: bool) {
    let wanted = &mut m.state.subscriptions;
    let key = wanted.key(&topic).unwrap_or_else(|| wanted.insert(new(topic, load)));
    let sub = m.sub(key);
    sub.count += 1;
    if sub.count > 1 && sub.phase != SubPhase::Ended {
        if sub.phase == SubPhase::Live {
            emit_live(m, key);
        }
        return;
    }
    m.state.generation += 1;
    let generation = m.state.generation;
    let sub = m.sub(key);
    sub.generation = generation;
    // A state is loaded for each first subscriber: what one before it has loaded is not this one's.
    if sub.phase == SubPhase::Live && !sub.is_leaving() && !load {
        // It lingered: nothing changes on the wire.
        sub.recovered = 0;
        return emit_live(m, key);
    }
    if sub.phase == SubPhase::Asking && !sub.is_leaving() && !load {
        return;
    }
    sub.load = load;
    sub.loads = 0;
    sub.recovered = 0;
    sub.seen = 0;
    let stream = stream_of(&sub.topic);
    if load {
        reload(m, key, LoadReason::First);
    } else {
        sub.phase = SubPhase::Queued;
    }
    if let Some(since) = since {
        m.state.positions.insert(stream, since);
    }
    pump(m);
}

fn new(topic: String, load: bool) -> Subscription {
    Subscription {
        topic,
        count: 0,
        generation: 0,
        phase: SubPhase::Queued,
        load,
        loads: 0,
        load_at: 0.0,
        load_reason: LoadReason::First,
        command: 0,
        leaving: Leaving::No,
        linger_until: 0.0,
        seen: 0,
        recovered: 0,
    }
}

pub(super) fn unsubscribe(m: &mut Step<'_>, topic: &str) {
    let Some(key) = m.state.subscriptions.key(topic).filter(|key| m.state.subscriptions.get_mut(*key).count > 0) else {
        return;
    };
    let on_wire = open(m);
    let until = m.now + LINGER;
    let sub = m.sub(key);
    sub.count -= 1;
    if sub.count > 0 {
        return;
    }
    if on_wire && matches!(sub.phase, SubPhase::Live | SubPhase::Asking) {
        sub.linger_until = until;
        if !m.state.timers.contains_key(&Timer::Linger) {
            arm(m, Timer::Linger, LINGER);
        }
    } else if sub.is_leaving() {
        // Its reply ends it, also if the state was being loaded.
        sub.phase = SubPhase::Queued;
    } else {
        forget(m, topic);
    }
}

fn forget(m: &mut Step<'_>, topic: &str) {
    m.state.subscriptions.remove(topic);
    if !m.state.given.contains(topic) {
        m.state.positions.remove(&stream_of(topic));
    }
}

pub(super) fn linger_expired(m: &mut Step<'_>) {
    let mut next = f64::INFINITY;
    for key in m.state.subscriptions.keys() {
        let sub = m.sub(key).clone();
        if sub.count > 0 {
            continue;
        }
        // While an older `unsubscribe` is in flight, a later one waits.
        let due = if sub.is_leaving() { m.now + LINGER } else { sub.linger_until };
        if due > m.now {
            next = next.min(due);
        } else if m.state.given.contains(&sub.topic) {
            forget(m, &sub.topic);
        } else {
            leave_topic(m, key);
        }
    }
    if next < f64::INFINITY {
        let left = next - m.now;
        arm(m, Timer::Linger, left);
    }
}

pub(super) fn leave_topic(m: &mut Step<'_>, key: u64) {
    let topic = m.sub(key).topic.clone();
    let id = send_own(m, Own::Unsubscribe(topic.clone()), json!({"action": "unsubscribe", "topic": topic}));
    let sub = m.sub(key);
    sub.leaving = Leaving::Sent(id);
    sub.phase = SubPhase::Queued;
    sub.command = 0;
    m.state.positions.remove(&stream_of(&topic));
}

/// Sends what is wanted and not asked for yet, in the order in which it was wanted.
pub(super) fn pump(m: &mut Step<'_>) {
    if !open(m) || m.state.timers.contains_key(&Timer::Pace) {
        return;
    }
    let window = WINDOW.min((m.state.welcome.burst / 2.0).floor()).max(1.0) as usize;
    let mut asking = m.state.sent.values().filter(|own| matches!(own, Own::Subscribe(_))).count();
    let due = |sub: &Subscription| sub.leaving == Leaving::Again || (sub.phase == SubPhase::Queued && sub.count > 0);
    let keys: Vec<_> = m.state.subscriptions.iter().filter(|(_, sub)| due(sub)).map(|(key, _)| key).collect();
    for key in keys {
        let sub = m.sub(key);
        if sub.leaving == Leaving::Again {
            sub.leaving = Leaving::No;
            if sub.count == 0 && sub.phase == SubPhase::Queued {
                leave_topic(m, key);
            }
        }
        if asking >= window {
            return;
        }
        let sub = m.sub(key);
        if sub.phase != SubPhase::Queued || sub.count == 0 {
            continue;
        }
        sub.phase = SubPhase::Asking;
        sub.recovered = 0;
        sub.seen = 0;
        let topic = sub.topic.clone();
        let mut fields = json!({"action": "subscribe", "topic": topic});
        if let Some(since) = m.state.positions.get(&stream_of(&topic)) {
            fields["since"] = json!(since);
        }
        let id = send_own(m, Own::Subscribe(topic), fields);
        m.sub(key).command = id;
        asking += 1;
    }
}

/// The reply to a `subscribe`, unless it belongs to an older one.
pub(super) fn subscribe_acked(m: &mut Step<'_>, id: u64, topic: &str, p: &Value) {
    if let Some(key) = asked(m, id, topic) {
        acked(m, key, position(p.get("position")));
    }
    pump(m);
}

/// The subscription whose command this was.
fn asked(m: &mut Step<'_>, id: u64, topic: &str) -> Option<u64> {
    let key = m.state.subscriptions.key(topic)?;
    (m.sub(key).command == id).then_some(key)
}

pub(super) fn acked(m: &mut Step<'_>, key: u64, position: Option<Position>) {
    let sub = m.sub(key);
    sub.phase = SubPhase::Live;
    sub.command = 0;
    sub.loads = 0;
    let (stream, seen, count) = (stream_of(&sub.topic), sub.seen, sub.count);
    match position {
        Some(position) => keep(m, &stream, &position, seen),
        None => _ = m.state.positions.remove(&stream),
    }
    if count > 0 {
        emit_live(m, key);
    }
}

pub(super) fn subscribe_refused(m: &mut Step<'_>, id: u64, topic: &str, error: Failure) {
    if error.retry {
        arm(m, Timer::Pace, pause(&error));
    }
    if let Some(key) = asked(m, id, topic) {
        let sub = m.sub(key);
        sub.command = 0;
        if error.retry {
            sub.phase = SubPhase::Queued;
        } else {
            end(m, key, error);
        }
    }
    pump(m);
}

pub(super) fn end(m: &mut Step<'_>, key: u64, error: Failure) {
    let sub = m.sub(key);
    sub.phase = SubPhase::Ended;
    let (topic, count) = (sub.topic.clone(), sub.count);
    m.state.positions.remove(&stream_of(&topic));
    if count > 0 {
        emit(m, key, SubscriptionStatus::Ended { error });
    } else {
        m.state.subscriptions.remove(&topic);
    }
}

pub(super) fn unsubscribe_acked(m: &mut Step<'_>, id: u64, topic: &str) {
    let Some(key) = left(m, id, topic) else { return };
    let sub = m.sub(key);
    sub.leaving = Leaving::No;
    // With a later `subscribe` on the wire, the timer sends another `unsubscribe`.
    if sub.count == 0 && sub.phase == SubPhase::Queued {
        forget(m, topic);
    }
}

/// The subscription that this `unsubscribe` ends.
fn left(m: &mut Step<'_>, id: u64, topic: &str) -> Option<u64> {
    let key = m.state.subscriptions.key(topic)?;
    (m.sub(key).leaving == Leaving::Sent(id)).then_some(key)
}

/// Not now: it is sent again.
pub(super) fn unsubscribe_refused(m: &mut Step<'_>, id: u64, topic: &str, error: &Failure) {
    let Some(key) = left(m, id, topic) else { return };
    // Wanted again meanwhile: then the refusal is welcome.
    if !error.retry || m.sub(key).count > 0 {
        return unsubscribe_acked(m, id, topic);
    }
    m.sub(key).leaving = Leaving::Again;
    arm(m, Timer::Pace, pause(error));
}

/// The server ended a subscription.
pub(super) fn unsubscribed(m: &mut Step<'_>, p: &Value) {
    let (Some(topic), reason) = (text(p, "topic"), text(p, "reason").unwrap_or_default()) else { return };
    m.state.given.remove(topic);
    let resume = m.state.resume;
    let Some(key) = m.state.subscriptions.key(topic) else {
        // While streams resume, the backend may still give it again: the position stays.
        if resume == 0 {
            m.state.positions.remove(&stream_of(topic));
        }
        return;
    };
    let sub = m.sub(key);
    // A `subscribe` in flight comes after it, and has its own reply.
    let ends = sub.phase == SubPhase::Live || (sub.phase == SubPhase::Asking && sub.command == resume);
    if sub.is_leaving() || !ends {
        return;
    }
    sub.command = 0;
    let message = format!("the server ended the subscription to {topic}: {reason}");
    end(m, key, failure(reason, message, false));
}

/// The connection is gone.
pub(super) fn detach(m: &mut Step<'_>) {
    for key in m.state.subscriptions.keys() {
        let sub = m.sub(key);
        sub.command = 0;
        sub.leaving = Leaving::No;
        let live = sub.phase == SubPhase::Live;
        if sub.count == 0 {
            let topic = sub.topic.clone();
            forget(m, &topic);
        } else if live || sub.phase == SubPhase::Asking {
            sub.phase = SubPhase::Queued;
            if live {
                emit(m, key, SubscriptionStatus::Pending);
            }
        }
    }
    let s = &mut *m.state;
    s.given.retain(|topic| s.positions.contains_key(&stream_of(topic)));
}
