//! The HTTP API for disconnecting: how to close connections, and how many were closed.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::{integer, revocation::Revocation, time_span::TimeSpan};

/// The close of a disconnect; all fields are optional.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object with `code`, `reason` and `block_for`")]
#[schemars(example = DisconnectRequest { code: Some(4000), reason: Some("account closed".into()), block_for: None })]
pub struct DisconnectRequest {
    /// The close code: 4403 by default; an application's own 4000–4199 (the client does not reconnect) or 4200–4399 (it reconnects), or 4603 (revoked).
    #[serde(default, deserialize_with = "integer::optional", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "close_codes")]
    pub code: Option<u16>,
    /// The reason, sent to the client: at most 100 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100))]
    pub reason: Option<String>,
    /// Refuse the client for so long. One connection: its token, if that has a `jti`, else its user. A user's connections: the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_for: Option<TimeSpan>,
}

fn close_codes(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"anyOf": [
        {"type": "integer", "minimum": 4000, "maximum": 4399},
        {"type": "integer", "enum": [4403, 4603]},
        {"type": "null"},
    ]})
}

/// The number of closed connections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(example = Disconnected { disconnected: 1, revocation: None })]
pub struct Disconnected {
    /// The number.
    pub disconnected: u64,
    /// With `block_for`: what is refused, and until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation: Option<Revocation>,
}
