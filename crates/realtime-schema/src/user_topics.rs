//! The HTTP API for backends: the topics that are given to a user.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::topic::Topic;

/// Whether a request changed the topics of a user, and the connections of this node that it concerns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(example = UserTopicChange { changed: true, connections: 2, refused: 0 })]
pub struct UserTopicChange {
    /// False if the user had the topic already, or did not have it.
    pub changed: bool,
    /// Number of the user's connections that are subscribed to the topic now, or were until now.
    pub connections: u64,
    /// Number of the user's connections that are not subscribed, because they have `limits.subscriptions` topics.
    pub refused: u64,
}

/// The topics that were given to a user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(example = UserTopicList { topics: vec![Topic::new("order:123").expect("a topic")] })]
pub struct UserTopicList {
    /// The topics, sorted as text.
    pub topics: Vec<Topic>,
}
