//! From an issuer's claims to the one form that the rest of the system knows.
//!
//! Messages name claims and what is wrong with them; they never repeat a claim's contents.

use std::{collections::HashSet, hash::Hash};

use realtime_schema::{FieldError, Grant, JwtClaims, Permission, Role, UserId};
use serde_json::{Map, Value};

use super::error::KeyError;

/// The last second of the year 9999: later times can't be shown (RFC 3339), and none is meant.
const LAST_SECOND: i64 = 253_402_300_799;
const MAX_PATH_CHARS: usize = 255;
const MAX_PATH_DOTS: usize = 16;

/// Where an issuer puts what this system wants to know.
///
/// A path names a claim, or a member of one with dots: `realm_access.roles`. A claim whose own name has dots,
/// such as `https://example.com/roles`, is found first. Of several paths the first that the token has counts,
/// alone. A list is an array of strings, or one string with spaces between the entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPaths {
    /// Lists of roles. Default: `roles`.
    pub roles: Vec<String>,
    /// A single role, taken whole even if it has spaces, or an array of roles; looked for if no path of `roles`
    /// is there. Default: `role`.
    pub role: Vec<String>,
    /// Lists of permissions. Default: `permissions`, then OAuth's `scope` (RFC 8693 section 4.2).
    pub permissions: Vec<String>,
    /// Lists of grants, each `ACTION:PATTERN`. Default: `grants`.
    pub grants: Vec<String>,
    /// Objects that become the connection's metadata. Default: `metadata`.
    pub metadata: Vec<String>,
}

impl Default for ClaimPaths {
    fn default() -> Self {
        let paths = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            roles: paths(&["roles"]),
            role: paths(&["role"]),
            permissions: paths(&["permissions", "scope"]),
            grants: paths(&["grants"]),
            metadata: paths(&["metadata"]),
        }
    }
}

impl ClaimPaths {
    pub(super) fn check(&self) -> Result<(), KeyError> {
        let all = [
            ("claims.roles", &self.roles),
            ("claims.role", &self.role),
            ("claims.permissions", &self.permissions),
            ("claims.grants", &self.grants),
            ("claims.metadata", &self.metadata),
        ];
        for (name, paths) in all {
            for path in paths {
                if path.is_empty() || path.chars().count() > MAX_PATH_CHARS || path.matches('.').count() > MAX_PATH_DOTS
                {
                    return Err(KeyError::setting(
                        name,
                        format!("must hold paths of 1 to {MAX_PATH_CHARS} characters and at most {MAX_PATH_DOTS} dots"),
                    ));
                }
            }
        }
        Ok(())
    }

    /// The claims in normal form, or which one is wrong and how.
    pub(super) fn read(&self, claims: &Map<String, Value>) -> Result<JwtClaims, String> {
        let sub = text(claims, "sub")?.ok_or("claim `sub` is missing")?;
        check_audience(claims)?;
        let mut read = JwtClaims::new(UserId::new(sub).map_err(|e| wrong("sub", &e))?);
        read.exp = seconds(claims, "exp")?;
        read.nbf = seconds(claims, "nbf")?;
        read.iat = seconds(claims, "iat")?;
        read.iss = text(claims, "iss")?.map(str::to_owned);
        read.jti = text(claims, "jti")?.map(str::to_owned);
        read.roles = match first(claims, &self.roles)? {
            Some((path, value)) => entries(path, value, Split::AtSpaces, |entry| role(path, entry))?,
            None => match first(claims, &self.role)? {
                Some((path, value)) => entries(path, value, Split::Never, |entry| role(path, entry))?,
                None => Vec::new(),
            },
        };
        if let Some((path, value)) = first(claims, &self.permissions)? {
            read.permissions =
                entries(path, value, Split::AtSpaces, |entry| Permission::new(entry).map_err(|e| wrong(path, &e)))?;
        }
        if let Some((path, value)) = first(claims, &self.grants)? {
            read.grants = entries(path, value, Split::AtSpaces, |entry| {
                // Not the schema's message, for that repeats the entry.
                entry.parse::<Grant>().map_err(|_| {
                    format!(
                        "claim `{path}` has an entry that is not ACTION:PATTERN \
                         with one of subscribe, publish, history, presence and a valid pattern"
                    )
                })
            })?;
        }
        if let Some((path, value)) = first(claims, &self.metadata)? {
            let Value::Object(metadata) = value else { return Err(format!("claim `{path}` is not an object")) };
            read.metadata = metadata.clone();
        }
        Ok(read)
    }
}

