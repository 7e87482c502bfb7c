//! Paths into a token's claims.

use serde_json::{Map, Value};

use super::{
    claim_error::{ClaimError, ClaimProblem},
    error::KeyError,
};

const MAX_PATH_CHARS: usize = 255;
const MAX_PATH_DOTS: usize = 16;

/// The name of a claim, or of a member of one with dots between: `realm_access.roles`.
#[derive(Clone, Copy)]
pub(super) struct ClaimPath<'a>(pub(super) &'a str);

/// Whether a claim has a value: `null` counts as absent.
pub(super) fn present(value: &&Value) -> bool {
    !value.is_null()
}

impl ClaimPath<'_> {
    /// Whether it can be searched for at a bounded cost; `name` is the setting that holds it.
    pub(super) fn check(self, name: &'static str) -> Result<(), KeyError> {
        let Self(path) = self;
        if path.is_empty() || path.chars().count() > MAX_PATH_CHARS || path.matches('.').count() > MAX_PATH_DOTS {
            let problem =
                format!("must hold paths of 1 to {MAX_PATH_CHARS} characters and at most {MAX_PATH_DOTS} dots");
            return Err(KeyError::setting(name, problem));
        }
        Ok(())
    }

    /// The value at this path: the claim of that whole name, else the first way through members. `None` if it is
    /// absent or `null`; an error if the only ways end at a value that has no members.
    pub(super) fn find(self, claims: &Map<String, Value>) -> Result<Option<&Value>, ClaimError> {
        at(claims, self.0).map_err(|Blocked| ClaimProblem::ThroughNonObject.of(self.0))
    }
}

struct Blocked;

fn at<'c>(object: &'c Map<String, Value>, path: &str) -> Result<Option<&'c Value>, Blocked> {
    if let Some(value) = object.get(path).filter(present) {
        return Ok(Some(value));
    }
    let mut blocked = false;
    for (dot, _) in path.match_indices('.') {
        match object.get(&path[..dot]).filter(present) {
            None => {}
            Some(Value::Object(inner)) => match at(inner, &path[dot + 1..]) {
                Ok(None) => {}
                Ok(found) => return Ok(found),
                Err(Blocked) => blocked = true,
            },
            Some(_) => blocked = true,
        }
    }
    if blocked { Err(Blocked) } else { Ok(None) }
}
