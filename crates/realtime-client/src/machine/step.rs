//! The machine: one event in, effects out. What belongs to another attempt, token request or timer is dropped here, and
//! nowhere else.

use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use super::{
    commands::{command, deadline_expired, flush, refused, replied},
    connection::{dial_expired, halt, heard, hide, idle_expired, lost, offline, online, retry_expired, start, wake},
    events::{Effect, Event},
    loads::{load_expired, load_failed, loaded},
    out::{failure, number, open, refusal, report, send, text},
    recovery::{gap, keep_all, publication, resume_again, resume_refused, resumed, subscribed, welcome},
    state::{Closing, Own, Phase, State, Step},
    subscriptions::{
        linger_expired, pause, pump, subscribe, subscribe_acked, subscribe_refused, unsubscribe, unsubscribe_acked,
        unsubscribe_refused, unsubscribed,
    },
    timers::expired,
    token::{expires, refresh, refresh_refused, token_arrived, token_failed},
    types::{Emission, Message, ReasonCode, Timer},
};

/// Takes one event. `now` is in milliseconds and never goes back; `random` is in `[0, 1)`.
pub fn step(state: &mut State, event: Event, now: f64, random: f64) -> Vec<Effect> {
    let m = &mut Step { state, now, random, effects: Vec::new() };
    match event {
        Event::Start => start(m),
        Event::Stop => halt(m, ReasonCode::Client("stopped"), "stop() was called"),
        Event::Wake => wake(m),
        Event::Online => online(m),
        Event::Offline => offline(m),
        Event::Hide => hide(m),
        Event::Refresh => refresh(m),
        Event::Token { request, token } if request == m.state.request => token_arrived(m, token),
        Event::TokenFailed { request, message } if request == m.state.request => token_failed(m, &message),
        Event::Frame { n, text } if n == m.state.n => frame(m, &text),
        Event::Closed { n, code, reason } if n == m.state.n => lost(m, code, &reason),
        Event::Timer { timer: name, key } if expired(m, name, key) => timer(m, name),
        Event::Subscribe { topic, since, load } => subscribe(m, topic, since, load),
        Event::Unsubscribe { topic } => unsubscribe(m, &topic),
        Event::Loaded { topic, generation, position } => loaded(m, &topic, generation, position),
        Event::LoadFailed { topic, generation, error } => load_failed(m, &topic, generation, error),
        Event::Command { reference, command: body } => command(m, reference, body),
        Event::Token { .. }
        | Event::TokenFailed { .. }
        | Event::Frame { .. }
        | Event::Closed { .. }
        | Event::Timer { .. } => {}
    }
    std::mem::take(&mut m.effects)
}

fn timer(m: &mut Step<'_>, name: Timer) {
    match name {
        Timer::Token => token_failed(m, "the token provider took longer than 10 s"),
        Timer::Dial => dial_expired(m),
        Timer::Retry => retry_expired(m),
        Timer::Stable => m.state.tries = 0,
        Timer::Idle => idle_expired(m),
        Timer::Refresh => refresh(m),
        Timer::Linger => linger_expired(m),
        Timer::Command => deadline_expired(m),
        Timer::Pace => {
            resume_again(m);
            pump(m);
        }
        Timer::Publish => flush(m),
        Timer::Load => load_expired(m),
    }
}

/// The fields that say what a frame is.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(rename = "type", default)]
    kind: Value,
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    payload: Option<&'a RawValue>,
}

