//! The settings of `[auth]` itself.

use std::path::PathBuf;

use realtime_adapters::jwt::JwtConfig;
use realtime_core::auth::ConnectionPolicy;
use realtime_service::Settings;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::{
    super::{duration::Span, problems::Problems, secret::SecretText},
    claims::ClaimSettings,
    jwks::JwksSettings,
    provider::ProviderConfig,
};

/// Whose tokens are accepted. At least one key is required.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AuthConfig {
    /// A secret that the issuer of tokens shares with this server: at least 32 bytes, used as they are, but for one
    /// line end after them.
    #[serde(skip_serializing)]
    #[schemars(with = "Option<SecretText>")]
    pub hmac_secret: Option<SecretString>,
    /// More such secrets, so that they can be rotated: all of them are accepted.
    #[serde(skip_serializing)]
    #[schemars(with = "Vec<SecretText>")]
    pub hmac_secrets: Vec<SecretString>,
    /// Files with such secrets, one in each. One line end at the end of a file is not a part of the secret.
    #[schemars(with = "Vec<String>")]
    pub hmac_secret_files: Vec<PathBuf>,
    /// The algorithm of those secrets: `HS256`, `HS384` or `HS512`.
    pub hmac_algorithm: String,
    /// A public key in PEM: RSA, P-256, P-384 or Ed25519. In an environment variable its line ends may be written `\n`.
    #[schemars(with = "Option<SecretText>")]
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
    /// Audiences (`aud`) of this server; a token must name one of them. Without any, a token must not name an audience.
    pub audiences: Vec<String>,
    /// The claim that names the audience. With another one than `aud`, such as the `client_id` of Amazon Cognito's
    /// access tokens, `audiences` is required and `aud` is not compared.
    pub audience_claim: String,
    /// Claims that must have exactly a text, each `CLAIM=VALUE`, such as `token_use=access`.
    pub required_claims: Vec<String>,
    /// Accepted token types (`typ`). Without any, every type is accepted.
    pub types: Vec<String>,
    /// Tolerance for clocks that differ, on `exp` and `nbf`.
    pub leeway: Span,
    /// Accepts expired tokens, and keeps connections beyond the expiry of theirs. For migrations.
    pub allow_expired: bool,
    /// The longest token that is read, in bytes.
    pub max_token_bytes: usize,
    /// Roles of which a token must have all to connect.
    pub required_roles: Vec<String>,
    /// Permissions of which a token must have all to connect.
    pub required_permissions: Vec<String>,
    /// Where in a token the user, roles, permissions, grants and metadata are found.
    pub claims: ClaimSettings,
    /// Issuers with keys, audiences and claims of their own. The `iss` of a token selects the entry that lists it.
    pub providers: Vec<ProviderConfig>,
}

impl Default for AuthConfig {
    fn default() -> Self {
        let jwt = JwtConfig::default();
        Self {
            hmac_secret: None,
            hmac_secrets: Vec::new(),
            hmac_secret_files: Vec::new(),
            hmac_algorithm: "HS256".into(),
            public_key: None,
            public_key_file: None,
            public_key_algorithm: None,
            jwks_file: None,
            jwks: JwksSettings::default(),
            issuers: jwt.issuers,
            audiences: jwt.audiences,
            audience_claim: jwt.audience_claim,
            required_claims: Vec::new(),
            types: jwt.types,
            leeway: jwt.leeway.into(),
            allow_expired: jwt.allow_expired,
            max_token_bytes: jwt.max_token_bytes,
            required_roles: Vec::new(),
            required_permissions: Vec::new(),
            claims: ClaimSettings::default(),
            providers: Vec::new(),
        }
    }
}

impl AuthConfig {
    /// The secrets that the config itself contains.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &SecretString> {
        let own = self.hmac_secret.iter().chain(&self.hmac_secrets);
        own.chain(self.providers.iter().flat_map(|provider| &provider.hmac_secrets))
    }

    pub(in crate::config) fn check(&self, problems: &mut Problems) {
        self.policy(problems);
        self.check_trust(problems);
    }

    pub(in crate::config) fn warn(&self, warnings: &mut Problems) {
        if self.allow_expired {
            warnings.add("auth.allow_expired", "expired tokens are accepted, however old they are");
        }
        if self.jwks.url.is_some() && self.jwks.insecure_http {
            let what = "keys may be fetched over plain `http`: a machine on the way can replace them and issue tokens";
            warnings.add("auth.jwks.insecure_http", what);
        }
        self.warn_of_newlines(warnings);
    }

    pub(in crate::config) fn apply(&self, settings: &mut Settings, problems: &mut Problems) {
        settings.admission.policy = self.policy(problems);
    }

    /// What a token must contain to connect.
    fn policy(&self, problems: &mut Problems) -> ConnectionPolicy {
        ConnectionPolicy {
            required_roles: problems.each("auth.required_roles", &self.required_roles),
            required_permissions: problems.each("auth.required_permissions", &self.required_permissions),
            allow_expired: self.allow_expired,
            leeway_s: self.leeway.0.as_secs(),
        }
    }
}
