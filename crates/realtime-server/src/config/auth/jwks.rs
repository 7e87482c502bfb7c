//! `[auth.jwks]`: an address that serves a JWK Set.

use realtime_adapters::jwt::JwksConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    super::{duration::Span, problems::Problems},
    algorithm::algorithm,
};

/// An address that serves a JWK Set.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct JwksSettings {
    /// The address: `https`, or `http` on this machine.
    pub url: Option<String>,
    /// How often the keys are fetched again.
    pub refresh: Span,
    /// The shortest time between two fetches made because a token names an unknown key.
    pub min_refresh: Span,
    /// The longest that one fetch may take.
    pub timeout: Span,
    /// The largest response that is read, in bytes.
    pub max_body_bytes: usize,
    /// The algorithm of RSA keys that name none.
    pub rsa_algorithm: String,
    /// Allows plain `http` to other machines. An attacker who can change packets on the way can then make tokens.
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

impl JwksSettings {
    /// What the adapter fetches keys with; `None` without an address, or if the settings are wrong.
    pub(super) fn source(&self, prefix: &str, problems: &mut Problems) -> Option<JwksConfig> {
        let url = self.url.as_ref()?;
        let rsa_algorithm = problems.ok(&format!("{prefix}.jwks.rsa_algorithm"), algorithm(&self.rsa_algorithm))?;
        Some(JwksConfig {
            refresh: self.refresh.0,
            min_refresh: self.min_refresh.0,
            timeout: self.timeout.0,
            max_body_bytes: self.max_body_bytes,
            rsa_algorithm,
            insecure_http: self.insecure_http,
            ..JwksConfig::new(url)
        })
    }
}
