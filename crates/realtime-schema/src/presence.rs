//! Presence: the users who are on a topic.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    connection::Connection,
    listing::{default_limit, page_limit},
    message::Payload,
    reason::UnsubscribedReason,
    text::UserId,
    topic::Topic,
};

/// Payload of `presence`: a change of the users who are on a topic, for a client that watches them.
///
/// Either a change, which names the users who joined, left or have new metadata; or, with `users`, the list as it is now,
/// which replaces what the client has: sent when changes were left out because the client read too slowly, or were too
/// many for one frame. A client that asked for no names gets the count alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Presence {
    /// The topic.
    pub topic: Topic,
    /// The version of the list after this frame. It rises with each change while the topic has users or watchers.
    pub version: u64,
    /// Number of users who are on the topic.
    pub count: u64,
    /// Users who were absent and are present.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub joined: Vec<PresentUser>,
    /// Users who were present and are absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<UserId>,
    /// Users who are still present, with new metadata.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub updated: Vec<PresentUser>,
    /// The users who are present: the first page of the whole list, which replaces an earlier one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<Vec<PresentUser>>,
    /// With `users`: the `after` of the command `presence` for the next page. Absent if `users` is the whole list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<UserId>,
    /// Why no later change of this topic is sent, if this is the last frame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<UnsubscribedReason>,
}

impl Presence {
    /// A frame with the count alone.
    pub fn new(topic: Topic, version: u64, count: u64) -> Self {
        Self {
            topic,
            version,
            count,
            joined: Vec::new(),
            left: Vec::new(),
            updated: Vec::new(),
            users: None,
            next: None,
            ended: None,
        }
    }

    pub(crate) fn example() -> Self {
        let PresencePage { topic, version, count, users, .. } = PresencePage::example();
        Self { joined: users, ..Self::new(topic, version, count) }
    }
}

/// One page of the users who are on a topic, sorted by user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(example = PresencePage::example())]
pub struct PresencePage {
    /// The topic.
    pub topic: Topic,
    /// The version of the list. It rises with each change while the topic has users or watchers.
    pub version: u64,
    /// Number of users who are on the topic, on all pages.
    pub count: u64,
    /// The users of this page. Empty if only the count was asked for.
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
    /// Number of the user's connections when this was written; 0 if the last one has just ended and the user may
    /// reconnect. A change of this number alone is not sent.
    pub connections: u32,
    /// The public part of the metadata of the user's newest connection: a JSON object, where the namespace shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Map<String, Value>>")]
    pub metadata: Option<Payload>,
}

impl PresencePage {
    fn example() -> Self {
        let present = PresentUser { user: Connection::example().user, connections: 1, metadata: None };
        let topic = Topic::new("order:123").expect("a topic");
        Self { topic, version: 7, count: 1, users: vec![present], next: None }
    }
}

/// The query of a topic's presence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = PresenceQuery { after: Some(Connection::example().user), ..PresenceQuery::default() })]
pub struct PresenceQuery {
    /// Only users who sort after this one: the `next` of the previous page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<UserId>,
    /// The most users on the page: 1 to 1,000, and never more than the server's `presence.max_users`.
    #[serde(default = "default_limit", deserialize_with = "page_limit")]
    #[schemars(range(min = 1, max = 1000))]
    pub limit: u16,
    /// Whether to list the users, and not only count them.
    #[serde(default = "listed")]
    pub names: bool,
}

fn listed() -> bool {
    true
}

impl Default for PresenceQuery {
    /// The first 100 users.
    fn default() -> Self {
        Self { after: None, limit: default_limit(), names: true }
    }
}
