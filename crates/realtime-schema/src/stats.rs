//! The HTTP API's figures of a node, and its busiest topics.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::{id::NodeId, timestamp::Timestamp, topic::Topic};

/// The figures of a node. Those that end in `_total` only rise, and begin at 0 when the node starts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(example = NodeStats::example())]
pub struct NodeStats {
    /// The node.
    pub node: NodeId,
    /// The version of the server.
    pub version: String,
    /// When the figures were read.
    pub at: Timestamp,
    /// When the node started.
    pub started_at: Timestamp,
    /// True while the node sends its clients away to stop.
    pub draining: bool,
    /// Connections now.
    pub connections: u64,
    /// Users with at least one connection now.
    pub users: u64,
    /// Topics with at least one subscriber now.
    pub topics: u64,
    /// Subscriptions now.
    pub subscriptions: u64,
    /// Streams with a history, or with the position of one.
    pub history_streams: u64,
    /// Bytes of all histories.
    pub history_bytes: u64,
    /// Bytes that wait in the queues of all connections, at most 10 seconds ago.
    pub queued_bytes: u64,
    /// Resident memory of the process, in bytes, where the system tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// CPU time that the process has used, in seconds, where the system tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_seconds: Option<f64>,
    /// Connections that were admitted.
    pub connections_total: u64,
    /// Messages that were published on this node.
    pub publications_total: u64,
    /// Messages that connections took into their queues.
    pub deliveries_total: u64,
    /// Messages that were dropped from a slow reader's queue.
    pub dropped_total: u64,
    /// Gaps that clients were sent.
    pub gaps_total: u64,
    /// Connections that were closed because they read too slowly.
    pub closed_slow_total: u64,
    /// Text messages that clients sent.
    pub commands_total: u64,
    /// Commands that were answered by an `error`.
    pub errors_total: u64,
    /// Refused clients and callers of the HTTP API by reason, without those of which there was none.
    pub refusals_total: BTreeMap<String, u64>,
    /// Closed connections by close code, `other` or `none`, without those of which there was none.
    pub closes_total: BTreeMap<String, u64>,
    /// The configured limits, by the name of their setting after `limits.`.
    pub limits: BTreeMap<String, u64>,
}

impl NodeStats {
    fn example() -> Self {
        let counts = |entries: &[(&str, u64)]| entries.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect();
        Self {
            node: "019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d8e".parse().expect("an id"),
            version: "0.1.0".into(),
            at: Timestamp::from_millis(1_795_442_400_123),
            started_at: Timestamp::from_millis(1_795_438_800_123),
            draining: false,
            connections: 10_000,
            users: 8_000,
            topics: 1_200,
            subscriptions: 15_000,
            history_streams: 100,
            history_bytes: 1_048_576,
            queued_bytes: 0,
            memory_bytes: Some(134_217_728),
            cpu_seconds: Some(12.5),
            connections_total: 12_000,
            publications_total: 50_000,
            deliveries_total: 600_000,
            dropped_total: 0,
            gaps_total: 0,
            closed_slow_total: 0,
            commands_total: 16_000,
            errors_total: 3,
            refusals_total: counts(&[("token_expired", 2)]),
            closes_total: counts(&[("1000", 1_998), ("none", 2)]),
            limits: counts(&[("connections", 50_000), ("queue_messages", 256)]),
        }
    }
}

/// The query of the busiest topics.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = BusiestQuery { limit: 10 })]
pub struct BusiestQuery {
    /// The most topics: 1 to 100.
    #[serde(default = "BusiestQuery::default_limit", deserialize_with = "BusiestQuery::checked_limit")]
    #[schemars(range(min = 1, max = 100))]
    pub limit: u16,
}

impl BusiestQuery {
    /// The most topics of one response.
    pub const MAX_LIMIT: u16 = 100;

    fn default_limit() -> u16 {
        10
    }

    fn checked_limit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
        match u16::deserialize(deserializer)? {
            limit @ 1..=Self::MAX_LIMIT => Ok(limit),
            other => Err(de::Error::custom(format!("limit: {other} is not from 1 to {}", Self::MAX_LIMIT))),
        }
    }
}

impl Default for BusiestQuery {
    /// The 10 busiest.
    fn default() -> Self {
        Self { limit: Self::default_limit() }
    }
}

/// How often a topic was published to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(example = TopicRate::example())]
pub struct TopicRate {
    /// The topic.
    pub topic: Topic,
    /// Publications of this node within the window.
    pub publications: u64,
    /// The same for each second.
    pub per_second: f64,
    /// Number of connections of this node that are subscribed now.
    pub subscribers: u64,
}

impl TopicRate {
    fn example() -> Self {
        let topic = Topic::new("order:123").expect("a topic");
        Self { topic, publications: 300, per_second: 5.0, subscribers: 2 }
    }
}

/// The topics that were published to most often of late, the busiest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(example = BusiestTopics { window_ms: 60_000, topics: vec![TopicRate::example()] })]
pub struct BusiestTopics {
    /// How far back publications were counted, in milliseconds: at most a minute, less if the server remembers fewer
    /// publications.
    pub window_ms: u64,
    /// The topics.
    pub topics: Vec<TopicRate>,
}
