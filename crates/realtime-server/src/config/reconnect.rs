//! `[reconnect]`: when clients reconnect.

use realtime_schema::Reconnect;
use realtime_service::Settings;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{duration::Span, problems::Problems};

/// When clients reconnect.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ReconnectConfig {
    /// The shortest wait before a reconnect.
    pub min: Span,
    /// The longest wait that a client's backoff grows to.
    pub max: Span,
    /// The random part that is added to a wait, so that clients don't all return at once.
    pub spread: Span,
    /// Reconnects a second that a draining node spreads its clients to.
    pub drain_rate: u32,
}

impl Default for ReconnectConfig {
    fn default() -> Self {
        let settings = Settings::default();
        let millis = |ms: u64| std::time::Duration::from_millis(ms).into();
        Self {
            min: millis(settings.reconnect.min_ms),
            max: millis(settings.reconnect.max_ms),
            spread: millis(settings.reconnect.spread_ms),
            drain_rate: settings.drain_rate,
        }
    }
}

impl ReconnectConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.at_least_one(&[("reconnect.drain_rate", self.drain_rate.into())]);
        if self.min > self.max {
            problems.add("reconnect.min", "is longer than reconnect.max");
        }
    }

    pub(super) fn apply(&self, settings: &mut Settings) {
        let ms = |span: Span| u64::try_from(span.0.as_millis()).unwrap_or(u64::MAX);
        settings.reconnect = Reconnect { min_ms: ms(self.min), max_ms: ms(self.max), spread_ms: ms(self.spread) };
        settings.drain_rate = self.drain_rate;
    }
}
