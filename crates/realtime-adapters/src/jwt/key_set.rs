//! The keys that are trusted, found by the id that a token names.

use std::{collections::HashMap, fs::File, io::Read, path::Path};

use jsonwebtoken::jwk::{AlgorithmParameters, Jwk};
use serde::Deserialize;
use serde_json::Value;

use super::{algorithm::Algorithm, error::KeyError, key::Key};

/// The largest JWKS file that is read, in bytes.
pub const MAX_JWKS_FILE_BYTES: u64 = 1024 * 1024;

/// Trusted keys: several at once while they are rotated.
///
/// A token that names a `kid` is verified by the key of that id. Keys without an id are tried for every token
/// that no key's id answers to, so a few of them cost a little each; give ids when there are many.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    named: HashMap<String, Vec<Key>>,
    nameless: Vec<Key>,
}

/// Where a JWK Set comes from decides what is believed of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// Put there by the operator: may hold secrets (`oct`).
    File,
    /// Served by an issuer: a secret that is published is none.
    #[cfg(feature = "jwks")]
    Address,
}

#[derive(Deserialize)]
struct RawSet {
    // Read one by one, so that a key of a kind unknown here does not spoil the others.
    keys: Vec<Value>,
}

impl KeySet {
    /// No keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// The keys with `key` added.
    ///
    /// # Errors
    /// There is a key with the same id and algorithm already.
    pub fn with(mut self, key: Key) -> Result<Self, KeyError> {
        self.add(key)?;
        Ok(self)
    }

    /// The keys of both sets.
    ///
    /// # Errors
    /// An id occurs in both, with the same algorithm.
    pub fn merged(mut self, other: Self) -> Result<Self, KeyError> {
        for key in other.named.into_values().flatten().chain(other.nameless) {
            self.add(key)?;
        }
        Ok(self)
    }

    /// The keys of a JWK Set's text (RFC 7517 section 5), trusted as if from a file: `oct` keys are taken.
    ///
    /// Keys that are not for verifying signatures are left out. An RSA key without `alg` is taken as RS256. If more
    /// than one key is usable, those without a `kid` are left out, for no token could name them.
    ///
    /// # Errors
    /// Not a JWK Set, none of its keys is usable, or two of them have the same id and algorithm.
    pub fn from_jwks(json: &[u8]) -> Result<Self, KeyError> {
        Self::from_jwks_of(Origin::File, json, Algorithm::RS256)
    }

    /// The keys of a JWKS file, as [`from_jwks`](Self::from_jwks) takes them. Blocks while it reads.
    ///
    /// # Errors
    /// As for [`from_jwks`](Self::from_jwks); also if the file can't be read or is larger than
    /// [`MAX_JWKS_FILE_BYTES`].
    pub fn from_jwks_file(path: impl AsRef<Path>) -> Result<Self, KeyError> {
        let path = path.as_ref();
        let failed = |source| KeyError::File { path: path.to_owned(), source };
        let mut json = Vec::new();
        File::open(path).map_err(failed)?.take(MAX_JWKS_FILE_BYTES + 1).read_to_end(&mut json).map_err(failed)?;
        if json.len() as u64 > MAX_JWKS_FILE_BYTES {
            return Err(KeyError::setting("jwks_file", format!("names a file of over {MAX_JWKS_FILE_BYTES} bytes")));
        }
        Self::from_jwks(&json)
    }

    pub(super) fn from_jwks_of(origin: Origin, json: &[u8], rsa_default: Algorithm) -> Result<Self, KeyError> {
        let raw: RawSet = serde_json::from_slice(json).map_err(|_| KeyError::NotJwks)?;
        let total = raw.keys.len();
        let mut usable = Vec::new();
        let mut first_problem = None;
        for value in raw.keys {
            match read_jwk(origin, value, rsa_default) {
                Ok(key) => usable.push(key),
                Err(problem) => {
                    tracing::debug!(%problem, "a key of a JWK Set is left out");
                    first_problem.get_or_insert(problem);
                }
            }
        }
        if usable.len() > 1 && usable.iter().any(|key| key.kid().is_none()) {
            tracing::warn!("keys without a `kid` are left out of a JWK Set that has several keys");
            usable.retain(|key| key.kid().is_some());
            first_problem = Some(KeyError::Jwk { problem: "it has no `kid`, and the set has several keys" });
        }
        if usable.is_empty() {
            let problem = first_problem.map_or_else(|| "`keys` is empty".to_owned(), |problem| problem.to_string());
            return Err(KeyError::NoUsableKey { total, problem });
        }
        let mut set = Self::new();
        for key in usable {
            set.add(key)?;
        }
        Ok(set)
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.named.values().map(Vec::len).sum::<usize>() + self.nameless.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.named.is_empty() && self.nameless.is_empty()
    }

    /// The keys that a token with this `kid` may have been signed with.
    pub(super) fn candidates(&self, kid: Option<&str>) -> &[Key] {
        if let Some(keys) = kid.and_then(|kid| self.named.get(kid)) {
            return keys;
        }
        // A lone key needs no naming, but a token that names another one was not signed with it.
        if kid.is_none() && self.nameless.is_empty() && self.named.len() == 1 {
            return self.named.values().next().map_or(&[], Vec::as_slice);
        }
        &self.nameless
    }

    fn add(&mut self, key: Key) -> Result<(), KeyError> {
        let Some(kid) = key.kid() else {
            self.nameless.push(key);
            return Ok(());
        };
        let same_name = self.named.entry(kid.to_owned()).or_default();
        if same_name.iter().any(|other| other.algorithm() == key.algorithm()) {
            return Err(KeyError::DuplicateKid { kid: kid.to_owned(), algorithm: key.algorithm() });
        }
        same_name.push(key);
        Ok(())
    }
}

impl From<Key> for KeySet {
    fn from(key: Key) -> Self {
        match key.kid() {
            None => Self { nameless: vec![key], ..Self::default() },
            Some(kid) => Self { named: HashMap::from([(kid.to_owned(), vec![key])]), ..Self::default() },
        }
    }
}

fn read_jwk(origin: Origin, value: Value, rsa_default: Algorithm) -> Result<Key, KeyError> {
    let jwk: Jwk = serde_json::from_value(value).map_err(|_| KeyError::Jwk { problem: "it is not a JWK" })?;
    if origin != Origin::File && matches!(jwk.algorithm, AlgorithmParameters::OctetKey(_)) {
        return Err(KeyError::Jwk { problem: "it is a secret (`oct`), which an address must not serve" });
    }
    Key::from_jwk(&jwk, rsa_default)
}
