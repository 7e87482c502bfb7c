//! Operations about the node as a whole: its figures and its busiest topics.

use super::{BadRequest, Components, Operation, PLAIN, Tag, json};
use crate::stats::{BusiestQuery, BusiestTopics, NodeStats};

/// The operations about the node.
pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        path: "/api/v1/stats",
        id: "stats",
        tag: Tag::Connections,
        summary: "Show the figures of the node",
        description: "Counters that only rise, figures of now, and the limits. Cheap: it may be read each second.",
        response: json(Components::response::<NodeStats>),
        ..PLAIN
    },
    Operation {
        path: "/api/v1/topics/busiest",
        id: "listBusiestTopics",
        tag: Tag::Topics,
        summary: "List the topics that were published to most often of late",
        description: "The busiest first, counted over the last publications of this node, as many as \
                      `limits.explained_publications`, and no older than a minute.",
        query: Some(Components::fields::<BusiestQuery>),
        response: json(Components::response::<BusiestTopics>),
        refusals: &[BadRequest],
        ..PLAIN
    },
];
