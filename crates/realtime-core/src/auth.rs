//! Admission of clients: token extraction, claims validation, roles and permissions, the connection policy.

use core::net::IpAddr;
use std::fmt;

use realtime_schema::{BEARER_PROTOCOL, JwtClaims, PROTOCOL, Permission, QueryParams, Role, Timestamp};

pub use connect::{ConnectAttempt, ConnectDecision, ConnectGrant, ConnectRefusal};
pub use refusal::{Refusal, RefusalReason};

mod connect;
mod refusal;

/// The credentials that a client sends to connect.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct ConnectRequest {
    /// The query of the URL.
    pub query: QueryParams,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// The subprotocols offered, in order (RFC 6455 section 4.1).
    pub protocols: Vec<String>,
    /// The client's address, if it is known.
    pub remote: Option<IpAddr>,
}

impl ConnectRequest {
    /// A request with a token in its query.
    pub fn with_token(token: impl Into<String>) -> Self {
        Self { query: QueryParams { token: Some(token.into()), ..QueryParams::default() }, ..Self::default() }
    }
}

impl fmt::Debug for ConnectRequest {
    // Written by hand, so that no log contains a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectRequest")
            .field("query", &self.query)
            .field("remote", &self.remote)
            .finish_non_exhaustive()
    }
}

/// The subprotocol to select.
///
/// A client that offers none is served without one; `bearer.…` entries are no protocol and are never echoed.
///
/// # Errors
/// The client offers subprotocols and none of them is `realtime.v1`.
pub fn select_protocol(offered: &[String]) -> Result<Option<&'static str>, Refusal> {
    if offered.iter().any(|entry| entry == PROTOCOL) {
        return Ok(Some(PROTOCOL));
    }
    if offered.is_empty() {
        return Ok(None);
    }
    Err(Refusal::new(
        RefusalReason::Subprotocol,
        format!("none of the offered subprotocols is supported; offer `{PROTOCOL}`, or none"),
    ))
}

/// The one token of a request: from the query, `Authorization: Bearer`, or a `bearer.<jwt>` subprotocol.
///
/// Only the `Bearer` scheme names a token. Credentials of another scheme, such as the password of a proxy in front,
/// are ignored.
///
/// # Errors
/// No token at all, an empty one, or more than one.
pub fn extract_token(request: &ConnectRequest) -> Result<&str, Refusal> {
    let mut tokens = request
        .query
        .token
        .as_deref()
        .into_iter()
        .chain(request.authorization.as_deref().and_then(bearer))
        .chain(request.protocols.iter().filter_map(|entry| entry.strip_prefix(BEARER_PROTOCOL)));
    let Some(token) = tokens.next() else {
        // The scheme is not repeated: without a scheme, the text would be the token itself.
        let found = match request.authorization {
            None => "no token",
            Some(_) => "no token; the Authorization header has another scheme than `Bearer`",
        };
        let ways = format!(
            "give ?token=<jwt>, `Authorization: Bearer <jwt>`, or the subprotocols `{PROTOCOL}, {BEARER_PROTOCOL}<jwt>`"
        );
        return Err(Refusal::new(RefusalReason::TokenMissing, format!("{found}; {ways}")));
    };
    if tokens.next().is_some() {
        return Err(Refusal::new(RefusalReason::TokenAmbiguous, "more than one token; give exactly one"));
    }
    if token.is_empty() {
        return Err(Refusal::new(RefusalReason::TokenMissing, "the token is empty"));
    }
    Ok(token)
}

/// The credentials of a `Bearer` authorization, empty if it has none; `None` for another scheme. The case of the
/// scheme does not matter (RFC 9110 section 11.1).
pub fn bearer(value: &str) -> Option<&str> {
    let value = value.trim_matches(' ');
    let (scheme, credentials) = value.split_once(' ').unwrap_or((value, ""));
    scheme.eq_ignore_ascii_case("bearer").then(|| credentials.trim_matches(' '))
}

/// Whether the claims name `role`.
pub fn has_role(claims: &JwtClaims, role: &Role) -> bool {
    claims.roles.contains(role)
}

/// Whether the claims name at least one of `roles`; false if `roles` is empty.
pub fn has_any_role(claims: &JwtClaims, roles: &[Role]) -> bool {
    roles.iter().any(|role| has_role(claims, role))
}

/// Whether the claims name every one of `roles`; true if `roles` is empty.
pub fn has_all_roles(claims: &JwtClaims, roles: &[Role]) -> bool {
    roles.iter().all(|role| has_role(claims, role))
}

/// Whether the claims name `permission`.
pub fn has_permission(claims: &JwtClaims, permission: &Permission) -> bool {
    claims.permissions.contains(permission)
}

/// Whether the claims name at least one of `permissions`.
pub fn has_any_permission(claims: &JwtClaims, permissions: &[Permission]) -> bool {
    permissions.iter().any(|permission| has_permission(claims, permission))
}

/// Whether the claims name every one of `permissions`.
pub fn has_all_permissions(claims: &JwtClaims, permissions: &[Permission]) -> bool {
    permissions.iter().all(|permission| has_permission(claims, permission))
}

/// True if the token has expired at `now`, given `leeway_s` seconds of grace. A token without `exp` never expires.
pub fn is_expired(claims: &JwtClaims, now: Timestamp, leeway_s: u64) -> bool {
    claims.exp.is_some_and(|exp| now.as_secs() >= exp.saturating_add_unsigned(leeway_s))
}

/// True if the token is not valid yet at `now` (`nbf`), given `leeway_s` seconds of grace.
pub fn is_not_yet_valid(claims: &JwtClaims, now: Timestamp, leeway_s: u64) -> bool {
    claims.nbf.is_some_and(|nbf| now.as_secs() < nbf.saturating_sub_unsigned(leeway_s))
}

/// The requirements of a token to connect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectionPolicy {
    /// The required roles, all of them.
    pub required_roles: Vec<Role>,
    /// The required permissions, all of them.
    pub required_permissions: Vec<Permission>,
    /// Admits expired tokens, and does not close connections when their tokens expire.
    pub allow_expired: bool,
    /// Seconds of grace for clocks that differ.
    pub leeway_s: u64,
}

impl ConnectionPolicy {
    /// Whether `claims` may connect at `now`.
    ///
    /// # Errors
    /// The refusal: the token has expired, is not valid yet, or lacks a required role or permission.
    pub fn authorize(&self, claims: &JwtClaims, now: Timestamp) -> Result<(), Refusal> {
        if !self.allow_expired && is_expired(claims, now, self.leeway_s) {
            return Err(Refusal::new(RefusalReason::TokenExpired, "the token has expired; get a new one"));
        }
        if is_not_yet_valid(claims, now, self.leeway_s) {
            return Err(Refusal::unauthorized("the token is not valid yet; check the clocks"));
        }
        if let Some(role) = self.required_roles.iter().find(|role| !has_role(claims, role)) {
            return Err(forbidden(format!("the token lacks the role `{role}`, which every connection needs")));
        }
        if let Some(permission) = self.required_permissions.iter().find(|p| !has_permission(claims, p)) {
            return Err(forbidden(format!(
                "the token lacks the permission `{permission}`, which every connection needs"
            )));
        }
        Ok(())
    }
}

fn forbidden(message: String) -> Refusal {
    Refusal::new(RefusalReason::Policy, message)
}

#[cfg(test)]
mod tests;
