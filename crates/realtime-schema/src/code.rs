//! The two kinds of failure: error codes of replies, and close codes whose range is the advice.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::open_words::open_words;

macro_rules! error_codes {
    ($($(#[doc = $doc:literal])* $variant:ident = $word:literal, $status:literal, $retry:literal;)*) => {
        open_words! {
            /// Why a command or a request was refused. The connection lives on. The same words are used over HTTP.
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

            /// Whether the same request may succeed later; false for an unknown code, whose frame says so itself.
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
    /// Not of the form that the protocol asks for.
    BadRequest = "bad_request", 400, false;
    /// No such action.
    UnknownAction = "unknown_action", 400, false;
    /// No token or key, or one that is not accepted.
    Unauthorized = "unauthorized", 401, false;
    /// The token has expired; get a new one.
    TokenExpired = "token_expired", 401, false;
    /// Known, and not allowed.
    Forbidden = "forbidden", 403, false;
    /// No such thing.
    NotFound = "not_found", 404, false;
    /// Against the present state.
    Conflict = "conflict", 409, false;
    /// The position is older than what is kept.
    PositionExpired = "position_expired", 410, false;
    /// Larger than the limit that is named.
    TooLarge = "too_large", 413, false;
    /// A field holds what it must not.
    PayloadInvalid = "payload_invalid", 422, false;
    /// Too many in too short a time; come back after `after_ms`.
    RateLimited = "rate_limited", 429, true;
    /// The limit that is named is used up.
    LimitExceeded = "limit_exceeded", 429, false;
    /// The server's fault.
    Internal = "internal", 500, true;
    /// Something that the server needs is unavailable now.
    Unavailable = "unavailable", 503, true;
}

/// What a client does after a close, read off the code's range so that an old client obeys a new code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CloseAdvice {
    /// Stays away: coming back would end the same way.
    StayAway,
    /// Comes back with backoff.
    ComeBack,
    /// Gets a new token, then comes back, once.
    NewToken,
}

/// A WebSocket close code (RFC 6455 section 7.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(example = 4503)]
pub struct CloseCode(pub u16);

impl CloseCode {
    /// Done, without an error.
    pub const NORMAL: Self = Self(1000);
    /// The peer broke RFC 6455.
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
    /// No such endpoint.
    pub const UNKNOWN_ENDPOINT: Self = Self(4404);
    /// None of the offered subprotocols is spoken here.
    pub const NO_SUBPROTOCOL: Self = Self(4406);
    /// Replaced by a newer connection.
    pub const REPLACED: Self = Self(4409);
    /// A fault of the server.
    pub const SERVER_FAULT: Self = Self(4500);
    /// The node is draining.
    pub const DRAINING: Self = Self(4503);
    /// Pings went unanswered.
    pub const NO_PONG: Self = Self(4508);
    /// The state of the connection was lost; come back without positions.
    pub const STATE_LOST: Self = Self(4509);
    /// The client reads too slowly: its queue was full.
    pub const TOO_SLOW: Self = Self(4513);
    /// Over a limit, which the reason names.
    pub const OVER_LIMIT: Self = Self(4529);
    /// No token, or one that is not accepted.
    pub const UNAUTHORIZED: Self = Self(4601);
    /// The token was revoked.
    pub const REVOKED: Self = Self(4603);
    /// The token has expired.
    pub const EXPIRED: Self = Self(4610);

    /// What the client does next, by the code's range.
    pub fn advice(self) -> CloseAdvice {
        match self.0 {
            1001 | 1006 | 1011..=1014 | 4200..=4399 | 4500..=4599 => CloseAdvice::ComeBack,
            4600..=4699 => CloseAdvice::NewToken,
            _ => CloseAdvice::StayAway,
        }
    }
}
