//! `[auth.claims]`: where in a token things are found.

use realtime_adapters::jwt::ClaimPaths;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where in a token things are found. A path names a claim, or a member of one with dots, such as
/// `realm_access.roles`. A claim that is `null` counts as absent.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClaimSettings {
    /// The user: the first of these claims that the token has.
    pub subject: Vec<String>,
    /// Accepts a whole number, 0 or more, as the user, in decimal digits. The user `7` and the number 7 are then the
    /// same user.
    pub integer_subject: bool,
    /// Lists of roles: arrays, or strings with spaces between the entries. All of those that the token has are taken
    /// together.
    pub roles: Vec<String>,
    /// A single role, or an array of them, used only if the token has none of the lists of `roles`.
    pub role: Vec<String>,
    /// Lists of permissions, taken together.
    pub permissions: Vec<String>,
    /// Lists of OAuth scopes, which become permissions, used only if the token has none of the lists of
    /// `permissions`.
    pub scope: Vec<String>,
    /// Lists of grants, taken together, each `ACTION:PATTERN`, such as `subscribe:order:*`.
    pub grants: Vec<String>,
    /// Objects that become the connection's metadata: the first of them that the token has.
    pub metadata: Vec<String>,
}

impl Default for ClaimSettings {
    fn default() -> Self {
        let ClaimPaths { subject, integer_subject, roles, role, permissions, scope, grants, metadata } =
            ClaimPaths::default();
        Self { subject, integer_subject, roles, role, permissions, scope, grants, metadata }
    }
}

impl ClaimSettings {
    pub(super) fn paths(&self) -> ClaimPaths {
        let Self { subject, integer_subject, roles, role, permissions, scope, grants, metadata } = self.clone();
        ClaimPaths { subject, integer_subject, roles, role, permissions, scope, grants, metadata }
    }
}
