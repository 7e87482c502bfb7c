//! From the keys and rules of `[auth]` to a verifier.

use std::{fs, sync::Arc};

use realtime_adapters::jwt::{JwksConfig, JwksSource, JwtConfig, Key, KeyError, KeySet, TokenVerifier};
use secrecy::ExposeSecret;

use super::{
    super::{ConfigError, Problem, layers::variable, problems::Problems},
    AuthConfig, algorithm,
};

/// What tokens are verified with.
struct Trust {
    rules: JwtConfig,
    keys: KeySet,
    address: Option<JwksConfig>,
}

impl AuthConfig {
    /// Checks the keys and the rules without fetching anything.
    pub(super) fn check_trust(&self, problems: &mut Problems) {
        if let Some(trust) = self.trust(problems)
            && let Err(error) = match &trust.address {
                Some(address) => address.check().and_then(|()| trust.rules.check()),
                None => TokenVerifier::new(trust.rules, trust.keys).map(drop),
            }
        {
            problems.add("auth", error.to_string());
        }
    }

    /// The verifier. With an address, waits for its first answer and fetches in the background from then on.
    pub(crate) async fn verifier(&self) -> Result<Arc<TokenVerifier>, ConfigError> {
        let mut problems = Problems::default();
        let trust = self.trust(&mut problems);
        let Some(Trust { rules, keys, address }) = problems.none_or(trust)? else {
            return Err(ConfigError::Problems(vec![Problem::new("auth", "no key to verify tokens with")]));
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

    fn trust(&self, problems: &mut Problems) -> Option<Trust> {
        let before = problems.len();
        let keys = self.keys(problems);
        let address = self.jwks.source(problems);
        if problems.len() > before {
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
        Some(Trust { rules: self.rules(), keys, address })
    }

    fn rules(&self) -> JwtConfig {
        JwtConfig {
            issuers: self.issuers.clone(),
            audiences: self.audiences.clone(),
            leeway: self.leeway.0,
            allow_expired: self.allow_expired,
            types: self.types.clone(),
            max_token_bytes: self.max_token_bytes,
            claims: self.claims.paths(),
        }
    }

    /// The keys that the config holds or names a file of.
    fn keys(&self, problems: &mut Problems) -> KeySet {
        let mut keys = KeySet::new();
        let mut add = |problems: &mut Problems, key: &str, found: Result<Key, KeyError>| {
            if let Some(found) = problems.ok(key, found)
                && let Some(more) = problems.ok(key, keys.clone().with(found))
            {
                keys = more;
            }
        };
        if let Some(secret) = &self.hmac_secret
            && let Some(algorithm) = problems.ok("auth.hmac_algorithm", algorithm(&self.hmac_algorithm))
        {
            add(problems, "auth.hmac_secret", Key::hmac(algorithm, secret.expose_secret().as_bytes()));
        }
        let named = self.public_key_algorithm.as_deref().map(algorithm).transpose();
        let named = problems.ok("auth.public_key_algorithm", named).flatten();
        if let Some(pem) = &self.public_key {
            add(problems, "auth.public_key", Key::from_pem(pem, named));
        }
        if let Some(path) = &self.public_key_file {
            match fs::read_to_string(path) {
                Ok(pem) => add(problems, "auth.public_key_file", Key::from_pem(&pem, named)),
                Err(error) => problems.add("auth.public_key_file", format!("{}: {error}", path.display())),
            }
        }
        if let Some(path) = &self.jwks_file
            && let Some(found) = problems.ok("auth.jwks_file", KeySet::from_jwks_file(path))
            && let Some(more) = problems.ok("auth.jwks_file", keys.clone().merged(found))
        {
            keys = more;
        }
        keys
    }
}
