//! The records of a connection and of its subscriptions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    id::ConnectionId,
    text::{ClientId, Role, UserId},
    timestamp::Timestamp,
    topic::Topic,
};

/// The record of a connection: its user, roles, client and data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(example = Connection::example())]
pub struct Connection {
    /// The id of the connection.
    pub id: ConnectionId,
    /// The user of its token.
    pub user: UserId,
    /// The roles of its token.
    #[serde(default)]
    pub roles: Vec<Role>,
    /// The name that the client chose, the same after a reconnect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientId>,
    /// The application's own data.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
    /// The time at which it was accepted.
    pub created_at: Timestamp,
    /// What its token says of itself, if it says anything. Never sent to other clients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    // In a box, so that a token that says nothing costs the record no more than a pointer.
    pub token: Option<Box<TokenInfo>>,
}

/// What a token says of itself, to recognize it when it is revoked (RFC 7519 section 4.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenInfo {
    /// Its own id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// Seconds since 1970 at which it was issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iat: Option<i64>,
    /// Seconds since 1970 at which it expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exp: Option<i64>,
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
            token: Some(Box::new(TokenInfo { jti: Some("7f3a".into()), iat: None, exp: Some(1_795_442_400) })),
        }
    }
}

/// The origin of a subscription. Those of a client and of the authorizer are checked again when its token changes; the
/// server's stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Origin {
    /// The client, by a `subscribe` command that its token or a namespace allows.
    Client,
    /// The application, through the service or the HTTP API.
    Server,
    /// The client, by a `subscribe` command that the application's authorizer allowed.
    Authorizer,
}

/// One connection's subscription to one topic.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(example = Subscription::example())]
pub struct Subscription {
    /// The topic.
    pub topic: Topic,
    /// Its origin.
    pub origin: Origin,
}

impl Subscription {
    pub(crate) fn example() -> Self {
        Self { topic: Topic::new("order:123").expect("a topic"), origin: Origin::Client }
    }
}
