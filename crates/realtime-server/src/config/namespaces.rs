//! `[[namespaces]]`: policies for streams by pattern.

use std::collections::BTreeMap;

use realtime_contract::{SchemaPath, UnknownTypes};
use realtime_core::policy::{HistoryRead, Namespace, Namespaces, Overflow, PublishPolicy, Retention, SubscribePolicy};
use realtime_schema::{MessageType, StreamPattern};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    delivery::OverflowName, duration::Span, messages::UnknownTypesName, presence::NamespacePresence, problems::Problems,
};

/// The policy of the streams that a pattern matches. Start from [`NamespaceConfig::new`] and set what differs.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct NamespaceConfig {
    /// Which streams: `topic:PATTERN`, `role:ROLE`, `role:*`, `user` (what is published to a user) or `all`. In a topic
    /// pattern `*` stands for one part between colons, a last `**` for the rest, `{sub}` for the client's own user id.
    #[schemars(with = "String")]
    pub pattern: StreamPattern,
    /// Who may subscribe by themselves: `granted` clients, whose token says so, or every `authenticated` one. Only
    /// topics can be subscribed to.
    #[serde(default)]
    #[schemars(with = "SubscribeName")]
    pub subscribe: SubscribePolicy,
    /// Who may publish with the command `publish`: `granted` clients, whose token says so, every `authenticated` one, or
    /// the `subscribers` of the topic. Only topics can be published to by clients.
    #[serde(default)]
    #[schemars(with = "PublishName")]
    pub publish: PublishPolicy,
    /// What to do when a connection's queue is full: `close`, `drop` or `latest`. Without it, `drop` with history (the
    /// client is sent the dropped messages later), else `close`. `latest` can't have history.
    #[serde(default)]
    #[schemars(with = "OverflowName")]
    pub overflow: Option<Overflow>,
    /// How much of each stream is kept. Without it, nothing; `history = {}` keeps the default.
    #[serde(default)]
    #[schemars(with = "NamespaceHistory")]
    pub history: Option<NamespaceHistory>,
    /// Who may see the users who are on each topic. Without it, their presence is not kept; `presence = {}` keeps it.
    #[serde(default)]
    #[schemars(with = "NamespacePresence")]
    pub presence: Option<NamespacePresence>,
    /// The types of messages that may be published, each with the JSON Schema file of its payload:
    /// `{ order-updated = "schemas/order-updated.json" }`. Paths are relative to the config file, and `$ref` leads to files
    /// of its directory only. Without it, every type and payload may be published; `messages = {}` lets none be: see
    /// [typed-topics.md](typed-topics.md).
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub messages: Option<BTreeMap<MessageType, SchemaPath>>,
    /// What to do with a message whose type is not in `messages`: `refuse` it, the default, or `allow` it unchecked.
    #[serde(default)]
    #[schemars(with = "UnknownTypesName")]
    pub unknown_types: Option<UnknownTypes>,
}

impl NamespaceConfig {
    /// The strictest policy: only what is granted, and no history.
    pub fn new(pattern: StreamPattern) -> Self {
        Self {
            pattern,
            subscribe: SubscribePolicy::default(),
            publish: PublishPolicy::default(),
            overflow: None,
            history: None,
            presence: None,
            messages: None,
            unknown_types: None,
        }
    }
}

/// How much of each stream is kept.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NamespaceHistory {
    /// Most messages of one stream that are kept. Over it, the oldest is removed. Without any of the keys of `history`
    /// nothing is kept; `history = {}` keeps the defaults.
    pub size: u32,
    /// How long a message is kept.
    pub age: Span,
    /// Most bytes of one stream that are kept, 192 for each message included. Over it, the oldest message is removed; the
    /// newest always stays.
    pub bytes: u64,
    /// Who may read it with the command `history`: `granted` clients, whose token says so, or every client that receives
    /// the stream (`subscribers`). There is no `authenticated` here, unlike in
    /// `namespaces.presence.read`. To continue a stream after a reconnect needs neither.
    #[schemars(with = "ReadName")]
    pub read: HistoryRead,
}

