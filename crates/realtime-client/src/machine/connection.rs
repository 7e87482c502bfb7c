//! The connection: start, stop, attempts, loss, waiting, and signals of the device.

use std::collections::BTreeMap;

use realtime_schema::{BEARER_PROTOCOL, CloseAdvice, CloseCode, PROTOCOL};
use serde_json::json;

use super::{
    closing::{FLOOR, backoff},
    commands::{interrupt, reject_all},
    events::Effect,
    loads::load_again,
    out::{failure, open, send_own},
    state::{Own, Phase, Step},
    subscriptions::detach,
    timers::{arm, disarm},
    token::{ask_token, refresh},
    types::{ConnectionPhase, ConnectionState, Emission, Reason, ReasonCode, Timer, TokenReason},
};

/// From the dial to `welcome`.
const HANDSHAKE: f64 = 10_000.0;
/// Backoff is kept over connections shorter than this.
const STABLE: f64 = 10_000.0;
/// For any frame after a ping that asks.
const PROBE: f64 = 5_000.0;
/// After a wake-up, a connection that was silent for longer is asked.
const SILENT: f64 = 10_000.0;
/// Between two attempts that waking up causes.
const WAKE_FLOOR: f64 = 1_000.0;

const CONNECTION_TIMERS: [Timer; 8] =
    [Timer::Token, Timer::Dial, Timer::Retry, Timer::Stable, Timer::Idle, Timer::Refresh, Timer::Pace, Timer::Publish];

/// Emits the state if an application would see a difference.
pub(super) fn show(m: &mut Step<'_>) {
    let s = &mut *m.state;
    let phase = match s.phase {
        Phase::Live => ConnectionPhase::Connected,
        Phase::Stopped => ConnectionPhase::Stopped,
        Phase::Waiting => ConnectionPhase::Waiting,
        Phase::Token | Phase::Dialing | Phase::Resuming => ConnectionPhase::Connecting,
    };
    let ended = matches!(phase, ConnectionPhase::Stopped | ConnectionPhase::Waiting);
    let state = ConnectionState {
        phase,
        since: m.now,
        retry_at: s.retry_at.filter(|_| phase == ConnectionPhase::Waiting),
        reason: s.reason.clone().filter(|_| ended),
        resumed: (phase == ConnectionPhase::Connected && s.welcomes > 1).then_some(s.complete),
    };
    let before = &s.shown;
    if before.phase == phase && before.retry_at == state.retry_at && before.reason == state.reason {
        return;
    }
    s.shown = state.clone();
    m.effects.push(Effect::Emit(Emission::State(state)));
}

pub(super) fn start(m: &mut Step<'_>) {
    if m.state.phase != Phase::Stopped {
        return;
    }
    m.state.reason = None;
    m.state.tries = 0;
    m.state.refusals = 0;
    m.state.refused = None;
    load_again(m);
    soon(m, FLOOR);
}

/// Ends everything until `start`.
pub(super) fn halt(m: &mut Step<'_>, code: ReasonCode, message: &str) {
    if m.state.phase == Phase::Stopped {
        return;
    }
    drop_socket(m);
    leave(m);
    m.state.n += 1;
    m.state.phase = Phase::Stopped;
    m.state.reason = Some(Reason { code, message: message.to_owned() });
    reject_all(m, &failure("stopped", message, false));
    disarm(m, &[Timer::Command, Timer::Linger, Timer::Load]);
    show(m);
}

/// Begins the next attempt, as soon as the floor allows.
fn soon(m: &mut Step<'_>, floor: f64) {
    let ms = (m.state.attempted_at + floor).max(m.state.not_before) - m.now;
    if ms > 0.0 {
        let reason = m.state.reason.clone();
        wait(m, Some(ms), reason);
    } else {
        retry_expired(m);
    }
}

pub(super) fn wait(m: &mut Step<'_>, ms: Option<f64>, reason: Option<Reason>) {
    m.state.phase = Phase::Waiting;
    m.state.reason = reason;
    m.state.retry_at = ms.map(|ms| m.now + ms);
    match ms {
        Some(ms) => arm(m, Timer::Retry, ms),
        None => disarm(m, &[Timer::Retry]),
    }
    show(m);
}

pub(super) fn attempt(m: &mut Step<'_>, reason: TokenReason) {
    disarm(m, &[Timer::Retry]);
    m.state.n += 1;
    m.state.phase = Phase::Token;
    m.state.attempted_at = m.now;
    m.state.retry_at = None;
    show(m);
    ask_token(m, reason);
}

pub(super) fn dial(m: &mut Step<'_>, token: String) {
    m.state.phase = Phase::Dialing;
    m.state.attempted_at = m.now;
    m.state.closing = None;
    arm(m, Timer::Dial, HANDSHAKE);
    let protocols = vec![PROTOCOL.to_owned(), format!("{BEARER_PROTOCOL}{token}")];
    m.state.token = Some(token);
    let mut query = BTreeMap::from([("client", m.state.options.client.clone()), ("ping", "text".to_owned())]);
    if let Some(ticket) = &m.state.ticket {
        query.insert("resume", ticket.clone());
    }
    m.effects.push(Effect::Dial { n: m.state.n, protocols, query });
}

/// Lets go of the socket, if there is one: nothing of it counts any more.
pub(super) fn drop_socket(m: &mut Step<'_>) {
    if m.state.phase == Phase::Dialing || open(m) {
        m.effects.push(Effect::Drop { n: m.state.n, code: 1000 });
    }
}

