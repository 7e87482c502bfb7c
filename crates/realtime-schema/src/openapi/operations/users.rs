//! Operations about a user: the topics that a user has, and the messages that reach one.

use super::{
    BadRequest, Components, LimitExceeded, NotFound, Operation, PLAIN, Response, TOPIC, Tag, TooLarge, USER, json,
    required,
};
use crate::{
    explain::{ExplainRequest, Explanation},
    trace::{TraceEvent, TraceRequest},
    user_topics::{UserTopicChange, UserTopicList},
};

/// The operations about a user.
pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        path: "/api/v1/users/{id}/topics",
        id: "listUserTopics",
        tag: Tag::Topics,
        summary: "List the topics that were given to a user",
        description: "Sorted as text. The subscriptions of single connections are not in it.",
        path_params: &[USER],
        response: json(Components::response::<UserTopicList>),
        refusals: &[BadRequest],
        ..PLAIN
    },
    Operation {
        method: "put",
        path: "/api/v1/users/{id}/topics/{topic}",
        id: "subscribeUser",
        tag: Tag::Topics,
        summary: "Give a topic to a user: to every connection, now and later",
        description: "Clients receive `subscribed`. Repeating the request subscribes the connections that are not \
                      subscribed. The topics of users are kept in memory: a restart forgets them.",
        path_params: &[USER, TOPIC],
        response: json(Components::response::<UserTopicChange>),
        refusals: &[BadRequest, LimitExceeded],
        ..PLAIN
    },
    Operation {
        method: "delete",
        path: "/api/v1/users/{id}/topics/{topic}",
        id: "unsubscribeUser",
        tag: Tag::Topics,
        summary: "Take a topic away from a user: from every connection",
        description: "Clients receive `unsubscribed`. Ends the subscriptions that the clients made, too.",
        path_params: &[USER, TOPIC],
        response: json(Components::response::<UserTopicChange>),
        refusals: &[BadRequest],
        ..PLAIN
    },
    Operation {
        method: "post",
        path: "/api/v1/explain",
        id: "explain",
        tag: Tag::Explaining,
        summary: "Say why a user receives a message, or does not",
        description: "About a recent message of this node, or one that would be published now. Changes nothing. \
                      `not_found` if the message is not among the last `limits.explained_publications`.",
        body: required(Components::request::<ExplainRequest>),
        response: json(Components::response::<Explanation>),
        refusals: &[BadRequest, NotFound, TooLarge],
        ..PLAIN
    },
    Operation {
        method: "post",
        path: "/api/v1/trace",
        id: "trace",
        tag: Tag::Explaining,
        summary: "Show what happens to a user, on a topic or in streams, while it happens",
        description: "One JSON object a line (NDJSON), each as it happens on this node: messages, with their payloads if \
                      `payloads` is true, connections, subscriptions and gaps. Ends by itself, after `seconds` or when the server stops; the \
                      last line says why. `limit_exceeded` if `limits.traces` are running.",
        body: required(Components::request::<TraceRequest>),
        response: Response { media: &["application/x-ndjson"], schema: Components::response::<TraceEvent> },
        refusals: &[BadRequest, TooLarge, LimitExceeded],
        ..PLAIN
    },
];
