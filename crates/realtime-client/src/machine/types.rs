//! The data of the machine: what the application sees. Times are milliseconds; `now` is a clock
//! that the driver reads, and that never goes back.

use realtime_schema::FieldError;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, value::RawValue};

/// A place in a stream. The schema's `StreamPosition` is what a server reads: it refuses unknown fields, so that a mistake of
/// a client is found. A client reads what a later server writes, and ignores fields that it does not know; so it also takes
/// single fields of `welcome` and `closing` in place of the whole types, whose names and ids are checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The epoch of the stream's history. A new one means that the history was lost.
    pub epoch: String,
    /// The offset of the last message, from 1; 0 is before the first.
    pub offset: u64,
}

/// An error of the server, or of the client itself (`status` 0).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// A code of docs/protocol.md, "Error codes", or the client's own: `stopped`, `limit_exceeded`, `timeout`,
    /// `disconnected`, `token_failed`, `load_failed`, `bad_frame`, `unsubscribed`.
    pub code: String,
    /// What is wrong and what to do about it, for a person.
    pub message: String,
    /// The status of HTTP that fits, or 0.
    pub status: u16,
    /// Whether the same may succeed later.
    pub retry: bool,
    /// Milliseconds to wait before that, if they are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_ms: Option<u64>,
    /// The fields that were refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Failure {}

/// What an application sees of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ConnectionPhase {
    /// Until `start`.
    Stopped,
    /// Until `retry_at`, or until the network is back.
    Waiting,
    /// A token, a handshake, or streams that catch up.
    Connecting,
    /// Every stream has caught up.
    Connected,
}

/// The state of the connection.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionState {
    /// The phase.
    pub phase: ConnectionPhase,
    /// Since when, in milliseconds of the client's clock.
    pub since: f64,
    /// When the next attempt begins, if a time is set for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<f64>,
    /// Why the client waits or has stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// While connected again: whether each stream with history continued without a gap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resumed: Option<bool>,
}

/// Why the client waits or has stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// A close code, or a code of the client.
    pub code: ReasonCode,
    /// For a person.
    pub message: String,
}

impl Reason {
    pub(super) fn client(code: &'static str, message: impl Into<String>) -> Self {
        Self { code: ReasonCode::Client(code), message: message.into() }
    }
}

/// The code of a [`Reason`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ReasonCode {
    /// A close code of docs/protocol.md.
    Close(u16),
    /// `stopped`, `signed_out`, `token_failed`, `token_refused`, `offline`, `hidden`.
    Client(&'static str),
}

/// A publication, as the server sent it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Message {
    /// The application's type.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// The publisher's JSON text, unchanged.
    #[serde(default = "null")]
    pub payload: Box<RawValue>,
    /// When the server accepted it (RFC 3339).
    #[serde(default)]
    pub timestamp: String,
    /// The id of the message.
    pub id: String,
    /// The topic, unless it was sent to a user, a role, a connection or to all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// The stream with history that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// Its offset in that stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
}

fn null() -> Box<RawValue> {
    RawValue::NULL.to_owned()
}

/// Messages that this client can no longer receive.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Gap {
    /// The stream: `topic:TOPIC`, `role:ROLE`, `user`, `all`; absent for messages of no stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// The first missing offset, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    /// The last missing offset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<u64>,
    /// The number of messages, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed: Option<u64>,
    /// Where the stream continues.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// The client's own position before the gap: the last that it had. Never the server's.
    #[serde(default, skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Position>,
    /// Why, for a log or a person: `retention`, `epoch`, … of docs/protocol.md, or `not_resumed` of the client.
    #[serde(default)]
    pub reason: String,
}

/// What the driver hands to the application, in this order. `generation` says which subscription it is for; 0: none.
#[derive(Clone, Debug)]
pub enum Emission {
    /// The connection's state.
    State(ConnectionState),
    /// A publication.
    Message {
        /// The publication.
        message: Message,
        /// The subscription.
        generation: u64,
    },
    /// A loss, in its place between the messages.
    Gap {
        /// The loss.
        gap: Gap,
        /// Its topic, if the stream is that of a topic.
        topic: Option<String>,
        /// The subscription.
        generation: u64,
    },
    /// A subscription changed.
    Subscription {
        /// Its topic.
        topic: String,
        /// The subscription.
        generation: u64,
        /// Its state from now on.
        status: SubscriptionStatus,
    },
    /// A control frame that is not the machine's own: `presence`.
    Frame {
        /// Its type.
        kind: String,
        /// Its payload.
        payload: Value,
    },
    /// An error that no call waits for.
    Error(Failure),
}

/// The state of a subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "phase", rename_all = "lowercase")]
pub enum SubscriptionStatus {
    /// Not yet on this connection.
    Pending,
    /// The server confirmed it.
    Live {
        /// Up to which everything has come, with history.
        #[serde(skip_serializing_if = "Option::is_none")]
        position: Option<Position>,
        /// The number of messages that were missed and have come.
        recovered: u64,
    },
    /// Ended or refused by the server.
    Ended {
        /// Why.
        error: Failure,
    },
}

/// The timers of the machine, one of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names of the deadlines in docs of the machine's files")]
pub enum Timer {
    Token,
    Dial,
    Retry,
    Stable,
    Idle,
    Refresh,
    Linger,
    Command,
    Pace,
    Publish,
    Load,
}

/// Why a token is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenReason {
    /// For a new connection.
    Connect,
    /// The token of the live connection expires soon.
    Expiring,
    /// The server refused the last one.
    Refused,
}

/// Why the application's state is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LoadReason {
    /// For the first time.
    First,
    /// Messages were lost.
    Gap,
}

/// A command as it is sent, without its `id`.
pub type Command = Map<String, Value>;

/// The limits and the name of a client.
#[derive(Clone, Debug)]
pub struct Options {
    /// The client's name: 1 to 64 characters, the same over reconnects.
    pub client: String,
    /// The id of its first command. Ids rise over the client's life, and over processes with the same name.
    pub first_id: u64,
    /// Publications that wait for a connection or a reply, at most; and as many other commands.
    pub max_offline: usize,
    /// Their bytes of JSON, at most.
    pub max_offline_bytes: usize,
}
