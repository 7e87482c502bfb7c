//! From an issuer's claims to the one form that the rest of the system knows.

use std::{collections::HashSet, hash::Hash};

use realtime_schema::{Grant, JwtClaims, Permission, Role, UserId};
use serde_json::{Map, Value};

use super::{
    claim_error::{ClaimError, ClaimProblem},
    claim_path::{ClaimPath, present},
    error::KeyError,
};

/// The last second of the year 9999: later times can't be shown (RFC 3339).
const LAST_SECOND: i64 = 253_402_300_799;

/// Where an issuer puts what this system needs to know.
///
/// A path names a claim, or a member of one with dots: `realm_access.roles`. A claim whose own name has dots,
/// such as `https://example.com/roles`, is found first. A claim that is `null` counts as absent.
///
/// Of several paths of a list, all that the token has are taken together, each entry once. A list is an array of
/// strings, or one string with spaces between the entries. Of several paths of `subject` or `metadata`, the first
/// that the token has is taken alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPaths {
    /// The user. Default: `sub`.
    pub subject: Vec<String>,
    /// Accepts a whole number as the user, in decimal digits: the user `7` and the number 7 are then the same user.
    /// Default: false.
    pub integer_subject: bool,
    /// Lists of roles. Default: `roles`.
    pub roles: Vec<String>,
    /// A single role, taken whole even if it has spaces, or an array of roles; read only if the token has none of
    /// the paths of `roles`. Default: `role`.
    pub role: Vec<String>,
    /// Lists of permissions. Default: `permissions`.
    pub permissions: Vec<String>,
    /// Lists of OAuth scopes, which become permissions; read only if the token has none of the paths of
    /// `permissions`, because a scope is what a client asked for, and a permission what its user may do. Default:
    /// `scope` (RFC 8693 section 4.2).
    pub scope: Vec<String>,
    /// Lists of grants, each `ACTION:PATTERN`. Default: `grants`.
    pub grants: Vec<String>,
    /// Objects that become the connection's metadata. Default: `metadata`.
    pub metadata: Vec<String>,
}

impl Default for ClaimPaths {
    fn default() -> Self {
        let paths = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            subject: paths(&["sub"]),
            integer_subject: false,
            roles: paths(&["roles"]),
            role: paths(&["role"]),
            permissions: paths(&["permissions"]),
            scope: paths(&["scope"]),
            grants: paths(&["grants"]),
            metadata: paths(&["metadata"]),
        }
    }
}

impl ClaimPaths {
    pub(super) fn check(&self) -> Result<(), KeyError> {
        if self.subject.is_empty() {
            return Err(KeyError::setting(
                "claims.subject",
                "names no claim, so no token would have a user; use `sub`",
            ));
        }
        let all = [
            ("claims.subject", &self.subject),
            ("claims.roles", &self.roles),
            ("claims.role", &self.role),
            ("claims.permissions", &self.permissions),
            ("claims.scope", &self.scope),
            ("claims.grants", &self.grants),
            ("claims.metadata", &self.metadata),
        ];
        all.into_iter().try_for_each(|(name, paths)| paths.iter().try_for_each(|path| ClaimPath(path).check(name)))
    }

    /// The claims in normal form.
    pub(super) fn read(&self, claims: &Map<String, Value>) -> Result<JwtClaims, ClaimError> {
        let mut read = JwtClaims::new(self.user(claims)?);
        // Nothing looks at it where no audience is configured; a wrong type refuses the token all the same.
        strings(claims.get("aud").filter(present), "aud")?;
        read.exp = seconds(claims, "exp")?;
        read.nbf = seconds(claims, "nbf")?;
        read.iat = seconds(claims, "iat")?;
        read.iss = text(claims, "iss")?.map(str::to_owned);
        read.jti = text(claims, "jti")?.map(str::to_owned);
        let role = |entry: &str| Role::new(entry).map_err(ClaimProblem::from);
        read.roles = match union(claims, &self.roles, Split::AtSpaces, role)? {
            Some(roles) => roles,
            None => union(claims, &self.role, Split::Never, role)?.unwrap_or_default(),
        };
        let permission = |entry: &str| Permission::new(entry).map_err(ClaimProblem::from);
        read.permissions = match union(claims, &self.permissions, Split::AtSpaces, permission)? {
            Some(permissions) => permissions,
            None => union(claims, &self.scope, Split::AtSpaces, permission)?.unwrap_or_default(),
        };
        // Not the message of the schema, because that repeats the entry.
        let grant = |entry: &str| entry.parse::<Grant>().map_err(|_| ClaimProblem::NotAGrant);
        read.grants = union(claims, &self.grants, Split::AtSpaces, grant)?.unwrap_or_default();
        if let Some((path, value)) = first(claims, &self.metadata)? {
            let Value::Object(metadata) = value else { return Err(ClaimProblem::NotAnObject.of(path)) };
            read.metadata = metadata.clone();
        }
        Ok(read)
    }

