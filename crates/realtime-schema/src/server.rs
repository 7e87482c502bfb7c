//! Server → client: the payloads of control frames.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    client::CommandId,
    code::{CloseCode, ErrorCode},
    field_error::FieldError,
    id::ConnectionId,
    limits::ClientLimits,
    message::Payload,
    reason::{GapReason, SubscribedReason, UnsubscribedReason},
    stream::{Stream, StreamPosition},
    text::{ClientId, Role, UserId},
    timestamp::Timestamp,
    topic::Topic,
};

/// The subprotocol spoken here (RFC 6455 section 1.9).
pub const PROTOCOL: &str = "realtime.v1";
/// The prefix of a subprotocol entry that carries the token: `bearer.<jwt>`.
pub const BEARER_PROTOCOL: &str = "bearer.";

/// A frame that the server sends of its own accord or as an answer; its `type` names which.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Control {
    /// The first frame on every connection.
    Welcome(Box<Welcome>),
    /// A command succeeded.
    Ack(Ack),
    /// A command was refused; the connection lives.
    Error(ErrorReply),
    /// The server's side subscribed this connection.
    Subscribed(Subscribed),
    /// The server's side ended a subscription.
    Unsubscribed(Unsubscribed),
    /// What this client can no longer get.
    Gap(Gap),
    /// Who came and who left.
    Presence(Presence),
    /// The server is about to close.
    Closing(Closing),
    /// Asks for `{"action":"pong"}`; only with `?ping=text`.
    Ping(Ping),
}

impl Control {
    /// The `type` of the frame.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Welcome(_) => "welcome",
            Self::Ack(_) => "ack",
            Self::Error(_) => "error",
            Self::Subscribed(_) => "subscribed",
            Self::Unsubscribed(_) => "unsubscribed",
            Self::Gap(_) => "gap",
            Self::Presence(_) => "presence",
            Self::Closing(_) => "closing",
            Self::Ping(_) => "ping",
        }
    }
}

/// Payload of `welcome`: the identity of the connection, and its limits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Welcome {
    /// This connection.
    pub connection: ConnectionId,
    /// The user that the token names.
    pub user: UserId,
    /// The roles that the token gives.
    pub roles: Vec<Role>,
    /// The client as it named itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientId>,
    /// The protocol spoken: `realtime.v1`.
    pub protocol: String,
    /// What this server offers beyond the base, such as `history`. Unknown ones are ignored.
    pub features: Vec<String>,
    /// Name and version of the server.
    pub server: String,
    /// The server's clock.
    pub time: Timestamp,
    /// Milliseconds until the token ends and the connection is closed with 4610. Absent when it does not end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_expires_in_ms: Option<u64>,
    /// Milliseconds between the server's pings.
    pub ping_ms: u64,
    /// How to reconnect after the connection is lost.
    pub reconnect: Reconnect,
    /// Every limit that this client can hit.
    pub limits: ClientLimits,
    /// Streams with history, each with its current position.
    pub streams: BTreeMap<Stream, StreamPosition>,
    /// Whether the state of an earlier connection was resumed.
    pub resumed: bool,
}

/// How to reconnect: full jitter from the first attempt, between these bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reconnect {
    /// Base of the exponential backoff, in milliseconds.
    pub min_ms: u64,
    /// Cap of the backoff, in milliseconds.
    pub max_ms: u64,
    /// Width of the random part of the first wait, in milliseconds.
    pub spread_ms: u64,
}

/// Payload of `ack`: the command succeeded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ack {
    /// The command's id.
    pub id: CommandId,
    /// Milliseconds until the new token ends, after `refresh`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_expires_in_ms: Option<u64>,
    /// The roles of the new token, after `refresh`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<Role>>,
    /// The stream's current position, after `subscribe` to a topic with history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<StreamPosition>,
    /// What the application answered, after `call`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Payload>,
}

impl Ack {
    /// An `ack` that says no more than that the command was done.
    pub fn new(id: CommandId) -> Self {
        Self { id, token_expires_in_ms: None, roles: None, position: None, result: None }
    }
}

/// Payload of `error`: the command was refused, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorReply {
    /// The command's id, if it had one that could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<CommandId>,
    /// Why, as a word.
    pub code: ErrorCode,
    /// Why, as an HTTP status.
    pub status: u16,
    /// Why, and what to do about it, for a person.
    pub message: String,
    /// Whether the same command may succeed later.
    pub retry: bool,
    /// How many milliseconds to wait before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_ms: Option<u64>,
    /// The fields that were refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

impl ErrorReply {
    /// A refusal with the code's own status and advice.
    pub fn new(id: Option<CommandId>, code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            id,
            status: code.status(),
            message: message.into(),
            retry: code.retry(),
            code,
            after_ms: None,
            errors: Vec::new(),
        }
    }
}

/// Payload of `subscribed`: the server's side gave this connection a topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Subscribed {
    /// The topic.
    pub topic: Topic,
    /// The stream's current position, with history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<StreamPosition>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<SubscribedReason>,
}

/// Payload of `unsubscribed`: nothing of the topic arrives any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unsubscribed {
    /// The topic.
    pub topic: Topic,
    /// Why.
    pub reason: UnsubscribedReason,
}

/// Payload of `gap`: messages of a stream that this client can no longer get. Never skipped in silence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Gap {
    /// The stream. Absent for messages that belong to none: published to this connection alone, or to several routes
    /// at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<Stream>,
    /// First offset that is missing. Absent when unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    /// Last offset that is missing. Absent when unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<u64>,
    /// How many messages are missing. Absent when unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed: Option<u64>,
    /// Why.
    pub reason: GapReason,
}

/// Payload of `presence`: who came to a topic and who left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Presence {
    /// The topic.
    pub topic: Topic,
    /// Users who came.
    pub joined: Vec<UserId>,
    /// Users who left.
    pub left: Vec<UserId>,
}

/// Payload of `closing`: sent before every close that the server starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Closing {
    /// The close code that follows.
    pub code: CloseCode,
    /// Why, for a person.
    pub reason: String,
    /// Whether to reconnect.
    pub reconnect: bool,
    /// How many milliseconds to wait first.
    pub after_ms: u64,
    /// Width of the random part to add to that wait, in milliseconds.
    pub spread_ms: u64,
}

impl Closing {
    /// A close with the code's own advice and no wait.
    pub fn new(code: CloseCode, reason: impl Into<String>) -> Self {
        let reconnect = code.advice() != crate::code::CloseAdvice::StayAway;
        Self { code, reason: reason.into(), reconnect, after_ms: 0, spread_ms: 0 }
    }
}

/// Payload of `ping`: empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ping {}
