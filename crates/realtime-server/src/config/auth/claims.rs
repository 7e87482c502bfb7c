//! `[auth.claims]`: where in a token things are found.

use realtime_adapters::jwt::ClaimPaths;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where in a token things are found. A path names a claim, or a member of one with dots, such as
/// `realm_access.roles`; the first of several that the token has counts.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClaimSettings {
    /// Lists of roles: an array, or a string with spaces between.
    pub roles: Vec<String>,
    /// A single role, looked for if there is no list of them.
    pub role: Vec<String>,
    /// Lists of permissions.
    pub permissions: Vec<String>,
    /// Lists of grants, each `ACTION:PATTERN`, such as `subscribe:order:*`.
    pub grants: Vec<String>,
    /// Objects that become the connection's metadata.
    pub metadata: Vec<String>,
}

impl Default for ClaimSettings {
    fn default() -> Self {
        let ClaimPaths { roles, role, permissions, grants, metadata } = ClaimPaths::default();
        Self { roles, role, permissions, grants, metadata }
    }
}

impl ClaimSettings {
    pub(super) fn paths(&self) -> ClaimPaths {
        let Self { roles, role, permissions, grants, metadata } = self.clone();
        ClaimPaths { roles, role, permissions, grants, metadata }
    }
}
