//! The HTTP API for backends: what happens to a user, on a topic or in streams, while it happens.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    connection::Origin,
    id::{ConnectionId, MessageId},
    message::{Audience, Message, Payload},
    open_words::open_words,
    server::Gap,
    stream::{Stream, StreamPosition},
    stream_pattern::StreamPattern,
    text::{ClientId, MessageType, Role, UserId},
    timestamp::Timestamp,
    topic::Topic,
};

/// What to trace: a user, a topic or the messages of streams, for a time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object with `user`, `topic` or `streams`")]
#[schemars(example = TraceRequest::example())]
pub struct TraceRequest {
    /// The user, with all connections to this node, now and later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// The topic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<Topic>,
    /// Patterns of streams, 1 to 8: messages that are published to any of them, and nothing else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub streams: Vec<StreamPattern>,
    /// Of messages, only those of this type.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<MessageType>,
    /// Whether the payloads of messages are shown.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub payloads: bool,
    /// Number of seconds after which the trace ends: at most `limits.trace_time`. 60 if absent, or `limits.trace_time` if
    /// that is less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub seconds: Option<u32>,
}

impl TraceRequest {
    /// How long a trace lasts that does not say so, in seconds.
    pub const DEFAULT_SECONDS: u32 = 60;
    /// The most patterns of streams.
    pub const MAX_STREAMS: usize = 8;

    fn example() -> Self {
        Self { user: Some(UserId::new("alice").expect("a user")), seconds: Some(60), ..Self::default() }
    }
}

open_words! {
    /// What happened.
    TraceEventKind:
    /// The trace begins, with `user`, `topic` or `streams`, and lasts until `until`.
    Started = "started";
    /// A message was published to what is traced: its `message`, `type`, `to`, `delivered` and `position`, and its
    /// `payload` if payloads were requested.
    Published = "published";
    /// A connection of the user was opened, with its `roles`.
    Opened = "opened";
    /// A connection of the user was closed, with its close `code` and the `reason`: `server`, `client` or `network`.
    Closed = "closed";
    /// A connection has a new token, with its `roles`.
    Refreshed = "refreshed";
    /// A connection was subscribed to `topic`, by `origin`.
    Subscribed = "subscribed";
    /// A connection is no longer subscribed to `topic`. The `reason`: `client`, `server`, `revoked` or `closed`.
    Unsubscribed = "unsubscribed";
    /// A command of the user's client was refused. The `reason` is the error code.
    Refused = "refused";
    /// A client was sent a `gap`: it does not receive the messages that `gap` names.
    Gap = "gap";
    /// A connection catches up, after a slow time or a reconnect: it was sent `messages` of the history of `stream`.
    History = "history";
    /// The reader of the trace was slow: `skipped` events are missing here.
    Skipped = "skipped";
    /// Nothing has happened for a while, and the trace goes on.
    Alive = "alive";
    /// The last line. The `reason`: `time` or `stopping`.
    Ended = "ended";
}

/// One event of a trace. Only the fields that belong to its kind are present. No token is in it, and no
/// payload unless payloads were requested.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(example = TraceEvent::example())]
pub struct TraceEvent {
    /// What happened.
    pub event: TraceEventKind,
    /// When it happened.
    pub at: Timestamp,
    /// When the trace ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The user of the connection, or the one that is traced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// The connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<ConnectionId>,
    /// The name that the connection's client chose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientId>,
    /// The roles of the connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<Role>>,
    /// The topic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<Topic>,
    /// The origin of the subscription.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// The id of the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<MessageId>,
    /// The type of the message.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<MessageType>,
    /// The content of the message, if payloads were requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Payload>,
    /// The recipients of the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Audience>,
    /// The client that the message leaves out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub except_client: Option<ClientId>,
    /// Number of connections of this node, of all users, whose queues accepted the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered: Option<u64>,
    /// The position of the message in its stream, with history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<StreamPosition>,
    /// The connections of the traced user that the message is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<Vec<ConnectionId>>,
    /// The patterns of streams that are traced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub streams: Vec<StreamPattern>,
    /// The stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<Stream>,
    /// Number of messages of the stream's history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<u64>,
    /// The messages that the client does not receive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<Gap>,
    /// The close code. Absent if there was no close frame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
    /// Why, as a word. Others may be added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The same for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Number of events that are missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<u64>,
}

impl TraceEvent {
    /// An event without any of the optional fields.
    pub fn new(event: TraceEventKind, at: Timestamp) -> Self {
        Self {
            event,
            at,
            until: None,
            user: None,
            connection: None,
            client: None,
            roles: None,
            topic: None,
            origin: None,
            message: None,
            kind: None,
            payload: None,
            to: None,
            except_client: None,
            delivered: None,
            position: None,
            connections: None,
            streams: Vec::new(),
            stream: None,
            messages: None,
            gap: None,
            code: None,
            reason: None,
            detail: None,
            skipped: None,
        }
    }

    fn example() -> Self {
        let Message { id, to, kind, timestamp, .. } = Message::example();
        Self {
            message: Some(id),
            kind: Some(kind),
            to: Some(to),
            delivered: Some(2),
            connections: Some(vec!["019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d8e".parse().expect("an id")]),
            ..Self::new(TraceEventKind::Published, timestamp)
        }
    }
}
