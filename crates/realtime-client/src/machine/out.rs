//! Small effects that every part needs, and the fields of frames.

use serde_json::{Value, json};

use super::{
    events::Effect,
    state::{Own, Phase, Step},
    types::{Command, Emission, Failure, Position},
};

pub(super) use super::state::failure;

pub(super) fn report(m: &mut Step<'_>, error: Failure) {
    m.effects.push(Effect::Emit(Emission::Error(error)));
}

/// Whether the server reads commands.
pub(super) fn open(m: &Step<'_>) -> bool {
    matches!(m.state.phase, Phase::Resuming | Phase::Live)
}

/// Sends a command of the machine itself; returns its id. Ids rise over the client's life, never per connection.
pub(super) fn send_own(m: &mut Step<'_>, own: Own, fields: Value) -> u64 {
    let id = m.state.next_id;
    m.state.next_id += 1;
    m.state.sent.insert(id, own);
    send(m, object(fields), Some(id));
    id
}

pub(super) fn send(m: &mut Step<'_>, mut command: Command, id: Option<u64>) {
    if let Some(id) = id {
        command.insert("id".to_owned(), json!(id));
    }
    m.effects.push(Effect::Send { n: m.state.n, command });
}

fn object(value: Value) -> Command {
    match value {
        Value::Object(fields) => fields,
        _ => Command::new(),
    }
}

/// A field that is a text.
pub(super) fn text<'a>(p: &'a Value, field: &str) -> Option<&'a str> {
    p.get(field).and_then(Value::as_str)
}

/// A field that is a number.
pub(super) fn number(p: &Value, field: &str) -> Option<f64> {
    p.get(field).and_then(Value::as_f64)
}

/// A value that is a position; what a later server adds to it is ignored.
pub(super) fn position(value: Option<&Value>) -> Option<Position> {
    let value = value?;
    Some(Position { epoch: text(value, "epoch")?.to_owned(), offset: value.get("offset")?.as_u64()? })
}

/// A field with positions of streams.
pub(super) fn streams(p: &Value) -> Vec<(String, Position)> {
    let Some(Value::Object(streams)) = p.get("streams") else { return Vec::new() };
    streams.iter().filter_map(|(stream, at)| Some((stream.clone(), position(Some(at))?))).collect()
}

/// The error of an `error` frame.
pub(super) fn refusal(p: &Value) -> Failure {
    Failure {
        code: text(p, "code").unwrap_or_default().to_owned(),
        message: text(p, "message").unwrap_or_default().to_owned(),
        status: p.get("status").and_then(Value::as_u64).and_then(|status| status.try_into().ok()).unwrap_or(0),
        retry: p.get("retry").and_then(Value::as_bool).unwrap_or(false),
        after_ms: p.get("after_ms").and_then(Value::as_u64),
        errors: p.get("errors").and_then(|errors| serde_json::from_value(errors.clone()).ok()).unwrap_or_default(),
    }
}