/// Clears what belongs to this attempt alone.
pub(super) fn leave(m: &mut Step<'_>) {
    disarm(m, &CONNECTION_TIMERS);
    let s = &mut *m.state;
    s.request = 0;
    s.resume = 0;
    s.probe = 0;
    s.refresh_at = f64::INFINITY;
    s.expires_at = f64::INFINITY;
    s.sent.clear();
    detach(m);
    interrupt(m);
}

/// The connection of this attempt has ended, or there was none.
pub(super) fn lost(m: &mut Step<'_>, code: u16, text: &str) {
    leave(m);
    m.state.n += 1;
    let closing = m.state.closing.clone();
    let (code, message) = closing.as_ref().map_or((code, text), |it| (it.code, it.reason.as_str()));
    let mut next = CloseCode(code).advice();
    if let Some(closing) = &closing
        && next != CloseAdvice::NewToken
    {
        next = if closing.reconnect { CloseAdvice::Reconnect } else { CloseAdvice::Stop };
    }
    if code == 4509 {
        m.state.ticket = None;
    }
    let reason = Reason { code: ReasonCode::Close(code), message: message.to_owned() };
    match next {
        CloseAdvice::Stop => {
            m.state.phase = Phase::Waiting;
            halt(m, reason.code, message);
        }
        CloseAdvice::NewToken => {
            m.state.refused = m.state.token.clone();
            m.state.waited_with_refused = false;
            m.state.refusals += 1;
            if m.state.refusals > 1 {
                m.state.phase = Phase::Waiting;
                let message = format!("{message}; a second token was refused too: sign in again, then call start()");
                halt(m, reason.code, &message);
            } else {
                let ms = FLOOR + m.random * 400.0;
                wait(m, Some(ms), Some(reason));
            }
        }
        CloseAdvice::Reconnect => {
            m.state.not_before = m.now + closing.map_or(0.0, |it| it.after_ms);
            wait(m, Some(backoff(m)), Some(reason));
            m.state.tries += 1;
        }
    }
}

/// Ends this connection from here, and begins the next.
fn abandon(m: &mut Step<'_>, message: &str) {
    drop_socket(m);
    m.state.closing = None;
    lost(m, 1006, message);
}

pub(super) fn retry_expired(m: &mut Step<'_>) {
    attempt(m, if m.state.refusals > 0 { TokenReason::Refused } else { TokenReason::Connect });
}

pub(super) fn dial_expired(m: &mut Step<'_>) {
    abandon(m, "no welcome within 10 s");
}

/// `welcome` has come: the connection is watched from now on.
pub(super) fn watch(m: &mut Step<'_>) {
    arm(m, Timer::Stable, STABLE);
    arm(m, Timer::Idle, silence(m));
}

/// The longest silence of a living server.
fn silence(m: &Step<'_>) -> f64 {
    2.0 * m.state.welcome.ping_ms + 10_000.0
}

/// Dead is what was asked and did not reply, never what a timer says.
pub(super) fn idle_expired(m: &mut Step<'_>) {
    if m.state.probe != 0 {
        return abandon(m, "the server did not reply to a ping");
    }
    let left = silence(m) - (m.now - m.state.heard_at).max(0.0);
    if left > 0.0 {
        arm(m, Timer::Idle, left);
    } else {
        probe(m);
    }
}

fn probe(m: &mut Step<'_>) {
    if m.state.probe != 0 {
        return;
    }
    m.state.probe = send_own(m, Own::Ping, json!({"action": "ping"}));
    arm(m, Timer::Idle, PROBE);
}

/// Any frame is a sign of life.
pub(super) fn heard(m: &mut Step<'_>) {
    m.state.heard_at = m.now;
    if m.state.probe != 0 {
        m.state.probe = 0;
        arm(m, Timer::Idle, silence(m));
    }
}

/// The machine woke up. Several such signals cause one check.
pub(super) fn wake(m: &mut Step<'_>) {
    if m.state.phase == Phase::Waiting {
        let soonest = m.state.attempted_at + WAKE_FLOOR;
        match m.state.retry_at {
            None => soon(m, FLOOR),
            Some(at) if at > soonest => soon(m, WAKE_FLOOR),
            Some(_) => {}
        }
        return;
    }
    if !open(m) {
        return;
    }
    if m.now >= m.state.expires_at {
        drop_socket(m);
        leave(m);
        soon(m, FLOOR);
    } else {
        if m.now >= m.state.refresh_at {
            refresh(m);
        }
        if m.now - m.state.heard_at >= SILENT {
            probe(m);
        }
    }
}

pub(super) fn online(m: &mut Step<'_>) {
    if m.state.phase == Phase::Waiting { soon(m, FLOOR) } else { wake(m) }
}

/// The device says that it has no network. It may be wrong: a live connection is asked.
pub(super) fn offline(m: &mut Step<'_>) {
    if open(m) {
        return probe(m);
    }
    if !matches!(m.state.phase, Phase::Dialing | Phase::Token) {
        return;
    }
    drop_socket(m);
    leave(m);
    m.state.n += 1;
    let longest = m.state.welcome.max_ms;
    wait(m, Some(longest), Some(Reason::client("offline", "the device has no network")));
}

/// The process is suspended: its socket would be closed there.
pub(super) fn hide(m: &mut Step<'_>) {
    if m.state.phase == Phase::Stopped {
        return;
    }
    drop_socket(m);
    leave(m);
    m.state.n += 1;
    wait(m, None, Some(Reason::client("hidden", "the page is in the back/forward cache")));
}
