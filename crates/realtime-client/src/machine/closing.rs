//! How long to wait before the next attempt: docs/protocol.md, "Reconnecting".

use super::state::Step;

/// Between two attempts, whatever the reason.
pub(super) const FLOOR: f64 = 100.0;

/// Full jitter from the first retry; what `closing` asks for goes first.
pub(super) fn backoff(m: &Step<'_>) -> f64 {
    let welcome = &m.state.welcome;
    if let Some(closing) = m.state.closing.as_ref().filter(|it| it.after_ms > 0.0 || it.spread_ms > 0.0) {
        return FLOOR.max(closing.after_ms + m.random * closing.spread_ms);
    }
    let grown = (welcome.min_ms + welcome.spread_ms) * f64::from(1u32 << m.state.tries.min(30));
    let most = welcome.max_ms.min(grown);
    FLOOR.max(welcome.min_ms + m.random * (most - welcome.min_ms).max(0.0))
}
