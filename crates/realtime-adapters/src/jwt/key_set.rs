//! The keys that are trusted, found by the id that a token names.

use std::{collections::HashMap, fs::File, io::Read, path::Path};

use serde::Deserialize;
use serde_json::Value;

use super::{
    algorithm::Algorithm,
    error::KeyError,
    jwk::{self, NotTaken, Origin},
    key::Key,
};

/// The largest JWKS file that is read, in bytes.
pub const MAX_JWKS_FILE_BYTES: u64 = 1024 * 1024;

/// The most keys that may have one id and one algorithm. Each is tried for a token that names it.
const MAX_SAME_KID: usize = 4;

/// The most keys that may have no id. Each is tried for a token whose `kid` no key has.
const MAX_WITHOUT_KID: usize = 16;

/// The longest `kid` that is shown, in characters.
const SHOWN_KID_CHARS: usize = 64;

/// Trusted keys: several at once while they are rotated.
///
/// A token that names a `kid` is verified by the keys of that id. Keys without an id are tried for every token
/// whose `kid` no key has, so a few of them cost a little each; give ids when there are many.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    named: HashMap<String, Vec<Key>>,
    nameless: Vec<Key>,
    left_out: Vec<LeftOut>,
}

/// A key of a JWK Set that is not used, although it may be meant for tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeftOut {
    /// Its id, if it has one; at most 64 characters of it.
    pub kid: Option<String>,
    /// Why it is not used.
    pub reason: String,
}

#[derive(Deserialize)]
struct RawSet {
    // Read one by one, so that one bad key does not spoil the others.
    keys: Vec<Value>,
}

impl KeySet {
    /// No keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// The keys with `key` added. A key that is in the set already, under the same id, is not added again.
    ///
    /// # Errors
    /// There are four other keys with the same id and algorithm, or sixteen without an id.
    pub fn with(mut self, key: Key) -> Result<Self, KeyError> {
        self.add(key)?;
        Ok(self)
    }

    /// The keys of both sets.
    ///
    /// # Errors
    /// As for [`with`](Self::with).
    pub fn merged(mut self, other: Self) -> Result<Self, KeyError> {
        for key in other.named.into_values().flatten().chain(other.nameless) {
            self.add(key)?;
        }
        self.left_out.extend(other.left_out);
        Ok(self)
    }

    /// The keys of a JWK Set's text (RFC 7517 section 5), trusted as if from a file: `oct` keys are taken.
    ///
    /// Whatever key can be used is taken, and [`left_out`](Self::left_out) lists the others. Keys for another
    /// purpose, such as encryption, are ignored. The same key twice is one key; different keys with the same `kid`
    /// are all tried for a token that names it (RFC 7517 section 4.5 asks issuers to avoid that, and does not forbid
    /// it). An RSA key without `alg` is taken as RS256. If more than one key is usable, those without a `kid` are
    /// left out, because no token could name them.
    ///
    /// # Errors
    /// Not a JWK Set, or none of its keys is usable.
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
        let mut usable: Vec<Key> = Vec::new();
        let mut left_out = Vec::new();
        let mut other_purpose = None;
        for entry in raw.keys {
            let kid = jwk::kid(&entry).map(str::to_owned);
            match jwk::read(origin, entry, rsa_default) {
                Ok(key) if usable.iter().any(|known| known.kid() == key.kid() && known.is_same_as(&key)) => {}
                Ok(key) => usable.push(key),
                Err(NotTaken::OtherPurpose(why)) => other_purpose = Some(why),
                Err(NotTaken::Unusable(error)) => left_out.push(LeftOut::new(kid.as_deref(), error.to_string())),
            }
        }
        let several = usable.len() > 1;
        let mut set = Self::new();
        for key in usable {
            if several && key.kid().is_none() {
                left_out.push(LeftOut::new(None, "it has no `kid`, and the set has several keys".to_owned()));
                continue;
            }
            let kid = key.kid().map(str::to_owned);
            if let Err(error) = set.add(key) {
                left_out.push(LeftOut::new(kid.as_deref(), error.to_string()));
            }
        }
        if set.is_empty() {
            let problem = match (left_out.into_iter().next(), other_purpose) {
                (Some(left_out), _) => left_out.reason,
                (None, Some(why)) => why.to_owned(),
                (None, None) => "`keys` is empty".to_owned(),
            };
            return Err(KeyError::NoUsableKey { total, problem });
        }
        set.left_out = left_out;
        Ok(set)
    }

    /// The keys of JWK Sets that are not used although they may be meant for tokens, in the order of the sets.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
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
        // A lone key needs no name, but a token that names another one was not signed with it.
        if kid.is_none() && self.nameless.is_empty() && self.named.len() == 1 {
            return self.named.values().next().map_or(&[], Vec::as_slice);
        }
        &self.nameless
    }

    fn add(&mut self, key: Key) -> Result<(), KeyError> {
        let (list, limit) = match key.kid() {
            None => (&mut self.nameless, MAX_WITHOUT_KID),
            Some(kid) => (self.named.entry(kid.to_owned()).or_default(), MAX_SAME_KID),
        };
        if list.iter().any(|known| known.is_same_as(&key)) {
            return Ok(());
        }
        let alike = list.iter().filter(|known| key.kid().is_none() || known.algorithm() == key.algorithm()).count();
        if alike >= limit {
            let which = match key.kid() {
                None => "have no kid".to_owned(),
                Some(kid) => format!("have the kid `{}` and the algorithm {}", shown(kid), key.algorithm()),
            };
            return Err(KeyError::TooManyKeys { limit, which });
        }
        list.push(key);
        Ok(())
    }
}

impl LeftOut {
    fn new(kid: Option<&str>, reason: String) -> Self {
        Self { kid: kid.map(shown), reason }
    }
}

/// As much of a `kid` as is shown, without characters that could disturb a log.
fn shown(kid: &str) -> String {
    kid.chars().take(SHOWN_KID_CHARS).flat_map(char::escape_debug).collect()
}

impl From<Key> for KeySet {
    fn from(key: Key) -> Self {
        match key.kid() {
            None => Self { nameless: vec![key], ..Self::default() },
            Some(kid) => Self { named: HashMap::from([(kid.to_owned(), vec![key])]), ..Self::default() },
        }
    }
}
