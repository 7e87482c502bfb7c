//! `[auth]`: whose tokens are accepted.

mod claims;
mod jwks;
mod trust;

use std::path::PathBuf;

use realtime_adapters::jwt::{Algorithm, JwtConfig};
use realtime_core::auth::ConnectionPolicy;
use realtime_service::Settings;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::{Span, problems::Problems, secret::SecretText};

pub use claims::ClaimSettings;
pub use jwks::JwksSettings;

/// Whose tokens are accepted. At least one key is required.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AuthConfig {
    /// A secret that the issuer of tokens shares with this server: at least 32 bytes, used as they are.
    #[serde(skip_serializing)]
    #[schemars(with = "Option<SecretText>")]
    pub hmac_secret: Option<SecretString>,
    /// The algorithm of that secret: `HS256`, `HS384` or `HS512`.
    pub hmac_algorithm: String,
    /// A public key in PEM: RSA, P-256, P-384 or Ed25519.
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

impl AuthConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        self.policy(problems);
        self.check_trust(problems);
    }

    pub(super) fn warn(&self, warnings: &mut Problems) {
        if self.allow_expired {
            warnings.add("auth.allow_expired", "expired tokens are accepted, however old they are");
        }
        if self.jwks.url.is_some() && self.jwks.insecure_http {
            let what = "keys may be fetched over plain `http`: a machine on the way can replace them and issue tokens";
            warnings.add("auth.jwks.insecure_http", what);
        }
    }

    pub(super) fn apply(&self, settings: &mut Settings, problems: &mut Problems) {
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

fn algorithm(name: &str) -> Result<Algorithm, String> {
    Algorithm::ALL.into_iter().find(|algorithm| algorithm.as_str() == name).ok_or_else(|| {
        let names: Vec<_> = Algorithm::ALL.iter().map(|algorithm| algorithm.as_str()).collect();
        format!("`{name}` is not an algorithm; use one of {}", names.join(", "))
    })
}
