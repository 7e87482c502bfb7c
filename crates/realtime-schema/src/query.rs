//! The query of `GET /ws`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text::ClientId;

/// The parameters of the URL with which a client connects. Unknown parameters are ignored.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[schemars(example = QueryParams::example())]
pub struct QueryParams {
    /// The token. A header or a subprotocol keeps it out of URLs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// A name that the client chooses, the same after a reconnect: one per tab.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientId>,
    /// `text` requests pings as text frames, which browser code can see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ping: Option<PingMode>,
    /// The resume ticket of the client's last connection, from its `welcome`: at most 4096 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub resume: Option<String>,
}

impl QueryParams {
    pub(crate) fn example() -> Self {
        Self {
            token: Some("eyJhbGciOiJIUzI1NiJ9.e30.c2ln".into()),
            client: Some(ClientId::new("tab-7f3a").expect("a client")),
            ping: None,
            resume: None,
        }
    }
}

impl std::fmt::Debug for QueryParams {
    // Written by hand, so that no log contains the token or the ticket.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QueryParams")
            .field("token", &self.token.as_ref().map(|_| "…"))
            .field("client", &self.client)
            .field("ping", &self.ping)
            .field("resume", &self.resume.as_ref().map(|_| "…"))
            .finish()
    }
}

/// The kind of pings with which the server checks that the client is alive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PingMode {
    /// WebSocket ping frames (RFC 6455 section 5.5.2), to which the peer's library replies.
    #[default]
    Frame,
    /// `ping` text frames, to which the client replies with `{"action":"pong"}`.
    Text,
}