fn role(path: &str, entry: &str) -> Result<Role, String> {
    Role::new(entry).map_err(|e| wrong(path, &e))
}

// A name's error tells lengths and code points, never the name.
fn wrong(path: &str, error: &FieldError) -> String {
    format!("claim `{path}` {}", error.message)
}

fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, String> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("claim `{name}` is not a string")),
    }
}

/// A NumericDate (RFC 7519 section 2) in whole seconds; a fraction is cut off.
fn seconds(claims: &Map<String, Value>, name: &str) -> Result<Option<i64>, String> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let Value::Number(number) = value else { return Err(format!("claim `{name}` is not a number of seconds")) };
    let seconds = match number.as_i64() {
        Some(whole) => whole,
        None => number.as_f64().map_or(i64::MAX, |fraction| fraction.floor() as i64),
    };
    if !(0..=LAST_SECOND).contains(&seconds) {
        return Err(format!("claim `{name}` is not between 1970 and 9999; it counts seconds, not milliseconds"));
    }
    Ok(Some(seconds))
}

/// The library passes over an `aud` of the wrong type when no audience is configured.
fn check_audience(claims: &Map<String, Value>) -> Result<(), String> {
    match claims.get("aud") {
        None | Some(Value::String(_)) => Ok(()),
        Some(Value::Array(entries)) if entries.iter().all(Value::is_string) => Ok(()),
        Some(_) => Err("claim `aud` is neither a string nor an array of strings".to_owned()),
    }
}

/// The first of `paths` that the claims have, with its value.
fn first<'a>(claims: &'a Map<String, Value>, paths: &'a [String]) -> Result<Option<(&'a str, &'a Value)>, String> {
    for path in paths {
        if let Some(value) = at_path(claims, path).map_err(|()| format!("claim `{path}` leads through a non-object"))? {
            return Ok(Some((path, value)));
        }
    }
    Ok(None)
}

/// The value at `path`: the member of that whole name, else the first way through members with dots between them.
/// An error if the only ways end at something that has no members.
fn at_path<'a>(object: &'a Map<String, Value>, path: &str) -> Result<Option<&'a Value>, ()> {
    if let Some(value) = object.get(path) {
        return Ok(Some(value));
    }
    let mut blocked = false;
    for (dot, _) in path.match_indices('.') {
        match object.get(&path[..dot]) {
            None => {}
            Some(Value::Object(inner)) => match at_path(inner, &path[dot + 1..]) {
                Ok(None) => {}
                Ok(found) => return Ok(found),
                Err(()) => blocked = true,
            },
            Some(_) => blocked = true,
        }
    }
    if blocked { Err(()) } else { Ok(None) }
}

#[derive(Clone, Copy)]
enum Split {
    AtSpaces,
    Never,
}

/// The entries of a list, each once, in order.
fn entries<T: Clone + Eq + Hash>(
    path: &str,
    value: &Value,
    split: Split,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    let mut seen = HashSet::new();
    let mut list = Vec::new();
    let mut take = |entry: &str| {
        let entry = read(entry)?;
        if seen.insert(entry.clone()) {
            list.push(entry);
        }
        Ok::<_, String>(())
    };
    match (value, split) {
        (Value::String(one), Split::Never) => take(one)?,
        (Value::String(many), Split::AtSpaces) => {
            many.split(' ').filter(|entry| !entry.is_empty()).try_for_each(take)?;
        }
        (Value::Array(items), _) => {
            for item in items {
                take(item.as_str().ok_or_else(|| format!("claim `{path}` has an entry that is not a string"))?)?;
            }
        }
        _ => return Err(format!("claim `{path}` is neither an array of strings nor a string")),
    }
    Ok(list)
}
