//! The settings of hooks over HTTP.

use std::{collections::BTreeMap, fmt, time::Duration};

use realtime_schema::HookName;
use reqwest::Url;

/// The settings of hooks over HTTP.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HttpHooksConfig {
    /// The hooks that are on.
    pub hooks: BTreeMap<HookName, HookConfig>,
    /// The secrets that requests are signed with: each request has a signature of each of them, so that a backend may have
    /// any one of them while they are replaced. At least one.
    pub secrets: Vec<SigningSecret>,
    /// Most requests of one hook at once. Default: 64.
    pub concurrency: usize,
    /// Most requests of one hook that wait to be sent; one more fails at once. Default: 1,000.
    pub queue: usize,
    /// The longest that a TCP and TLS handshake may take. Default: 1 second.
    pub connect_timeout: Duration,
    /// The largest response that is read, in bytes. Default: 64 KiB.
    pub max_response_bytes: usize,
    /// When a hook is not sent any more.
    pub breaker: BreakerConfig,
    /// Most answers of one hook that are kept for [`OnFailure::Last`]; the oldest are dropped first. Default: 10,000.
    pub last_answers: usize,
    /// How long such an answer may be used. Default: 10 minutes.
    pub last_answer_age: Duration,
    /// Most `disconnect` requests that wait to be delivered; one more is dropped and counted. Default: 10,000.
    pub disconnect_queue: usize,
    /// How long the delivery of a `disconnect` is tried. Default: 5 minutes.
    pub disconnect_age: Duration,
    /// The address of an HTTP proxy for all requests. No proxy of the environment is used.
    pub proxy: Option<String>,
}

/// The settings of one hook.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HookConfig {
    /// The address that its requests are sent to, by `POST`: `https` or `http`. No user name, no password.
    pub url: String,
    /// The longest that a request may take in all: the wait to be sent, and every attempt. Default: 4 seconds.
    pub timeout: Duration,
    /// The longest that one attempt may take. Default: 2 seconds.
    pub attempt_timeout: Duration,
    /// Most attempts after the first. Only failures that may pass are retried, within [`Self::timeout`]. Default: 1.
    pub retries: u32,
    /// The backend recognizes a retry by the header `X-Realtime-Request-Id`, and does nothing twice. Without this promise
    /// a request is retried only if it was surely not received. Default: true, but for `publish` and `call`.
    pub idempotent: bool,
    /// What happens while the backend is away. Default: [`OnFailure::Refuse`].
    pub on_failure: OnFailure,
}

/// What happens to a client while the backend is away: it can't be reached, takes too long, or responds with 429 or 5xx.
///
/// Any other failure, such as a response that can't be read, is a fault of the backend or of the config: it refuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnFailure {
    /// The client is refused with `unavailable`, and may try again.
    #[default]
    Refuse,
    /// The client is allowed what it wants.
    Allow,
    /// The last answer to the same question decides, if it is not older than [`HttpHooksConfig::last_answer_age`]; else the
    /// client is refused.
    Last,
}

/// When a hook is not sent any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerConfig {
    /// Failures in a row after which requests fail without being sent. Default: 10.
    pub failures: u32,
    /// How long they do, before one is let through to try. Default: 5 seconds.
    pub pause: Duration,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self { failures: 10, pause: Duration::from_secs(5) }
    }
}

/// A secret that requests are signed with, used byte for byte. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret(Vec<u8>);

impl SigningSecret {
    /// The fewest bytes of a secret: the output of HMAC-SHA256 (RFC 2104 section 3).
    pub const MIN_BYTES: usize = 32;

