//! Reads what a backend wants to be refused.

use realtime_schema::{FieldError, RevocationRequest, Timestamp};

use super::Target;

/// A revocation that was requested and is valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// What to refuse.
    pub target: Target,
    /// Until when, if the request says.
    pub until: Option<Timestamp>,
    /// Why, for clients.
    pub reason: String,
}

impl Wanted {
    /// Reads a request that came at `now`.
    ///
    /// # Errors
    /// Each field that is invalid.
    pub fn read(request: RevocationRequest, now: Timestamp) -> Result<Self, Vec<FieldError>> {
        let RevocationRequest { jti, user, issued_before, until, duration, reason } = request;
        let mut errors = Vec::new();
        let mut wrong = |field: &str, what: String| errors.push(FieldError::new(field, what));
        if let Some(jti) = &jti {
            let max = RevocationRequest::MAX_JTI_CHARS;
            if jti.is_empty() || jti.chars().nth(max).is_some() {
                wrong("jti", format!("must have 1 to {max} characters"));
            }
            for (field, given) in [("user", user.is_some()), ("issued_before", issued_before.is_some())] {
                if given {
                    wrong(field, "is given beside `jti`; one of them is enough".to_owned());
                }
            }
        }
        if until.is_some() && duration.is_some() {
            wrong("for", "is given beside `until`; one of them is enough".to_owned());
        }
        if until.is_some_and(|until| until <= now) {
            wrong("until", "is not in the future".to_owned());
        }
        if duration.is_some_and(|span| span.0.as_millis() == 0) {
            wrong("for", "must be longer than zero".to_owned());
        }
        let max = RevocationRequest::MAX_REASON_CHARS;
        if reason.as_ref().is_some_and(|reason| reason.chars().nth(max).is_some()) {
            wrong("reason", format!("is longer than {max} characters"));
        }
        let target = match (jti, user, issued_before) {
            (Some(jti), ..) => Some(Target::Token(jti)),
            (None, user, Some(before)) => Some(Target::IssuedBefore { user, before }),
            (None, Some(user), None) => Some(Target::User(user)),
            (None, None, None) => None,
        };
        let Some(target) = target else {
            wrong("", "names nothing to revoke; give `jti`, `user` or `issued_before`".to_owned());
            return Err(errors);
        };
        if !errors.is_empty() {
            return Err(errors);
        }
        let reason = reason.unwrap_or_else(|| default_reason(&target).to_owned());
        Ok(Self { until: until.or_else(|| duration.map(|span| now.after(span.0))), target, reason })
    }
}

fn default_reason(target: &Target) -> &'static str {
    match target {
        Target::User(_) => "blocked by an operator",
        Target::Token(_) | Target::IssuedBefore { .. } => "the token was revoked; get a new one",
    }
}
