//! The record of a connection, and of what it is subscribed to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    id::ConnectionId,
    text::{ClientId, Role, UserId},
    timestamp::Timestamp,
    topic::Topic,
};

/// Who is at the other end of a socket, and since when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(example = Connection::example())]
pub struct Connection {
    /// This connection.
    pub id: ConnectionId,
    /// The user that its token names.
    pub user: UserId,
    /// The roles that its token gives.
    #[serde(default)]
    pub roles: Vec<Role>,
    /// The client that it named itself, kept over reconnects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientId>,
    /// What the application put on the record.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
    /// When it was accepted.
    pub created_at: Timestamp,
}

impl Connection {
    pub(crate) fn example() -> Self {
        Self {
            id: "019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d8e".parse().expect("an id"),
            user: UserId::new("alice").expect("a user"),
            roles: vec![Role::new("admin").expect("a role")],
            client: Some(ClientId::new("tab-7f3a").expect("a client")),
            metadata: Map::new(),
            created_at: Timestamp::from_millis(1_795_438_800_123),
        }
    }
}

/// Who asked for a subscription. A client's own are judged again when its token changes; the server's stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Origin {
    /// The client, by a `subscribe` command.
    Client,
    /// The application, through the service or the HTTP API.
    Server,
}

/// One connection's subscription to one topic.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(example = Subscription::example())]
pub struct Subscription {
    /// The topic.
    pub topic: Topic,
    /// Who asked for it.
    pub origin: Origin,
}

impl Subscription {
    pub(crate) fn example() -> Self {
        Self { topic: Topic::new("order:123").expect("a topic"), origin: Origin::Client }
    }
}
