//! `[server]`: the listener, the pages that may connect, proxies and the shutdown.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use realtime_adapters::{
    front::AcceptorConfig,
    ws::{OriginPattern, Origins},
};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

use super::{duration::Span, paths, problems::Problems};

/// The listener, the pages that may connect, proxies and the shutdown.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    /// The address to listen on, for WebSockets and the HTTP API. An address that other machines can
    /// reach needs TLS: see `[tls]`, or put a proxy with TLS in front.
    #[serde(deserialize_with = "socket_address")]
    #[schemars(with = "String")]
    pub listen: SocketAddr,
    /// The path of the WebSocket endpoint.
    pub path: String,
    /// A prefix of every path, such as `/realtime`, for a proxy that passes paths on as they are. `/healthz`, `/readyz`
    /// and `/metrics` are served without it too, for what does not come through the proxy.
    pub base_path: String,
    /// A second address to listen on, for `/metrics`, `/healthz` and `/readyz` alone, such as `127.0.0.1:9090`. It
    /// asks for no key: let only your own network reach it. With it, `/metrics` is not served on `server.listen`.
    #[serde(deserialize_with = "optional_socket_address")]
    #[schemars(with = "Option<String>")]
    pub admin_listen: Option<SocketAddr>,
    /// Whether the page `/console/` is served. It contains no data: it asks for one of `api.keys`, and reads
    /// `/api/v1` with it. A server for development (`--dev`) always serves it.
    pub console: bool,
    /// The origins that may connect, such as `https://app.example.com`, besides the server's own host. In place of
    /// the first label, `*` stands for exactly one: `https://*.example.com`. In place of the port it stands for any:
    /// `http://localhost:*`. `*` alone admits every origin. A client that sends no `Origin`, or one that equals the
    /// `Host` of its request, needs no entry.
    pub allowed_origins: Vec<String>,
    /// The header in which a proxy in front gives the client's address: `X-Forwarded-For`, `X-Real-IP` or `Forwarded`
    /// (RFC 7239). Set it only behind a proxy that always writes it: a client that writes it itself evades
    /// `limits.connections_per_address`. A request whose header is missing or can't be read counts under the address
    /// of its socket; that is logged, and counted as `realtime_unreadable_client_addresses`.
    pub client_address_header: Option<String>,
    /// The number of proxies in front, each of which adds an entry to that header: the entry that counts is so many
    /// from the right. 2 for a CDN before nginx.
    pub trusted_hops: usize,
    /// The networks of the proxies in front, such as `10.0.0.0/8`, instead of their number: from the right, the first
    /// entry counts that is in none of them. A socket from elsewhere counts under its own address, whatever its
    /// headers say.
    pub trusted_proxies: Vec<String>,
    /// Whether each connection begins with the PROXY protocol, version 1 or 2, which names the client's address.
    /// Needs `trusted_proxies`: a connection from elsewhere is closed.
    pub proxy_protocol: bool,
    /// How long `/readyz` responds with 503 before accepting stops, so that a load balancer notices first.
    pub shutdown_delay: Span,
    /// How long connections have to end at shutdown, from the first `closing` that a client is sent to the exit.
    pub shutdown_timeout: Span,
}

/// An address to listen on, or what one looks like.
fn socket_address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    parse(&String::deserialize(deserializer)?)
}

fn optional_socket_address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SocketAddr>, D::Error> {
    Option::<String>::deserialize(deserializer)?.map(|text| parse(&text)).transpose()
}

fn parse<E: de::Error>(text: &str) -> Result<SocketAddr, E> {
    text.parse().map_err(|_| E::custom(format!("`{text}` is not an address with a port, such as `127.0.0.1:8080`")))
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            path: "/ws".into(),
            base_path: String::new(),
            admin_listen: None,
            console: true,
            allowed_origins: Vec::new(),
            client_address_header: None,
            trusted_hops: 1,
            trusted_proxies: Vec::new(),
            proxy_protocol: false,
            shutdown_delay: Span::secs(0),
            shutdown_timeout: Span::secs(10),
        }
    }
}

