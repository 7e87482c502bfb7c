//! Why a hook has no answer.

use std::time::Duration;

/// Why a hook has no answer. Contains no address, no secret, and nothing that the backend sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpHookError {
    /// The connection could not be made, so the backend has not received the request.
    #[error("the backend can't be reached")]
    NotConnected(#[source] reqwest::Error),
    /// The connection failed after the request was sent, or while it was.
    #[error("the connection to the backend failed")]
    Disconnected(#[source] reqwest::Error),
    /// An attempt took too long.
    #[error("the backend took longer than {0:?}")]
    TimedOut(Duration),
    /// A status that is neither 200 nor 403.
    #[error("the backend responded with status {0}")]
    Status(u16),
    /// The response is larger than the limit.
    #[error("the response has more than {0} bytes")]
    TooLarge(usize),
    /// The response is not JSON.
    #[error("the response has no `content-type: application/json`")]
    NotJson,
    /// The response is JSON of another form.
    #[error("the response is not an answer to this hook: {0}")]
    Invalid(String),
    /// As many requests wait as may, or this one waited for too long.
    #[error("too many requests of this hook wait to be sent")]
    Overloaded,
    /// Requests have failed in a row, and none is sent for a while.
    #[error("the backend has failed, and the circuit breaker is open")]
    BreakerOpen,
}

/// The kind of a failure, in metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FailureKind {
    /// The connection failed.
    Connection,
    /// An attempt took too long.
    Timeout,
    /// A status of failure.
    Status,
    /// The response can't be used.
    Invalid,
    /// Too many requests wait.
    Overloaded,
    /// The circuit breaker is open.
    BreakerOpen,
}

impl FailureKind {
    /// Every kind, in the order of its index.
    pub const ALL: [Self; 6] =
        [Self::Connection, Self::Timeout, Self::Status, Self::Invalid, Self::Overloaded, Self::BreakerOpen];

    /// The word in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Timeout => "timeout",
            Self::Status => "status",
            Self::Invalid => "invalid",
            Self::Overloaded => "overloaded",
            Self::BreakerOpen => "breaker_open",
        }
    }
}

impl HttpHookError {
    /// The kind, in metrics.
    pub const fn kind(&self) -> FailureKind {
        match self {
            Self::NotConnected(_) | Self::Disconnected(_) => FailureKind::Connection,
            Self::TimedOut(_) => FailureKind::Timeout,
            Self::Status(_) => FailureKind::Status,
            Self::TooLarge(_) | Self::NotJson | Self::Invalid(_) => FailureKind::Invalid,
            Self::Overloaded => FailureKind::Overloaded,
            Self::BreakerOpen => FailureKind::BreakerOpen,
        }
    }

    /// The backend is away: what `on_failure` is for. Not so for a fault of the backend's code or of the config.
    pub const fn is_away(&self) -> bool {
        match self {
            Self::Status(status) => matches!(status, 408 | 429 | 500..=599),
            Self::TooLarge(_) | Self::NotJson | Self::Invalid(_) => false,
            _ => true,
        }
    }

    /// The backend has surely not received the request.
    pub const fn was_not_received(&self) -> bool {
        matches!(self, Self::NotConnected(_) | Self::Overloaded | Self::BreakerOpen)
    }

    /// Whether another attempt may succeed and does no harm.
    pub(super) const fn may_be_retried(&self, idempotent: bool) -> bool {
        match self {
            Self::Overloaded | Self::BreakerOpen => false,
            _ => self.is_away() && (idempotent || self.was_not_received()),
        }
    }
}