impl Default for NamespaceHistory {
    fn default() -> Self {
        let Retention { size, age, bytes } = Retention::default();
        Self { size, age: age.into(), bytes, read: HistoryRead::default() }
    }
}

/// The names of [`SubscribePolicy`] for the schema: core knows no schemas.
#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(dead_code, reason = "only its schema is used")]
enum SubscribeName {
    Granted,
    Authenticated,
}

/// The names of [`PublishPolicy`], likewise.
#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(dead_code, reason = "only its schema is used")]
enum PublishName {
    Granted,
    Authenticated,
    Subscribers,
}

/// The names of [`HistoryRead`], likewise.
#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(dead_code, reason = "only its schema is used")]
enum ReadName {
    Granted,
    Subscribers,
}

/// Adds what can't take effect: a policy of topics for another stream, a history of nothing, and `latest` with history.
pub(super) fn check(list: &[NamespaceConfig], problems: &mut Problems) {
    for (at, namespace) in list.iter().enumerate() {
        let NamespaceConfig { pattern, subscribe, publish, overflow, history, presence, .. } = namespace;
        let key = |name: &str| format!("namespaces[{at}].{name}");
        if !matches!(pattern, StreamPattern::Topic(_)) {
            if *subscribe != SubscribePolicy::Granted {
                let what = format!("only topics can be subscribed to, and `{pattern}` is none; leave it out");
                problems.add(&key("subscribe"), what);
            }
            if *publish != PublishPolicy::Granted {
                let what = format!("clients can publish only to topics, and `{pattern}` is none; leave it out");
                problems.add(&key("publish"), what);
            }
            if presence.is_some() {
                let what = format!("only topics have presence, and `{pattern}` is none; leave it out");
                problems.add(&key("presence"), what);
            }
        }
        let Some(NamespaceHistory { size, age, bytes, read: _ }) = history else { continue };
        if *overflow == Some(Overflow::Latest) {
            let what = "`latest` keeps only the newest message of each type, and `history` keeps every message; write \
                        `overflow = \"drop\"` or leave it out, or leave `history` out";
            problems.add(&key("overflow"), what);
        }
        for (name, is_zero) in
            [("history.size", *size == 0), ("history.age", age.0.is_zero()), ("history.bytes", *bytes == 0)]
        {
            if is_zero {
                problems.add(&key(name), "is 0, so nothing would be kept; give more, or leave `history` out");
            }
        }
    }
}

/// Adds histories that can't keep two large messages: `max_publish_bytes` is the largest payload.
pub(super) fn warn(list: &[NamespaceConfig], max_publish_bytes: usize, warnings: &mut Problems) {
    let max = u64::try_from(max_publish_bytes).unwrap_or(u64::MAX);
    for (at, namespace) in list.iter().enumerate() {
        if namespace.history.as_ref().is_some_and(|history| history.bytes < max) {
            let what = format!(
                "is less than `limits.max_publish_bytes` ({max}): a larger message removes every other from its stream's history"
            );
            warnings.add(&format!("namespaces[{at}].history.bytes"), what);
        }
    }
}

/// The policies, with `overflow` for what no pattern matches.
pub(super) fn policies(list: &[NamespaceConfig], overflow: Overflow) -> Namespaces {
    Namespaces::new(list.iter().map(policy).collect(), overflow)
}

fn policy(config: &NamespaceConfig) -> Namespace {
    let mut namespace = Namespace::new(config.pattern.clone());
    if let Some(NamespaceHistory { size, age, bytes, read }) = &config.history {
        namespace = namespace.with_history(Retention { size: *size, age: age.0, bytes: *bytes });
        namespace.read = *read;
    }
    namespace.presence = config.presence.as_ref().map(NamespacePresence::policy);
    namespace.subscribe = config.subscribe;
    namespace.publish = config.publish;
    namespace.overflow = config.overflow.unwrap_or(namespace.overflow);
    namespace
}

#[cfg(test)]
mod tests;
