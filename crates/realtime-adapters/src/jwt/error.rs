//! Why a key or a setting can't be used. These are read by whoever configures a server, so each says what to do.

use std::{io, path::PathBuf};

use super::{
    algorithm::{Algorithm, KeyKind},
    key::MIN_SECRET_BYTES,
};

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
    /// No algorithm of that name.
    #[error(
        "`{name}` is not an algorithm; use one of HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, \
         ES256, ES384, EdDSA"
    )]
    UnknownAlgorithm {
        /// The name given.
        name: String,
    },
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
    /// Two keys with the same `kid` and algorithm: nobody could tell which one signed.
    #[error("two keys have the kid `{kid}` and the algorithm {algorithm}; give each its own kid")]
    DuplicateKid {
        /// The id that occurs twice.
        kid: String,
        /// The algorithm of both.
        algorithm: Algorithm,
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
    #[error("no verification key; give an HMAC secret, a PEM public key, a JWKS file or a JWKS address")]
    NoKeys,
    /// A setting that can't be meant.
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