impl ServerConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        paths::check(&self.path, &self.base_path, problems);
        if let Some(header) = &self.client_address_header
            && http::HeaderName::try_from(header.as_str()).is_err()
        {
            problems.add("server.client_address_header", "is not the name of a header");
        }
        if self.admin_listen == Some(self.listen) && self.listen.port() != 0 {
            problems.add("server.admin_listen", "is the same address as server.listen; give it a port of its own");
        }
        if self.trusted_hops == 0 {
            problems.add("server.trusted_hops", "is 0; give at least 1, or no server.client_address_header");
        }
        for network in &self.trusted_proxies {
            problems.ok("server.trusted_proxies", parse_network(network));
        }
        if self.proxy_protocol && self.trusted_proxies.is_empty() {
            let what = "needs server.trusted_proxies: the networks that the PROXY protocol is accepted from";
            problems.add("server.proxy_protocol", what);
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

    pub(super) fn warn(&self, tls: bool, warnings: &mut Problems) {
        if !tls && !self.listen.ip().to_canonical().is_loopback() {
            let what = format!(
                "{} can be reached from other machines, without TLS: set tls.cert_file, or put a proxy with TLS in \
                 front and let only the proxy reach it",
                self.listen
            );
            warnings.add("server.listen", what);
        }
        self.warn_of_proxies(warnings);
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

    /// Settings of proxies that have no effect, so that the client's address is not the expected one.
    fn warn_of_proxies(&self, warnings: &mut Problems) {
        let needs_header = "has no effect without server.client_address_header, such as `X-Forwarded-For`";
        if self.client_address_header.is_none() {
            if self.trusted_hops > 1 {
                warnings.add("server.trusted_hops", needs_header);
            }
            if !self.trusted_proxies.is_empty() && !self.proxy_protocol {
                let what = format!("{needs_header}, or server.proxy_protocol");
                warnings.add("server.trusted_proxies", what);
            }
        } else if self.trusted_hops > 1 && !self.trusted_proxies.is_empty() {
            warnings.add("server.trusted_hops", "has no effect beside server.trusted_proxies; set one of them");
        }
    }

    /// The path that clients connect to, with the prefix of all paths.
    pub(crate) fn websocket_path(&self) -> String {
        format!("{}{}", self.base_path, self.path)
    }

    /// Which origins may connect. An invalid entry was reported by `check`, so here it admits no other host.
    pub(super) fn origins(&self) -> Origins {
        Origins::parse(&self.allowed_origins).unwrap_or_default()
    }

    /// The networks of the proxies in front. An invalid entry was reported by `check`.
    pub(crate) fn proxies(&self) -> Vec<IpNet> {
        self.trusted_proxies.iter().filter_map(|network| parse_network(network).ok()).collect()
    }

    /// Tells the front end which addresses stand for many clients.
    pub(super) fn apply_proxies(&self, acceptor: &mut AcceptorConfig) {
        acceptor.proxies = self.proxies();
        if self.client_address_header.is_some() && acceptor.proxies.is_empty() {
            // Which addresses the proxies have is unknown: any may be one.
            acceptor.max_http_sockets_per_address = acceptor.max_http_sockets;
        }
    }
}

/// A network, or one address.
fn parse_network(text: &str) -> Result<IpNet, String> {
    let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    network.map_err(|_| format!("`{text}` is not a network; write `10.0.0.0/8`, or one address"))
}

/// Whether a pattern has its wildcard directly below a top-level domain.
fn is_wide(origin: &str) -> bool {
    let host = origin.split_once("://*.").map_or("", |(_, rest)| rest.split(':').next().unwrap_or_default());
    !host.is_empty() && !host.contains('.') && host != "localhost"
}
