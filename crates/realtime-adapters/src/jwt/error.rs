//! Why a key or a setting is refused. The operator of a server reads these, so each says what to do.

use std::{io, path::PathBuf};

use super::algorithm::{Algorithm, KeyKind, MIN_SECRET_BYTES, UnknownAlgorithm};

/// Why the keys or the configuration of a verifier are not usable. None of these holds a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// An HMAC secret that could be guessed (RFC 7518 section 3.2).
    #[error(
        "the HMAC secret is {bytes} bytes long; at least {MIN_SECRET_BYTES} are needed: \
         make one with `openssl rand -base64 48`"
    )]
    ShortSecret {
        /// How long it is.
        bytes: usize,
    },
    /// The name of an algorithm that is not supported.
    #[error(transparent)]
    UnknownAlgorithm(#[from] UnknownAlgorithm),
    /// The key is of another kind than the algorithm needs.
    #[error("{algorithm} can't be used with {found}; name an algorithm of that key, or give the right key")]
    WrongKind {
        /// The algorithm asked for.
        algorithm: Algorithm,
        /// What kind of key was found.
        found: String,
    },
    /// Not a public key in PEM.
    #[error("this is not a public key in PEM: {problem}")]
    Pem {
        /// What was found instead, and how to make the right thing of it.
        problem: &'static str,
    },
    /// An RSA key of a size that is not accepted (RFC 7518 section 3.3).
    #[error("the RSA key has {bits} bits; 2048 to 8192 are accepted")]
    RsaSize {
        /// The size of its modulus.
        bits: usize,
    },
    /// A JWK that can't be used, and why.
    #[error("the JWK can't be used: {problem}")]
    Jwk {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Not a JWK Set (RFC 7517 section 5).
    #[error("this is not a JWK Set: expected a JSON object with an array `keys`")]
    NotJwks,
    /// A JWK Set without a key that could verify a token here.
    #[error("the JWK Set has no usable key among its {total}: {problem}")]
    NoUsableKey {
        /// How many keys it lists.
        total: usize,
        /// Why the first of them was left out.
        problem: String,
    },
    /// More keys than are tried for one token, so that a token can't cost more than a few verifications.
    #[error("more than {limit} keys {which}; give each key its own kid, or remove old ones")]
    TooManyKeys {
        /// How many there may be.
        limit: usize,
        /// What they have in common.
        which: String,
    },
    /// The file can't be read.
    #[error("the key file {} can't be read", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No key at all.
    #[error("no verification key: give an HMAC secret, a PEM public key, a JWKS file or a JWKS address")]
    NoKeys,
    /// An invalid setting.
    #[error("the setting `{name}` {problem}")]
    Setting {
        /// The field of the configuration.
        name: &'static str,
        /// What is wrong with it, and what would be right.
        problem: String,
    },
}

impl KeyError {
    pub(super) fn wrong_kind(algorithm: Algorithm, found: KeyKind) -> Self {
        Self::WrongKind { algorithm, found: found.to_string() }
    }

    pub(super) fn setting(name: &'static str, problem: impl Into<String>) -> Self {
        Self::Setting { name, problem: problem.into() }
    }
}
