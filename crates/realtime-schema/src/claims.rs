//! The claims of a verified token, in one form for the layouts of all issuers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    text::{Permission, Role, UserId},
    topic::Grant,
};

/// The claims of a token whose signature has been verified (RFC 7519 section 4).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(example = JwtClaims::example())]
pub struct JwtClaims {
    /// The user.
    pub sub: UserId,
    /// Seconds since 1970 at which the token expires. Without it the token never expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exp: Option<i64>,
    /// Seconds since 1970 before which the token is not valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<i64>,
    /// Seconds since 1970 at which the token was issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iat: Option<i64>,
    /// The issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    /// The token's own id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// The user's roles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<Role>,
    /// The user's permissions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub permissions: Vec<Permission>,
    /// The actions that are allowed to the user's connections, with patterns of topics.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<Grant>,
    /// The application's own data, stored in the connection's record.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
}

impl JwtClaims {
    /// Claims with `sub` only: no expiry, no roles, no grants.
    pub fn new(sub: UserId) -> Self {
        Self {
            sub,
            exp: None,
            nbf: None,
            iat: None,
            iss: None,
            jti: None,
            roles: Vec::new(),
            permissions: Vec::new(),
            grants: Vec::new(),
            metadata: Map::new(),
        }
    }

    pub(crate) fn example() -> Self {
        Self {
            exp: Some(1_795_438_800),
            roles: vec![Role::new("admin").expect("a role")],
            grants: vec!["subscribe:order:*".parse().expect("a grant")],
            ..Self::new(UserId::new("alice").expect("a user"))
        }
    }
}
