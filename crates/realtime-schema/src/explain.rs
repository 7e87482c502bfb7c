//! The HTTP API for backends: why a user did or did not receive a message.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    id::{ConnectionId, MessageId},
    message::{Audience, Message},
    open_words::open_words,
    stream::StreamPosition,
    text::{ClientId, UserId},
    timestamp::Timestamp,
    topic::Topic,
};

/// A question: does a message reach a user, and why or why not? Either about a recent `message`, or about a message that
/// would be published `to` these recipients now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object with `user`, and with `message` or `to`")]
#[schemars(example = ExplainRequest::example())]
pub struct ExplainRequest {
    /// The user.
    pub user: UserId,
    /// The id of a recent message, from its receipt or its frame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<MessageId>,
    /// The recipients of a message that would be published now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Audience>,
    /// The client that such a message would leave out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub except_client: Option<ClientId>,
}

impl ExplainRequest {
    fn example() -> Self {
        let user = UserId::new("alice").expect("a user");
        Self { user, message: Some(Message::example().id), to: None, except_client: None }
    }
}

open_words! {
    /// Why a connection receives a message, or does not.
    ExplainReason:
    /// It waits in the queue of the connection, whose client reads slowly.
    Queued = "queued";
    /// It was queued and waits no more: it was written to the socket, unless the client was sent a `gap` for it.
    Written = "written";
    /// The queue of the slow client was full and dropped messages of the stream, probably this one too; the client will be
    /// sent a `gap`.
    Dropped = "dropped";
    /// The connection reads the stream from its history and has not come to the message, or stands still until `resume`.
    CatchingUp = "catching_up";
    /// The connection would receive the message.
    WouldReceive = "would_receive";
    /// The user has no connection to this node.
    NoConnection = "no_connection";
    /// The connection was opened after the message was published.
    ConnectedLater = "connected_later";
    /// The message goes to other users, roles or connections.
    NotARecipient = "not_a_recipient";
    /// The connection is not subscribed to the topic.
    NotSubscribed = "not_subscribed";
    /// The connection was subscribed to the topic after the message was published.
    SubscribedLater = "subscribed_later";
    /// The message leaves out this client.
    OriginLeftOut = "origin_left_out";
}

/// The answer for a user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(example = Explanation::example())]
pub struct Explanation {
    /// The user.
    pub user: UserId,
    /// The recent message; absent if the question was about recipients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<ExplainedMessage>,
    /// The recipients.
    pub to: Audience,
    /// Whether the message is for at least one connection of the user.
    pub matched: bool,
    /// The answer for a person, with what to look at next.
    pub detail: String,
    /// Each connection of the user to this node, oldest first.
    pub connections: Vec<ExplainedConnection>,
}

impl Explanation {
    fn example() -> Self {
        let Message { id, to, timestamp, .. } = Message::example();
        Self {
            user: UserId::new("alice").expect("a user"),
            message: Some(ExplainedMessage { id, published_at: timestamp, delivered: 2, position: None }),
            to,
            matched: false,
            detail: "alice has 1 connection to this node, and none of them receives the message".into(),
            connections: vec![ExplainedConnection {
                connection: "019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d8e".parse().expect("an id"),
                client: None,
                matched: false,
                reason: ExplainReason::NotSubscribed,
                detail: "not subscribed to `order:123`".into(),
                topics: vec![Topic::new("order:124").expect("a topic")],
            }],
        }
    }
}

/// A recent message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExplainedMessage {
    /// Its id.
    pub id: MessageId,
    /// When this node published it.
    pub published_at: Timestamp,
    /// Number of connections of this node whose queues accepted it.
    pub delivered: u64,
    /// Its position in its stream, with history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<StreamPosition>,
}

/// The answer for one connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExplainedConnection {
    /// Its id.
    pub connection: ConnectionId,
    /// The name that its client chose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientId>,
    /// Whether the message is for this connection.
    pub matched: bool,
    /// Why, or why not.
    pub reason: ExplainReason,
    /// The same for a person, with what to look at next.
    pub detail: String,
    /// The topics to which the connection is subscribed now, if the message is for a topic.
    pub topics: Vec<Topic>,
}
