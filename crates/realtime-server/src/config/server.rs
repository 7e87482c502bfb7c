//! `[server]`: the port, the pages that may connect, and the end.

use std::net::SocketAddr;

use realtime_adapters::ws::Origins;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

use super::{Span, problems::Problems};

/// The port, the pages that may connect, and the end.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    /// The address to listen on, for `/ws` and the HTTP API. TLS is a proxy's business: one that is reachable from
    /// other machines must stand behind one.
    #[serde(deserialize_with = "socket_address")]
    #[schemars(with = "String")]
    pub listen: SocketAddr,
    /// The origins of browser pages that may connect, such as `https://app.example.com`; `*` for every page.
    /// Without any, browsers are refused; other clients send no origin and are not affected.
    pub allowed_origins: Vec<String>,
    /// The header in which a proxy in front gives the client's address, such as `X-Forwarded-For`; its last entry
    /// counts. Set it only behind a proxy that always writes it: whoever else writes it evades
    /// `limits.connections_per_address`.
    pub client_address_header: Option<String>,
    /// How long `/readyz` answers 503 before accepting stops, so that a load balancer notices first.
    pub shutdown_delay: Span,
    /// How long connections have to end at shutdown, from when clients are told to when the process exits.
    pub shutdown_timeout: Span,
}

/// An address to listen on, or what one looks like.
fn socket_address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse()
        .map_err(|_| de::Error::custom(format!("`{text}` is not an address with a port, such as `127.0.0.1:8080`")))
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            allowed_origins: Vec::new(),
            client_address_header: None,
            shutdown_delay: Span::secs(0),
            shutdown_timeout: Span::secs(10),
        }
    }
}

impl ServerConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        if let Some(header) = &self.client_address_header
            && http::HeaderName::try_from(header.as_str()).is_err()
        {
            problems.add("server.client_address_header", "is not the name of a header");
        }
        for origin in &self.allowed_origins {
            if origin != "*" && !is_origin(origin) {
                let what = format!("`{origin}` is not an origin; write `https://app.example.com`, without a path");
                problems.add("server.allowed_origins", what);
            }
        }
    }

    /// Which pages may connect.
    pub(super) fn origins(&self) -> Origins {
        match self.allowed_origins.as_slice() {
            [] => Origins::None,
            list if list.iter().any(|origin| origin == "*") => Origins::Any,
            list => Origins::Listed(list.to_vec()),
        }
    }
}

/// As a browser writes it (RFC 6454 section 6.2): scheme, host, perhaps a port, and nothing after it.
fn is_origin(text: &str) -> bool {
    text.parse::<http::Uri>()
        .is_ok_and(|uri| uri.scheme().is_some() && uri.host().is_some() && uri.path() == "/" && uri.query().is_none())
        && !text.ends_with('/')
}
