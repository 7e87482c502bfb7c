//! The verifier: header, key, signature, claims, in that order.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use realtime_ports::{JwtVerifier, VerifyError};
use realtime_schema::{JwtClaims, Timestamp};

#[cfg(feature = "jwks")]
use super::remote::{JwksSource, Overloaded, Refreshed};
use super::{
    config::JwtConfig,
    error::KeyError,
    key_set::{KeySet, LeftOut},
    status::KeyStatus,
    token::{Token, invalid},
};

/// Verifies the tokens of one issuer, or of several that share their keys: with given keys, with those of a JWKS
/// address (feature `jwks`), or with both. For issuers with keys of their own see [`Issuers`](super::Issuers).
///
/// A verification takes tens of microseconds and does not leave its thread; only a token with an unknown `kid`
/// may wait for a fetch of the address, at most as long as that is allowed to take, twice.
pub struct TokenVerifier {
    trusted: ArcSwap<Trusted>,
    #[cfg(feature = "jwks")]
    address: Option<Arc<JwksSource>>,
}

/// What is replaced as a whole.
struct Trusted {
    config: JwtConfig,
    keys: KeySet,
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
    /// There are no keys, or a setting is invalid.
    pub fn new(config: JwtConfig, keys: KeySet) -> Result<Self, KeyError> {
        if keys.is_empty() {
            return Err(KeyError::NoKeys);
        }
        Self::build(config, keys)
    }

    /// A verifier that trusts `keys`, which may be none, and the keys that `address` serves.
    ///
    /// # Errors
    /// A setting is invalid.
    #[cfg(feature = "jwks")]
    pub fn with_address(
        config: JwtConfig,
        keys: KeySet,
        address: impl Into<Arc<JwksSource>>,
    ) -> Result<Self, KeyError> {
        Ok(Self { address: Some(address.into()), ..Self::build(config, keys)? })
    }

    /// Replaces settings and given keys, whole or not at all; the JWKS address and its keys stay. Claims that were
    /// accepted before are not judged again.
    ///
    /// # Errors
    /// There are no keys and no address, or a setting is invalid; then nothing has changed.
    pub fn replace(&self, config: JwtConfig, keys: KeySet) -> Result<(), KeyError> {
        config.check()?;
        if keys.is_empty() && !self.has_address() {
            return Err(KeyError::NoKeys);
        }
        self.trusted.store(Arc::new(Trusted { config, keys }));
        Ok(())
    }

    /// Replaces the given keys alone. See [`replace`](Self::replace).
    ///
    /// # Errors
    /// There are no keys and no address.
    pub fn replace_keys(&self, keys: KeySet) -> Result<(), KeyError> {
        let config = self.trusted.load().config.clone();
        self.replace(config, keys)
    }

    /// Whether there is a key to verify with; false only while an address has not served one yet.
    pub fn is_ready(&self) -> bool {
        self.status().keys > 0
    }

    /// The keys that it has, and whether they are up to date.
    pub fn status(&self) -> KeyStatus {
        let trusted = self.trusted.load();
        #[allow(unused_mut, reason = "without an address nothing is added")]
        let mut status =
            KeyStatus { keys: trusted.keys.len(), left_out: trusted.keys.left_out().to_vec(), address: None };
        #[cfg(feature = "jwks")]
        if let Some(address) = &self.address {
            if let Some(keys) = address.keys() {
                status.keys += keys.len();
                status.left_out.extend_from_slice(keys.left_out());
            }
            status.address = Some(address.status());
        }
        status
    }

    /// The source of the keys of its address.
    #[cfg(feature = "jwks")]
    pub(super) fn address(&self) -> Option<&Arc<JwksSource>> {
        self.address.as_ref()
    }

    /// The longest token that it reads, in bytes.
    pub(super) fn max_token_bytes(&self) -> usize {
        self.trusted.load().config.max_token_bytes
    }

    /// The keys of JWKS files that are not used.
    pub(super) fn left_out(&self) -> Vec<LeftOut> {
        self.trusted.load().keys.left_out().to_vec()
    }

    fn build(config: JwtConfig, keys: KeySet) -> Result<Self, KeyError> {
        config.check()?;
        Ok(Self::unchecked(config, keys))
    }

    /// With settings that have been checked, and keys that may be none.
    pub(super) fn unchecked(config: JwtConfig, keys: KeySet) -> Self {
        Self {
            trusted: ArcSwap::from_pointee(Trusted { config, keys }),
            #[cfg(feature = "jwks")]
            address: None,
        }
    }

    fn has_address(&self) -> bool {
        #[cfg(feature = "jwks")]
        return self.address.is_some();
        #[cfg(not(feature = "jwks"))]
        false
    }

    /// Verifies a token whose header has been read already.
    pub(super) async fn verify_read(&self, token: &Token<'_>) -> Result<JwtClaims, VerifyError> {
        let trusted = self.trusted.load_full();
        trusted.config.judge_header(token)?;
        let failure = match judge(&trusted.config, &trusted.keys, token) {
            Ok(claims) => return Ok(claims),
            Err(failure) => failure,
        };
        #[cfg(feature = "jwks")]
        if let (Some(address), Failure::UnknownKid | Failure::NotByThese(_)) = (&self.address, &failure) {
            return judge_by_address(&trusted.config, address, token).await;
        }
        Err(failure.into())
    }
}

fn judge(config: &JwtConfig, keys: &KeySet, token: &Token<'_>) -> Result<JwtClaims, Failure> {
    let candidates = keys.candidates(token.kid.as_deref());
    if candidates.is_empty() {
        return Err(match token.kid {
            Some(_) => Failure::UnknownKid,
            None => Failure::NotByThese("it must name its key (`kid`), because there are several here"),
        });
    }
    let mut same_algorithm = candidates.iter().filter(|key| key.algorithm() == token.algorithm).peekable();
    if same_algorithm.peek().is_none() {
        return Err(Failure::NotByThese("its `alg` is not the one of its key"));
    }
    if !same_algorithm.any(|key| token.is_signed_by(key)) {
        return Err(Failure::NotByThese("its signature does not verify"));
    }
    token.claims().and_then(|claims| config.judge(&claims, now())).map_err(Failure::Final)
}

#[cfg(feature = "jwks")]
async fn judge_by_address(
    config: &JwtConfig,
    address: &JwksSource,
    token: &Token<'_>,
) -> Result<JwtClaims, VerifyError> {
    // The first wait may be for a fetch in progress that began too early for this key, the second is not.
    for attempt in 0..3 {
        if let Some(keys) = address.keys() {
            match judge(config, &keys, token) {
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
            Refreshed::Overloaded => return Err(VerifyError::Unavailable(Arc::new(Overloaded))),
        }
    }
    // As long as the address fails, a key that it has just begun to use can't be told from one that is made up.
    Err(match address.last_error() {
        Some(error) => VerifyError::Unavailable(error),
        None => Failure::UnknownKid.into(),
    })
}

#[async_trait]
impl JwtVerifier for TokenVerifier {
    async fn verify(&self, token: &str) -> Result<JwtClaims, VerifyError> {
        self.verify_read(&Token::read(token, self.max_token_bytes())?).await
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

/// The time of the system's clock.
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
