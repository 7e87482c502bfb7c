//! Hooks over HTTP: what a server asks an application's backend, and what the backend responds.

use std::net::IpAddr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    claims::JwtClaims,
    code::{CloseCode, ErrorCode},
    id::{ConnectionId, MessageId},
    integer,
    message::Payload,
    text::{CallName, ClientId, MessageType, Role, UserId},
    timestamp::Timestamp,
    topic::{GrantAction, Topic},
};

/// A hook over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum HookName {
    /// A client wants to connect, or a connection got a new token.
    Connect,
    /// A connection has ended.
    Disconnect,
    /// A client wants to subscribe to a topic.
    Subscribe,
    /// A client wants to publish to a topic.
    Publish,
    /// A client wants to read the history of a topic.
    History,
    /// A client wants to see who is on a topic.
    Presence,
    /// A client calls the application.
    Call,
}

impl HookName {
    /// Every hook, in the order documented.
    pub const ALL: [Self; 7] =
        [Self::Connect, Self::Disconnect, Self::Subscribe, Self::Publish, Self::History, Self::Presence, Self::Call];

    /// The word in requests, in the config and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Disconnect => "disconnect",
            Self::Subscribe => "subscribe",
            Self::Publish => "publish",
            Self::History => "history",
            Self::Presence => "presence",
            Self::Call => "call",
        }
    }
}

impl From<GrantAction> for HookName {
    fn from(action: GrantAction) -> Self {
        match action {
            GrantAction::Subscribe => Self::Subscribe,
            GrantAction::Publish => Self::Publish,
            GrantAction::History => Self::History,
            GrantAction::Presence => Self::Presence,
        }
    }
}

/// Asks the backend whether a client may connect, after its token was verified; and again when a connection gets a new
/// token (`refresh`), with the id of the connection.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(example = ConnectHook::example())]
pub struct ConnectHook {
    /// `connect`.
    pub hook: HookName,
    /// Identifies the request; a retry has the same. Also the header `X-Realtime-Request-Id`.
    pub id: MessageId,
    /// When the client asked.
    pub time: Timestamp,
    /// The connection, if it is open already: its token was replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<ConnectionId>,
    /// The user of the token.
    pub user: UserId,
    /// The roles of the token.
    pub roles: Vec<Role>,
    /// The name that the client chose, the same after a reconnect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientId>,
    /// The client's address, IPv4 or IPv6, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    // JSON Schema has no format for either of the two.
    #[schemars(with = "Option<String>")]
    pub address: Option<IpAddr>,
    /// The claims of the verified token. The token itself is never sent.
    pub claims: JwtClaims,
}

/// Whether a client may connect, and what it gets in addition to what its token says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object with `allow`")]
#[schemars(example = ConnectAnswer::example())]
#[schemars(example = json!({"allow": false, "message": "the account is closed", "code": 4001}))]
pub struct ConnectAnswer {
    /// Whether it may connect.
    pub allow: bool,
    /// Why not, for the client: what to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The close code of a refusal: 4403 by default; an application's own 4000–4199 (the client does not reconnect) or 4200–4399 (it reconnects).
    #[serde(default, deserialize_with = "integer::optional", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "close_codes")]
    pub code: Option<u16>,
    /// After a refusal with a code that reconnects: number of milliseconds to wait.
    #[serde(default, deserialize_with = "integer::optional", skip_serializing_if = "Option::is_none")]
    pub after_ms: Option<u64>,
    /// Roles to add to those of the token.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<Role>,
    /// Topics to subscribe the connection to. Not read when a connection got a new token.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subscriptions: Vec<Topic>,
    /// Data to add to that of the token, key by key. Not read when a connection got a new token.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
}

/// Notifies the backend that a connection has ended.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(example = DisconnectHook::example())]
pub struct DisconnectHook {
    /// `disconnect`.
    pub hook: HookName,
    /// Identifies the request; a retry has the same. Also the header `X-Realtime-Request-Id`.
    pub id: MessageId,
    /// When the connection ended.
    pub time: Timestamp,
    /// The connection.
    pub connection: ConnectionId,
    /// The user.
    pub user: UserId,
    /// The roles that the connection had.
    pub roles: Vec<Role>,
    /// The name that the client chose, the same after a reconnect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientId>,
    /// When the connection was accepted.
    pub connected_at: Timestamp,
    /// The close code, if there was a close frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<CloseCode>,
}

