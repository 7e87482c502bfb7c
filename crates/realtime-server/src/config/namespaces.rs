//! `[[namespaces]]`: policies for topics by pattern.

use realtime_core::policy::{Namespace, Namespaces, Overflow, SubscribePolicy};
use realtime_schema::TopicPattern;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::delivery::OverflowName;

/// The policy of the topics that a pattern matches.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NamespaceConfig {
    /// Which topics: `*` stands for one part between colons, a last `**` for the rest, `{sub}` for the subscriber's
    /// own user id.
    #[schemars(with = "String")]
    pub pattern: TopicPattern,
    /// Who may subscribe by themselves: `granted` clients, whose token says so, or every `authenticated` one.
    #[serde(default)]
    #[schemars(with = "SubscribeName")]
    pub subscribe: SubscribePolicy,
    /// What to do when a connection's queue is full: `close`, `drop` or `latest`.
    #[serde(default)]
    #[schemars(with = "OverflowName")]
    pub overflow: Overflow,
}

/// The names of [`SubscribePolicy`] for the schema: core knows no schemas.
#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(dead_code, reason = "only its schema is used")]
enum SubscribeName {
    Granted,
    Authenticated,
}

/// The policies, with `overflow` for what no pattern matches.
pub(super) fn policies(list: &[NamespaceConfig], overflow: Overflow) -> Namespaces {
    let list =
        list.iter().map(|n| Namespace { pattern: n.pattern.clone(), subscribe: n.subscribe, overflow: n.overflow });
    Namespaces::new(list.collect(), overflow)
}
