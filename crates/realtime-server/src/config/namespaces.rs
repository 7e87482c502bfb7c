//! `[[namespaces]]`: policies for streams by pattern.

use realtime_core::policy::{Namespace, Namespaces, Overflow, SubscribePolicy};
use realtime_schema::StreamPattern;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{delivery::OverflowName, problems::Problems};

/// The policy of the streams that a pattern matches.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NamespaceConfig {
    /// Which streams: `topic:PATTERN`, `role:ROLE`, `role:*`, `user` (what is published to a user) or `all`. In a topic
    /// pattern `*` stands for one part between colons, a last `**` for the rest, `{sub}` for the subscriber's own user
    /// id.
    #[schemars(with = "String")]
    pub pattern: StreamPattern,
    /// Who may subscribe by themselves: `granted` clients, whose token says so, or every `authenticated` one. Only
    /// topics can be subscribed to.
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

/// Adds what can't take effect: a policy for subscribing to what is no topic.
pub(super) fn check(list: &[NamespaceConfig], problems: &mut Problems) {
    for (at, NamespaceConfig { pattern, subscribe, .. }) in list.iter().enumerate() {
        if *subscribe != SubscribePolicy::Granted && !matches!(pattern, StreamPattern::Topic(_)) {
            let what = format!("only topics can be subscribed to, and `{pattern}` is none; leave it out");
            problems.add(&format!("namespaces[{at}].subscribe"), what);
        }
    }
}

/// The policies, with `overflow` for what no pattern matches.
pub(super) fn policies(list: &[NamespaceConfig], overflow: Overflow) -> Namespaces {
    let namespace = |config: &NamespaceConfig| {
        let mut namespace = Namespace::new(config.pattern.clone());
        namespace.subscribe = config.subscribe;
        namespace.overflow = config.overflow;
        namespace
    };
    Namespaces::new(list.iter().map(namespace).collect(), overflow)
}
