//! Several issuers, each with keys, audiences and claims of its own.

use std::{collections::HashMap, sync::Arc};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use realtime_ports::{JwtVerifier, VerifyError};
use realtime_schema::JwtClaims;

#[cfg(feature = "jwks")]
use super::remote::{JwksConfig, JwksSource};
use super::{
    config::JwtConfig,
    error::KeyError,
    key_set::KeySet,
    status::KeyStatus,
    token::{Token, invalid},
    verifier::TokenVerifier,
};

/// The longest token that is read to find its issuer, in bytes, if no entry allows a longer one.
const MIN_TOKEN_BYTES: usize = 1024;

/// One issuer, or several that share their keys.
#[derive(Clone, Debug)]
pub struct IssuerConfig {
    /// What logs and metrics call it; no two entries have the same name.
    pub name: String,
    /// What its tokens must say. The entry is used for tokens whose `iss` is one of `rules.issuers`; an entry without
    /// issuers, of which there may be one, is used for all tokens whose `iss` no other entry lists.
    pub rules: JwtConfig,
    /// Its keys that are given.
    pub keys: KeySet,
    /// Its JWKS address.
    #[cfg(feature = "jwks")]
    pub jwks: Option<JwksConfig>,
}

/// Why an entry, or the list as a whole, is refused.
#[derive(Debug, thiserror::Error)]
#[error("{problem}")]
pub struct IssuerError {
    /// The name of the entry.
    pub name: String,
    /// What is wrong with it.
    #[source]
    pub problem: KeyError,
}

/// Verifies the tokens of several issuers without ever pooling their keys.
///
/// The `iss` of a token selects one entry by exact comparison, and only that entry's keys, audiences and claims are
/// used from then on. So a token that says it is from A and is signed with a key of B is refused, and nothing is
/// fetched because a token says so. A list of one entry is the same as a [`TokenVerifier`].
pub struct Issuers {
    entries: ArcSwap<Entries>,
}

#[derive(Default)]
struct Entries {
    all: Vec<(String, Arc<TokenVerifier>)>,
    by_issuer: HashMap<String, Arc<TokenVerifier>>,
    /// For tokens whose `iss` no entry lists.
    others: Option<Arc<TokenVerifier>>,
    max_token_bytes: usize,
}

impl Issuers {
    /// Checks the entries without a request.
    ///
    /// # Errors
    /// The first entry that is refused.
    pub fn check(entries: &[IssuerConfig]) -> Result<(), IssuerError> {
        let mut checked = Entries::default();
        for entry in entries {
            let failed = |problem| IssuerError { name: entry.name.clone(), problem };
            entry.check().map_err(failed)?;
            let verifier = TokenVerifier::unchecked(entry.rules.clone(), entry.keys.clone());
            checked.add(entry, Arc::new(verifier)).map_err(failed)?;
        }
        checked.is_usable()
    }

    /// Starts with `entries`, waiting at most `jwks.timeout` for the keys of each address. An address that serves no
    /// keys yet is requested again until it does.
    ///
    /// # Errors
    /// The first entry that is refused, or there is none.
    pub async fn start(entries: Vec<IssuerConfig>) -> Result<Self, IssuerError> {
        let entries = Entries::load(entries, None).await?;
        Ok(Self { entries: ArcSwap::from_pointee(entries) })
    }

    /// Replaces all entries, whole or not at all. An address whose settings are the same keeps its keys; a new one
    /// must serve keys at once.
    ///
    /// # Errors
    /// The first entry that is refused; then nothing has changed.
    pub async fn reload(&self, entries: Vec<IssuerConfig>) -> Result<(), IssuerError> {
        let current = self.entries.load_full();
        self.entries.store(Arc::new(Entries::load(entries, Some(&current)).await?));
        Ok(())
    }

    /// Whether at least one entry has a key.
    pub fn is_ready(&self) -> bool {
        self.entries.load().all.iter().any(|(_, verifier)| verifier.is_ready())
    }

    /// The keys of each entry, by its name, in the order of the list.
    pub fn status(&self) -> Vec<(String, KeyStatus)> {
        self.entries.load().all.iter().map(|(name, verifier)| (name.clone(), verifier.status())).collect()
    }
}

