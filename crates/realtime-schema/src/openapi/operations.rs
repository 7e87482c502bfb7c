//! The operations of the HTTP API, as a table.

use serde_json::{Value, json};

use super::components::Components;
use crate::{
    api::{BatchRequest, BatchResponse, ConnectionInfo, ConnectionList, PublishRequest, Receipt, SubscriptionChange},
    code::ErrorCode::{
        self, BadRequest, Conflict, LimitExceeded, NotFound, PayloadInvalid, PositionExpired, TooLarge, Unauthorized,
        Unavailable,
    },
    disconnect::{DisconnectRequest, Disconnected},
    history::{HistoryPage, HistoryQuery},
    id::ConnectionId,
    listing::{ConnectionPage, ConnectionQuery, SubscriberPage, SubscriberQuery, TopicPage, TopicQuery},
    presence::{PresencePage, PresenceQuery},
    text::{Role, UserId},
    topic::Topic,
};

mod node;
mod revocations;
mod users;

impl Operation {
    /// Whether it needs a key.
    pub(super) fn keyed(&self) -> bool {
        self.tag.keyed() || self.refusals.contains(&Unauthorized)
    }
}

/// Returns the schema of one type.
type SchemaOf = fn(&mut Components) -> Value;

/// One method of one path.
pub(super) struct Operation {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    /// The name in generated clients: unique.
    pub(super) id: &'static str,
    pub(super) tag: Tag,
    pub(super) summary: &'static str,
    pub(super) description: &'static str,
    /// The parts of the path in braces.
    pub(super) path_params: &'static [PathParam],
    /// The type whose fields are the parameters of the query.
    pub(super) query: Option<SchemaOf>,
    pub(super) body: Option<Body>,
    pub(super) response: Response,
    /// The error codes of this operation, in addition to those of its tag.
    pub(super) refusals: &'static [ErrorCode],
}

/// A parameter in the path.
pub(super) struct PathParam {
    pub(super) name: &'static str,
    pub(super) schema: SchemaOf,
    pub(super) description: &'static str,
}

/// A JSON body.
pub(super) struct Body {
    pub(super) schema: SchemaOf,
    pub(super) required: bool,
}

/// The response of a successful operation.
pub(super) struct Response {
    pub(super) media: &'static [&'static str],
    pub(super) schema: SchemaOf,
}

/// A group of operations.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    Publishing,
    Connections,
    Topics,
    History,
    Revocations,
    Explaining,
    Operations,
}

impl Tag {
    /// Every group, in the order of the document, with its description.
    pub(super) const ALL: [(Self, &'static str); 7] = [
        (Self::Publishing, "Send messages to connections, users, roles and topics."),
        (Self::Connections, "Show connections and close them."),
        (Self::Topics, "List topics, and subscribe and unsubscribe connections."),
        (Self::History, "Read the messages that are kept."),
        (Self::Revocations, "Refuse users and tokens for a time."),
        (Self::Explaining, "Find out why a message did not arrive."),
        (Self::Operations, "For those who run the server. Only the metrics need a key."),
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Publishing => "publishing",
            Self::Connections => "connections",
            Self::Topics => "topics",
            Self::History => "history",
            Self::Revocations => "revocations",
            Self::Explaining => "explaining",
            Self::Operations => "operations",
        }
    }

    /// Whether its operations need the API key.
    pub(super) fn keyed(self) -> bool {
        self != Self::Operations
    }

    /// The error codes of all its operations.
    pub(super) fn refusals(self) -> &'static [ErrorCode] {
        if self.keyed() { &[ErrorCode::Unauthorized, ErrorCode::Internal, ErrorCode::Unavailable] } else { &[] }
    }
}

const CONNECTION: PathParam =
    PathParam { name: "id", schema: Components::request::<ConnectionId>, description: "The connection." };
const USER: PathParam =
    PathParam { name: "id", schema: Components::request::<UserId>, description: "The user, percent-encoded." };
const ROLE: PathParam =
    PathParam { name: "role", schema: Components::request::<Role>, description: "The role, percent-encoded." };
const TOPIC: PathParam = PathParam {
    name: "topic",
    schema: Components::request::<Topic>,
    description: "The topic, percent-encoded: a `/` in it is `%2F`.",
};

const fn required(schema: SchemaOf) -> Option<Body> {
    Some(Body { schema, required: true })
}

const fn json(schema: SchemaOf) -> Response {
    Response { media: &["application/json"], schema }
}

