//! Development: secrets that are generated at start, a page to try things on, and lines to paste.

use std::net::SocketAddr;

use realtime_schema::{Timestamp, UserId};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use crate::{
    config::Config,
    token::{TokenError, TokenRequest},
};

/// What a server for development generated.
pub struct Dev {
    /// A key of the HTTP API.
    api_key: SecretString,
    /// `auth.hmac_secret`, if it was not given.
    generated_secret: Option<SecretString>,
    /// `api.keys`, if none was given.
    generated_key: Option<SecretString>,
}

impl Dev {
    /// Gives `config` what it requires and does not have: a secret and an API key, new at each start.
    pub(crate) fn complete(config: &mut Config) -> Self {
        // The page signs its own tokens, so there is a secret even where other keys are set.
        let generated_secret = matches!(config.auth.signing_secret(), Ok(None)).then(random_secret);
        let no_key = config.api.keys.is_empty() && config.api.keys_file.is_none();
        let generated_key = no_key.then(random_secret);
        let mut dev = Self { api_key: random_secret(), generated_secret, generated_key };
        dev.complete_again(config);
        // Without a usable key the server will not start.
        if let Some(key) = config.api_keys().ok().and_then(|keys| keys.into_iter().next()) {
            dev.api_key = key;
        }
        dev
    }

    /// Gives a config that is read again the same secrets where it has none.
    pub(crate) fn complete_again(&self, config: &mut Config) {
        if matches!(config.auth.signing_secret(), Ok(None)) {
            config.auth.hmac_secret = self.generated_secret.clone();
        }
        if config.api.keys.is_empty() && config.api.keys_file.is_none() {
            config.api.keys.extend(self.generated_key.clone());
        }
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
            grants: ["subscribe:**", "publish:**", "history:**", "presence:**"]
                .iter()
                .map(|grant| grant.parse())
                .collect::<Result<_, _>>()?,
            ttl: crate::config::Span::secs(24 * 3600),
            ..TokenRequest::new(UserId::new("alice")?)
        };
        let token = request.sign(config, now)?;
        let (key, base) = (self.api_key(), &config.server.base_path);
        let generated = [
            self.generated_secret.as_ref().map(|_| "auth.hmac_secret"),
            self.generated_key.as_ref().map(|_| "api.keys"),
        ];
        let generated: Vec<_> = generated.into_iter().flatten().collect();
        let secrets = match generated.as_slice() {
            [] => "the secrets are those of the config".to_owned(),
            generated => format!("generated at each start: {}", generated.join(", ")),
        };
        Ok(format!(
            "\
Realtime {version}, for development; {secrets}.

page     http://{local}{page}
connect  ws://{local}{endpoint}?token={token}
publish  curl http://{local}{base}/api/v1/publish -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' -d '{{\"to\":{{\"user\":\"alice\"}},\"type\":\"greeting\",\"payload\":{{\"text\":\"hello\"}}}}'

The token is alice's, with the role admin and every right to every topic, for a day.
API     http://{local}{base}/api/openapi.json, metrics at http://{local}/metrics. Stop with Ctrl-C.
",
            version = env!("CARGO_PKG_VERSION"),
            page = if base.is_empty() { "/" } else { base },
            endpoint = config.server.websocket_path(),
        ))
    }
}

/// 244 random bits as text.
fn random_secret() -> SecretString {
    SecretString::from(format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_line(mut config: Config) -> String {
        let dev = Dev::complete(&mut config);
        let text = dev.greeting(&config, config.server.listen, Timestamp::from_millis(0)).expect("a greeting");
        text.lines().next().unwrap_or_default().to_owned()
    }

    #[test]
    fn only_what_was_not_given_is_listed_as_generated() {
        let mut config = Config::default();
        assert!(first_line(config.clone()).ends_with("; generated at each start: auth.hmac_secret, api.keys."));
        config.auth.hmac_secret = Some(random_secret());
        assert!(first_line(config.clone()).ends_with("; generated at each start: api.keys."));
        config.api.keys = vec![random_secret()];
        assert!(first_line(config).ends_with("; the secrets are those of the config."));
    }
}
