//! Where log lines go, and how they look. Nothing that is logged anywhere contains a token.

use std::{io, sync::Arc};

use tracing_subscriber::{EnvFilter, reload};

use crate::config::{LogConfig, LogFormat};

/// Changes the level of a running log.
#[derive(Clone)]
pub(crate) struct LogLevel(Arc<dyn Fn(EnvFilter) + Send + Sync>);

impl LogLevel {
    fn of<S: 'static>(handle: reload::Handle<EnvFilter, S>) -> Self {
        // It fails only if the subscriber is gone, and then there is no log.
        Self(Arc::new(move |filter| drop(handle.reload(filter))))
    }

    /// Logs at `level` from now on, which was checked before.
    pub(crate) fn set(&self, level: &str) {
        if let Ok(filter) = EnvFilter::try_new(level) {
            (self.0)(filter);
        }
    }
}

/// Starts logging to standard error. If the process has a log already, that one stays and there is no level to change.
pub(crate) fn start(config: &LogConfig) -> Option<LogLevel> {
    let filter = EnvFilter::try_new(&config.level).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match config.format {
        LogFormat::Text => {
            let lines = lines.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).with_filter_reloading();
            let level = LogLevel::of(lines.reload_handle());
            lines.try_init().ok().map(|()| level)
        }
        LogFormat::Json => {
            let lines = lines.json().flatten_event(true).with_filter_reloading();
            let level = LogLevel::of(lines.reload_handle());
            lines.try_init().ok().map(|()| level)
        }
    }
}
