//! Server → client: the payloads of control frames.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    client::CommandId,
    code::{CloseCode, ErrorCode},
    field_error::FieldError,
    id::{ConnectionId, MessageId},
    limits::ClientLimits,
    message::Payload,
    presence::{Presence, PresencePage},
    publication::Publication,
    reason::{GapReason, SubscribedReason, UnsubscribedReason},
    stream::{Stream, StreamPosition},
    text::{ClientId, Role, UserId},
    timestamp::Timestamp,
    topic::Topic,
};

/// The subprotocol of this server (RFC 6455 section 1.9).
pub const PROTOCOL: &str = "realtime.v1";
/// The prefix of a subprotocol entry with the token: `bearer.<jwt>`.
pub const BEARER_PROTOCOL: &str = "bearer.";

/// A frame that the server sends as a reply or on its own; `type` names its kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Control {
    /// The first frame on every connection.
    Welcome(Box<Welcome>),
    /// A command succeeded.
    Ack(Ack),
    /// A command was refused; the connection stays open.
    Error(ErrorReply),
    /// The server subscribed this connection to a topic.
    Subscribed(Subscribed),
    /// The server ended a subscription.
    Unsubscribed(Unsubscribed),
    /// Messages that this client can no longer receive.
    Gap(Gap),
    /// Users who joined or left a topic.
    Presence(Presence),
    /// The server is about to close.
    Closing(Closing),
    /// Requests `{"action":"pong"}`; only with `?ping=text`.
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
    /// The id of this connection.
    pub connection: ConnectionId,
    /// The user of the token.
    pub user: UserId,
    /// The roles of the token.
    pub roles: Vec<Role>,
    /// The name that the client chose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientId>,
    /// The protocol: `realtime.v1`.
    pub protocol: String,
    /// Optional features of this server, such as `history`. Unknown ones are ignored.
    pub features: Vec<String>,
    /// Name and version of the server.
    pub server: String,
    /// The server's clock.
    pub time: Timestamp,
    /// Milliseconds until the token expires and the connection is closed with 4610. Absent if it never expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_expires_in_ms: Option<u64>,
    /// Milliseconds between the server's pings.
    pub ping_ms: u64,
    /// The delays for a reconnect.
    pub reconnect: Reconnect,
    /// Every limit that applies to this client.
    pub limits: ClientLimits,
    /// Streams with history, each with its current position.
    pub streams: BTreeMap<Stream, StreamPosition>,
    /// Whether the ticket of an earlier connection was accepted: its streams can be continued with `resume`.
    pub resumed: bool,
    /// A ticket with which a later connection can continue the streams of this one, as `resume` in its URL. Opaque, and
    /// valid for this user and this server for a limited time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume: Option<String>,
    /// Number of milliseconds for which the streams stand still to wait for the command `resume`. Absent when none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_ms: Option<u64>,
}

/// The delays for a reconnect: full jitter from the first attempt, between these bounds.
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
    /// Milliseconds until the new token expires, after `refresh`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_expires_in_ms: Option<u64>,
    /// The roles of the new token, after `refresh`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<Role>>,
    /// A position in a stream with history: up to which everything was sent, after `subscribe`; of the message, after
    /// `publish`; the stream's current one, after `history`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<StreamPosition>,
    /// Streams with history, each with its position: all streams of the connection after `resume`, the new ones after
    /// `refresh`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub streams: Option<BTreeMap<Stream, StreamPosition>>,
    /// The resume ticket from now on, after `refresh`, with history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume: Option<String>,
    /// The page of messages, after `history`: the frames as they were sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publications: Option<Vec<Publication>>,
    /// Whether the history has more messages after this page, in the same direction.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
    /// The users who are on the topic, after `presence`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    // In a box, so that every other `ack` stays small.
    pub presence: Option<Box<PresencePage>>,
    /// The id of the message, after `publish`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<MessageId>,
    /// Whether an earlier command with the same idempotency key was published instead.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
    /// The application's result, after `call`: any JSON value, also null.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Payload>,
}

impl Ack {
    /// An `ack` with the id only.
    pub fn new(id: CommandId) -> Self {
        Self {
            id,
            token_expires_in_ms: None,
            roles: None,
            position: None,
            streams: None,
            resume: None,
            publications: None,
            more: false,
            presence: None,
            message: None,
            duplicate: false,
            result: None,
        }
    }
}

/// Payload of `error`: the reason of a refused command, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorReply {
    /// The command's id, if it had a valid one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<CommandId>,
    /// The reason, as a code.
    pub code: ErrorCode,
    /// The reason, as an HTTP status.
    pub status: u16,
    /// The reason, and what to do about it, for a person.
    pub message: String,
    /// Whether the same command may succeed later.
    pub retry: bool,
    /// Number of milliseconds to wait before another attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_ms: Option<u64>,
    /// The fields that were refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

impl ErrorReply {
    /// A refusal with the status and the retry advice of `code`.
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

/// Payload of `subscribed`: the server subscribed this connection to a topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Subscribed {
    /// The topic.
    pub topic: Topic,
    /// The stream's current position, with history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<StreamPosition>,
    /// The reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<SubscribedReason>,
}

/// Payload of `unsubscribed`: no message of the topic arrives after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unsubscribed {
    /// The topic.
    pub topic: Topic,
    /// The reason.
    pub reason: UnsubscribedReason,
}

/// Payload of `gap`: messages of a stream that this client can no longer receive. No loss is silent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Gap {
    /// The stream. Absent for messages of no stream: published to this connection alone, or to several routes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<Stream>,
    /// First offset that is missing. Absent when unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    /// Last offset that is missing. Absent when unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<u64>,
    /// Number of missing messages. Absent when unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed: Option<u64>,
    /// Where the stream continues, with history: the position for the client to keep in place of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<StreamPosition>,
    /// The reason.
    pub reason: GapReason,
}

impl Gap {
    /// All messages after a client's position, up to an unknown one.
    pub fn after(stream: Stream, position: &StreamPosition, reason: GapReason) -> Self {
        let from = Some(position.offset.saturating_add(1));
        Self { stream: Some(stream), from, to: None, missed: None, position: None, reason }
    }
}

/// Payload of `closing`: sent before every close that the server starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Closing {
    /// The close code that follows.
    pub code: CloseCode,
    /// The reason, for a person.
    pub reason: String,
    /// Whether to reconnect.
    pub reconnect: bool,
    /// Number of milliseconds to wait before the reconnect.
    pub after_ms: u64,
    /// Width of the random part to add to that wait, in milliseconds.
    pub spread_ms: u64,
}

impl Closing {
    /// A close with the advice of `code` and without a wait.
    pub fn new(code: CloseCode, reason: impl Into<String>) -> Self {
        let reconnect = code.advice() != crate::code::CloseAdvice::Stop;
        Self { code, reason: reason.into(), reconnect, after_ms: 0, spread_ms: 0 }
    }
}

/// Payload of `ping`: empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ping {}
