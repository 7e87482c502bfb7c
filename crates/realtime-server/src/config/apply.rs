//! From settings to what the layers below are built with. Everything that is wrong is said at once.

use std::{fs, str::FromStr, sync::Arc, time::Duration};

use realtime_adapters::{
    front::AcceptorConfig,
    jwt::{Algorithm, ClaimPaths, JwksConfig, JwksSource, JwtConfig, Key, KeyError, KeySet, TokenVerifier},
    ws::{Origins, WsConfig},
};
use realtime_core::{
    auth::ConnectionPolicy,
    policy::{Namespace, Namespaces},
};
use realtime_schema::{ClientLimits, FieldError, Reconnect, Topic};
use realtime_service::Settings;
use secrecy::ExposeSecret;

use super::{ClaimSettings, Config, ConfigError, Problem, layers::variable};

/// The shortest API key, in characters.
const MIN_API_KEY_CHARS: usize = 16;

/// The longest that anything waits. What is meant to be longer is mostly a slip.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

/// Problems as they are found.
#[derive(Default)]
struct Problems(Vec<Problem>);

impl Problems {
    fn add(&mut self, key: &str, what: impl Into<String>) {
        self.0.push(Problem::new(key, what));
    }

    fn ok<T, E: std::fmt::Display>(&mut self, key: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.add(key, error.to_string())).ok()
    }

    fn each<T: FromStr<Err = FieldError>>(&mut self, key: &str, texts: &[String]) -> Vec<T> {
        texts.iter().filter_map(|text| self.ok(key, text.parse())).collect()
    }
}

/// What tokens are verified with.
struct Trust {
    rules: JwtConfig,
    keys: KeySet,
    address: Option<JwksConfig>,
}

/// Whether a part of a filter is one word, as a level is, and none of the levels.
fn is_unknown_level(part: &str) -> bool {
    let word = part.trim();
    !word.contains(['=', ':', '[']) && word.parse::<tracing_subscriber::filter::LevelFilter>().is_err()
}

impl Config {
    /// Everything that is wrong with the settings, without serving anything.
    ///
    /// # Errors
    /// Each setting that can't be meant, and what is required and not set.
    pub fn check(&self) -> Result<(), ConfigError> {
        let mut problems = Problems::default();
        self.settings_into(&mut problems);
        if let Some(trust) = self.trust_into(&mut problems)
            && let Err(error) = match &trust.address {
                Some(address) => address.check().and_then(|()| trust.rules.check()),
                None => TokenVerifier::new(trust.rules, trust.keys).map(drop),
            }
        {
            problems.add("auth", error.to_string());
        }
        self.check_api(&mut problems);
        if let Err(error) = tracing_subscriber::EnvFilter::try_new(&self.log.level) {
            problems.add("log.level", format!("{error}; use error, warn, info, debug or trace"));
        } else if self.log.level.split(',').any(is_unknown_level) {
            // The filter takes any other word for the name of a module, and would silence everything else.
            let what = format!("`{}` is no level; use error, warn, info, debug, trace or off", self.log.level);
            problems.add("log.level", what);
        }
        if let Some(header) = &self.server.client_address_header
            && http::HeaderName::try_from(header.as_str()).is_err()
        {
            problems.add("server.client_address_header", "is not the name of a header");
        }
        for origin in &self.server.allowed_origins {
            if origin != "*" && !is_origin(origin) {
                let what = format!("`{origin}` is not an origin; write `https://app.example.com`, without a path");
                problems.add("server.allowed_origins", what);
            }
        }
        if problems.0.is_empty() { Ok(()) } else { Err(ConfigError::Problems(problems.0)) }
    }

    /// The verifier. With an address, waits for its first answer and fetches in the background from then on.
    pub(crate) async fn verifier(&self) -> Result<Arc<TokenVerifier>, ConfigError> {
        let mut problems = Problems::default();
        let Some(Trust { rules, keys, address }) = self.trust_into(&mut problems) else {
            return Err(ConfigError::Problems(problems.0));
        };
        let built = match address {
            None => TokenVerifier::new(rules, keys),
            Some(address) => match JwksSource::start(address).await {
                Ok(source) => TokenVerifier::with_address(rules, keys, source),
                Err(error) => Err(error),
            },
        };
        built.map(Arc::new).map_err(|error| ConfigError::Problems(vec![Problem::new("auth", error.to_string())]))
    }

    /// The service's settings.
    pub(crate) fn settings(&self) -> Result<Settings, ConfigError> {
        let mut problems = Problems::default();
        let settings = self.settings_into(&mut problems);
        if problems.0.is_empty() { Ok(settings) } else { Err(ConfigError::Problems(problems.0)) }
    }

