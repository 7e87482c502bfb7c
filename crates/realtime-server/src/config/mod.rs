//! Every setting of the server: its name, its default, and what it means.
//!
//! The doc comments of the fields are the reference: `docs/configuration.md` is generated from them.

mod apply;
mod duration;
mod layers;
mod reference;
mod shape;

use std::{net::SocketAddr, path::PathBuf};

use realtime_adapters::jwt::{ClaimPaths, JwksConfig, JwtConfig};
use realtime_core::policy::{Overflow, SubscribePolicy};
use realtime_schema::{ClientLimits, TopicPattern};
use realtime_service::Settings;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize, de};

pub use duration::Span;
pub use layers::{ConfigError, Problem};
pub use reference::reference;

/// The settings of the server.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The port, the pages that may connect, and the end.
    pub server: ServerConfig,
    /// What is logged, and how. Logs never hold a token.
    pub log: LogConfig,
    /// Whose tokens are accepted. At least one key is required: a secret, a public key, a JWKS file or address.
    pub auth: AuthConfig,
    /// The HTTP API for backends.
    pub api: ApiConfig,
    /// Every limit, by name. What is over one is answered with that name.
    pub limits: LimitsConfig,
    /// How dead and stalled connections are found.
    pub liveness: LivenessConfig,
    /// How clients are told to come back.
    pub reconnect: ReconnectConfig,
    /// What becomes of messages that can't be delivered at once.
    pub delivery: DeliveryConfig,
    /// Policies for topics by pattern; the first that matches decides. A topic that none matches can be subscribed
    /// to only with a grant in the token.
    pub namespaces: Vec<NamespaceConfig>,
}

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

/// What is logged, and how. Logs never hold a token.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// `error`, `warn`, `info`, `debug` or `trace`, or a filter by module, such as `info,realtime_service=debug`.
    pub level: String,
    /// `text` for people, `json` for machines: one object per line.
    pub format: LogFormat,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: "info".into(), format: LogFormat::Text }
    }
}

/// How a log line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Whose tokens are accepted. At least one key is required.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AuthConfig {
    /// A secret that the issuer of tokens shares with this server: at least 32 bytes, used as they are.
    #[serde(skip_serializing)]
    #[schemars(with = "Option<String>")]
    pub hmac_secret: Option<SecretString>,
    /// The algorithm of that secret: `HS256`, `HS384` or `HS512`.
    pub hmac_algorithm: String,
    /// A public key in PEM: RSA, P-256, P-384 or Ed25519.
    pub public_key: Option<String>,
    /// A file with such a key.
    #[schemars(with = "Option<String>")]
    pub public_key_file: Option<PathBuf>,
    /// The algorithm of the public key. By its kind if not given: `RS256`, `ES256`, `ES384` or `EdDSA`; an RSA key
    /// may also be used with `RS384`, `RS512`, `PS256`, `PS384` or `PS512`.
    pub public_key_algorithm: Option<String>,
    /// A file with a JWK Set (RFC 7517).
    #[schemars(with = "Option<String>")]
    pub jwks_file: Option<PathBuf>,
    /// An address that serves a JWK Set.
    pub jwks: JwksSettings,
    /// Accepted issuers (`iss`). Without any, every issuer that has the key is accepted.
    pub issuers: Vec<String>,
    /// Audiences (`aud`) that this server answers to. Without any, a token must not name an audience.
    pub audiences: Vec<String>,
    /// Accepted token types (`typ`). Without any, every type is accepted.
    pub types: Vec<String>,
    /// Grace for clocks that differ, on `exp` and `nbf`.
    pub leeway: Span,
    /// Lets in tokens whose time is over, and keeps connections beyond it. For migrations.
    pub allow_expired: bool,
    /// The longest token that is looked at, in bytes.
    pub max_token_bytes: usize,
    /// Roles of which a token must have all to connect.
    pub required_roles: Vec<String>,
    /// Permissions of which a token must have all to connect.
    pub required_permissions: Vec<String>,
    /// Where in a token roles, permissions, grants and metadata are found.
    pub claims: ClaimSettings,
}

impl Default for AuthConfig {
    fn default() -> Self {
        let jwt = JwtConfig::default();
        Self {
            hmac_secret: None,
            hmac_algorithm: "HS256".into(),
            public_key: None,
            public_key_file: None,
            public_key_algorithm: None,
            jwks_file: None,
            jwks: JwksSettings::default(),
            issuers: jwt.issuers,
            audiences: jwt.audiences,
            types: jwt.types,
            leeway: jwt.leeway.into(),
            allow_expired: jwt.allow_expired,
            max_token_bytes: jwt.max_token_bytes,
            required_roles: Vec::new(),
            required_permissions: Vec::new(),
            claims: ClaimSettings::default(),
        }
    }
}

