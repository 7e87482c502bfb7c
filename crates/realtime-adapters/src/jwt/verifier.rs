//! The verifier: header, key, signature, claims, in that order.

use std::{collections::HashMap, sync::Arc};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use jsonwebtoken::{Header, Validation, decode, decode_header, errors::ErrorKind};
use realtime_ports::{JwtVerifier, VerifyError};
use realtime_schema::JwtClaims;
use serde_json::{Map, Value};

#[cfg(feature = "jwks")]
use super::remote::{Crowded, JwksSource, Refreshed};
use super::{algorithm::Algorithm, config::JwtConfig, error::KeyError, key::Key, key_set::KeySet};

/// Verifies tokens with keys given at start, with those of a JWKS address (feature `jwks`), or with both.
///
/// A verification takes tens of microseconds and does not leave its thread; only a token with an unknown `kid`
/// may wait for one fetch of the address, at most as long as that is allowed to take, twice.
pub struct TokenVerifier {
    config: JwtConfig,
    rules: HashMap<Algorithm, Validation>,
    keys: ArcSwap<KeySet>,
    #[cfg(feature = "jwks")]
    address: Option<JwksSource>,
}

/// Why one set of keys did not accept a token.
enum Failure {
    /// The token names a key that is not in the set: a newer set might have it.
    UnknownKid,
    /// None of the set's keys signed it; those of another source may have.
    NotByThese(&'static str),
    /// The signature is right and the claims are not, so no other key can help.
    Final(VerifyError),
}

impl TokenVerifier {
    /// A verifier that trusts `keys` and nothing else.
    ///
    /// # Errors
    /// There are no keys, or a setting can't be meant.
    pub fn new(config: JwtConfig, keys: KeySet) -> Result<Self, KeyError> {
        if keys.is_empty() {
            return Err(KeyError::NoKeys);
        }
        Self::build(config, keys)
    }

    /// A verifier that trusts `keys`, which may be none, and whatever keys `address` serves.
    ///
    /// # Errors
    /// A setting can't be meant.
    #[cfg(feature = "jwks")]
    pub fn with_address(config: JwtConfig, keys: KeySet, address: JwksSource) -> Result<Self, KeyError> {
        Ok(Self { address: Some(address), ..Self::build(config, keys)? })
    }

    /// Trusts `keys` from now on instead of those given before; keys of an address are not touched. Tokens that
    /// were accepted already are not looked at again.
    ///
    /// # Errors
    /// There are no keys.
    pub fn replace_keys(&self, keys: KeySet) -> Result<(), KeyError> {
        if keys.is_empty() {
            return Err(KeyError::NoKeys);
        }
        self.keys.store(Arc::new(keys));
        Ok(())
    }

    /// Whether there is a key to verify with; false only while an address has not answered yet.
    pub fn is_ready(&self) -> bool {
        #[cfg(feature = "jwks")]
        if self.address.as_ref().is_some_and(JwksSource::has_keys) {
            return true;
        }
        !self.keys.load().is_empty()
    }

    fn build(config: JwtConfig, keys: KeySet) -> Result<Self, KeyError> {
        config.check()?;
        let rules = Algorithm::ALL.into_iter().map(|algorithm| (algorithm, config.validation(algorithm))).collect();
        Ok(Self {
            config,
            rules,
            keys: ArcSwap::from_pointee(keys),
            #[cfg(feature = "jwks")]
            address: None,
        })
    }

    /// What can be said before any key is looked at.
    fn header(&self, token: &str) -> Result<Header, VerifyError> {
        let limit = self.config.max_token_bytes;
        if token.len() > limit {
            return Err(invalid(format!("it is {} bytes long; at most {limit} are allowed", token.len())));
        }
        // The library's error may quote the header, so it is dropped.
        let header = decode_header(token)
            .map_err(|_| invalid("it is not a signed JWT, or its `alg` is not one that is supported"))?;
        if header.crit.is_some() {
            return Err(invalid(
                "its header has `crit`, and no extension is understood here (RFC 7515 section 4.1.11)",
            ));
        }
        if !self.config.types.is_empty() && !header.typ.as_deref().is_some_and(|typ| self.accepts_type(typ)) {
            return Err(invalid("its `typ` is not one that is accepted"));
        }
        Ok(header)
    }

    fn accepts_type(&self, typ: &str) -> bool {
        let bare = |typ: &str| {
            let lower = typ.to_ascii_lowercase();
            lower.strip_prefix("application/").map_or(lower.clone(), str::to_owned)
        };
        self.config.types.iter().any(|accepted| bare(accepted) == bare(typ))
    }

