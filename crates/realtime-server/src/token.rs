//! Tokens for development and tests. In production the issuer is the application's own.

use jsonwebtoken::{EncodingKey, Header};
use realtime_schema::{FieldError, Grant, Permission, Role, Timestamp, UserId};
use serde_json::{Map, Value, json};

use crate::config::{Config, ConfigError, Span};

/// What a token contains.
#[derive(Clone, Debug)]
pub struct TokenRequest {
    /// The user.
    pub user: UserId,
    /// The user's roles.
    pub roles: Vec<Role>,
    /// The user's permissions.
    pub permissions: Vec<Permission>,
    /// What the user may do to which topics.
    pub grants: Vec<Grant>,
    /// How long it is valid.
    pub ttl: Span,
}

/// Why a token could not be made.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// There is no secret to sign with.
    #[error(
        "no secret to sign with: set auth.hmac_secret or auth.hmac_secret_files to what the server has, such as by \
         REALTIME_AUTH__HMAC_SECRET; keys of a JWKS or of auth.providers can't sign here"
    )]
    NoSecret,
    /// The algorithm is none of the HMACs.
    #[error("auth.hmac_algorithm: `{0}` is not HS256, HS384 or HS512")]
    Algorithm(String),
    /// An invalid name.
    #[error(transparent)]
    Name(#[from] FieldError),
    /// The secret can't be read.
    #[error(transparent)]
    Secret(#[from] ConfigError),
    /// The library failed to sign.
    #[error("the token could not be signed")]
    Sign(#[from] jsonwebtoken::errors::Error),
}

impl TokenRequest {
    /// A token for an hour, with nothing but the user.
    pub fn new(user: UserId) -> Self {
        Self { user, roles: Vec::new(), permissions: Vec::new(), grants: Vec::new(), ttl: Span::secs(3600) }
    }

    /// The token, signed with the secret of `config` and laid out as its server expects.
    ///
    /// # Errors
    /// There is no secret in `config`, or its algorithm is not an HMAC.
    pub fn sign(&self, config: &Config, now: Timestamp) -> Result<String, TokenError> {
        let auth = &config.auth;
        let secret = auth.signing_secret()?.ok_or(TokenError::NoSecret)?;
        let algorithm = match auth.hmac_algorithm.as_str() {
            "HS256" => jsonwebtoken::Algorithm::HS256,
            "HS384" => jsonwebtoken::Algorithm::HS384,
            "HS512" => jsonwebtoken::Algorithm::HS512,
            other => return Err(TokenError::Algorithm(other.to_owned())),
        };
        let seconds = i64::try_from(self.ttl.0.as_secs()).unwrap_or(i64::MAX);
        let mut claims = Map::new();
        put(&mut claims, auth.claims.subject.first().map_or("sub", String::as_str), json!(self.user));
        claims.insert("iat".into(), json!(now.as_secs()));
        claims.insert("exp".into(), json!(now.as_secs().saturating_add(seconds)));
        if let Some(issuer) = auth.issuers.first() {
            claims.insert("iss".into(), json!(issuer));
        }
        if let Some(audience) = auth.audiences.first() {
            put(&mut claims, &auth.audience_claim, json!(audience));
        }
        for (claim, value) in auth.required_claims.iter().filter_map(|pair| pair.split_once('=')) {
            put(&mut claims, claim.trim(), json!(value.trim()));
        }
        let lists = [
            (&auth.claims.roles, json!(self.roles), self.roles.is_empty()),
            (&auth.claims.permissions, json!(self.permissions), self.permissions.is_empty()),
            (&auth.claims.grants, json!(self.grants), self.grants.is_empty()),
        ];
        for (paths, list, empty) in lists {
            if let (Some(path), false) = (paths.first(), empty) {
                put(&mut claims, path, list);
            }
        }
        let header = Header { typ: auth.types.first().cloned().or(Some("JWT".into())), ..Header::new(algorithm) };
        Ok(jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(&secret))?)
    }
}

/// Puts `value` where a claim path of the config will find it.
fn put(claims: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        // A name with a scheme, such as `https://example.com/roles`, is one claim whatever dots it has.
        Some((name, rest)) if !path.contains('/') => {
            let inner = claims.entry(name).or_insert_with(|| json!({}));
            if let Value::Object(inner) = inner {
                put(inner, rest, value);
            }
        }
        _ => {
            claims.insert(path.to_owned(), value);
        }
    }
}
