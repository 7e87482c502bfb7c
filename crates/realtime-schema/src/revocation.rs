//! The HTTP API for revocations: users and tokens that are refused for a time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    id::RevocationId,
    listing::{default_limit, page_limit},
    text::UserId,
    time_span::TimeSpan,
    timestamp::Timestamp,
};

/// Which tokens to refuse from now on: give `jti`, or `user`, or `issued_before`, or `issued_before` with `user`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object with `jti`, `user` or `issued_before`")]
#[schemars(example = RevocationRequest { jti: Some("7f3a".into()), ..RevocationRequest::default() })]
pub struct RevocationRequest {
    /// The token with this `jti` (RFC 7519 section 4.1.7): 1 to 1,024 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub jti: Option<String>,
    /// Without `issued_before`: this user, whatever the token. With it: only tokens of this user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// Every token whose `iat` is before this time, and every token without `iat`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_before: Option<Timestamp>,
    /// When the revocation ends. Without it and without `for`: when the token expires, if a connection has it, else after `limits.revocation_duration`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// How long the revocation lasts, instead of `until`.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub duration: Option<TimeSpan>,
    /// Why, sent to the clients: at most 100 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100))]
    pub reason: Option<String>,
}

impl RevocationRequest {
    /// Maximum length of a `jti`, in characters.
    pub const MAX_JTI_CHARS: usize = 1024;
    /// Maximum length of a reason, in characters.
    pub const MAX_REASON_CHARS: usize = 100;
}

/// Tokens that are refused until a time. Which ones: as in the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(example = Revocation::example())]
pub struct Revocation {
    /// Identifies the revocation.
    pub id: RevocationId,
    /// The token with this `jti`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// Without `issued_before`: this user, whatever the token. With it: only tokens of this user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// Every token whose `iat` is before this time, and every token without `iat`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_before: Option<Timestamp>,
    /// When it ends.
    pub until: Timestamp,
    /// Why, sent to the clients.
    pub reason: String,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Revocation {
    pub(crate) fn example() -> Self {
        Self {
            id: "019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d90".parse().expect("an id"),
            jti: Some("7f3a".into()),
            user: None,
            issued_before: None,
            until: Timestamp::from_millis(1_795_442_400_123),
            reason: "the device was stolen".into(),
            created_at: Timestamp::from_millis(1_795_438_800_123),
        }
    }
}

/// A revocation that was made, and its effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(example = Revoked { revocation: Revocation::example(), disconnected: 1 })]
pub struct Revoked {
    /// The revocation.
    #[serde(flatten)]
    pub revocation: Revocation,
    /// How many connections of this node were closed by it.
    pub disconnected: u64,
}

/// Which revocations to list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = RevocationQuery { after: Some(Revocation::example().id), ..RevocationQuery::default() })]
pub struct RevocationQuery {
    /// Only revocations after this one: the `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<RevocationId>,
    /// Maximum revocations on the page: 1 to 1,000.
    #[serde(default = "default_limit", deserialize_with = "page_limit")]
    #[schemars(range(min = 1, max = 1000))]
    pub limit: u16,
}

impl Default for RevocationQuery {
    /// The first 100 of all revocations.
    fn default() -> Self {
        Self { after: None, limit: default_limit() }
    }
}

/// One page of revocations, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(example = RevocationPage { revocations: vec![Revocation::example()], next: None })]
pub struct RevocationPage {
    /// The revocations.
    pub revocations: Vec<Revocation>,
    /// What to give as `after` for the next page. Absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<RevocationId>,
}