fn text(_: &mut Components) -> Value {
    json!({"type": "string"})
}

/// The defaults of most operations.
const PLAIN: Operation = Operation {
    method: "get",
    path: "",
    id: "",
    tag: Tag::Operations,
    summary: "",
    description: "",
    path_params: &[],
    query: None,
    body: None,
    response: Response { media: &["text/plain"], schema: text },
    refusals: &[],
};

/// The defaults of the operations that read a history.
const HISTORY: Operation = Operation {
    tag: Tag::History,
    description: "The messages that are kept, as the frames that were sent, and the position of the stream. A limit of 0 \
                  returns the position alone. `offset` of the last message of one page, with the epoch of `position`, is \
                  where the next page begins.",
    query: Some(Components::fields::<HistoryQuery>),
    response: json(Components::response::<HistoryPage>),
    refusals: &[BadRequest, NotFound, PositionExpired],
    ..PLAIN
};

/// Every operation.
pub(super) fn all() -> impl Iterator<Item = &'static Operation> {
    OPERATIONS.iter().chain(users::OPERATIONS).chain(revocations::OPERATIONS).chain(node::OPERATIONS)
}

/// The operations without those of the modules.
const OPERATIONS: &[Operation] = &[
    Operation {
        method: "post",
        path: "/api/v1/publish",
        id: "publish",
        tag: Tag::Publishing,
        summary: "Publish a message",
        description: "To everyone, a user, a role, one connection, a topic, or a list of these: the union, each \
                      connection once. With an `idempotency_key` the request can be repeated without harm.",
        body: required(Components::request::<PublishRequest>),
        response: json(Components::response::<Receipt>),
        refusals: &[BadRequest, Conflict, TooLarge, PayloadInvalid],
        ..PLAIN
    },
    Operation {
        method: "post",
        path: "/api/v1/publish/batch",
        id: "publishBatch",
        tag: Tag::Publishing,
        summary: "Publish several messages, in order",
        description: "Each message has its own result, in the order of the request: a receipt, or a problem that \
                      does not affect the others.",
        body: required(Components::request::<BatchRequest>),
        response: json(Components::response::<BatchResponse>),
        refusals: &[BadRequest, TooLarge],
        ..PLAIN
    },
    Operation {
        path: "/api/v1/connections",
        id: "listConnections",
        tag: Tag::Connections,
        summary: "List the connections of this node",
        description: "In the order of their ids, which is the order in which they were made. With several filters, \
                      all of them must match. `next` of one page is `after` of the one that follows; a connection \
                      that exists while all pages are read is on exactly one of them. A request looks at no more than \
                      10,000 connections, so that a page with a `next` may be short or empty.",
        query: Some(Components::fields::<ConnectionQuery>),
        response: json(Components::response::<ConnectionPage>),
        refusals: &[BadRequest],
        ..PLAIN
    },
    Operation {
        path: "/api/v1/connections/{id}",
        id: "getConnection",
        tag: Tag::Connections,
        summary: "Show a connection and its subscriptions",
        path_params: &[CONNECTION],
        response: json(Components::response::<ConnectionInfo>),
        refusals: &[BadRequest, NotFound],
        ..PLAIN
    },
    Operation {
        method: "delete",
        path: "/api/v1/connections/{id}",
        id: "disconnect",
        tag: Tag::Connections,
        summary: "Disconnect a connection",
        description: DISCONNECT,
        path_params: &[CONNECTION],
        query: Some(Components::fields::<DisconnectRequest>),
        body: Some(Body { schema: Components::request::<DisconnectRequest>, required: false }),
        response: json(Components::response::<Disconnected>),
        refusals: &[BadRequest, NotFound, TooLarge, LimitExceeded],
    },
    Operation {
        path: "/api/v1/users/{id}/connections",
        id: "listUserConnections",
        tag: Tag::Connections,
        summary: "List the connections of a user",
        description: "A user without connections has an empty list.",
        path_params: &[USER],
        response: json(Components::response::<ConnectionList>),
        refusals: &[BadRequest],
        ..PLAIN
    },
    Operation {
        method: "delete",
        path: "/api/v1/users/{id}/connections",
        id: "disconnectUser",
        tag: Tag::Connections,
        summary: "Disconnect every connection of a user",
        description: DISCONNECT,
        path_params: &[USER],
        query: Some(Components::fields::<DisconnectRequest>),
        body: Some(Body { schema: Components::request::<DisconnectRequest>, required: false }),
        response: json(Components::response::<Disconnected>),
        refusals: &[BadRequest, TooLarge, LimitExceeded],
    },
    Operation {
        path: "/api/v1/topics",
        id: "listTopics",
        tag: Tag::Topics,
        summary: "List the topics that have subscribers",
        description: "In their order as text, with how many connections listen and what is kept of each. `next` of one page is `after` of the \
                      one that follows.",
        query: Some(Components::fields::<TopicQuery>),
        response: json(Components::response::<TopicPage>),
        refusals: &[BadRequest],
        ..PLAIN
    },
    Operation {
        path: "/api/v1/topics/{topic}/subscribers",
        id: "listSubscribers",
        tag: Tag::Topics,
        summary: "List the connections that are subscribed to a topic",
        description: "In the order of their ids. `next` of one page is `after` of the one that follows. A topic \
                      without subscribers has an empty list.",
        path_params: &[TOPIC],
        query: Some(Components::fields::<SubscriberQuery>),
        response: json(Components::response::<SubscriberPage>),
        refusals: &[BadRequest],
        ..PLAIN
    },
    Operation {
        path: "/api/v1/topics/{topic}/history",
        id: "readTopicHistory",
        summary: "Read the history of a topic",
        path_params: &[TOPIC],
        ..HISTORY
    },
    Operation {
        path: "/api/v1/users/{id}/history",
        id: "readUserHistory",
        summary: "Read the history of what was published to a user",
        path_params: &[USER],
        ..HISTORY
    },
    Operation {
        path: "/api/v1/roles/{role}/history",
        id: "readRoleHistory",
        summary: "Read the history of what was published to a role",
        path_params: &[ROLE],
        ..HISTORY
    },
    Operation {
        path: "/api/v1/all/history",
        id: "readHistoryOfAll",
        summary: "Read the history of what was published to every connection",
        ..HISTORY
    },
    Operation {
        path: "/api/v1/topics/{topic}/presence",
        id: "listPresence",
        tag: Tag::Topics,
        summary: "List the users who are on a topic",
        description: "In their order as text, each with the number of its connections. `next` of one page is `after` \
                      of the one that follows. With `names=false` only the count. A topic whose presence is not kept \
                      is not found.",
        path_params: &[TOPIC],
        query: Some(Components::fields::<PresenceQuery>),
        response: json(Components::response::<PresencePage>),
        refusals: &[BadRequest, NotFound],
        ..PLAIN
    },
    Operation {
        method: "put",
        path: "/api/v1/connections/{id}/topics/{topic}",
        id: "subscribe",
        tag: Tag::Topics,
        summary: "Subscribe a connection to a topic",
        description: "The client receives `subscribed`. Repeating the request changes nothing.",
        path_params: &[CONNECTION, TOPIC],
        response: json(Components::response::<SubscriptionChange>),
        refusals: &[BadRequest, NotFound, LimitExceeded],
        ..PLAIN
    },
    Operation {
        method: "delete",
        path: "/api/v1/connections/{id}/topics/{topic}",
        id: "unsubscribe",
        tag: Tag::Topics,
        summary: "End a connection's subscription to a topic",
        description: "The client receives `unsubscribed`. Repeating the request changes nothing.",
        path_params: &[CONNECTION, TOPIC],
        response: json(Components::response::<SubscriptionChange>),
        refusals: &[BadRequest, NotFound],
        ..PLAIN
    },
    Operation { path: "/healthz", id: "health", summary: "Whether the process is alive", ..PLAIN },
    Operation {
        path: "/readyz",
        id: "ready",
        summary: "Whether the server accepts new connections",
        refusals: &[Unavailable],
        ..PLAIN
    },
    Operation {
        path: "/metrics",
        id: "metrics",
        summary: "Metrics, in the text format of Prometheus",
        response: Response { media: &["text/plain", "application/openmetrics-text"], schema: text },
        refusals: &[Unauthorized],
        ..PLAIN
    },
    Operation {
        path: "/api/openapi.json",
        id: "openapi",
        summary: "This document",
        response: json(|_| json!({"type": "object"})),
        ..PLAIN
    },
];

const DISCONNECT: &str = "The client receives `closing`, then the close code, whose range defines whether it \
                          reconnects. `code`, `reason` and `block_for` are given in the query or in a body.";

#[cfg(test)]
mod tests;
