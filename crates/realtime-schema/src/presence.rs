//! Presence: the users who are on a topic.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{connection::Connection, text::UserId, topic::Topic};

/// One page of the users who are on a topic, sorted by user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(example = PresencePage::example())]
pub struct PresencePage {
    /// The topic.
    pub topic: Topic,
    /// Number of users who are on the topic, on all pages.
    pub count: u64,
    /// The users of this page. Empty if the namespace publishes only the count.
    pub users: Vec<PresentUser>,
    /// The `after` of the next page. Absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<UserId>,
}

/// A user who is on a topic, with one connection or several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PresentUser {
    /// The user.
    pub user: UserId,
    /// The public part of the metadata of the user's connection, where the namespace shows it.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
}

impl PresencePage {
    fn example() -> Self {
        let present = PresentUser { user: Connection::example().user, metadata: Map::new() };
        Self { topic: Topic::new("order:123").expect("a topic"), count: 1, users: vec![present], next: None }
    }
}
