//! `[liveness]`: how dead and stalled connections are found.

use realtime_service::Settings;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{duration::Span, problems::Problems};

/// How dead and stalled connections are found.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LivenessConfig {
    /// Time between the server's pings; each connection moves it by up to a tenth.
    pub ping_interval: Span,
    /// Pings in a row without a pong before the connection is closed with 4508.
    pub pong_misses: u32,
    /// How long a slow reader may take no byte of what is written before its connection is cut. One that is being
    /// closed has this long to take its last frames.
    pub write_timeout: Span,
    /// How long the peer of a closed connection has to complete the close handshake.
    pub close_timeout: Span,
}

impl Default for LivenessConfig {
    fn default() -> Self {
        let settings = Settings::default();
        Self {
            ping_interval: settings.liveness.ping_interval.into(),
            pong_misses: settings.liveness.pong_misses,
            write_timeout: settings.liveness.write_timeout.into(),
            close_timeout: settings.liveness.close_timeout.into(),
        }
    }
}

impl LivenessConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.at_least_one(&[("liveness.pong_misses", self.pong_misses.into())]);
        problems.waits(&[
            ("liveness.ping_interval", self.ping_interval),
            ("liveness.write_timeout", self.write_timeout),
            ("liveness.close_timeout", self.close_timeout),
        ]);
    }

    pub(super) fn apply(&self, settings: &mut Settings) {
        settings.liveness.ping_interval = self.ping_interval.0;
        settings.liveness.pong_misses = self.pong_misses;
        settings.liveness.write_timeout = self.write_timeout.0;
        settings.liveness.close_timeout = self.close_timeout.0;
    }
}
