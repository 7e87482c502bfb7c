//! What a backend's answers mean.

use realtime_core::{
    access::AccessDecision,
    auth::{ConnectDecision, ConnectGrant, ConnectRefusal},
    client_message::Handled,
};
use realtime_schema::{AccessAnswer, CallAnswer, CloseCode, ConnectAnswer, ErrorCode, ErrorReply, Payload};
use serde::de::DeserializeOwned;

use super::{error::HttpHookError, exchange::shortened};

/// An answer that can be checked beyond its JSON form.
pub(super) trait Checked: DeserializeOwned {
    /// # Errors
    /// What is wrong with it.
    fn check(&self) -> Result<(), String>;
}

/// Reads and checks an answer.
pub(super) fn read<T: Checked>(body: &[u8]) -> Result<T, HttpHookError> {
    let answer: T = serde_json::from_slice(body).map_err(|error| HttpHookError::Invalid(error.to_string()))?;
    answer.check().map_err(HttpHookError::Invalid)?;
    Ok(answer)
}

impl Checked for ConnectAnswer {
    fn check(&self) -> Result<(), String> {
        match self.code {
            None | Some(4000..=4399 | 4403) => Ok(()),
            Some(code) => Err(format!("`code` is {code}; give 4403, or one from 4000 to 4399")),
        }
    }
}

impl Checked for AccessAnswer {
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

impl Checked for CallAnswer {
    fn check(&self) -> Result<(), String> {
        match self {
            Self { result: Some(_), error: Some(_) } => Err("give `result` or `error`, not both".into()),
            _ => Ok(()),
        }
    }
}

pub(super) fn connect(answer: ConnectAnswer) -> ConnectDecision {
    let ConnectAnswer { allow, message, code, after_ms, roles, subscriptions, metadata } = answer;
    if allow {
        return ConnectDecision::Admit(ConnectGrant { roles, subscriptions, metadata });
    }
    let refusal = connect_denied(message);
    ConnectDecision::Refuse(ConnectRefusal { code: code.map_or(refusal.code, CloseCode), after_ms, ..refusal })
}

pub(super) fn connect_denied(message: Option<String>) -> ConnectRefusal {
    ConnectRefusal::new(message.map_or_else(|| "the application refuses this client".into(), shortened))
}

pub(super) fn access(answer: AccessAnswer) -> AccessDecision {
    match answer {
        AccessAnswer { allow: true, .. } => AccessDecision::Allow,
        AccessAnswer { message, .. } => AccessDecision::Deny { message: message.map(shortened) },
    }
}

pub(super) fn call(answer: CallAnswer) -> Handled {
    match answer.error {
        None => Handled::Ack(answer.result.unwrap_or_else(null)),
        Some(error) => {
            let reply = ErrorReply::new(None, error.code, shortened(error.message));
            Handled::Error(Box::new(ErrorReply { after_ms: error.after_ms, ..reply }))
        }
    }
}

pub(super) fn call_denied(message: Option<String>) -> Handled {
    Handled::error(ErrorCode::Forbidden, message.unwrap_or_else(|| "the application refuses this call".into()))
}

fn null() -> Payload {
    Payload::of(&()).expect("null is JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_says_nothing_or_something_unknown_allows_nothing() {
        for body in ["", "{}", "null", "true", r#"{"allow":"yes"}"#, r#"{"allow":true,"role":["admin"]}"#] {
            assert!(read::<ConnectAnswer>(body.as_bytes()).is_err(), "{body}");
        }
        assert!(read::<AccessAnswer>(b"{}").is_err());
        assert!(read::<ConnectAnswer>(br#"{"allow":true,"roles":["two words \u0000"]}"#).is_err());
    }

    #[test]
    fn a_close_code_of_the_protocols_own_is_no_answer() {
        for code in [1000, 4400, 4404, 4500, 4601] {
            let body = format!(r#"{{"allow":false,"code":{code}}}"#);
            assert!(read::<ConnectAnswer>(body.as_bytes()).is_err(), "{code}");
        }
        for code in [4000, 4399, 4403] {
            let body = format!(r#"{{"allow":false,"code":{code}}}"#);
            assert!(read::<ConnectAnswer>(body.as_bytes()).is_ok(), "{code}");
        }
    }

    #[test]
    fn a_call_without_a_result_is_acknowledged_with_null() {
        assert_eq!(call(read(b"{}").expect("an answer")), Handled::Ack(null()));
        assert!(read::<CallAnswer>(br#"{"result":1,"error":{"code":"conflict","message":"no"}}"#).is_err());
    }
}
