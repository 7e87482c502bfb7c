//! One key, bound to one algorithm.

use std::fmt;

use jsonwebtoken::{DecodingKey, DecodingKeyKind, jwk::Jwk};

use super::{
    algorithm::{Algorithm, KeyKind, MIN_SECRET_BYTES},
    error::KeyError,
    pem::PublicPem,
};

/// A key that verifies signatures of exactly one algorithm, with the id that tokens name it by if it has one.
#[derive(Clone)]
pub struct Key {
    kid: Option<String>,
    algorithm: Algorithm,
    decoding: DecodingKey,
}

impl Key {
    /// A shared secret, used byte for byte: base64 text is not decoded, and a line end is not removed.
    ///
    /// # Errors
    /// The secret is shorter than [`MIN_SECRET_BYTES`], or the algorithm is not an HMAC.
    pub fn hmac(algorithm: Algorithm, secret: &[u8]) -> Result<Self, KeyError> {
        if algorithm.key_kind() != KeyKind::Secret {
            return Err(KeyError::wrong_kind(algorithm, KeyKind::Secret));
        }
        if secret.len() < MIN_SECRET_BYTES {
            return Err(KeyError::ShortSecret { bytes: secret.len() });
        }
        Ok(Self { kid: None, algorithm, decoding: DecodingKey::from_secret(secret) })
    }

    /// A public key in PEM (RFC 7468): `PUBLIC KEY` (RSA, P-256, P-384 or Ed25519), or `RSA PUBLIC KEY`.
    ///
    /// Line ends may be `\n`, `\r\n`, or the two characters `\` and `n`, as in an environment variable of one line.
    /// Without an algorithm the key's kind decides: ES256, ES384, EdDSA, and RS256 for RSA.
    ///
    /// # Errors
    /// Not a public key, of an unsupported kind, of another kind than `algorithm` needs, or an RSA key that is
    /// too small.
    pub fn from_pem(pem: &str, algorithm: Option<Algorithm>) -> Result<Self, KeyError> {
        let PublicPem { kind, text } = PublicPem::read(pem)?;
        let algorithm = algorithm.unwrap_or(kind.default_algorithm());
        if algorithm.key_kind() != kind {
            return Err(KeyError::wrong_kind(algorithm, kind));
        }
        let broken = |_| KeyError::Pem { problem: "its contents can't be decoded" };
        let decoding = match kind {
            KeyKind::Rsa => {
                let decoding = DecodingKey::from_rsa_pem(text.as_bytes()).map_err(broken)?;
                // The detour over a JWK parses the key and tells its size, so that a bad one is found at start.
                rsa_key(&Jwk::from_decoding_key(&decoding, None).map_err(broken)?)?
            }
            KeyKind::P256 | KeyKind::P384 => DecodingKey::from_ec_pem(text.as_bytes()).map_err(broken)?,
            KeyKind::Ed25519 => DecodingKey::from_ed_pem(text.as_bytes()).map_err(broken)?,
            KeyKind::Secret => return Err(KeyError::wrong_kind(algorithm, kind)),
        };
        Ok(Self { kid: None, algorithm, decoding })
    }

    /// The same key under the id `kid`, which tokens name in their header (RFC 7515 section 4.1.4).
    #[must_use]
    pub fn with_kid(mut self, kid: impl Into<String>) -> Self {
        self.kid = Some(kid.into());
        self
    }

    /// The id that tokens name it by.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The one algorithm that it verifies.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// A key whose kind has been compared with `algorithm` already.
    pub(super) fn checked(kid: Option<String>, algorithm: Algorithm, decoding: DecodingKey) -> Self {
        Self { kid, algorithm, decoding }
    }

    pub(super) fn decoding(&self) -> &DecodingKey {
        &self.decoding
    }

    /// Whether `other` is the same key for the same algorithm, whatever their ids are.
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        let same_bytes = match (self.decoding.kind(), other.decoding.kind()) {
            (DecodingKeyKind::SecretOrDer(a), DecodingKeyKind::SecretOrDer(b)) => a == b,
            (
                DecodingKeyKind::RsaModulusExponent { n, e },
                DecodingKeyKind::RsaModulusExponent { n: other_n, e: other_e },
            ) => n == other_n && e == other_e,
            _ => false,
        };
        same_bytes && self.algorithm == other.algorithm
    }
}

impl fmt::Debug for Key {
    // By hand, so that no log ever holds a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("kid", &self.kid).field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

/// An RSA key from its modulus and exponent, of a size that the crypto library will accept.
pub(super) fn rsa_key(jwk: &Jwk) -> Result<DecodingKey, KeyError> {
    let malformed = KeyError::Jwk { problem: "`n` and `e` must be base64url" };
    let Ok(decoding) = DecodingKey::from_jwk(jwk) else { return Err(malformed) };
    let DecodingKeyKind::RsaModulusExponent { n, e } = decoding.kind() else { return Err(malformed) };
    // Some issuers write the sign byte of DER into `n`.
    let zeros = n.iter().take_while(|byte| **byte == 0).count();
    let modulus = &n[zeros..];
    let bits = modulus.first().map_or(0, |first| modulus.len() * 8 - first.leading_zeros() as usize);
    if !(2048..=8192).contains(&bits) {
        return Err(KeyError::RsaSize { bits });
    }
    Ok(DecodingKey::from_rsa_raw_components(modulus, e))
}
