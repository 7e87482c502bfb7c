//! Commands of the application. `publish` waits while there is no connection and is sent again until its reply has
//! come, always with the same id and key; every other command is sent once.

use std::collections::HashSet;

use serde_json::Value;

use super::{
    events::Effect,
    out::{failure, open, send},
    state::{Pending, Phase, Step},
    subscriptions::pause,
    timers::{arm, disarm},
    types::{Command, Failure, Timer},
};

/// From sending to the reply. A publication has all the time that it needs until it is sent.
const DEADLINE: f64 = 10_000.0;
/// A publication that the server refuses for now is sent again this often.
const TRIES: u32 = 10;

fn publishes(command: &Command) -> bool {
    command.get("action").is_some_and(|action| action == "publish")
}

pub(super) fn command(m: &mut Step<'_>, reference: u64, body: Command) {
    let s = &mut *m.state;
    let bytes = serde_json::to_string(&body).map_or(0, |text| text.len());
    let alike = s.commands.values().filter(|other| publishes(&other.command) == publishes(&body));
    let (count, queued) = alike.fold((0, bytes), |(count, sum), other| (count + 1, sum + other.bytes));
    if s.phase == Phase::Stopped {
        reject(m, reference, failure("stopped", "the client has stopped; call start()", false));
    } else if count >= s.options.max_offline || queued > s.options.max_offline_bytes {
        let message = format!("{count} commands wait for their replies already (max_offline, max_offline_bytes)");
        reject(m, reference, failure("limit_exceeded", message, true));
    } else {
        let due = if publishes(&body) { f64::INFINITY } else { m.now + DEADLINE };
        s.commands.insert(s.next_id, Pending { reference, command: body, sent: false, due, bytes, tries: 0 });
        s.next_id += 1;
        flush(m);
        watch_deadlines(m);
    }
}

/// Sends what waits. Of each topic one publication is in flight, so that their order holds through refusals too.
pub(super) fn flush(m: &mut Step<'_>) {
    if !open(m) {
        return;
    }
    let paused = m.state.timers.contains_key(&Timer::Publish);
    let due = m.now + DEADLINE;
    let mut busy = HashSet::new();
    let mut ready = Vec::new();
    for (&id, pending) in &mut m.state.commands {
        if publishes(&pending.command) {
            let topic = pending.command.get("topic").and_then(Value::as_str).map(str::to_owned);
            let waits = !busy.insert(topic) || paused;
            if waits || pending.sent {
                continue;
            }
            pending.due = due;
        }
        if !pending.sent {
            pending.sent = true;
            ready.push((id, pending.command.clone()));
        }
    }
    for (id, body) in ready {
        send(m, body, Some(id));
    }
    watch_deadlines(m);
}

fn watch_deadlines(m: &mut Step<'_>) {
    let due = m.state.commands.values().map(|pending| pending.due).fold(f64::INFINITY, f64::min);
    if due == f64::INFINITY {
        disarm(m, &[Timer::Command]);
    } else if m.state.timers.get(&Timer::Command).is_none_or(|armed| armed.due > due) {
        let left = due - m.now;
        arm(m, Timer::Command, left);
    }
}

pub(super) fn deadline_expired(m: &mut Step<'_>) {
    let now = m.now;
    for (_, pending) in m.state.commands.extract_if(.., |_, pending| pending.due <= now).collect::<Vec<_>>() {
        let message = match pending.sent {
            true => "no reply within 10 s; it may have been carried out",
            false => "no connection within 10 s; it was not sent",
        };
        reject(m, pending.reference, failure("timeout", message, true));
    }
    flush(m);
    watch_deadlines(m);
}

fn reject(m: &mut Step<'_>, reference: u64, error: Failure) {
    m.effects.push(Effect::Settle { reference, result: Err(error) });
}

/// The reply to a command of the application; one that is not known, or is late, belongs to no call.
pub(super) fn replied(m: &mut Step<'_>, id: u64, result: &Value) {
    let Some(pending) = m.state.commands.remove(&id) else { return };
    m.effects.push(Effect::Settle { reference: pending.reference, result: Ok(result.clone()) });
    flush(m);
}

pub(super) fn refused(m: &mut Step<'_>, id: u64, error: Failure) {
    let Some(pending) = m.state.commands.get_mut(&id) else { return };
    let again = publishes(&pending.command) && error.retry;
    pending.tries += u32::from(again);
    if again && pending.tries < TRIES {
        pending.sent = false;
        pending.due = f64::INFINITY;
        arm(m, Timer::Publish, pause(&error));
    } else {
        let reference = pending.reference;
        m.state.commands.remove(&id);
        reject(m, reference, error);
    }
    flush(m);
}

/// The connection is gone: publications are sent again on the next one, the result of the others is unknown.
pub(super) fn interrupt(m: &mut Step<'_>) {
    for (_, pending) in m.state.commands.extract_if(.., |_, it| it.sent && !publishes(&it.command)).collect::<Vec<_>>()
    {
        let message = "the connection was lost before the reply; it may have been carried out";
        reject(m, pending.reference, failure("disconnected", message, true));
    }
    m.state.commands.values_mut().filter(|pending| pending.sent).for_each(keep_for_next);
    watch_deadlines(m);
}

fn keep_for_next(pending: &mut Pending) {
    pending.sent = false;
    pending.due = f64::INFINITY;
}

pub(super) fn reject_all(m: &mut Step<'_>, error: &Failure) {
    for pending in std::mem::take(&mut m.state.commands).into_values() {
        reject(m, pending.reference, error.clone());
    }
}