    fn judge(&self, token: &str, header: &Header, keys: &KeySet) -> Result<JwtClaims, Failure> {
        let candidates = keys.candidates(header.kid.as_deref());
        if candidates.is_empty() {
            return Err(match header.kid {
                Some(_) => Failure::UnknownKid,
                None => Failure::NotByThese("it must name its key (`kid`), for there are several here"),
            });
        }
        let mut failure = "its `alg` is not the one of its key";
        for key in candidates.iter().filter(|key| key.algorithm().to_library() == header.alg) {
            match self.judge_by(token, key) {
                Err(Failure::NotByThese(why)) => failure = why,
                judged => return judged,
            }
        }
        Err(Failure::NotByThese(failure))
    }

    fn judge_by(&self, token: &str, key: &Key) -> Result<JwtClaims, Failure> {
        let rules = &self.rules[&key.algorithm()];
        match decode::<Map<String, Value>>(token, key.decoding(), rules) {
            Ok(data) => self.config.claims.read(&data.claims).map_err(|problem| Failure::Final(invalid(problem))),
            Err(error) => Err(match error.kind() {
                ErrorKind::ExpiredSignature => Failure::Final(VerifyError::Expired),
                ErrorKind::ImmatureSignature => Failure::Final(VerifyError::NotYetValid),
                ErrorKind::MissingRequiredClaim(claim) | ErrorKind::InvalidClaimFormat(claim) => {
                    Failure::Final(invalid(format!("claim `{claim}` is missing or of the wrong type")))
                }
                ErrorKind::InvalidIssuer => Failure::Final(invalid("its issuer (`iss`) is not one that is accepted")),
                ErrorKind::InvalidAudience if self.config.audiences.is_empty() => Failure::Final(invalid(
                    "it is meant for an audience (`aud`), and the server is configured with none; \
                     set the audiences that it answers to",
                )),
                ErrorKind::InvalidAudience => Failure::Final(invalid("it is meant for another audience (`aud`)")),
                ErrorKind::Json(_) | ErrorKind::Utf8(_) => Failure::Final(invalid(
                    "its claims are not a JSON object, or one of `exp`, `nbf`, `sub`, `iss` and `aud` \
                     is of the wrong type",
                )),
                _ => Failure::NotByThese("its signature does not verify"),
            }),
        }
    }

    #[cfg(feature = "jwks")]
    async fn judge_by_address(
        &self,
        token: &str,
        header: &Header,
        address: &JwksSource,
    ) -> Result<JwtClaims, VerifyError> {
        // The first wait may be for a fetch that was under way and came too early for this key, the second is not.
        for attempt in 0..3 {
            if let Some(keys) = address.keys() {
                match self.judge(token, header, &keys) {
                    Ok(claims) => return Ok(claims),
                    Err(Failure::UnknownKid) => {}
                    Err(other) => return Err(other.into()),
                }
            }
            if attempt == 2 {
                break;
            }
            match address.refreshed().await {
                Refreshed::Done => {}
                Refreshed::No => break,
                Refreshed::Crowded => return Err(VerifyError::Unavailable(Arc::new(Crowded))),
            }
        }
        // As long as the address fails, a key that it has just begun to use can't be told from one that is made up.
        Err(match address.trouble() {
            Some(trouble) => VerifyError::Unavailable(trouble),
            None => Failure::UnknownKid.into(),
        })
    }
}

#[async_trait]
impl JwtVerifier for TokenVerifier {
    async fn verify(&self, token: &str) -> Result<JwtClaims, VerifyError> {
        let header = self.header(token)?;
        let failure = match self.judge(token, &header, &self.keys.load()) {
            Ok(claims) => return Ok(claims),
            Err(failure) => failure,
        };
        #[cfg(feature = "jwks")]
        if let (Some(address), Failure::UnknownKid | Failure::NotByThese(_)) = (&self.address, &failure) {
            return self.judge_by_address(token, &header, address).await;
        }
        Err(failure.into())
    }
}

impl From<Failure> for VerifyError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::UnknownKid => invalid("it names a key (`kid`) that is not known here"),
            Failure::NotByThese(why) => invalid(why),
            Failure::Final(error) => error,
        }
    }
}

fn invalid(why: impl Into<String>) -> VerifyError {
    VerifyError::Invalid(why.into())
}