/// An address that serves a JWK Set.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct JwksSettings {
    /// The address: `https`, or `http` on this machine.
    pub url: Option<String>,
    /// How often the keys are fetched afresh.
    pub refresh: Span,
    /// The shortest time between two fetches made because a token names an unknown key.
    pub min_refresh: Span,
    /// The longest that one fetch may take.
    pub timeout: Span,
    /// The largest answer that is read, in bytes.
    pub max_body_bytes: usize,
    /// The algorithm of RSA keys that name none.
    pub rsa_algorithm: String,
    /// Allows plain `http` to other machines. Whoever can change packets on the way can then make tokens.
    pub insecure_http: bool,
}

impl Default for JwksSettings {
    fn default() -> Self {
        let jwks = JwksConfig::new("");
        Self {
            url: None,
            refresh: jwks.refresh.into(),
            min_refresh: jwks.min_refresh.into(),
            timeout: jwks.timeout.into(),
            max_body_bytes: jwks.max_body_bytes,
            rsa_algorithm: jwks.rsa_algorithm.as_str().into(),
            insecure_http: jwks.insecure_http,
        }
    }
}

/// Where in a token things are found. A path names a claim, or a member of one with dots, such as
/// `realm_access.roles`; the first of several that the token has counts.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClaimSettings {
    /// Lists of roles: an array, or a string with spaces between.
    pub roles: Vec<String>,
    /// A single role, looked for if there is no list of them.
    pub role: Vec<String>,
    /// Lists of permissions.
    pub permissions: Vec<String>,
    /// Lists of grants, each `ACTION:PATTERN`, such as `subscribe:order:*`.
    pub grants: Vec<String>,
    /// Objects that become the connection's metadata.
    pub metadata: Vec<String>,
}

impl Default for ClaimSettings {
    fn default() -> Self {
        let ClaimPaths { roles, role, permissions, grants, metadata } = ClaimPaths::default();
        Self { roles, role, permissions, grants, metadata }
    }
}

/// The HTTP API for backends.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ApiConfig {
    /// The keys that backends authenticate with, each of at least 16 characters; several, so that they can be
    /// rotated. Required.
    #[serde(skip_serializing)]
    #[schemars(with = "Vec<String>")]
    pub keys: Vec<SecretString>,
    /// The longest that a request may take.
    pub timeout: Span,
    /// The largest body of a request, in bytes.
    pub max_body_bytes: usize,
    /// How long an idempotency key is remembered.
    pub idempotency_window: Span,
    /// Most idempotency keys that are remembered; the oldest are forgotten first.
    pub idempotency_keys: usize,
}

impl Default for ApiConfig {
    fn default() -> Self {
        let settings = Settings::default();
        Self {
            keys: Vec::new(),
            timeout: Span::secs(10),
            max_body_bytes: 1024 * 1024,
            idempotency_window: settings.publishing.idempotency_window.into(),
            idempotency_keys: settings.publishing.idempotency_keys,
        }
    }
}