#[async_trait]
impl JwtVerifier for Issuers {
    async fn verify(&self, token: &str) -> Result<JwtClaims, VerifyError> {
        let entries = self.entries.load_full();
        // One entry judges the issuer itself, after the signature.
        if let [(_, only)] = entries.all.as_slice() {
            return only.verify(token).await;
        }
        let token = Token::read(token, entries.max_token_bytes)?;
        let issuer = token.unverified_issuer()?;
        let listed = issuer.as_ref().and_then(|issuer| entries.by_issuer.get(issuer));
        match (listed.or(entries.others.as_ref()), issuer) {
            (Some(verifier), _) => verifier.verify_read(&token).await,
            (None, Some(_)) => Err(invalid("its issuer (`iss`) is not one that is configured here")),
            (None, None) => Err(invalid("it has no issuer (`iss`), and there are several here")),
        }
    }
}

impl IssuerConfig {
    fn check(&self) -> Result<(), KeyError> {
        self.rules.check()?;
        #[cfg(feature = "jwks")]
        if let Some(jwks) = &self.jwks {
            return jwks.check();
        }
        if self.keys.is_empty() { Err(KeyError::NoKeys) } else { Ok(()) }
    }
}

impl Entries {
    async fn load(entries: Vec<IssuerConfig>, current: Option<&Self>) -> Result<Self, IssuerError> {
        let mut loaded = Self::default();
        for entry in entries {
            let failed = |problem| IssuerError { name: entry.name.clone(), problem };
            entry.check().map_err(failed)?;
            let verifier = Arc::new(verifier_of(&entry, current).await.map_err(failed)?);
            for key in verifier.left_out() {
                let kid = key.kid.as_deref().unwrap_or("(none)");
                tracing::warn!(issuer = %entry.name, kid, reason = %key.reason, "a key of a JWKS file is left out");
            }
            loaded.add(&entry, verifier).map_err(failed)?;
        }
        loaded.is_usable()?;
        Ok(loaded)
    }

    fn add(&mut self, entry: &IssuerConfig, verifier: Arc<TokenVerifier>) -> Result<(), KeyError> {
        if self.all.iter().any(|(name, _)| *name == entry.name) {
            return Err(KeyError::setting("name", "is the name of another entry as well; give each its own"));
        }
        if entry.rules.issuers.is_empty() && self.others.replace(Arc::clone(&verifier)).is_some() {
            let problem = "is empty here and in another entry; list the `iss` of each one's tokens";
            return Err(KeyError::setting("issuers", problem));
        }
        for issuer in &entry.rules.issuers {
            let taken = self.by_issuer.insert(issuer.clone(), Arc::clone(&verifier));
            if taken.is_some_and(|taken| !Arc::ptr_eq(&taken, &verifier)) {
                let problem = format!("lists `{issuer}`, which another entry lists as well");
                return Err(KeyError::setting("issuers", problem));
            }
        }
        self.max_token_bytes = self.max_token_bytes.max(entry.rules.max_token_bytes).max(MIN_TOKEN_BYTES);
        self.all.push((entry.name.clone(), verifier));
        Ok(())
    }

    fn is_usable(&self) -> Result<(), IssuerError> {
        if self.all.is_empty() {
            return Err(IssuerError { name: String::new(), problem: KeyError::NoKeys });
        }
        Ok(())
    }
}

#[cfg(feature = "jwks")]
async fn verifier_of(entry: &IssuerConfig, current: Option<&Entries>) -> Result<TokenVerifier, KeyError> {
    let Some(jwks) = &entry.jwks else { return TokenVerifier::new(entry.rules.clone(), entry.keys.clone()) };
    let mut known = current.into_iter().flat_map(|current| &current.all).filter_map(|(_, known)| known.address());
    let source = match known.find(|source| source.config() == jwks) {
        Some(source) => Arc::clone(source),
        None => {
            let source = JwksSource::start(jwks.clone()).await?;
            if current.is_some() && !source.has_keys() {
                let why = source.status().last_error.unwrap_or_else(|| "it took too long".to_owned());
                return Err(KeyError::setting("jwks.url", format!("serves no keys: {why}")));
            }
            Arc::new(source)
        }
    };
    TokenVerifier::with_address(entry.rules.clone(), entry.keys.clone(), source)
}

#[cfg(not(feature = "jwks"))]
#[allow(clippy::unused_async, reason = "with a JWKS address it waits")]
async fn verifier_of(entry: &IssuerConfig, _current: Option<&Entries>) -> Result<TokenVerifier, KeyError> {
    TokenVerifier::new(entry.rules.clone(), entry.keys.clone())
}
