//! The query of `GET /ws`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text::ClientId;

/// What a client may say in the URL when it connects. Unknown parameters are ignored.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[schemars(example = QueryParams::example())]
pub struct QueryParams {
    /// The token. A header or a subprotocol keeps it out of URLs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// A name of the client's own choice, kept over reconnects: one per tab.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientId>,
    /// `text` asks for pings as text frames, which browser code can see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ping: Option<PingMode>,
}

impl QueryParams {
    pub(crate) fn example() -> Self {
        Self {
            token: Some("eyJhbGciOiJIUzI1NiJ9.e30.c2ln".into()),
            client: Some(ClientId::new("tab-7f3a").expect("a client")),
            ping: None,
        }
    }
}

impl std::fmt::Debug for QueryParams {
    // By hand, so that no log ever holds the token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QueryParams")
            .field("token", &self.token.as_ref().map(|_| "…"))
            .field("client", &self.client)
            .field("ping", &self.ping)
            .finish()
    }
}

/// How the server asks whether the client is alive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PingMode {
    /// WebSocket ping frames (RFC 6455 section 5.5.2), answered by the peer's library.
    #[default]
    Frame,
    /// `ping` text frames, answered by `{"action":"pong"}`.
    Text,
}
