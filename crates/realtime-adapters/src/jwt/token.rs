//! A token's three parts (RFC 7515 section 3.1), and what its header says.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use realtime_ports::VerifyError;
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::{Map, Value};

use super::{algorithm::Algorithm, key::Key};

/// A token whose header has been read and whose signature has not been verified.
///
/// The header is read here and not by the library, which refuses `alg: Ed25519` (RFC 9864). The `alg` selects nothing:
/// it is compared with that of the key, and the signature is verified by the key's.
pub(super) struct Token<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) kid: Option<String>,
    pub(super) typ: Option<String>,
    /// What is signed: header and claims with the dot between them.
    message: &'a str,
    claims: &'a str,
    signature: &'a str,
}

// Only these: `jku`, `jwk`, `x5u` and `x5c` are not looked at.
#[derive(Deserialize)]
struct Header {
    #[serde(default)]
    alg: Option<String>,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    typ: Option<String>,
    #[serde(default)]
    crit: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Issuer {
    #[serde(default)]
    iss: Option<Value>,
}

impl<'a> Token<'a> {
    /// Reads the header of a token of at most `max_bytes`.
    pub(super) fn read(token: &'a str, max_bytes: usize) -> Result<Self, VerifyError> {
        if token.len() > max_bytes {
            return Err(invalid(format!("it is {} bytes long; at most {max_bytes} are allowed", token.len())));
        }
        let malformed = || invalid("it is not a signed JWT: three parts of base64url with dots between them");
        let (message, signature) = token.rsplit_once('.').ok_or_else(malformed)?;
        let (header, claims) = message.split_once('.').ok_or_else(malformed)?;
        if claims.contains('.') {
            return Err(malformed());
        }
        let header: Header = decoded(header).ok_or_else(malformed)?;
        let algorithm = match header.alg.as_deref().map(str::parse::<Algorithm>) {
            Some(Ok(algorithm)) => algorithm,
            Some(Err(unknown)) => return Err(invalid(unsupported(&unknown.name))),
            None => return Err(invalid("its header has no `alg`")),
        };
        if header.crit.is_some() {
            return Err(invalid("its header has `crit`, and no extension is supported (RFC 7515 section 4.1.11)"));
        }
        Ok(Self { algorithm, kid: header.kid, typ: header.typ, message, claims, signature })
    }

    /// Whether `key` signed it. The key's algorithm decides, not the token's.
    pub(super) fn is_signed_by(&self, key: &Key) -> bool {
        let algorithm = key.algorithm().to_library();
        self.algorithm == key.algorithm()
            && jsonwebtoken::crypto::verify(self.signature, self.message.as_bytes(), key.decoding(), algorithm)
                .unwrap_or(false)
    }

    /// The claims. Believe them only after [`is_signed_by`](Self::is_signed_by).
    pub(super) fn claims(&self) -> Result<Map<String, Value>, VerifyError> {
        decoded(self.claims).ok_or_else(not_an_object)
    }

    /// The issuer that the token names, before anything is verified: good for selecting keys, and for nothing else.
    pub(super) fn unverified_issuer(&self) -> Result<Option<String>, VerifyError> {
        match decoded::<Issuer>(self.claims).ok_or_else(not_an_object)?.iss {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(issuer)) => Ok(Some(issuer)),
            Some(_) => Err(invalid("claim `iss` is not a string")),
        }
    }
}

/// The JSON object of a part. The error may quote the token, so it is dropped.
fn decoded<T: DeserializeOwned>(part: &str) -> Option<T> {
    let json = URL_SAFE_NO_PAD.decode(part).ok()?;
    // serde takes an array for a struct as well.
    let is_object = json.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    is_object.then(|| serde_json::from_slice(&json).ok()).flatten()
}

/// A refusal of a token.
pub(super) fn invalid(why: impl Into<String>) -> VerifyError {
    VerifyError::Invalid(why.into())
}

fn not_an_object() -> VerifyError {
    invalid("its claims are not a JSON object, or not base64url")
}

/// Why a token's `alg` is refused. Only well-known names are repeated, never the token's own text.
fn unsupported(name: &str) -> &'static str {
    match name {
        "none" => "it is not signed (`alg` is `none`)",
        "ES512" => "its `alg` ES512 (P-521) is not supported; sign with ES256, ES384, EdDSA or an RSA algorithm",
        "ES256K" => "its `alg` ES256K (secp256k1) is not supported; sign with ES256, ES384, EdDSA or an RSA algorithm",
        "Ed448" => "its `alg` Ed448 is not supported; sign with Ed25519, ES256, ES384 or an RSA algorithm",
        _ => "its `alg` is not one that is supported",
    }
}
