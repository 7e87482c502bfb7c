//! Refusals: the reason, which operators count, and the response to the client.

use core::fmt;

use realtime_schema::{CloseCode, ErrorCode};

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $word:literal, $code:ident, $close:ident;)*) => {
        /// Why a client or a caller of the HTTP API was refused. The word is the `reason` label of the metric
        /// `realtime_refusals_total` and of the log line.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum RefusalReason {
            $($(#[$doc])* $variant,)*
        }

        impl RefusalReason {
            /// Every reason, in the order of [`Self::index`].
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word in metrics and logs.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            /// The code of the HTTP response.
            pub const fn code(self) -> ErrorCode {
                match self { $(Self::$variant => ErrorCode::$code),* }
            }

            /// The close code for a browser, which can't see an HTTP response.
            pub const fn close(self) -> CloseCode {
                match self { $(Self::$variant => CloseCode::$close),* }
            }
        }
    };
}

reasons! {
    /// The node is draining.
    Draining = "draining", Unavailable, DRAINING;
    /// `limits.connections` is reached.
    ConnectionsLimit = "connections_limit", Unavailable, OVER_LIMIT;
    /// `limits.connections_per_user` is reached.
    UserLimit = "user_limit", LimitExceeded, OVER_LIMIT;
    /// `limits.connections_per_address` is reached.
    AddressLimit = "address_limit", LimitExceeded, OVER_LIMIT;
    /// The request carries no token.
    TokenMissing = "token_missing", Unauthorized, UNAUTHORIZED;
    /// The request carries more than one token.
    TokenAmbiguous = "token_ambiguous", Unauthorized, UNAUTHORIZED;
    /// The token is malformed, forged, or not valid yet.
    TokenInvalid = "token_invalid", Unauthorized, UNAUTHORIZED;
    /// The token has expired.
    TokenExpired = "token_expired", TokenExpired, EXPIRED;
    /// The token lacks a role or a permission that every connection needs.
    Policy = "policy", Forbidden, FORBIDDEN;
    /// Tokens can't be verified now, for example because no key could be fetched.
    VerifierUnavailable = "verifier_unavailable", Unavailable, SERVER_FAULT;
    /// A page of this origin may not connect.
    Origin = "origin", Forbidden, FORBIDDEN;
    /// The client offers subprotocols, and none of them is `realtime.v1`.
    Subprotocol = "subprotocol", BadRequest, NO_SUBPROTOCOL;
    /// No WebSocket endpoint is at this path.
    Path = "path", NotFound, UNKNOWN_ENDPOINT;
    /// The handshake is malformed (RFC 6455 section 4.2.1).
    Handshake = "handshake", BadRequest, BAD_FRAME;
    /// The API key is missing or wrong.
    ApiKey = "api_key", Unauthorized, UNAUTHORIZED;
    /// An operator blocked the user.
    Blocked = "blocked", Forbidden, FORBIDDEN;
    /// An operator revoked the token.
    Revoked = "revoked", Unauthorized, REVOKED;
    /// The application's hook refused the client.
    Hook = "hook", Forbidden, FORBIDDEN;
    /// The application's hook failed or took too long, so the client is not admitted.
    HookUnavailable = "hook_unavailable", Unavailable, SERVER_FAULT;
    /// A fault of this node.
    Internal = "internal", Internal, SERVER_FAULT;
}

impl RefusalReason {
    /// How many reasons exist.
    pub const COUNT: usize = Self::ALL.len();

    /// The position in [`Self::ALL`], to count by.
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for RefusalReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A refusal of a client: the reason for operators, the code of an HTTP response, a close code, and a text for a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The reason, counted and logged.
    pub reason: RefusalReason,
    /// The code of the HTTP response.
    pub code: ErrorCode,
    /// The close code of a browser's socket, which can't see HTTP responses.
    pub close: CloseCode,
    /// What is wrong, and what to do about it. Never contains a token.
    pub message: String,
    /// Number of milliseconds to wait before another attempt.
    pub after_ms: Option<u64>,
}

impl Refusal {
    /// A refusal with the codes of `reason` and without a wait.
    pub fn new(reason: RefusalReason, message: impl Into<String>) -> Self {
        Self { reason, code: reason.code(), close: reason.close(), message: message.into(), after_ms: None }
    }

    /// A token that is not accepted.
    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(RefusalReason::TokenInvalid, message)
    }

    /// The same, with the time to wait before another attempt, in milliseconds.
    #[must_use]
    pub fn after(self, after_ms: u64) -> Self {
        Self { after_ms: Some(after_ms), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_a_word_of_its_own_and_a_position_to_count_at() {
        for (at, reason) in RefusalReason::ALL.iter().enumerate() {
            assert_eq!(reason.index(), at, "{reason}");
            let same = RefusalReason::ALL.iter().filter(|other| other.as_str() == reason.as_str());
            assert_eq!(same.count(), 1, "{reason}");
        }
    }

    #[test]
    fn a_refusal_counts_under_its_word_reads_as_its_message_and_may_name_a_wait() {
        let refusal = Refusal::new(RefusalReason::Draining, "the node is draining");
        assert_eq!(
            (refusal.reason.to_string(), refusal.to_string()),
            ("draining".into(), "the node is draining".into())
        );
        assert_eq!(refusal.after_ms, None);
        assert_eq!(refusal.clone().after(500), Refusal { after_ms: Some(500), ..refusal });
    }
}
