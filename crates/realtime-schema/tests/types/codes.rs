//! The two kinds of failure: the table of error codes, and the ranges of close codes.

use realtime_schema::{
    CloseAdvice::{self, NewToken, Reconnect, Stop},
    CloseCode, Closing, CommandId, ErrorCode, ErrorReply, Gap, GapReason, Problem, Subscribed, SubscribedReason,
    Unsubscribed, UnsubscribedReason,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

use crate::{assert_contains, read, refusal, written};

/// The table of the protocol: the word, its HTTP status, whether to try again.
const TABLE: [(&str, u16, bool); 14] = [
    ("bad_request", 400, false),
    ("unknown_action", 400, false),
    ("unauthorized", 401, false),
    ("token_expired", 401, false),
    ("forbidden", 403, false),
    ("not_found", 404, false),
    ("conflict", 409, false),
    ("position_expired", 410, false),
    ("too_large", 413, false),
    ("payload_invalid", 422, false),
    ("rate_limited", 429, true),
    ("limit_exceeded", 429, false),
    ("internal", 500, true),
    ("unavailable", 503, true),
];

#[test]
fn the_error_codes_are_those_of_the_protocol() {
    let codes: Vec<_> = ErrorCode::ALL.iter().map(|code| (code.as_str(), code.status(), code.retry())).collect();
    assert_eq!(codes, TABLE);
}

#[test]
fn an_error_code_is_its_word_on_the_wire() {
    for code in ErrorCode::ALL {
        assert_eq!(written(code), json!(code.as_str()));
        assert_eq!(read::<ErrorCode>(&format!("\"{}\"", code.as_str())), *code);
    }
}

/// Asserts that `word` is read as an unknown word: kept, written back unchanged, and different from every known word.
fn is_tolerated<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(word: &str, known: &[T]) {
    let json = json!(word);
    let read: T = read(&json.to_string());
    assert_eq!(written(&read), json);
    assert!(!known.contains(&read), "{read:?}");
}

#[test]
fn a_word_that_a_later_release_adds_is_kept_unchanged() {
    for word in ["bad_luck", "", "Bad_Request", "é \"\n", &"x".repeat(1000)] {
        is_tolerated(word, ErrorCode::ALL);
        is_tolerated(word, GapReason::ALL);
        is_tolerated(word, SubscribedReason::ALL);
        is_tolerated(word, UnsubscribedReason::ALL);
    }
    assert_eq!(ErrorCode::Other("forbidden".into()), ErrorCode::Forbidden, "words are compared, not variants");
    assert_contains(&refusal::<ErrorCode>("7"), &["expected a string"]);
}

#[test]
fn a_frame_with_unknown_words_is_read() {
    let error: ErrorReply = read(r#"{"code":"bad_luck","status":418,"message":"m","retry":true}"#);
    assert_eq!((error.code.as_str(), error.status, error.retry), ("bad_luck", 418, true), "the frame's own advice");
    let gap: Gap = read(r#"{"stream":"role:admin","reason":"moved"}"#);
    assert_eq!(gap.reason.as_str(), "moved");
    let ended: Unsubscribed = read(r#"{"topic":"t","reason":"moved"}"#);
    assert_eq!(ended.reason.as_str(), "moved");
    let begun: Subscribed = read(r#"{"topic":"t","reason":"moved"}"#);
    assert_eq!(begun.reason.as_ref().map(SubscribedReason::as_str), Some("moved"));
}

#[test]
fn the_reasons_are_those_of_the_protocol() {
    let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        GapReason::ALL.iter().map(ToString::to_string).collect::<Vec<_>>(),
        words(&[
            "no_history",
            "slow_consumer",
            "retention",
            "epoch",
            "position_forgotten",
            "log_went_back",
            "store_rolled_back",
            "hold_expired",
            "not_granted",
        ])
    );
    assert_eq!(
        UnsubscribedReason::ALL.iter().map(ToString::to_string).collect::<Vec<_>>(),
        words(&["revoked", "limit_exceeded", "unavailable", "server"])
    );
}

#[test]
fn a_reply_and_a_problem_of_a_code_agree() {
    for code in ErrorCode::ALL {
        let reply = ErrorReply::new(Some(CommandId::Number(7)), code.clone(), "why");
        let problem = Problem::new(code.clone(), "why");
        assert_eq!((reply.code, reply.status, reply.retry), (problem.code, problem.status, problem.retry));
        assert_eq!(problem.kind, format!("urn:realtime:error:{}", code.as_str()));
        assert_eq!((reply.message, reply.after_ms, reply.errors.len()), (problem.detail, None, 0));
    }
}

/// The ranges of the protocol, each with its bounds.
const RANGES: [(u16, u16, CloseAdvice); 15] = [
    (1000, 1000, Stop),
    (1001, 1001, Reconnect),
    (1002, 1003, Stop),
    (1004, 1006, Reconnect),
    (1007, 1010, Stop),
    (1011, 1015, Reconnect),
    (3000, 3999, Reconnect),
    (0, 999, Reconnect),
    (1016, 2999, Reconnect),
    (4000, 4199, Stop),
    (4200, 4399, Reconnect),
    (4400, 4499, Stop),
    (4500, 4599, Reconnect),
    (4600, 4699, NewToken),
    (4700, 4999, Stop),
];

#[test]
fn the_range_of_a_close_code_defines_the_advice() {
    for (first, last, advice) in RANGES {
        for code in first..=last {
            assert_eq!(CloseCode(code).advice(), advice, "{code}");
        }
    }
}

#[test]
fn each_close_code_of_the_protocol_is_in_the_range_of_its_advice() {
    for (code, number, advice) in [
        (CloseCode::NORMAL, 1000, Stop),
        (CloseCode::PROTOCOL, 1002, Stop),
        (CloseCode::UNSUPPORTED, 1003, Stop),
        (CloseCode::INVALID_TEXT, 1007, Stop),
        (CloseCode::TOO_LARGE, 1009, Stop),
        (CloseCode::BAD_FRAME, 4400, Stop),
        (CloseCode::FORBIDDEN, 4403, Stop),
        (CloseCode::UNKNOWN_ENDPOINT, 4404, Stop),
        (CloseCode::NO_SUBPROTOCOL, 4406, Stop),
        (CloseCode::REPLACED, 4409, Stop),
        (CloseCode::SERVER_FAULT, 4500, Reconnect),
        (CloseCode::DRAINING, 4503, Reconnect),
        (CloseCode::NO_PONG, 4508, Reconnect),
        (CloseCode::STATE_LOST, 4509, Reconnect),
        (CloseCode::TOO_SLOW, 4513, Reconnect),
        (CloseCode::OVER_LIMIT, 4529, Reconnect),
        (CloseCode::UNAUTHORIZED, 4601, NewToken),
        (CloseCode::REVOKED, 4603, NewToken),
        (CloseCode::EXPIRED, 4610, NewToken),
    ] {
        assert_eq!((code.0, code.advice()), (number, advice));
    }
}

#[test]
fn a_closing_frame_says_to_reconnect_unless_the_code_forbids_it() {
    for code in (1000..=1015).chain(4000..=4999).map(CloseCode) {
        let closing = Closing::new(code, "why");
        assert_eq!(closing.reconnect, code.advice() != Stop, "{code:?}");
        assert_eq!((closing.after_ms, closing.spread_ms), (0, 0));
    }
}

#[test]
fn a_close_code_is_a_number_on_the_wire() {
    assert_eq!(written(&CloseCode::DRAINING), json!(4503));
    assert_eq!(read::<CloseCode>("4999"), CloseCode(4999), "one added later is read");
    assert_contains(&refusal::<CloseCode>("70000"), &["70000"]);
}