    /// A secret of at least [`Self::MIN_BYTES`].
    ///
    /// # Errors
    /// It is shorter.
    pub fn new(secret: impl Into<Vec<u8>>) -> Result<Self, HookConfigError> {
        let secret = secret.into();
        match secret.len() {
            Self::MIN_BYTES.. => Ok(Self(secret)),
            bytes => Err(HookConfigError::new(
                "secrets",
                format!(
                    "a secret has {bytes} bytes; give at least {} (`openssl rand -hex 32` makes one)",
                    Self::MIN_BYTES
                ),
            )),
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(…)")
    }
}

/// An invalid setting. Never contains a secret, nor an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {problem}")]
pub struct HookConfigError {
    /// The setting: `secrets`, or `connect.url`.
    pub setting: String,
    /// What is wrong, and what to do about it.
    pub problem: String,
}

impl HookConfigError {
    pub(super) fn new(setting: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { setting: setting.into(), problem: problem.into() }
    }
}

impl HttpHooksConfig {
    /// No hook, and no secret.
    pub fn new() -> Self {
        Self {
            hooks: BTreeMap::new(),
            secrets: Vec::new(),
            concurrency: 64,
            queue: 1_000,
            connect_timeout: Duration::from_secs(1),
            max_response_bytes: 64 * 1024,
            breaker: BreakerConfig::default(),
            last_answers: 10_000,
            last_answer_age: Duration::from_secs(600),
            disconnect_queue: 10_000,
            disconnect_age: Duration::from_secs(300),
            proxy: None,
        }
    }

    /// Checks the address of a proxy.
    ///
    /// # Errors
    /// It is not one.
    pub fn check_proxy(proxy: &str) -> Result<(), HookConfigError> {
        let checked = reqwest::Proxy::all(proxy).map(drop);
        checked.map_err(|_| HookConfigError::new("proxy", "is not the address of an HTTP proxy; give http://host:port"))
    }

    /// Checks the settings without a request.
    ///
    /// # Errors
    /// The first invalid setting.
    pub fn check(&self) -> Result<(), HookConfigError> {
        if self.secrets.is_empty() {
            return Err(HookConfigError::new("secrets", "no secret to sign requests with; give at least one"));
        }
        let counts = [
            ("concurrency", self.concurrency),
            ("max_response_bytes", self.max_response_bytes),
            ("breaker.failures", self.breaker.failures as usize),
            ("disconnect_queue", self.disconnect_queue),
        ];
        if let Some((name, _)) = counts.iter().find(|(_, value)| *value == 0) {
            return Err(HookConfigError::new(*name, "is 0; give at least 1"));
        }
        if let Some(proxy) = &self.proxy {
            Self::check_proxy(proxy)?;
        }
        self.hooks.iter().try_for_each(|(name, hook)| hook.check(*name))
    }
}

impl Default for HttpHooksConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl HookConfig {
    /// The default settings of a hook at this address.
    pub fn new(name: HookName, url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            timeout: Duration::from_secs(4),
            attempt_timeout: Duration::from_secs(2),
            retries: 1,
            idempotent: !matches!(name, HookName::Publish | HookName::Call),
            on_failure: OnFailure::Refuse,
        }
    }

    /// Checks the settings of the hook `name` without a request.
    ///
    /// # Errors
    /// The first invalid setting.
    pub fn check(&self, name: HookName) -> Result<(), HookConfigError> {
        self.checked_url(name)?;
        let wrong =
            |setting: &str, problem: &str| Err(HookConfigError::new(format!("{}.{setting}", name.as_str()), problem));
        if self.timeout.is_zero() {
            return wrong("timeout", "is 0; give a time");
        }
        if self.attempt_timeout.is_zero() || self.attempt_timeout > self.timeout {
            return wrong("attempt_timeout", "is 0 or longer than the timeout of the whole request; give less");
        }
        match (name, self.on_failure) {
            (HookName::Call | HookName::Disconnect, OnFailure::Allow | OnFailure::Last) => {
                wrong("on_failure", "only `refuse` has a meaning for this hook; leave it out")
            }
            _ => Ok(()),
        }
    }

    pub(super) fn checked_url(&self, name: HookName) -> Result<Url, HookConfigError> {
        // The address is not repeated: its path or query may hold a secret.
        let wrong = |problem: &str| HookConfigError::new(format!("{}.url", name.as_str()), problem);
        let url = Url::parse(&self.url).map_err(|_| wrong("is not a URL; give https://…"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("holds a user name or a password; remove it: requests are signed"));
        }
        match url.scheme() {
            "https" | "http" if url.has_host() => Ok(url),
            _ => Err(wrong("is neither https nor http; give https://…")),
        }
    }

    /// True for plain `http` to another machine: a machine on the way can change the answers.
    pub fn is_insecure(&self) -> bool {
        let Ok(url) = Url::parse(&self.url) else { return false };
        let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
        let is_local =
            host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        url.scheme() == "http" && !is_local
    }
}
