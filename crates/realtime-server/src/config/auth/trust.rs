//! From the keys and rules of `[auth]` to a verifier.

use std::{fs, sync::Arc};

use realtime_adapters::jwt::{Algorithm, IssuerConfig, IssuerError, Issuers, JwtConfig, Key, KeyError, KeySet};
use secrecy::{ExposeSecret, SecretString};

use super::{
    super::{
        keys::variable,
        problems::{ConfigError, Problem, Problems},
        secret::{self, without_newline},
    },
    algorithm::algorithm,
    provider::ProviderConfig,
    settings::AuthConfig,
};

/// What the settings of `[auth]` itself are called in logs and metrics, beside the names of `auth.providers`.
const OWN: &str = "default";

/// The settings of one entry and what their names begin with.
struct Section<'a> {
    prefix: String,
    settings: &'a ProviderConfig,
    auth: &'a AuthConfig,
}

impl AuthConfig {
    /// Checks the keys and the rules without fetching anything.
    pub(super) fn check_trust(&self, problems: &mut Problems) {
        if let Some(entries) = self.read(problems)
            && let Err(error) = Issuers::check(&entries)
        {
            problems.add(&self.prefix_of(&error), error.to_string());
        }
    }

    /// The verifier. With an address, waits for its first response and fetches in the background from then on.
    pub(crate) async fn verifier(&self) -> Result<Arc<Issuers>, ConfigError> {
        Issuers::start(self.entries()?).await.map(Arc::new).map_err(|error| self.refused(&error))
    }

    /// Reads all keys again and replaces those of `verifier`, whole or not at all.
    pub(crate) async fn reload(&self, verifier: &Issuers) -> Result<(), ConfigError> {
        verifier.reload(self.entries()?).await.map_err(|error| self.refused(&error))
    }

    /// The first HMAC secret of `[auth]` itself, to sign tokens with for development and tests.
    pub(crate) fn signing_secret(&self) -> Result<Option<Vec<u8>>, ConfigError> {
        if let Some(text) = self.hmac_secret.iter().chain(&self.hmac_secrets).next() {
            return Ok(Some(used(text).as_bytes().to_vec()));
        }
        let read = self.hmac_secret_files.first().map(|path| secret::in_file(path)).transpose();
        read.map_err(|error| ConfigError::Problems(vec![Problem::new("auth.hmac_secret_files", error)]))
    }

    /// Secrets that end in a newline, which is left out: as from `echo SECRET | base64` in a Kubernetes Secret.
    pub(super) fn warn_of_newlines(&self, warnings: &mut Problems) {
        let own = self.hmac_secret.iter().map(|text| ("auth.hmac_secret".to_owned(), text));
        let more = self.hmac_secrets.iter().map(|text| ("auth.hmac_secrets".to_owned(), text));
        let provided = self.providers.iter().enumerate().flat_map(|(index, provider)| {
            let key = format!("{}.hmac_secrets", prefix(index));
            provider.hmac_secrets.iter().map(move |text| (key.clone(), text))
        });
        for (key, text) in own.chain(more).chain(provided) {
            if without_newline(text.expose_secret()).is_some() {
                warnings.add(&key, "ends in a newline, which is left out");
            }
        }
    }

    /// The entries to verify with.
    fn entries(&self) -> Result<Vec<IssuerConfig>, ConfigError> {
        let mut problems = Problems::default();
        let entries = self.read(&mut problems);
        Ok(problems.none_or(entries)?.unwrap_or_default())
    }

    /// The entries with their keys; `None` if a problem was added.
    fn read(&self, problems: &mut Problems) -> Option<Vec<IssuerConfig>> {
        let before = problems.len();
        let mut entries = Vec::new();
        let own = self.own();
        if own.has_keys() {
            entries.push(Section { prefix: "auth".to_owned(), settings: &own, auth: self }.read(problems));
        } else if self.providers.is_empty() {
            problems.add("auth", no_key());
        } else {
            self.check_unused(problems);
        }
        for (index, provider) in self.providers.iter().enumerate() {
            let section = Section { prefix: prefix(index), settings: provider, auth: self };
            section.check_names(problems);
            entries.push(section.read(problems));
        }
        (problems.len() == before).then_some(entries)
    }

    /// The settings of `[auth]` itself, as an entry.
    fn own(&self) -> ProviderConfig {
        ProviderConfig {
            name: OWN.to_owned(),
            issuers: self.issuers.clone(),
            audiences: self.audiences.clone(),
            audience_claim: self.audience_claim.clone(),
            required_claims: self.required_claims.clone(),
            types: self.types.clone(),
            hmac_secrets: self.hmac_secret.iter().chain(&self.hmac_secrets).cloned().collect(),
            hmac_secret_files: self.hmac_secret_files.clone(),
            hmac_algorithm: self.hmac_algorithm.clone(),
            public_key: self.public_key.clone(),
            public_key_file: self.public_key_file.clone(),
            public_key_algorithm: self.public_key_algorithm.clone(),
            jwks_file: self.jwks_file.clone(),
            jwks: self.jwks.clone(),
            claims: self.claims.clone(),
        }
    }

    fn refused(&self, error: &IssuerError) -> ConfigError {
        ConfigError::Problems(vec![Problem::new(self.prefix_of(error), error.to_string())])
    }

    /// What the settings of the entry begin with that is refused: the last one of its name, as names may repeat.
    fn prefix_of(&self, error: &IssuerError) -> String {
        let index = self.providers.iter().rposition(|provider| provider.name == error.name);
        index.map_or_else(|| "auth".to_owned(), prefix)
    }