/// Asks the backend whether a client may do something that neither its token nor a namespace allows.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(example = AccessHook::example())]
pub struct AccessHook {
    /// What the client wants: `subscribe`, `publish`, `history` or `presence`.
    pub hook: HookName,
    /// Identifies the request; a retry has the same. Also the header `X-Realtime-Request-Id`.
    pub id: MessageId,
    /// When the client asked.
    pub time: Timestamp,
    /// The connection.
    pub connection: ConnectionId,
    /// The user.
    pub user: UserId,
    /// The roles of the connection.
    pub roles: Vec<Role>,
    /// The name that the client chose, the same after a reconnect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientId>,
    /// The topic.
    pub topic: Topic,
    /// With `publish`: the type of the message.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<MessageType>,
    /// With `publish`: the payload of the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<Payload>,
}

/// Whether a client may do what it wants.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object with `allow`")]
#[schemars(example = AccessAnswer { allow: true, message: None })]
#[schemars(example = AccessAnswer { allow: false, message: Some("ask the owner of the order".into()) })]
pub struct AccessAnswer {
    /// Whether it may.
    pub allow: bool,
    /// Why not, for the client: what to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Passes a client's `call` to the backend.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(example = CallHook::example())]
pub struct CallHook {
    /// `call`.
    pub hook: HookName,
    /// Identifies the request; a retry has the same. Also the header `X-Realtime-Request-Id`.
    pub id: MessageId,
    /// When the client called.
    pub time: Timestamp,
    /// The connection.
    pub connection: ConnectionId,
    /// The user.
    pub user: UserId,
    /// The roles of the connection.
    pub roles: Vec<Role>,
    /// The name that the client chose, the same after a reconnect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientId>,
    /// The name of the command, if the client gave one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<CallName>,
    /// The payload; absent if the client gave none, or `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<Payload>,
}

/// The result of a call, or its error.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object with `result` or `error`")]
#[schemars(example = json!({"result": {"order": 7}}))]
#[schemars(example = json!({"error": {"code": "conflict", "message": "sold out; choose another item"}}))]
pub struct CallAnswer {
    /// The result, sent in the client's `ack`; `null` without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Payload>,
    /// The error, sent to the client instead of a result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<CallError>,
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object with `code` and `message`")]
pub struct CallError {
    /// The reason, as a code: one of the protocol's, or a word of the application's own.
    pub code: ErrorCode,
    /// The reason, and what to do about it, for a person.
    pub message: String,
    /// Number of milliseconds to wait before another attempt.
    #[serde(default, deserialize_with = "integer::optional", skip_serializing_if = "Option::is_none")]
    pub after_ms: Option<u64>,
}

fn close_codes(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"anyOf": [
        {"type": "integer", "minimum": 4000, "maximum": 4399},
        {"type": "integer", "const": 4403},
        {"type": "null"},
    ]})
}

fn example_id() -> MessageId {
    "019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d91".parse().expect("an id")
}

fn example_connection() -> ConnectionId {
    "019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d8e".parse().expect("an id")
}

fn alice() -> UserId {
    UserId::new("alice").expect("a user")
}

fn example_client() -> Option<ClientId> {
    ClientId::new("tab-7f3a").ok()
}

fn example_time() -> Timestamp {
    Timestamp::from_millis(1_795_438_800_123)
}

impl ConnectHook {
    fn example() -> Self {
        let claims = JwtClaims::example();
        Self {
            hook: HookName::Connect,
            id: example_id(),
            time: example_time(),
            connection: None,
            user: claims.sub.clone(),
            roles: claims.roles.clone(),
            client: example_client(),
            address: Some(IpAddr::from([203, 0, 113, 7])),
            claims,
        }
    }
}

impl ConnectAnswer {
    fn example() -> Self {
        Self {
            allow: true,
            roles: vec![Role::new("beta").expect("a role")],
            subscriptions: vec![Topic::new("user:alice:orders").expect("a topic")],
            ..Self::default()
        }
    }
}

impl DisconnectHook {
    fn example() -> Self {
        Self {
            hook: HookName::Disconnect,
            id: example_id(),
            time: example_time(),
            connection: example_connection(),
            user: alice(),
            roles: Vec::new(),
            client: example_client(),
            connected_at: example_time(),
            code: Some(CloseCode(1001)),
        }
    }
}

impl AccessHook {
    fn example() -> Self {
        Self {
            hook: HookName::Publish,
            id: example_id(),
            time: example_time(),
            connection: example_connection(),
            user: alice(),
            roles: Vec::new(),
            client: example_client(),
            topic: Topic::new("chat:7").expect("a topic"),
            kind: MessageType::new("chat-message").ok(),
            payload: Payload::of(&json!({"text": "hello"})).ok(),
        }
    }
}

impl CallHook {
    fn example() -> Self {
        Self {
            hook: HookName::Call,
            id: example_id(),
            time: example_time(),
            connection: example_connection(),
            user: alice(),
            roles: Vec::new(),
            client: example_client(),
            name: CallName::new("order.place").ok(),
            payload: Payload::of(&json!({"item": "tea"})).ok(),
        }
    }
}
