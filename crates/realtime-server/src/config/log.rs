//! `[log]`: what is logged, and how.

use realtime_service::Settings;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

use super::problems::Problems;

/// What is logged, and how. Logs never hold a token.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// `error`, `warn`, `info`, `debug` or `trace`, or a filter by module, such as `info,realtime_service=debug`.
    pub level: String,
    /// `text` for people, `json` for machines: one object per line.
    pub format: LogFormat,
    /// Logs each connection at `info` when it begins, with its user and address, and when it ends, with its close
    /// code, who ended it (`client`, `server` or `network`) and its duration.
    pub connections: bool,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: "info".into(), format: LogFormat::Text, connections: true }
    }
}

/// How a log line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

impl LogConfig {
    pub(super) fn apply(&self, settings: &mut Settings) {
        settings.log_connections = self.connections;
    }

    pub(super) fn check(&self, problems: &mut Problems) {
        // The filter takes any other word for the name of a module, and would silence everything else. The value is not
        // repeated: it may be a secret.
        if EnvFilter::try_new(&self.level).is_err() || self.level.split(',').any(is_unknown_level) {
            let what = "is neither a level nor a filter by module; use error, warn, info, debug, trace or off, or a \
                        filter such as `info,realtime_service=debug`";
            problems.add("log.level", what);
        }
    }
}

/// Whether a part of a filter is one word, as a level is, and none of the levels.
fn is_unknown_level(part: &str) -> bool {
    let word = part.trim();
    !word.contains(['=', ':', '[']) && word.parse::<LevelFilter>().is_err()
}
