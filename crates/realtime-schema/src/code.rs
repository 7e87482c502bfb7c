//! The two kinds of failure: error codes of replies, and close codes, whose range defines what a client does next.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::open_words::open_words;

macro_rules! error_codes {
    ($($(#[doc = $doc:literal])* $variant:ident = $word:literal, $status:literal, $retry:literal;)*) => {
        open_words! {
            /// Why a command or a request was refused. The connection stays open. The HTTP API has the same codes.
            ErrorCode: $($(#[doc = $doc])* $variant = $word;)*
        }

        impl ErrorCode {
            /// The HTTP status of the same refusal (RFC 9110 section 15); 500 for an unknown code, whose frame names
            /// its own.
            pub fn status(&self) -> u16 {
                match self {
                    $(Self::$variant => $status,)*
                    Self::Other(_) => 500,
                }
            }

            /// Whether the same request may succeed later; false for an unknown code, whose frame has its own `retry`.
            pub fn retry(&self) -> bool {
                match self {
                    $(Self::$variant => $retry,)*
                    Self::Other(_) => false,
                }
            }
        }
    };
}

error_codes! {
    /// The form is invalid.
    BadRequest = "bad_request", 400, false;
    /// Unknown action.
    UnknownAction = "unknown_action", 400, false;
    /// No token or key, or one that is not accepted.
    Unauthorized = "unauthorized", 401, false;
    /// The token has expired; get a new one.
    TokenExpired = "token_expired", 401, false;
    /// Authenticated, but not allowed.
    Forbidden = "forbidden", 403, false;
    /// Not found.
    NotFound = "not_found", 404, false;
    /// In conflict with the current state.
    Conflict = "conflict", 409, false;
    /// The position is older than the kept history.
    PositionExpired = "position_expired", 410, false;
    /// Larger than the named limit.
    TooLarge = "too_large", 413, false;
    /// A field has an invalid value.
    PayloadInvalid = "payload_invalid", 422, false;
    /// Too many requests in a short time; try again after `after_ms`.
    RateLimited = "rate_limited", 429, true;
    /// The named limit is reached.
    LimitExceeded = "limit_exceeded", 429, false;
    /// A fault of the server.
    Internal = "internal", 500, true;
    /// Something that the server needs is unavailable now.
    Unavailable = "unavailable", 503, true;
}

/// What a client does after a close. It is defined by the code's range, so that an old client can handle a new code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CloseAdvice {
    /// Do not reconnect: another attempt would fail in the same way.
    Stop,
    /// Reconnect, with backoff.
    Reconnect,
    /// Get a new token, then reconnect once.
    NewToken,
}

/// A WebSocket close code (RFC 6455 section 7.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(example = 4503)]
pub struct CloseCode(pub u16);

impl CloseCode {
    /// A close without an error.
    pub const NORMAL: Self = Self(1000);
    /// The peer violated RFC 6455.
    pub const PROTOCOL: Self = Self(1002);
    /// A binary frame: `realtime.v1` is text.
    pub const UNSUPPORTED: Self = Self(1003);
    /// Text that is not UTF-8.
    pub const INVALID_TEXT: Self = Self(1007);
    /// A message larger than the limit.
    pub const TOO_LARGE: Self = Self(1009);
    /// A text frame that is not a JSON object.
    pub const BAD_FRAME: Self = Self(4400);
    /// Forbidden, or disconnected by an operator.
    pub const FORBIDDEN: Self = Self(4403);
    /// Unknown endpoint.
    pub const UNKNOWN_ENDPOINT: Self = Self(4404);
    /// None of the offered subprotocols is supported.
    pub const NO_SUBPROTOCOL: Self = Self(4406);
    /// Replaced by a newer connection.
    pub const REPLACED: Self = Self(4409);
    /// A fault of the server.
    pub const SERVER_FAULT: Self = Self(4500);
    /// The node is draining.
    pub const DRAINING: Self = Self(4503);
    /// The client did not reply to pings.
    pub const NO_PONG: Self = Self(4508);
    /// The state of the connection was lost; reconnect without positions.
    pub const STATE_LOST: Self = Self(4509);
    /// The client reads too slowly: its queue was full.
    pub const TOO_SLOW: Self = Self(4513);
    /// A limit is exceeded, which the reason names.
    pub const OVER_LIMIT: Self = Self(4529);
    /// No token, or one that is not accepted.
    pub const UNAUTHORIZED: Self = Self(4601);
    /// The token was revoked.
    pub const REVOKED: Self = Self(4603);
    /// The token has expired.
    pub const EXPIRED: Self = Self(4610);

    /// The advice of the code's range. A code that is not of this protocol, such as 3000 to 3999, is a proxy's: it must
    /// not lock a client out for ever.
    pub fn advice(self) -> CloseAdvice {
        match self.0 {
            4600..=4699 => CloseAdvice::NewToken,
            1000 | 1002 | 1003 | 1007..=1010 | 4000..=4199 | 4400..=4499 | 4700.. => CloseAdvice::Stop,
            _ => CloseAdvice::Reconnect,
        }
    }
}
