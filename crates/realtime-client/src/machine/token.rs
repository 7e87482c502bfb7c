//! The token, before each attempt and before it expires: one request at a time, with a deadline.

use serde_json::{Value, json};

use super::{
    closing::backoff,
    connection::{attempt, dial, drop_socket, halt, leave, wait},
    events::Effect,
    out::{failure, report, send_own},
    state::{Own, Phase, Step},
    timers::{arm, disarm},
    types::{Reason, ReasonCode, Timer, TokenReason},
};

const DEADLINE: f64 = 10_000.0;
/// Before the provider is asked again for the token of a live connection.
const AGAIN: f64 = 10_000.0;

pub(super) fn ask_token(m: &mut Step<'_>, reason: TokenReason) {
    let request = m.state.next_request;
    m.state.next_request += 1;
    m.state.request = request;
    arm(m, Timer::Token, DEADLINE);
    m.effects.push(Effect::AskToken { request, reason });
}

pub(super) fn token_arrived(m: &mut Step<'_>, token: Option<String>) {
    returned(m);
    let Some(token) = token else {
        let message = "the token provider returned no token: no user is signed in; call start() after the sign-in";
        return halt(m, ReasonCode::Client("signed_out"), message);
    };
    // An empty token must never become an anonymous connection.
    if token.is_empty() {
        return token_failed(m, "the token provider returned an empty token; return None if no user is signed in");
    }
    if m.state.phase != Phase::Token {
        // A refresh of the connection that lives.
        send_own(m, Own::Refresh, json!({"action": "refresh", "token": token}));
        m.state.token = Some(token);
    } else if m.state.refused.as_deref() == Some(token.as_str()) && !m.state.waited_with_refused {
        m.state.waited_with_refused = true;
        let reason = Reason::client("token_refused", "the token provider returned the token that was refused");
        wait(m, Some(backoff(m)), Some(reason));
        m.state.tries += 1;
    } else {
        dial(m, token);
    }
}

/// The provider failed, or its time is over.
pub(super) fn token_failed(m: &mut Step<'_>, message: &str) {
    returned(m);
    if m.state.phase == Phase::Token {
        wait(m, Some(backoff(m)), Some(Reason::client("token_failed", message)));
        m.state.tries += 1;
    } else {
        report(m, failure("token_failed", message, true));
        arm(m, Timer::Refresh, AGAIN);
    }
}

fn returned(m: &mut Step<'_>) {
    m.state.request = 0;
    disarm(m, &[Timer::Token]);
}

/// When the token of this connection expires: a new one is asked for at 80 % of that time, give or take 10 %.
pub(super) fn expires(m: &mut Step<'_>, ms: Option<&Value>) {
    disarm(m, &[Timer::Refresh]);
    m.state.expires_at = f64::INFINITY;
    m.state.refresh_at = f64::INFINITY;
    let Some(ms) = ms.and_then(Value::as_f64) else { return };
    m.state.expires_at = m.now + ms;
    m.state.refresh_at = m.now + ms * 0.8 * (0.9 + 0.2 * m.random);
    arm(m, Timer::Refresh, m.state.refresh_at - m.now);
}

/// Asks for a new token for the live connection, unless one is being asked for.
pub(super) fn refresh(m: &mut Step<'_>) {
    if !matches!(m.state.phase, Phase::Live | Phase::Resuming) {
        return;
    }
    disarm(m, &[Timer::Refresh]);
    m.state.refresh_at = f64::INFINITY;
    let pending = m.state.sent.values().any(|own| *own == Own::Refresh);
    if m.state.request == 0 && !pending {
        ask_token(m, TokenReason::Expiring);
    }
}

/// The server has refused the new token: the connection has its old one still.
pub(super) fn refresh_refused(m: &mut Step<'_>, code: &str) {
    if code == "forbidden" {
        // Another user's token, or one without the right to connect: that is decided at a new connection.
        drop_socket(m);
        leave(m);
        attempt(m, TokenReason::Connect);
    } else {
        if code != "unavailable" {
            m.state.refused = m.state.token.clone();
        }
        arm(m, Timer::Refresh, AGAIN);
    }
}
