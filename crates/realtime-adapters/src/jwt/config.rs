//! What a token must say to be accepted.

use std::time::Duration;

use realtime_core::auth;
use realtime_ports::VerifyError;
use realtime_schema::{JwtClaims, Timestamp};
use serde_json::{Map, Value};

use super::{
    claim_error::{ClaimError, ClaimProblem},
    claim_path::ClaimPath,
    claims::{ClaimPaths, strings},
    error::KeyError,
    token::{Token, invalid},
};

/// The longest leeway that is accepted.
pub const MAX_LEEWAY: Duration = Duration::from_secs(3600);

/// What a token must say, beside a right signature. A user and `exp` are required always.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwtConfig {
    /// Accepted issuers. If any is given, a token must have an `iss` that is one of them. Default: none, so that
    /// every issuer that has the key is accepted.
    pub issuers: Vec<String>,
    /// Audiences of this server. If any is given, a token must name one of them in `audience_claim`; if none is, a
    /// token must have no `aud` (RFC 7519 section 4.1.3). Default: none.
    pub audiences: Vec<String>,
    /// The claim that names the audience, as a path. Default: `aud`. With another one, such as the `client_id` of
    /// Amazon Cognito's access tokens, `audiences` is required and `aud` is not compared.
    pub audience_claim: String,
    /// Claims that must have exactly this text: pairs of a path and a value, such as `token_use` and `access`.
    /// Default: none.
    pub required_claims: Vec<(String, String)>,
    /// Tolerance for clocks that differ, in whole seconds, on `exp` and `nbf`. Default: 5 s; at most [`MAX_LEEWAY`].
    pub leeway: Duration,
    /// Accepts expired tokens, for a `ConnectionPolicy` that allows them. `exp` is still required. Default: false.
    pub allow_expired: bool,
    /// Accepted `typ` headers, compared without case and without a leading `application/` (RFC 8725 section 3.11).
    /// If any is given, a token must have one of them. Default: none, so that any type is accepted.
    pub types: Vec<String>,
    /// The longest token that is read, in bytes. Default: 8 KiB.
    pub max_token_bytes: usize,
    /// Where the user, roles, permissions, grants and metadata are found.
    pub claims: ClaimPaths,
}

impl Default for JwtConfig {
    fn default() -> Self {
        Self {
            issuers: Vec::new(),
            audiences: Vec::new(),
            audience_claim: "aud".to_owned(),
            required_claims: Vec::new(),
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
    /// The first invalid setting.
    pub fn check(&self) -> Result<(), KeyError> {
        if self.leeway > MAX_LEEWAY {
            return Err(KeyError::setting("leeway", format!("is over {} s; 5 s is usual", MAX_LEEWAY.as_secs())));
        }
        if self.max_token_bytes == 0 {
            return Err(KeyError::setting("max_token_bytes", "is 0, so every token would be refused; 8192 is usual"));
        }
        for (name, values) in [("issuers", &self.issuers), ("audiences", &self.audiences), ("types", &self.types)] {
            if values.iter().any(String::is_empty) {
                return Err(KeyError::setting(name, "has an empty entry; remove it"));
            }
        }
        ClaimPath(&self.audience_claim).check("audience_claim")?;
        if self.audience_claim != "aud" && self.audiences.is_empty() {
            let problem = "is set and `audiences` is empty; list the values that are accepted in that claim";
            return Err(KeyError::setting("audience_claim", problem));
        }
        self.required_claims.iter().try_for_each(|(path, _)| ClaimPath(path).check("required_claims"))?;
        self.claims.check()
    }

    /// Judges the header of a token; the algorithm is the key's matter.
    pub(super) fn judge_header(&self, token: &Token<'_>) -> Result<(), VerifyError> {
        let accepted = |typ: &str| self.types.iter().any(|accepted| bare(accepted) == bare(typ));
        if !self.types.is_empty() && !token.typ.as_deref().is_some_and(accepted) {
            return Err(invalid("its `typ` is not one that is accepted"));
        }
        Ok(())
    }

    /// Judges the claims of a token whose signature has been verified, at the time `now`.
    pub(super) fn judge(&self, claims: &Map<String, Value>, now: Timestamp) -> Result<JwtClaims, VerifyError> {
        let refused = |error: ClaimError| invalid(error.to_string());
        let read = self.claims.read(claims).map_err(refused)?;
        if !self.issuers.is_empty() {
            let issuer = read.iss.as_ref().ok_or_else(|| refused(ClaimProblem::Missing.of("iss")))?;
            if !self.issuers.contains(issuer) {
                return Err(invalid("its issuer (`iss`) is not one that is accepted"));
            }
        }
        self.judge_audience(claims)?;
        for (path, value) in &self.required_claims {
            match ClaimPath(path).find(claims).map_err(refused)? {
                Some(Value::String(found)) if found == value => {}
                None => return Err(refused(ClaimProblem::Missing.of(path))),
                Some(_) => return Err(refused(ClaimProblem::OtherValue.of(path))),
            }
        }
        if read.exp.is_none() {
            return Err(refused(ClaimProblem::Missing.of("exp")));
        }
        let leeway = self.leeway.as_secs();
        if !self.allow_expired && auth::is_expired(&read, now, leeway) {
            return Err(VerifyError::Expired);
        }
        if auth::is_not_yet_valid(&read, now, leeway) {
            return Err(VerifyError::NotYetValid);
        }
        Ok(read)
    }

    fn judge_audience(&self, claims: &Map<String, Value>) -> Result<(), VerifyError> {
        let path = &self.audience_claim;
        let refused = |error: ClaimError| invalid(error.to_string());
        let value = ClaimPath(path).find(claims).map_err(refused)?;
        let named = strings(value, path).map_err(refused)?;
        match (value, self.audiences.is_empty()) {
            (None, true) => Ok(()),
            (None, false) => Err(refused(ClaimProblem::Missing.of(path))),
            (Some(_), true) => {
                Err(invalid("it is for an audience (`aud`), and the server is configured with none; set `audiences`"))
            }
            (Some(_), false) if named.iter().any(|name| self.audiences.iter().any(|own| own == name)) => Ok(()),
            (Some(_), false) => Err(invalid(format!("it is for another audience (`{path}`)"))),
        }
    }
}

/// A media type in lower case and without `application/`.
fn bare(typ: &str) -> String {
    let lower = typ.to_ascii_lowercase();
    lower.strip_prefix("application/").map_or(lower.clone(), str::to_owned)
}
