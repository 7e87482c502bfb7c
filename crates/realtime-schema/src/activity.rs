//! The HTTP API's figures of a connection: what it does now.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{connection::Connection, timestamp::Timestamp};

/// What a connection does now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConnectionActivity {
    /// The address of the client: behind a trusted proxy, the one that the proxy names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub address: Option<IpAddr>,
    /// The last time at which its client sent anything, a pong included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_activity: Option<Timestamp>,
    /// Messages that wait to be sent.
    pub queued_messages: u64,
    /// Bytes of those messages.
    pub queued_bytes: u64,
    /// Frames that were sent since it was opened, control frames included.
    pub sent_frames: u64,
    /// Number of topics that it is subscribed to.
    pub subscription_count: u64,
}

impl ConnectionActivity {
    pub(crate) fn example() -> Self {
        Self {
            address: Some(IpAddr::from([203, 0, 113, 7])),
            last_activity: Some(Timestamp::from_millis(1_795_438_860_456)),
            queued_messages: 0,
            queued_bytes: 0,
            sent_frames: 42,
            subscription_count: 1,
        }
    }
}

/// A connection in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(example = ConnectionSummary::example())]
pub struct ConnectionSummary {
    /// The record.
    #[serde(flatten)]
    pub connection: Connection,
    /// What it does now.
    #[serde(flatten)]
    pub activity: ConnectionActivity,
}

impl ConnectionSummary {
    pub(crate) fn example() -> Self {
        Self { connection: Connection::example(), activity: ConnectionActivity::example() }
    }
}