    /// Rules of `[auth]` that would apply to no token, because only the providers have keys.
    fn check_unused(&self, problems: &mut Problems) {
        let rules = [
            ("auth.issuers", &self.issuers),
            ("auth.audiences", &self.audiences),
            ("auth.types", &self.types),
            ("auth.required_claims", &self.required_claims),
        ];
        for (key, _) in rules.into_iter().filter(|(_, values)| !values.is_empty()) {
            let what = "applies to the keys of [auth] itself, and there are none; set it in each of auth.providers";
            problems.add(key, what);
        }
    }
}

impl Section<'_> {
    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }

    fn check_names(&self, problems: &mut Problems) {
        if self.settings.name.is_empty() {
            problems.add(&self.key("name"), "is missing; give the entry one, for logs and metrics");
        }
        if self.settings.issuers.is_empty() {
            problems.add(&self.key("issuers"), "is empty; list the `iss` of its tokens, exactly as they have it");
        }
        if !self.settings.has_keys() {
            let what =
                "has no key to verify tokens with; set jwks.url, jwks_file, public_key_file or hmac_secret_files";
            problems.add(&self.prefix, what);
        }
    }

    fn read(&self, problems: &mut Problems) -> IssuerConfig {
        IssuerConfig {
            name: self.settings.name.clone(),
            rules: self.rules(problems),
            keys: self.keys(problems),
            jwks: self.settings.jwks.source(&self.prefix, problems),
        }
    }

    fn rules(&self, problems: &mut Problems) -> JwtConfig {
        let Self { settings, auth, .. } = self;
        let required = settings.required_claims.iter().filter_map(|text| {
            let pair = text.split_once('=').ok_or("write each as CLAIM=VALUE, such as `token_use=access`");
            problems.ok(&self.key("required_claims"), pair)
        });
        JwtConfig {
            issuers: settings.issuers.clone(),
            audiences: settings.audiences.clone(),
            audience_claim: settings.audience_claim.clone(),
            required_claims: required
                .map(|(claim, value)| (claim.trim().to_owned(), value.trim().to_owned()))
                .collect(),
            leeway: auth.leeway.0,
            allow_expired: auth.allow_expired,
            types: settings.types.clone(),
            max_token_bytes: auth.max_token_bytes,
            claims: settings.claims.paths(),
        }
    }

    /// The keys that the config holds or names a file of.
    fn keys(&self, problems: &mut Problems) -> KeySet {
        let settings = self.settings;
        let mut keys = Keys { set: KeySet::new(), problems };
        let hmac = algorithm(&settings.hmac_algorithm);
        if let Some(hmac) = keys.problems.ok(&self.key("hmac_algorithm"), hmac) {
            self.secrets(hmac, &mut keys);
        }
        let named = settings.public_key_algorithm.as_deref().map(algorithm).transpose();
        let named = keys.problems.ok(&self.key("public_key_algorithm"), named).flatten();
        if let Some(pem) = &settings.public_key {
            keys.add(&self.key("public_key"), Key::from_pem(pem, named));
        }
        if let Some(path) = &settings.public_key_file {
            let key = self.key("public_key_file");
            let read =
                fs::read_to_string(path).map_err(|error| format!("{}{}: {error}", path.display(), secret::base(path)));
            if let Some(pem) = keys.problems.ok(&key, read) {
                keys.add(&key, Key::from_pem(&pem, named));
            }
        }
        if let Some(path) = &settings.jwks_file {
            let key = self.key("jwks_file");
            let read = KeySet::from_jwks_file(path).map_err(|error| format!("{error}{}", secret::base(path)));
            if let Some(found) = keys.problems.ok(&key, read) {
                keys.merge(&key, found);
            }
        }
        keys.set
    }

    fn secrets(&self, algorithm: Algorithm, keys: &mut Keys<'_>) {
        let single = self.auth.hmac_secret.is_some() && self.settings.name == OWN;
        for (at, text) in self.settings.hmac_secrets.iter().enumerate() {
            let key = self.key(if single && at == 0 { "hmac_secret" } else { "hmac_secrets" });
            keys.add(&key, Key::hmac(algorithm, used(text).as_bytes()));
        }
        let key = self.key("hmac_secret_files");
        for path in &self.settings.hmac_secret_files {
            if let Some(secret) = keys.problems.ok(&key, secret::in_file(path)) {
                let found = Key::hmac(algorithm, &secret);
                if let Err(error) = found {
                    keys.problems.add(&key, format!("{}: {error}", secret::shown(path)));
                } else {
                    keys.add(&key, found);
                }
            }
        }
    }
}

/// A secret as it is used: without the one newline that it may end in.
fn used(text: &SecretString) -> &str {
    let text = text.expose_secret();
    without_newline(text).unwrap_or(text)
}

/// The keys of one entry while they are read.
struct Keys<'a> {
    set: KeySet,
    problems: &'a mut Problems,
}

impl Keys<'_> {
    fn add(&mut self, key: &str, found: Result<Key, KeyError>) {
        if let Some(found) = self.problems.ok(key, found) {
            self.merge(key, found.into());
        }
    }

    fn merge(&mut self, key: &str, found: KeySet) {
        if let Some(merged) = self.problems.ok(key, self.set.clone().merged(found)) {
            self.set = merged;
        }
    }
}

/// What the names of a provider's settings begin with.
fn prefix(index: usize) -> String {
    format!("auth.providers[{index}]")
}

fn no_key() -> String {
    let keys = ["hmac_secret", "public_key_file", "jwks_file", "jwks.url"];
    let variables: Vec<_> = keys.iter().map(|key| variable(&format!("auth.{key}"))).collect();
    format!(
        "no key to verify tokens with; set one of {} (a secret: `openssl rand -hex 32`), or try the server with --dev",
        variables.join(", ")
    )
}