    /// What the WebSocket endpoint accepts.
    pub(crate) fn ws(&self) -> WsConfig {
        let origins = &self.server.allowed_origins;
        WsConfig {
            max_message_bytes: usize::try_from(self.limits.max_message_bytes).unwrap_or(usize::MAX),
            max_frame_bytes: self.limits.max_frame_bytes,
            max_fragments: self.limits.max_fragments,
            upgrade_timeout: self.limits.upgrade_timeout.0,
            origins: match origins.as_slice() {
                [] => Origins::None,
                list if list.iter().any(|origin| origin == "*") => Origins::Any,
                list => Origins::Listed(list.to_vec()),
            },
        }
    }

    /// The front door.
    pub(crate) fn acceptor(&self) -> AcceptorConfig {
        AcceptorConfig {
            header_read_timeout: self.limits.header_timeout.0,
            answer_timeout: self.limits.answer_timeout.0,
            max_header_bytes: self.limits.header_bytes,
            max_headers: self.limits.headers,
            max_http_sockets: self.limits.http_sockets,
        }
    }

    fn settings_into(&self, problems: &mut Problems) -> Settings {
        let Self { auth, api, limits, liveness, reconnect, .. } = self;
        let sizes = [
            ("limits.connections", limits.connections),
            ("limits.connections_per_user", limits.connections_per_user),
            ("limits.connections_per_address", limits.connections_per_address),
            ("limits.http_sockets", limits.http_sockets),
            ("limits.headers", limits.headers),
            ("limits.verifications", limits.verifications),
            ("limits.max_message_bytes", usize::try_from(limits.max_message_bytes).unwrap_or(usize::MAX)),
            ("limits.max_frame_bytes", limits.max_frame_bytes),
            ("limits.max_fragments", limits.max_fragments as usize),
            ("limits.messages_per_second", limits.messages_per_second as usize),
            ("limits.burst", limits.burst as usize),
            ("limits.queue_messages", limits.queue_messages as usize),
            ("limits.queue_bytes", usize::try_from(limits.queue_bytes).unwrap_or(usize::MAX)),
            ("limits.max_publish_bytes", limits.max_publish_bytes),
            ("reconnect.drain_rate", reconnect.drain_rate as usize),
            ("liveness.pong_misses", liveness.pong_misses as usize),
        ];
        for (key, value) in sizes {
            if value == 0 {
                problems.add(key, "is 0, which would let nothing through; give at least 1");
            }
        }
        let waits = [
            ("limits.header_timeout", limits.header_timeout),
            ("limits.answer_timeout", limits.answer_timeout),
            ("limits.upgrade_timeout", limits.upgrade_timeout),
            ("limits.verify_timeout", limits.verify_timeout),
            ("liveness.ping_interval", liveness.ping_interval),
            ("liveness.write_timeout", liveness.write_timeout),
            ("liveness.close_timeout", liveness.close_timeout),
            ("api.timeout", api.timeout),
        ];
        for (key, wait) in waits {
            if wait.0.is_zero() || wait.0 > LONGEST_WAIT {
                problems.add(key, "is 0 or longer than a day; give a time between");
            }
        }
        if limits.header_bytes < 8192 {
            problems.add("limits.header_bytes", "is under 8192, which the HTTP library needs");
        }
        if limits.topic_chars == 0 || limits.topic_chars as usize > Topic::MAX_CHARS {
            problems.add("limits.topic_chars", format!("must be 1 to {}", Topic::MAX_CHARS));
        }
        if reconnect.min > reconnect.max {
            problems.add("reconnect.min", "is longer than reconnect.max");
        }
        let ms = |span: super::Span| u64::try_from(span.0.as_millis()).unwrap_or(u64::MAX);
        let mut settings = Settings::default();
        settings.limits = ClientLimits {
            max_message_bytes: limits.max_message_bytes,
            subscriptions: limits.subscriptions,
            topic_chars: limits.topic_chars,
            messages_per_second: limits.messages_per_second,
            burst: limits.burst,
            queue_messages: limits.queue_messages,
            queue_bytes: limits.queue_bytes,
        };
        settings.admission.connections = limits.connections;
        settings.admission.connections_per_user = limits.connections_per_user;
        settings.admission.connections_per_address = limits.connections_per_address;
        settings.admission.verifications = limits.verifications;
        settings.admission.verify_timeout = limits.verify_timeout.0;
        settings.admission.policy = ConnectionPolicy {
            required_roles: problems.each("auth.required_roles", &auth.required_roles),
            required_permissions: problems.each("auth.required_permissions", &auth.required_permissions),
            allow_expired: auth.allow_expired,
            leeway_s: auth.leeway.0.as_secs(),
        };
        settings.namespaces = Namespaces::new(
            self.namespaces
                .iter()
                .map(|n| Namespace { pattern: n.pattern.clone(), subscribe: n.subscribe, overflow: n.overflow })
                .collect(),
            self.delivery.overflow,
        );
        settings.liveness.ping_interval = liveness.ping_interval.0;
        settings.liveness.pong_misses = liveness.pong_misses;
        settings.liveness.write_timeout = liveness.write_timeout.0;
        settings.liveness.close_timeout = liveness.close_timeout.0;
        settings.publishing.max_bytes = limits.max_publish_bytes;
        settings.publishing.idempotency_window = api.idempotency_window.0;
        settings.publishing.idempotency_keys = api.idempotency_keys;
        settings.reconnect =
            Reconnect { min_ms: ms(reconnect.min), max_ms: ms(reconnect.max), spread_ms: ms(reconnect.spread) };
        settings.drain_rate = reconnect.drain_rate;
        settings
    }