/// Every limit, by name.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Most connections of this node. Over it: 503.
    pub connections: usize,
    /// Most connections of one user. Over it: 429.
    pub connections_per_user: usize,
    /// Most connections from one address. Over it: 429.
    pub connections_per_address: usize,
    /// Most sockets that speak HTTP at once; WebSockets don't count. Over it: 503.
    pub http_sockets: usize,
    /// Most bytes of a request's head. Over it: 431. At least 8192.
    pub header_bytes: usize,
    /// Most header lines of a request. Over it: 431.
    pub headers: usize,
    /// How long the head of a request may take to arrive, and how long a socket may idle between requests.
    pub header_timeout: Span,
    /// How long a client may take to take an HTTP answer whole, once the kernel holds no more of it. Over it: hung up.
    pub answer_timeout: Span,
    /// How long a peer may take to take over its upgraded socket.
    pub upgrade_timeout: Span,
    /// Tokens that are verified at once; more wait for `limits.verify_timeout`.
    pub verifications: usize,
    /// How long the verification of a token may take. Over it: 503.
    pub verify_timeout: Span,
    /// Largest message from a client, in bytes. Over it: close 1009.
    pub max_message_bytes: u64,
    /// Largest WebSocket frame from a client, in bytes. Over it: close 1009.
    pub max_frame_bytes: usize,
    /// Most frames that a message may be cut into. Over it: close 1009.
    pub max_fragments: u32,
    /// Most topics that one connection may be subscribed to; 0 for none. Over it: `limit_exceeded`.
    pub subscriptions: u32,
    /// Longest topic that a client may name, in characters: at most 255. Over it: `payload_invalid`.
    pub topic_chars: u32,
    /// Commands per second that a connection may send in the long run. Over it: `rate_limited`, then close 4529.
    pub messages_per_second: u32,
    /// Commands that may come at once after a quiet time.
    pub burst: u32,
    /// Messages that may wait for a slow reader. Over it, `delivery.overflow` decides.
    pub queue_messages: u32,
    /// Bytes that may wait for a slow reader. Over it, `delivery.overflow` decides.
    pub queue_bytes: u64,
    /// Largest payload that is published, in bytes. Over it: `too_large`.
    pub max_publish_bytes: usize,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        let (settings, client) = (Settings::default(), ClientLimits::default());
        let (ws, door) =
            (realtime_adapters::ws::WsConfig::default(), realtime_adapters::front::AcceptorConfig::default());
        Self {
            connections: settings.admission.connections,
            connections_per_user: settings.admission.connections_per_user,
            connections_per_address: settings.admission.connections_per_address,
            http_sockets: door.max_http_sockets,
            header_bytes: door.max_header_bytes,
            headers: door.max_headers,
            header_timeout: door.header_read_timeout.into(),
            answer_timeout: door.answer_timeout.into(),
            upgrade_timeout: ws.upgrade_timeout.into(),
            verifications: settings.admission.verifications,
            verify_timeout: settings.admission.verify_timeout.into(),
            max_message_bytes: client.max_message_bytes,
            max_frame_bytes: ws.max_frame_bytes,
            max_fragments: ws.max_fragments,
            subscriptions: client.subscriptions,
            topic_chars: client.topic_chars,
            messages_per_second: client.messages_per_second,
            burst: client.burst,
            queue_messages: client.queue_messages,
            queue_bytes: client.queue_bytes,
            max_publish_bytes: settings.publishing.max_bytes,
        }
    }
}

/// How dead and stalled connections are found.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LivenessConfig {
    /// Time between the server's pings; each connection moves it by up to a tenth.
    pub ping_interval: Span,
    /// Pings in a row that may go unanswered before the connection is closed with 4508.
    pub pong_misses: u32,
    /// How long one write may take before its reader counts as too slow and its connection is cut: what it did not
    /// take leaves no room to say why.
    pub write_timeout: Span,
    /// How long the peer of a closed connection has to say goodbye.
    pub close_timeout: Span,
}

impl Default for LivenessConfig {
    fn default() -> Self {
        let settings = Settings::default();
        Self {
            ping_interval: settings.liveness.ping_interval.into(),
            pong_misses: settings.liveness.pong_misses,
            write_timeout: settings.liveness.write_timeout.into(),
            close_timeout: settings.liveness.close_timeout.into(),
        }
    }
}

/// How clients are told to come back.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ReconnectConfig {
    /// The shortest wait before a reconnect.
    pub min: Span,
    /// The longest wait that a client's backoff grows to.
    pub max: Span,
    /// The random part that is added to a wait, so that clients don't all return at once.
    pub spread: Span,
    /// Reconnects a second that a draining node spreads its clients to.
    pub drain_rate: u32,
}

impl Default for ReconnectConfig {
    fn default() -> Self {
        let settings = Settings::default();
        let millis = |ms: u64| std::time::Duration::from_millis(ms).into();
        Self {
            min: millis(settings.reconnect.min_ms),
            max: millis(settings.reconnect.max_ms),
            spread: millis(settings.reconnect.spread_ms),
            drain_rate: settings.drain_rate,
        }
    }
}

/// What becomes of messages that can't be delivered at once.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DeliveryConfig {
    /// What to do when a connection's queue is full, for topics without a namespace and for the other routes:
    /// `close` it with 4513, `drop` the oldest messages and say so with a `gap`, or keep only the `latest` of each
    /// type.
    #[schemars(with = "OverflowName")]
    pub overflow: Overflow,
}

/// The policy of the topics that a pattern matches.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NamespaceConfig {
    /// Which topics: `*` stands for one part between colons, a last `**` for the rest, `{sub}` for the subscriber's
    /// own user id.
    #[schemars(with = "String")]
    pub pattern: TopicPattern,
    /// Who may subscribe by themselves: `granted` clients, whose token says so, or every `authenticated` one.
    #[serde(default)]
    #[schemars(with = "SubscribeName")]
    pub subscribe: SubscribePolicy,
    /// What to do when a connection's queue is full: `close`, `drop` or `latest`.
    #[serde(default)]
    #[schemars(with = "OverflowName")]
    pub overflow: Overflow,
}

// The names of core's enums for the schema: core knows no schemas.

#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(dead_code, reason = "only its schema is used")]
enum OverflowName {
    Close,
    Drop,
    Latest,
}

#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(dead_code, reason = "only its schema is used")]
enum SubscribeName {
    Granted,
    Authenticated,
}
