//! One entry of a JWK Set (RFC 7517 section 4): a key to verify with, or why not.

use jsonwebtoken::{
    DecodingKey, DecodingKeyKind,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse},
};
use serde_json::Value;

use super::{
    algorithm::{Algorithm, KeyKind, MIN_SECRET_BYTES},
    error::KeyError,
    key::{Key, rsa_key},
};

/// Where a JWK Set comes from decides what is believed of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// Given by the operator: may hold secrets (`oct`).
    File,
    /// Served by an issuer: a secret that is published is none.
    #[cfg(feature = "jwks")]
    Address,
}

/// Why an entry gives no key.
pub(super) enum NotTaken {
    /// It is not a key that signs tokens, such as the key for encryption that many issuers list as well.
    OtherPurpose(&'static str),
    /// It could be meant for tokens, and can't be used.
    Unusable(KeyError),
}

impl From<KeyError> for NotTaken {
    fn from(error: KeyError) -> Self {
        Self::Unusable(error)
    }
}

/// The `kid` of an entry, if it has one.
pub(super) fn kid(entry: &Value) -> Option<&str> {
    entry.get("kid").and_then(Value::as_str)
}

/// The key of an entry. An RSA key without `alg` is bound to `rsa_default`.
pub(super) fn read(origin: Origin, mut entry: Value, rsa_default: Algorithm) -> Result<Key, NotTaken> {
    // Read here, because the library knows `Ed25519` by its older name alone.
    let named = match entry.as_object_mut().and_then(|members| members.remove("alg")) {
        None | Some(Value::Null) => None,
        Some(Value::String(name)) => Some(name),
        Some(_) => return unusable("its `alg` is not a string"),
    };
    if named.as_deref().is_some_and(is_for_encryption) {
        return Err(NotTaken::OtherPurpose("its `alg` is one for encryption"));
    }
    let Ok(jwk) = serde_json::from_value::<Jwk>(entry) else {
        return unusable("it is not a JWK, or of a kind that is not supported");
    };
    if !matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature)) {
        return Err(NotTaken::OtherPurpose("its `use` is not `sig`"));
    }
    if jwk.common.key_operations.as_ref().is_some_and(|ops| !ops.contains(&KeyOperations::Verify)) {
        return Err(NotTaken::OtherPurpose("its `key_ops` do not list `verify`"));
    }
    let kind = kind_of(&jwk)?;
    if kind == KeyKind::Secret && origin != Origin::File {
        return unusable("it is a secret (`oct`), which an address must not serve");
    }
    let algorithm = match named {
        None if kind == KeyKind::Rsa => rsa_default,
        None => kind.default_algorithm(),
        Some(name) => match name.parse::<Algorithm>() {
            Ok(algorithm) => algorithm,
            Err(_) => return unusable("its `alg` is not supported"),
        },
    };
    if algorithm.key_kind() != kind {
        return unusable("its `alg` does not fit its `kty` and `crv`");
    }
    let decoding = match kind {
        KeyKind::Rsa => rsa_key(&jwk)?,
        _ => match DecodingKey::from_jwk(&jwk) {
            Ok(decoding) => decoding,
            Err(_) => return unusable("its parameters are not base64url"),
        },
    };
    if let DecodingKeyKind::SecretOrDer(bytes) = decoding.kind() {
        match kind {
            KeyKind::Secret if bytes.len() < MIN_SECRET_BYTES => {
                return Err(KeyError::ShortSecret { bytes: bytes.len() }.into());
            }
            KeyKind::P256 if bytes.len() != 65 => return unusable("`x` and `y` must be 32 bytes each"),
            KeyKind::P384 if bytes.len() != 97 => return unusable("`x` and `y` must be 48 bytes each"),
            KeyKind::Ed25519 if bytes.len() != 32 => return unusable("`x` must be 32 bytes"),
            _ => {}
        }
    }
    Ok(Key::checked(jwk.common.key_id, algorithm, decoding))
}

fn unusable(problem: &'static str) -> Result<Key, NotTaken> {
    Err(NotTaken::Unusable(KeyError::Jwk { problem }))
}

fn kind_of(jwk: &Jwk) -> Result<KeyKind, KeyError> {
    match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => Ok(KeyKind::Rsa),
        AlgorithmParameters::OctetKey(_) => Ok(KeyKind::Secret),
        AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P256 => Ok(KeyKind::P256),
        AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P384 => Ok(KeyKind::P384),
        AlgorithmParameters::OctetKeyPair(okp) if okp.curve == EllipticCurve::Ed25519 => Ok(KeyKind::Ed25519),
        _ => Err(KeyError::Jwk { problem: "only RSA, P-256, P-384, Ed25519 and `oct` keys are supported" }),
    }
}

/// Whether `alg` names an algorithm that encrypts keys (RFC 7518 section 4.1).
fn is_for_encryption(alg: &str) -> bool {
    let families = ["RSA-OAEP", "RSA1_5", "ECDH-ES", "PBES2-", "A128", "A192", "A256", "dir"];
    families.iter().any(|family| alg.starts_with(family))
}
