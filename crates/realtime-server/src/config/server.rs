//! `[server]`: the port, the pages that may connect, and the end.

use std::net::SocketAddr;

use realtime_adapters::ws::{OriginPattern, Origins};
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
    /// The origins that may connect, such as `https://app.example.com`, besides the server's own host. In place of
    /// the first label, `*` stands for exactly one: `https://*.example.com`. In place of the port it stands for any:
    /// `http://localhost:*`. `*` alone admits every origin. A client that sends no `Origin`, or one that equals the
    /// `Host` of its request, needs no entry.
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
        for origin in self.allowed_origins.iter().filter(|origin| *origin != "*") {
            if origin.contains('@') {
                // Not repeated: it may contain a password.
                problems.add("server.allowed_origins", "an origin has no user name; write `https://app.example.com`");
            } else {
                problems.ok("server.allowed_origins", origin.parse::<OriginPattern>());
            }
        }
    }

    pub(super) fn warn(&self, warnings: &mut Problems) {
        if !self.listen.ip().to_canonical().is_loopback() {
            let what = format!(
                "{} can be reached from other machines, without TLS: put a proxy with TLS in front, and let only the \
                 proxy reach it",
                self.listen
            );
            warnings.add("server.listen", what);
        }
        let origins = &self.allowed_origins;
        if origins.is_empty() {
            let what = "is empty, so no browser page may connect but those of this server's own host; list the \
                        origins of your pages, such as `https://app.example.com`";
            warnings.add("server.allowed_origins", what);
        } else if origins.len() > 1 && origins.iter().any(|origin| origin == "*") {
            warnings.add("server.allowed_origins", "contains `*`, so that the other entries have no effect");
        }
        for origin in origins.iter().filter(|origin| is_wide(origin)) {
            let what = format!("`{origin}` allows every site of a top-level domain");
            warnings.add("server.allowed_origins", what);
        }
    }

    /// Which origins may connect. An invalid entry was reported by `check`, so here it admits no other host.
    pub(super) fn origins(&self) -> Origins {
        Origins::parse(&self.allowed_origins).unwrap_or_default()
    }
}

/// Whether a pattern has its wildcard directly below a top-level domain.
fn is_wide(origin: &str) -> bool {
    let host = origin.split_once("://*.").map_or("", |(_, rest)| rest.split(':').next().unwrap_or_default());
    !host.is_empty() && !host.contains('.') && host != "localhost"
}
