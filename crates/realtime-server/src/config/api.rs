//! `[api]`: the HTTP API for backends.

use realtime_service::Settings;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{Span, layers::variable, problems::Problems};

/// The shortest API key, in characters.
const MIN_KEY_CHARS: usize = 16;

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

impl ApiConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.waits(&[("api.timeout", self.timeout)]);
        if self.keys.is_empty() {
            problems.add(
                "api.keys",
                format!(
                    "no key for backends; set {} (`openssl rand -hex 32` makes one), or try the server with --dev",
                    variable("api.keys")
                ),
            );
        }
        for key in &self.keys {
            let key = key.expose_secret();
            if key.chars().count() < MIN_KEY_CHARS || !key.chars().all(|c| c.is_ascii_graphic()) {
                let what = format!(
                    "each key must have at least {MIN_KEY_CHARS} characters, all of them printable ASCII without spaces"
                );
                problems.add("api.keys", what);
            }
        }
    }

    pub(super) fn apply(&self, settings: &mut Settings) {
        settings.publishing.idempotency_window = self.idempotency_window.0;
        settings.publishing.idempotency_keys = self.idempotency_keys;
    }
}
