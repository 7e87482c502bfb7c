//! One key, bound to one algorithm.

use std::fmt;

use jsonwebtoken::{
    DecodingKey, DecodingKeyKind,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse},
};

use super::{
    algorithm::{Algorithm, KeyKind},
    error::KeyError,
};

/// The shortest HMAC secret that is accepted, in bytes: the output of SHA-256 (RFC 7518 section 3.2).
pub const MIN_SECRET_BYTES: usize = 32;

// A SubjectPublicKeyInfo begins with the same bytes for every key of a curve (RFC 5480, RFC 8410), and each of
// these beginnings is a whole number of base64 groups, so the text itself tells the curve.
const P256_SPKI: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE";
const P384_SPKI: &str = "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE";
const ED25519_SPKI: &str = "MCowBQYDK2VwAyEA";

/// A key that verifies signatures of exactly one algorithm, with the id that tokens name it by if it has one.
#[derive(Clone)]
pub struct Key {
    kid: Option<String>,
    algorithm: Algorithm,
    decoding: DecodingKey,
}

impl Key {
    /// A shared secret, used byte for byte: a base64 text is not decoded.
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

    /// A public key in PEM: `PUBLIC KEY` (RSA, P-256, P-384 or Ed25519), or `RSA PUBLIC KEY`.
    ///
    /// Without an algorithm the key's kind decides: ES256, ES384, EdDSA, and RS256 for RSA.
    ///
    /// # Errors
    /// Not a public key, of an unsupported kind, of another kind than `algorithm` needs, or an RSA key that is
    /// too small.
    pub fn from_pem(pem: &str, algorithm: Option<Algorithm>) -> Result<Self, KeyError> {
        let kind = pem_kind(pem)?;
        let algorithm = algorithm.unwrap_or(kind.default_algorithm());
        if algorithm.key_kind() != kind {
            return Err(KeyError::wrong_kind(algorithm, kind));
        }
        let broken = |_| KeyError::Pem { problem: "its contents can't be decoded" };
        let decoding = match kind {
            KeyKind::Rsa => {
                let decoding = DecodingKey::from_rsa_pem(pem.as_bytes()).map_err(broken)?;
                // The detour over a JWK parses the key and tells its size, so that a bad one is found at start.
                let jwk = Jwk::from_decoding_key(&decoding, None).map_err(broken)?;
                rsa_key(&jwk)?
            }
            KeyKind::P256 | KeyKind::P384 => DecodingKey::from_ec_pem(pem.as_bytes()).map_err(broken)?,
            KeyKind::Ed25519 => DecodingKey::from_ed_pem(pem.as_bytes()).map_err(broken)?,
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

    pub(super) fn decoding(&self) -> &DecodingKey {
        &self.decoding
    }

    /// A key of a JWK Set (RFC 7517 section 4), if it is one that verifies signatures.
    pub(super) fn from_jwk(jwk: &Jwk, rsa_default: Algorithm) -> Result<Self, KeyError> {
        let unusable = |problem| Err(KeyError::Jwk { problem });
        if !matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature)) {
            return unusable("its `use` is not `sig`");
        }
        if jwk.common.key_operations.as_ref().is_some_and(|ops| !ops.contains(&KeyOperations::Verify)) {
            return unusable("its `key_ops` do not list `verify`");
        }
        let kind = jwk_kind(jwk)?;
        let algorithm = match jwk.common.key_algorithm {
            None if kind == KeyKind::Rsa => rsa_default,
            None => kind.default_algorithm(),
            Some(named) => match algorithm_of(named) {
                None => return unusable("its `alg` is not supported here"),
                Some(algorithm) => algorithm,
            },
        };
        if algorithm.key_kind() != kind {
            return unusable("its `alg` does not fit its `kty` and `crv`");
        }
        let decoding = match kind {
            KeyKind::Rsa => rsa_key(jwk)?,
            _ => match DecodingKey::from_jwk(jwk) {
                Ok(decoding) => decoding,
                Err(_) => return unusable("its parameters are not base64url"),
            },
        };
        if let DecodingKeyKind::SecretOrDer(bytes) = decoding.kind() {
            match kind {
                KeyKind::Secret if bytes.len() < MIN_SECRET_BYTES => {
                    return Err(KeyError::ShortSecret { bytes: bytes.len() });
                }
                KeyKind::P256 if bytes.len() != 65 => return unusable("`x` and `y` must be 32 bytes each"),
                KeyKind::P384 if bytes.len() != 97 => return unusable("`x` and `y` must be 48 bytes each"),
                KeyKind::Ed25519 if bytes.len() != 32 => return unusable("`x` must be 32 bytes"),
                _ => {}
            }
        }
        Ok(Self { kid: jwk.common.key_id.clone(), algorithm, decoding })
    }
}

impl fmt::Debug for Key {
    // By hand, so that no log ever holds a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("kid", &self.kid).field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

/// What kind of public key `pem` holds, by its label and the beginning of its contents.
fn pem_kind(pem: &str) -> Result<KeyKind, KeyError> {
    let problem = |problem| Err(KeyError::Pem { problem });
    let Some((_, rest)) = pem.split_once("-----BEGIN ") else {
        return problem("there is no `-----BEGIN PUBLIC KEY-----` line");
    };
    let Some((label, rest)) = rest.split_once("-----") else {
        return problem("its first line is cut off");
    };
    if rest.contains("-----BEGIN ") {
        return problem("it holds more than one block; give each key by itself");
    }
    let body: String = rest.chars().filter(|c| !c.is_whitespace()).collect();
    match label {
        "RSA PUBLIC KEY" => Ok(KeyKind::Rsa),
        "PUBLIC KEY" if body.starts_with(P256_SPKI) => Ok(KeyKind::P256),
        "PUBLIC KEY" if body.starts_with(P384_SPKI) => Ok(KeyKind::P384),
        "PUBLIC KEY" if body.starts_with(ED25519_SPKI) => Ok(KeyKind::Ed25519),
        "PUBLIC KEY" if DecodingKey::from_rsa_pem(pem.as_bytes()).is_ok() => Ok(KeyKind::Rsa),
        "PUBLIC KEY" => problem("only RSA, P-256, P-384 and Ed25519 keys are supported"),
        "CERTIFICATE" => {
            problem("it is a certificate; take the key out of it with `openssl x509 -pubkey -noout -in FILE`")
        }
        _ if label.contains("PRIVATE KEY") => problem(
            "it is a private key, which a verifier must not have; `openssl pkey -pubout -in FILE` gives the public one",
        ),
        _ => problem("its label is not `PUBLIC KEY`"),
    }
}

fn jwk_kind(jwk: &Jwk) -> Result<KeyKind, KeyError> {
    match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => Ok(KeyKind::Rsa),
        AlgorithmParameters::OctetKey(_) => Ok(KeyKind::Secret),
        AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P256 => Ok(KeyKind::P256),
        AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P384 => Ok(KeyKind::P384),
        AlgorithmParameters::OctetKeyPair(okp) if okp.curve == EllipticCurve::Ed25519 => Ok(KeyKind::Ed25519),
        _ => Err(KeyError::Jwk { problem: "only RSA, P-256, P-384, Ed25519 and `oct` keys are supported" }),
    }
}

fn algorithm_of(named: KeyAlgorithm) -> Option<Algorithm> {
    let library = jsonwebtoken::Algorithm::try_from(named).ok()?;
    Algorithm::ALL.into_iter().find(|known| known.to_library() == library)
}

/// An RSA key from its modulus and exponent, of a size that the crypto library will accept.
fn rsa_key(jwk: &Jwk) -> Result<DecodingKey, KeyError> {
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
