//! What a verifier has to verify with, for readiness and metrics.

use std::time::{Duration, SystemTime};

use super::key_set::LeftOut;

/// The keys of a verifier.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct KeyStatus {
    /// How many keys are trusted now, given and fetched ones together.
    pub keys: usize,
    /// Keys of JWK Sets that are not used although they may be meant for tokens.
    pub left_out: Vec<LeftOut>,
    /// The JWKS address, if there is one.
    pub address: Option<AddressStatus>,
}

/// The fetches of a JWKS address.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AddressStatus {
    /// How many fetches have ended, failed ones included.
    pub fetches: u64,
    /// How many of them failed.
    pub failures: u64,
    /// When the last one that succeeded ended.
    pub last_success: Option<SystemTime>,
    /// How long ago that was, by a clock that never steps.
    pub age: Option<Duration>,
    /// Whether the keys are older than they should be: the last fetch failed, and none has succeeded for longer than
    /// the time between two. A key that the issuer has just begun to use may be missing.
    pub stale: bool,
    /// Why the last fetch failed, if it did. Holds no address.
    pub last_error: Option<String>,
}
