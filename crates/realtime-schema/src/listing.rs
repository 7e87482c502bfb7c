//! The HTTP API's lists: connections, topics, and the subscribers of a topic, each in pages.
//!
//! A page begins after a cursor and is sorted by the cursor. An entry that exists while all pages are read is on exactly
//! one of them, even if other entries are added or removed meanwhile.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::{
    activity::ConnectionSummary,
    connection::{Connection, Origin},
    id::ConnectionId,
    text::{ClientId, Role, UserId},
    topic::Topic,
};

/// The most entries on a page.
const MAX_LIMIT: u16 = 1000;

pub(crate) fn default_limit() -> u16 {
    100
}

/// Reads a page's limit, which is in range.
pub(crate) fn page_limit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    match u16::deserialize(deserializer)? {
        limit @ 1..=MAX_LIMIT => Ok(limit),
        other => Err(de::Error::custom(format!("limit: {other} is not from 1 to {MAX_LIMIT}"))),
    }
}

/// The query of a list of connections. With several filters, all of them must match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = ConnectionQuery { user: Some(Connection::example().user), ..ConnectionQuery::default() })]
pub struct ConnectionQuery {
    /// Only connections of this user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// Only connections that have this role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Only connections that are subscribed to this topic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<Topic>,
    /// Only connections from this address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub address: Option<IpAddr>,
    /// Only connections whose client chose this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientId>,
    /// Only connections whose id sorts after this one: the `next` of the previous page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<ConnectionId>,
    /// The most connections on the page: 1 to 1,000.
    #[serde(default = "default_limit", deserialize_with = "page_limit")]
    #[schemars(range(min = 1, max = 1000))]
    pub limit: u16,
}

impl Default for ConnectionQuery {
    /// The first 100 of all connections.
    fn default() -> Self {
        Self { user: None, role: None, topic: None, address: None, client: None, after: None, limit: default_limit() }
    }
}

/// One page of connections, sorted by id, which is the order of their creation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(example = ConnectionPage { connections: vec![ConnectionSummary::example()], next: Some(Connection::example().id) })]
pub struct ConnectionPage {
    /// The connections on this node.
    pub connections: Vec<ConnectionSummary>,
    /// The `after` of the next page. Absent on the last page. A page before it may be short or empty: a request looks at
    /// a limited number of connections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<ConnectionId>,
}

/// The query of a list of a topic's subscribers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = SubscriberQuery { after: Some(Connection::example().id), ..SubscriberQuery::default() })]
pub struct SubscriberQuery {
    /// Only connections whose id sorts after this one: the `next` of the previous page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<ConnectionId>,
    /// The most subscribers on the page: 1 to 1,000.
    #[serde(default = "default_limit", deserialize_with = "page_limit")]
    #[schemars(range(min = 1, max = 1000))]
    pub limit: u16,
}

impl Default for SubscriberQuery {
    /// The first 100 of all subscribers.
    fn default() -> Self {
        Self { after: None, limit: default_limit() }
    }
}

/// A connection that is subscribed to a topic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(example = Subscriber::example())]
pub struct Subscriber {
    /// The record of the connection.
    #[serde(flatten)]
    pub connection: Connection,
    /// The origin of the subscription.
    pub origin: Origin,
}

impl Subscriber {
    fn example() -> Self {
        Self { connection: Connection::example(), origin: Origin::Client }
    }
}

/// One page of a topic's subscribers, sorted by connection id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(example = SubscriberPage { subscribers: vec![Subscriber::example()], next: Some(Connection::example().id) })]
pub struct SubscriberPage {
    /// The subscribers on this node.
    pub subscribers: Vec<Subscriber>,
    /// The `after` of the next page. Absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<ConnectionId>,
}

/// The history of a topic: its last position, and what is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(example = TopicHistory::example())]
pub struct TopicHistory {
    /// The name of the epoch.
    pub epoch: String,
    /// The offset of the last message in that epoch; 0 before the first.
    pub offset: u64,
    /// Number of messages that are kept.
    pub messages: u64,
    /// Bytes that they take.
    pub bytes: u64,
}

impl TopicHistory {
    fn example() -> Self {
        Self { epoch: "k3f".into(), offset: 17, messages: 17, bytes: 4_352 }
    }
}

/// A topic and its number of subscribers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(example = TopicInfo::example())]
pub struct TopicInfo {
    /// The topic.
    pub topic: Topic,
    /// Number of connections of this node that are subscribed.
    pub subscribers: u64,
    /// Its history, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<TopicHistory>,
}

impl TopicInfo {
    fn example() -> Self {
        let topic = Topic::new("order:123").expect("a topic");
        Self { topic, subscribers: 2, history: Some(TopicHistory::example()) }
    }
}

/// The query of a list of topics.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = TopicQuery { prefix: "order:".into(), ..TopicQuery::default() })]
pub struct TopicQuery {
    /// Only topics that begin with this text. A `*` in it has no special meaning.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// Only topics that sort after this one: the `next` of the previous page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Topic>,
    /// The most topics on the page: 1 to 1,000.
    #[serde(default = "default_limit", deserialize_with = "page_limit")]
    #[schemars(range(min = 1, max = 1000))]
    pub limit: u16,
}

impl TopicQuery {
    /// The most topics on a page.
    pub const MAX_LIMIT: u16 = MAX_LIMIT;
}

impl Default for TopicQuery {
    /// The first 100 of all topics.
    fn default() -> Self {
        Self { prefix: String::new(), after: None, limit: default_limit() }
    }
}

/// One page of topics, sorted as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(example = TopicPage { topics: vec![TopicInfo::example()], next: Some(TopicInfo::example().topic) })]
pub struct TopicPage {
    /// The topics.
    pub topics: Vec<TopicInfo>,
    /// The `after` of the next page. Absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Topic>,
}