    fn user(&self, claims: &Map<String, Value>) -> Result<UserId, ClaimError> {
        let Some((path, value)) = first(claims, &self.subject)? else {
            let path = self.subject.first().map_or("sub", String::as_str);
            return Err(ClaimProblem::Missing.of(path));
        };
        let user = match value {
            Value::String(user) => UserId::new(user.as_str()),
            Value::Number(_) if !self.integer_subject => return Err(ClaimProblem::NumericSubject.of(path)),
            Value::Number(number) if number.is_u64() => UserId::new(number.to_string()),
            Value::Number(number) if number.is_i64() => return Err(ClaimProblem::NegativeNumber.of(path)),
            Value::Number(_) => return Err(ClaimProblem::NotAWholeNumber.of(path)),
            _ => return Err(ClaimProblem::NotAString.of(path)),
        };
        user.map_err(|error| ClaimProblem::from(error).of(path))
    }
}

fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, ClaimError> {
    match claims.get(name).filter(present) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(ClaimProblem::NotAString.of(name)),
    }
}

/// A NumericDate (RFC 7519 section 2) in whole seconds; a fraction is cut off.
fn seconds(claims: &Map<String, Value>, name: &str) -> Result<Option<i64>, ClaimError> {
    let Some(value) = claims.get(name).filter(present) else { return Ok(None) };
    let Value::Number(number) = value else { return Err(ClaimProblem::NotSeconds.of(name)) };
    let seconds = match number.as_i64() {
        Some(whole) => whole,
        None => number.as_f64().map_or(i64::MAX, |fraction| fraction.floor() as i64),
    };
    if !(0..=LAST_SECOND).contains(&seconds) {
        return Err(ClaimProblem::OutOfRange.of(name));
    }
    Ok(Some(seconds))
}

/// The strings of a claim that is one string or an array of them, such as `aud`. Empty if it is absent.
pub(super) fn strings<'a>(value: Option<&'a Value>, path: &str) -> Result<Vec<&'a str>, ClaimError> {
    let wrong = || ClaimProblem::NotStrings.of(path);
    match value {
        None => Ok(Vec::new()),
        Some(Value::String(one)) => Ok(vec![one]),
        Some(Value::Array(entries)) => entries.iter().map(|entry| entry.as_str().ok_or_else(wrong)).collect(),
        Some(_) => Err(wrong()),
    }
}

/// The first of `paths` that the claims have, with its value.
fn first<'a>(claims: &'a Map<String, Value>, paths: &'a [String]) -> Result<Option<(&'a str, &'a Value)>, ClaimError> {
    for path in paths {
        if let Some(value) = ClaimPath(path).find(claims)? {
            return Ok(Some((path, value)));
        }
    }
    Ok(None)
}

#[derive(Clone, Copy)]
enum Split {
    AtSpaces,
    Never,
}

/// The entries of the lists at all of `paths`, each once, in order; `None` if the claims have none of the paths.
fn union<T: Clone + Eq + Hash>(
    claims: &Map<String, Value>,
    paths: &[String],
    split: Split,
    read: impl Fn(&str) -> Result<T, ClaimProblem>,
) -> Result<Option<Vec<T>>, ClaimError> {
    let mut list: Option<Vec<T>> = None;
    let mut seen = HashSet::new();
    for path in paths {
        let Some(value) = ClaimPath(path).find(claims)? else { continue };
        let list = list.get_or_insert_default();
        let mut take = |entry: &str| {
            let entry = read(entry)?;
            if seen.insert(entry.clone()) {
                list.push(entry);
            }
            Ok::<_, ClaimProblem>(())
        };
        let taken = match (value, split) {
            (Value::String(one), Split::Never) => take(one),
            (Value::String(many), Split::AtSpaces) => {
                many.split(' ').filter(|entry| !entry.is_empty()).try_for_each(take)
            }
            (Value::Array(items), _) => {
                items.iter().try_for_each(|item| take(item.as_str().ok_or(ClaimProblem::EntryNotAString)?))
            }
            _ => Err(ClaimProblem::NotStrings),
        };
        taken.map_err(|problem| problem.of(path))?;
    }
    Ok(list)
}