/// What this client does not know, it ignores: a later server sends more.
fn frame(m: &mut Step<'_>, received: &str) {
    let head = match serde_json::from_str::<Head<'_>>(received) {
        Ok(head) if received.trim_start().starts_with('{') => head,
        _ => return report(m, failure("bad_frame", "the server sent a frame that is not a JSON object", false)),
    };
    heard(m);
    if head.id.is_some() {
        match serde_json::from_str::<Message>(received) {
            Ok(message) if open(m) => publication(m, message),
            Ok(_) => {}
            Err(_) => {
                report(m, failure("bad_frame", "the server sent a publication with a field of another type", false));
            }
        }
        return;
    }
    let p: Value = head.payload.and_then(|payload| serde_json::from_str(payload.get()).ok()).unwrap_or_default();
    match head.kind.as_str().unwrap_or_default() {
        "welcome" => welcome(m, &p),
        "closing" => m.state.closing = Some(closing(&p)),
        _ if !open(m) => {}
        "ack" => ack(m, &p),
        "error" => refused_reply(m, &p),
        "gap" => match serde_json::from_value(p) {
            Ok(loss) => gap(m, loss),
            Err(_) => report(m, failure("bad_frame", "the server sent a gap with a field of another type", false)),
        },
        "subscribed" => subscribed(m, &p),
        "unsubscribed" => unsubscribed(m, &p),
        "ping" => {
            if let Value::Object(pong) = json!({"action": "pong"}) {
                send(m, pong, None);
            }
        }
        "presence" => m.effects.push(Effect::Emit(Emission::Frame { kind: "presence".to_owned(), payload: p })),
        _ => {}
    }
}

fn closing(p: &Value) -> Closing {
    Closing {
        code: number(p, "code").unwrap_or(0.0) as u16,
        reason: text(p, "reason").unwrap_or_default().to_owned(),
        reconnect: p["reconnect"].as_bool().unwrap_or(false),
        after_ms: number(p, "after_ms").unwrap_or(0.0),
        spread_ms: number(p, "spread_ms").unwrap_or(0.0),
    }
}

fn ack(m: &mut Step<'_>, p: &Value) {
    let Some(id) = p["id"].as_u64() else { return };
    match m.state.sent.remove(&id) {
        None => replied(m, id, p),
        Some(Own::Ping) => {}
        Some(Own::Subscribe(topic)) => subscribe_acked(m, id, &topic, p),
        Some(Own::Unsubscribe(topic)) => unsubscribe_acked(m, id, &topic),
        Some(Own::Resume) => resumed(m, id, p),
        Some(Own::Refresh) => {
            if let Some(ticket) = text(p, "resume") {
                m.state.ticket = Some(ticket.to_owned());
            }
            keep_all(m, p);
            expires(m, p.get("token_expires_in_ms"));
        }
    }
}

fn refused_reply(m: &mut Step<'_>, p: &Value) {
    let error = refusal(p);
    let Some(id) = p["id"].as_u64() else { return report(m, error) };
    match m.state.sent.remove(&id) {
        None => refused(m, id, error),
        Some(Own::Ping) => {}
        Some(Own::Subscribe(topic)) => subscribe_refused(m, id, &topic, error),
        Some(Own::Unsubscribe(topic)) => unsubscribe_refused(m, id, &topic, &error),
        Some(Own::Resume) => resume_refused(m, error.retry, pause(&error)),
        Some(Own::Refresh) => refresh_refused(m, &error.code),
    }
}

/// Whether an emission may still be handed out: asked when it is scheduled, because a handler may have ended it.
pub fn deliverable(state: &State, emission: &Emission) -> bool {
    if state.phase == Phase::Stopped && !matches!(emission, Emission::State(_) | Emission::Error(_)) {
        return false;
    }
    let (topic, generation) = match emission {
        Emission::Message { message, generation } => (&message.topic, *generation),
        Emission::Gap { topic, generation, .. } => (topic, *generation),
        Emission::State(_) | Emission::Subscription { .. } | Emission::Frame { .. } | Emission::Error(_) => {
            return true;
        }
    };
    let Some(topic) = topic.as_deref().filter(|_| generation != 0) else { return true };
    let wanted = || state.subscriptions.of(topic).is_some_and(|sub| sub.count > 0 && sub.generation == generation);
    state.given.contains(topic) || wanted()
}
