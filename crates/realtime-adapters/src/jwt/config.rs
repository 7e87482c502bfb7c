//! What a token must say to be accepted.

use std::time::Duration;

use jsonwebtoken::Validation;

use super::{algorithm::Algorithm, claims::ClaimPaths, error::KeyError};

/// The longest leeway that is accepted.
pub const MAX_LEEWAY: Duration = Duration::from_secs(3600);

/// What a token must say, beside a right signature. `sub` and `exp` are required always.
#[derive(Clone, Debug)]
pub struct JwtConfig {
    /// Accepted issuers. If any is given, a token must have an `iss` that is one of them. Default: none, so that
    /// every issuer that has the key is accepted.
    pub issuers: Vec<String>,
    /// Audiences that this server answers to. If any is given, a token must have an `aud` that names one of them;
    /// if none is, a token must have no `aud` (RFC 7519 section 4.1.3). Default: none.
    pub audiences: Vec<String>,
    /// Grace for clocks that differ, in whole seconds, on `exp` and `nbf`. Default: 5 s; at most [`MAX_LEEWAY`].
    pub leeway: Duration,
    /// Accepts tokens whose time is over, for a `ConnectionPolicy` that allows them. `exp` is still required.
    /// Default: false.
    pub allow_expired: bool,
    /// Accepted `typ` headers, compared without case and without a leading `application/` (RFC 8725 section 3.11).
    /// If any is given, a token must have one of them. Default: none, so that any type is accepted.
    pub types: Vec<String>,
    /// The longest token that is looked at, in bytes. Default: 8 KiB.
    pub max_token_bytes: usize,
    /// Where roles, permissions, grants and metadata are found.
    pub claims: ClaimPaths,
}

impl Default for JwtConfig {
    fn default() -> Self {
        Self {
            issuers: Vec::new(),
            audiences: Vec::new(),
            leeway: Duration::from_secs(5),
            allow_expired: false,
            types: Vec::new(),
            max_token_bytes: 8 * 1024,
            claims: ClaimPaths::default(),
        }
    }
}

impl JwtConfig {
    /// Whether a verifier can be built with it.
    ///
    /// # Errors
    /// What can't be meant.
    pub fn check(&self) -> Result<(), KeyError> {
        if self.leeway > MAX_LEEWAY {
            return Err(KeyError::setting("leeway", format!("is over {} s; 5 s is usual", MAX_LEEWAY.as_secs())));
        }
        if self.max_token_bytes == 0 {
            return Err(KeyError::setting("max_token_bytes", "is 0, so every token would be refused; 8192 is usual"));
        }
        for (name, values) in [("issuers", &self.issuers), ("audiences", &self.audiences), ("types", &self.types)] {
            if values.iter().any(String::is_empty) {
                return Err(KeyError::setting(name, "has an empty entry; take it out"));
            }
        }
        self.claims.check()
    }

    /// The library's rules for keys of `algorithm`, and of no other.
    pub(super) fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut rules = Validation::new(algorithm.to_library());
        let mut required = vec!["exp", "sub"];
        // Naming accepted values is not enough: by itself the library lets tokens pass that lack the claim.
        if !self.issuers.is_empty() {
            rules.set_issuer(&self.issuers);
            required.push("iss");
        }
        if !self.audiences.is_empty() {
            rules.set_audience(&self.audiences);
            required.push("aud");
        }
        rules.set_required_spec_claims(&required);
        rules.leeway = self.leeway.as_secs();
        rules.validate_exp = !self.allow_expired;
        rules.validate_nbf = true;
        rules
    }
}