    fn trust_into(&self, problems: &mut Problems) -> Option<Trust> {
        let auth = &self.auth;
        let before = problems.0.len();
        let mut keys = KeySet::new();
        let mut add = |problems: &mut Problems, key: &str, found: Result<Key, KeyError>| {
            if let Some(found) = problems.ok(key, found)
                && let Some(more) = problems.ok(key, keys.clone().with(found))
            {
                keys = more;
            }
        };
        if let Some(secret) = &auth.hmac_secret
            && let Some(algorithm) = problems.ok("auth.hmac_algorithm", algorithm(&auth.hmac_algorithm))
        {
            add(problems, "auth.hmac_secret", Key::hmac(algorithm, secret.expose_secret().as_bytes()));
        }
        let named = auth.public_key_algorithm.as_deref().map(algorithm).transpose();
        let named = problems.ok("auth.public_key_algorithm", named).flatten();
        if let Some(pem) = &auth.public_key {
            add(problems, "auth.public_key", Key::from_pem(pem, named));
        }
        if let Some(path) = &auth.public_key_file {
            match fs::read_to_string(path) {
                Ok(pem) => add(problems, "auth.public_key_file", Key::from_pem(&pem, named)),
                Err(error) => problems.add("auth.public_key_file", format!("{}: {error}", path.display())),
            }
        }
        if let Some(path) = &auth.jwks_file
            && let Some(found) = problems.ok("auth.jwks_file", KeySet::from_jwks_file(path))
            && let Some(more) = problems.ok("auth.jwks_file", keys.clone().merged(found))
        {
            keys = more;
        }
        let address = auth.jwks.url.as_ref().and_then(|url| {
            let rsa_algorithm = problems.ok("auth.jwks.rsa_algorithm", algorithm(&auth.jwks.rsa_algorithm))?;
            Some(JwksConfig {
                refresh: auth.jwks.refresh.0,
                min_refresh: auth.jwks.min_refresh.0,
                timeout: auth.jwks.timeout.0,
                max_body_bytes: auth.jwks.max_body_bytes,
                rsa_algorithm,
                insecure_http: auth.jwks.insecure_http,
                ..JwksConfig::new(url)
            })
        });
        if problems.0.len() > before {
            return None;
        }
        if keys.is_empty() && address.is_none() {
            let keys = ["hmac_secret", "public_key_file", "jwks_file", "jwks.url"];
            let variables: Vec<_> = keys.iter().map(|key| variable(&format!("auth.{key}"))).collect();
            problems.add(
                "auth",
                format!(
                    "no key to verify tokens with; set one of {} (a secret: `openssl rand -hex 32`), or try the server with --dev",
                    variables.join(", ")
                ),
            );
            return None;
        }
        let ClaimSettings { roles, role, permissions, grants, metadata } = auth.claims.clone();
        let rules = JwtConfig {
            issuers: auth.issuers.clone(),
            audiences: auth.audiences.clone(),
            leeway: auth.leeway.0,
            allow_expired: auth.allow_expired,
            types: auth.types.clone(),
            max_token_bytes: auth.max_token_bytes,
            claims: ClaimPaths { roles, role, permissions, grants, metadata },
        };
        Some(Trust { rules, keys, address })
    }

    fn check_api(&self, problems: &mut Problems) {
        if self.api.keys.is_empty() {
            problems.add(
                "api.keys",
                format!(
                    "no key for backends; set {} (`openssl rand -hex 32` makes one), or try the server with --dev",
                    variable("api.keys")
                ),
            );
        }
        for key in &self.api.keys {
            let key = key.expose_secret();
            if key.chars().count() < MIN_API_KEY_CHARS || !key.chars().all(|c| c.is_ascii_graphic()) {
                let what = format!(
                    "each key must have at least {MIN_API_KEY_CHARS} characters, all of them printable ASCII without spaces"
                );
                problems.add("api.keys", what);
            }
        }
    }
}

fn algorithm(name: &str) -> Result<Algorithm, String> {
    Algorithm::ALL.into_iter().find(|algorithm| algorithm.as_str() == name).ok_or_else(|| {
        let names: Vec<_> = Algorithm::ALL.iter().map(|algorithm| algorithm.as_str()).collect();
        format!("`{name}` is not an algorithm; use one of {}", names.join(", "))
    })
}

/// As a browser writes it (RFC 6454 section 6.2): scheme, host, perhaps a port, and nothing after it.
fn is_origin(text: &str) -> bool {
    text.parse::<http::Uri>()
        .is_ok_and(|uri| uri.scheme().is_some() && uri.host().is_some() && uri.path() == "/" && uri.query().is_none())
        && !text.ends_with('/')
}

#[cfg(test)]
mod tests;
