//! Development: secrets that are made up at start, a page to try things on, and lines to paste.

use std::net::SocketAddr;

use realtime_schema::{Timestamp, UserId};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use crate::{
    config::Config,
    token::{TokenError, TokenRequest},
};

/// What a server for development made up.
pub struct Dev {
    /// A key of the HTTP API.
    api_key: SecretString,
}

impl Dev {
    /// Gives `config` what it requires and does not have: a secret and an API key, new at each start.
    pub(crate) fn complete(config: &mut Config) -> Self {
        let auth = &mut config.auth;
        // The page signs its own tokens, so there is a secret even where other keys are set.
        auth.hmac_secret.get_or_insert_with(made_up);
        if config.api.keys.is_empty() {
            config.api.keys.push(made_up());
        }
        Self { api_key: config.api.keys[0].clone() }
    }

    /// Lets the live page connect, whatever name of this machine the browser calls it by.
    #[allow(clippy::unused_self, reason = "only a server for development may do it")]
    pub(crate) fn allow_own_page(&self, config: &mut Config, local: SocketAddr) {
        let port = local.port();
        let own = [format!("http://{local}"), format!("http://localhost:{port}"), format!("http://127.0.0.1:{port}")];
        config.server.allowed_origins.extend(own);
    }

    /// The key that the page and the `curl` line publish with.
    pub fn api_key(&self) -> &str {
        self.api_key.expose_secret()
    }

    /// The lines to paste.
    ///
    /// # Errors
    /// The token for them can't be signed.
    pub fn greeting(&self, config: &Config, local: SocketAddr, now: Timestamp) -> Result<String, TokenError> {
        let request = TokenRequest {
            roles: vec!["admin".parse()?],
            grants: vec!["subscribe:**".parse()?],
            ttl: crate::config::Span::secs(24 * 3600),
            ..TokenRequest::new(UserId::new("alice")?)
        };
        let token = request.sign(config, now)?;
        let key = self.api_key();
        Ok(format!(
            "\
Realtime {version}, for development: secrets are made up at each start.

page     http://{local}/
connect  ws://{local}/ws?token={token}
publish  curl http://{local}/api/v1/publish -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' -d '{{\"to\":{{\"user\":\"alice\"}},\"type\":\"greeting\",\"payload\":{{\"text\":\"hello\"}}}}'

The token is alice's, with the role admin and the right to subscribe to every topic, for a day.
API     http://{local}/api/openapi.json, metrics at http://{local}/metrics. Stop with Ctrl-C.
",
            version = env!("CARGO_PKG_VERSION"),
        ))
    }
}

/// 244 random bits as text.
fn made_up() -> SecretString {
    SecretString::from(format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple()))
}
