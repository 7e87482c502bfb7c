//! `[[auth.providers]]`: issuers with keys of their own.

use std::path::PathBuf;

use realtime_adapters::jwt::JwtConfig;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::{super::secret::SecretText, claims::ClaimSettings, jwks::JwksSettings};

/// Issuers with keys, audiences and claims of their own. The `iss` of a token selects the entry that lists it, and
/// only that entry's settings are used: keys are never shared between entries. The settings of `[auth]` itself are
/// used for tokens whose `iss` no entry lists, if there are keys among them.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ProviderConfig {
    /// What logs and metrics call it. Required.
    pub name: String,
    /// The issuers (`iss`) whose tokens it judges, compared exactly. Required.
    pub issuers: Vec<String>,
    /// As `auth.audiences`.
    pub audiences: Vec<String>,
    /// As `auth.audience_claim`.
    pub audience_claim: String,
    /// As `auth.required_claims`.
    pub required_claims: Vec<String>,
    /// As `auth.types`.
    pub types: Vec<String>,
    /// As `auth.hmac_secrets`.
    #[serde(skip_serializing)]
    #[schemars(with = "Vec<SecretText>")]
    pub hmac_secrets: Vec<SecretString>,
    /// As `auth.hmac_secret_files`.
    #[schemars(with = "Vec<String>")]
    pub hmac_secret_files: Vec<PathBuf>,
    /// As `auth.hmac_algorithm`.
    pub hmac_algorithm: String,
    /// As `auth.public_key`.
    #[schemars(with = "Option<SecretText>")]
    pub public_key: Option<String>,
    /// As `auth.public_key_file`.
    #[schemars(with = "Option<String>")]
    pub public_key_file: Option<PathBuf>,
    /// As `auth.public_key_algorithm`.
    pub public_key_algorithm: Option<String>,
    /// As `auth.jwks_file`.
    #[schemars(with = "Option<String>")]
    pub jwks_file: Option<PathBuf>,
    /// As `auth.jwks`.
    pub jwks: JwksSettings,
    /// As `auth.claims`.
    pub claims: ClaimSettings,
}

impl Default for ProviderConfig {
    fn default() -> Self {
        let jwt = JwtConfig::default();
        Self {
            name: String::new(),
            issuers: jwt.issuers,
            audiences: jwt.audiences,
            audience_claim: jwt.audience_claim,
            required_claims: Vec::new(),
            types: jwt.types,
            hmac_secrets: Vec::new(),
            hmac_secret_files: Vec::new(),
            hmac_algorithm: "HS256".into(),
            public_key: None,
            public_key_file: None,
            public_key_algorithm: None,
            jwks_file: None,
            jwks: JwksSettings::default(),
            claims: ClaimSettings::default(),
        }
    }
}

impl ProviderConfig {
    /// Whether a key of any kind is set.
    pub(super) fn has_keys(&self) -> bool {
        !self.hmac_secrets.is_empty()
            || !self.hmac_secret_files.is_empty()
            || self.public_key.is_some()
            || self.public_key_file.is_some()
            || self.jwks_file.is_some()
            || self.jwks.url.is_some()
    }
}
