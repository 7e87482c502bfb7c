//! The HTTP API for backends: bodies of requests and responses.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::{
    activity::ConnectionActivity,
    code::ErrorCode,
    connection::{Connection, Subscription},
    field_error::FieldError,
    id::MessageId,
    message::{Audience, Message, Payload},
    stream::StreamPosition,
    text::{ClientId, MessageType},
    timestamp::Timestamp,
};

/// A message to publish.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object with `to`, `type` and `payload`")]
#[schemars(example = PublishRequest::example())]
pub struct PublishRequest {
    /// The recipients.
    pub to: Audience,
    /// The application's type of message.
    #[serde(rename = "type")]
    pub kind: MessageType,
    /// The content: any JSON value.
    pub payload: Payload,
    /// The time of the event; the server's clock if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
    /// Makes a retry safe: a repeated request with the same key gets the first receipt and is not published again. 1 to 128 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub idempotency_key: Option<String>,
    /// The client whose connections do not receive the message, usually because it caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub except_client: Option<ClientId>,
    /// Whether a stream with history keeps the message. With `false` it is sent to the clients that are connected now, and
    /// has no position. A message to several routes needs `false` if one of them has history.
    #[serde(default = "kept", skip_serializing_if = "is_kept")]
    pub history: bool,
}

fn kept() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_kept(history: &bool) -> bool {
    *history
}

impl PublishRequest {
    /// The longest idempotency key, in characters.
    pub const MAX_KEY_CHARS: usize = 128;

    /// A request without the optional fields.
    pub fn new(to: impl Into<Audience>, kind: MessageType, payload: Payload) -> Self {
        Self {
            to: to.into(),
            kind,
            payload,
            timestamp: None,
            idempotency_key: None,
            except_client: None,
            history: true,
        }
    }

    fn example() -> Self {
        let Message { to, kind, payload, .. } = Message::example();
        Self::new(to, kind, payload)
    }
}

/// Several messages to publish, in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object with `publications`")]
#[schemars(example = BatchRequest { publications: vec![PublishRequest::example()] })]
pub struct BatchRequest {
    /// The messages: 1 to 1,000.
    #[serde(deserialize_with = "batch")]
    #[schemars(length(min = 1, max = 1000))]
    pub publications: Vec<PublishRequest>,
}

impl BatchRequest {
    /// The most messages in one batch.
    pub const MAX: usize = 1000;
}

fn batch<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<PublishRequest>, D::Error> {
    let publications = Vec::deserialize(deserializer)?;
    match publications.len() {
        1..=BatchRequest::MAX => Ok(publications),
        n => {
            Err(de::Error::custom(format!("publications: {n} messages, where 1 to {} are allowed", BatchRequest::MAX)))
        }
    }
}

/// The result of a publication.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(example = Receipt::example())]
pub struct Receipt {
    /// The message's id, as its recipients receive it.
    pub id: MessageId,
    /// Number of connections of this node whose queues accepted the message.
    pub delivered: u64,
    /// Whether it was sent to other nodes as well.
    pub other_nodes: bool,
    /// The message's position in its stream, with history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<StreamPosition>,
    /// Whether this is the receipt of an earlier request with the same idempotency key.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
}

impl Receipt {
    fn example() -> Self {
        Self { id: Message::example().id, delivered: 2, other_nodes: false, position: None, duplicate: false }
    }
}

/// One result for each message of a batch, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(example = BatchResponse { results: vec![BatchResult::Receipt(Receipt::example())] })]
pub struct BatchResponse {
    /// The results.
    pub results: Vec<BatchResult>,
}

/// The result of one message: a receipt or a problem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum BatchResult {
    /// The message was published.
    Receipt(Receipt),
    /// The message was refused; the others were not affected.
    Problem(Problem),
}

/// The reason of a refused request (RFC 9457, `application/problem+json`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(example = Problem::new(ErrorCode::Unauthorized, "send `Authorization: Bearer <api key>`"))]
pub struct Problem {
    /// A URI that names the kind of problem: `urn:realtime:error:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind of problem, for a person.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong, and what to do about it.
    pub detail: String,
    /// The error code, the same as on the wire.
    pub code: ErrorCode,
    /// Whether the same request may succeed later.
    pub retry: bool,
    /// Number of milliseconds to wait before another attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_ms: Option<u64>,
    /// The fields that were refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

impl Problem {
    /// A problem with the status and the retry advice of `code`.
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:realtime:error:{}", code.as_str()),
            title: code.as_str().replace('_', " "),
            status: code.status(),
            detail: detail.into(),
            retry: code.retry(),
            code,
            after_ms: None,
            errors: Vec::new(),
        }
    }

    /// The same problem with the fields that caused it.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.errors = errors;
        self
    }
}

/// A connection and its subscriptions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(example = ConnectionInfo::example())]
pub struct ConnectionInfo {
    /// The record.
    #[serde(flatten)]
    pub connection: Connection,
    /// What it does now.
    #[serde(flatten)]
    pub activity: ConnectionActivity,
    /// Its subscriptions, by topic.
    pub subscriptions: Vec<Subscription>,
}

impl ConnectionInfo {
    fn example() -> Self {
        Self {
            connection: Connection::example(),
            activity: ConnectionActivity::example(),
            subscriptions: vec![Subscription::example()],
        }
    }
}

/// The connections of a user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(example = ConnectionList { connections: vec![ConnectionInfo::example()] })]
pub struct ConnectionList {
    /// The connections on this node, oldest first.
    pub connections: Vec<ConnectionInfo>,
}

/// Whether a request changed a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(example = SubscriptionChange { changed: true })]
pub struct SubscriptionChange {
    /// False if the subscription was in the requested state already.
    pub changed: bool,
}
