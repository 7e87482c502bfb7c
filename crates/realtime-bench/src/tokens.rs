//! Tokens of each kind of key, and what makes a server trust them.

use std::{
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::json;

use crate::options::Result;

/// The secret of HS256 tokens.
pub(crate) const SECRET: &str = "a-secret-of-the-benchmarks-of-more-than-32-bytes";

macro_rules! key {
    ($name:literal) => {
        include_str!(concat!("../../realtime-adapters/tests/keys/test-", $name, ".pem"))
    };
}

/// A kind of token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Hs256,
    Rs256,
    Es256,
    EdDsa,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Hs256, Self::Rs256, Self::Es256, Self::EdDsa];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The setting that makes the server trust it, as an environment variable. A public key is written to `folder`.
    pub(crate) fn trusted(self, folder: &Path) -> Result<(&'static str, String)> {
        let Some(public) = self.public_key() else {
            return Ok(("REALTIME_AUTH__HMAC_SECRET", SECRET.to_owned()));
        };
        let path = folder.join(format!("{}.pem", self.name()));
        std::fs::write(&path, public)?;
        Ok(("REALTIME_AUTH__PUBLIC_KEY_FILE", path.display().to_string()))
    }

    /// The public key in PEM; HS256 has none.
    pub(crate) fn public_key(self) -> Option<&'static str> {
        match self {
            Self::Hs256 => None,
            Self::Rs256 => Some(key!("rsa.public")),
            Self::Es256 => Some(key!("p256.public")),
            Self::EdDsa => Some(key!("ed25519.public")),
        }
    }

    /// A token for each of `count` users, every second of whom has the role `half`.
    pub(crate) fn tokens(self, count: usize) -> Result<Vec<String>> {
        let (algorithm, key) = match self {
            Self::Hs256 => (Algorithm::HS256, EncodingKey::from_secret(SECRET.as_bytes())),
            Self::Rs256 => (Algorithm::RS256, EncodingKey::from_rsa_pem(key!("rsa.private").as_bytes())?),
            Self::Es256 => (Algorithm::ES256, EncodingKey::from_ec_pem(key!("p256.private").as_bytes())?),
            Self::EdDsa => (Algorithm::EdDSA, EncodingKey::from_ed_pem(key!("ed25519.private").as_bytes())?),
        };
        let expires = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() + 24 * 3600;
        let sign = |n: usize| {
            let roles = if n.is_multiple_of(2) { json!(["member", "half"]) } else { json!(["member"]) };
            let claims =
                json!({"sub": format!("user-{n}"), "exp": expires, "roles": roles, "grants": ["subscribe:**"]});
            Ok(encode(&Header::new(algorithm), &claims, &key)?)
        };
        (0..count).map(sign).collect()
    }
}
