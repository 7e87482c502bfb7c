//! Issuers of tokens, one for each kind of key that the server can verify with.

use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use realtime_server::Config;
use secrecy::SecretString;
use serde_json::{Value, json};

macro_rules! pem {
    ($name:literal) => {
        include_str!(concat!("../../crates/realtime-adapters/tests/keys/test-", $name, ".pem"))
    };
}

/// A kind of key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A shared secret of the given algorithm.
    Hmac(&'static str),
    /// RSA with the given algorithm.
    Rsa(&'static str),
    /// P-256.
    Es256,
    /// P-384.
    Es384,
    /// Ed25519.
    EdDsa,
}

/// Signs tokens with a key that [`Issuer::trusted_by`] makes a server trust.
#[derive(Clone)]
pub struct Issuer {
    kind: Kind,
    algorithm: Algorithm,
    signing: EncodingKey,
    public: &'static str,
    kid: Option<String>,
}

impl Issuer {
    /// The secret of [`Issuer::hmac`].
    pub const SECRET: &str = "a-shared-secret-of-more-than-thirty-two-bytes";

    /// With a shared secret and HS256.
    pub fn hmac() -> Self {
        Self::of(Kind::Hmac("HS256"))
    }

    /// With a key of `kind`.
    ///
    /// # Panics
    /// The algorithm is not one of the kind.
    pub fn of(kind: Kind) -> Self {
        let rsa = || EncodingKey::from_rsa_pem(pem!("rsa.private").as_bytes());
        let (algorithm, signing, public) = match kind {
            Kind::Hmac(name) => (name, Ok(EncodingKey::from_secret(Self::SECRET.as_bytes())), ""),
            Kind::Rsa(name) => (name, rsa(), pem!("rsa.public")),
            Kind::Es256 => ("ES256", EncodingKey::from_ec_pem(pem!("p256.private").as_bytes()), pem!("p256.public")),
            Kind::Es384 => ("ES384", EncodingKey::from_ec_pem(pem!("p384.private").as_bytes()), pem!("p384.public")),
            Kind::EdDsa => {
                ("EdDSA", EncodingKey::from_ed_pem(pem!("ed25519.private").as_bytes()), pem!("ed25519.public"))
            }
        };
        let algorithm = algorithm.parse().expect("an algorithm");
        Self { kind, algorithm, signing: signing.expect("a key of the tests"), public, kid: None }
    }

    /// The same under the key id `kid`.
    #[must_use]
    pub fn with_kid(mut self, kid: &str) -> Self {
        self.kid = Some(kid.to_owned());
        self
    }

    /// Makes the server of `config` trust this issuer, by a secret or by a public key.
    pub fn trusted_by(&self, config: &mut Config) {
        let algorithm = format!("{:?}", self.algorithm);
        if let Kind::Hmac(_) = self.kind {
            config.auth.hmac_secret = Some(SecretString::from(Self::SECRET));
            config.auth.hmac_algorithm = algorithm;
        } else {
            config.auth.public_key = Some(self.public.to_owned());
            config.auth.public_key_algorithm = Some(algorithm);
        }
    }

    /// The public half as a JWK with this issuer's key id.
    ///
    /// # Panics
    /// The issuer has no public half.
    pub fn jwk(&self) -> Value {
        let decoding = match self.kind {
            Kind::Rsa(_) => jsonwebtoken::DecodingKey::from_rsa_pem(self.public.as_bytes()),
            Kind::Es256 | Kind::Es384 => jsonwebtoken::DecodingKey::from_ec_pem(self.public.as_bytes()),
            Kind::EdDsa => jsonwebtoken::DecodingKey::from_ed_pem(self.public.as_bytes()),
            Kind::Hmac(_) => panic!("a secret has no public half"),
        };
        let jwk = jsonwebtoken::jwk::Jwk::from_decoding_key(&decoding.expect("a key"), Some(self.algorithm));
        let mut jwk = serde_json::to_value(jwk.expect("a JWK")).expect("plain data");
        jwk["kid"] = json!(self.kid);
        jwk
    }

    /// A token of `user` for an hour, with whatever else is in `more`.
    ///
    /// # Panics
    /// It can't be signed.
    pub fn token(&self, user: &str, more: &Value) -> String {
        let mut claims = json!({"sub": user, "exp": now() + 3600});
        if let (Some(claims), Some(more)) = (claims.as_object_mut(), more.as_object()) {
            claims.extend(more.clone());
        }
        let header = Header { kid: self.kid.clone(), ..Header::new(self.algorithm) };
        encode(&header, &claims, &self.signing).expect("a token")
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    i64::try_from(since.as_secs()).expect("a clock before the year 292 billion")
}
