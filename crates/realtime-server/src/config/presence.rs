//! `[presence]`: how the users who are on a topic are reported, and the part of a namespace that says for whom.

use realtime_core::presence::{PresencePolicy, PresenceReaders, PublicMetadata};
use realtime_service::Settings;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    duration::Span,
    problems::{Problems, count},
};

/// The key that stands for all of a connection's metadata.
const EVERYTHING: &str = "*";

/// How the users who are on a topic are reported. Which topics have presence, and who may see it, is in
/// `[[namespaces]]`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PresenceConfig {
    /// How long a user without a connection is still present: others do not see a reconnect within it.
    pub grace: Span,
    /// Least time between two reports of a topic's changes. What changes in between is one report.
    pub flush_interval: Span,
    /// Most users that one frame or page names. With more changes, the clients that watch are sent the first page of the
    /// list instead.
    pub max_users: usize,
}

impl Default for PresenceConfig {
    fn default() -> Self {
        let presence = Settings::default().presence;
        Self {
            grace: presence.grace.into(),
            flush_interval: presence.flush_interval.into(),
            max_users: presence.max_users,
        }
    }
}

impl PresenceConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.at_least_one(&[("presence.max_users", count(self.max_users))]);
        problems.waits(&[("presence.flush_interval", self.flush_interval)]);
    }

    pub(super) fn apply(&self, settings: &mut Settings) {
        settings.presence.grace = self.grace.0;
        settings.presence.flush_interval = self.flush_interval.0;
        settings.presence.max_users = self.max_users;
    }
}

/// Who may see the users who are on the topics of a namespace.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NamespacePresence {
    /// Who may list the users with the command `presence`: `granted` clients, whose token says so, the `subscribers` of the
    /// topic, or every `authenticated` client. Without any of the keys of `presence` no presence is kept; `presence = {}`
    /// keeps it with the defaults. Only topics have presence.
    #[schemars(with = "ReadersName")]
    pub read: PresenceReaders,
    /// Who may read only the number of users: `granted`, `subscribers` or `authenticated`, as in
    /// `namespaces.presence.read`.
    #[schemars(with = "ReadersName")]
    pub count: PresenceReaders,
    /// The keys of a connection's metadata that are shown with its user; `["*"]` shows all of them.
    pub metadata: Vec<String>,
}

/// The names of [`PresenceReaders`] for the schema: core knows no schemas.
#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(dead_code, reason = "only its schema is used")]
enum ReadersName {
    Granted,
    Subscribers,
    Authenticated,
}

impl NamespacePresence {
    pub(super) fn policy(&self) -> PresencePolicy {
        let mut policy = PresencePolicy::default();
        (policy.read, policy.count) = (self.read, self.count);
        policy.metadata = match self.metadata.as_slice() {
            [] => PublicMetadata::Nothing,
            keys if keys.iter().any(|key| key == EVERYTHING) => PublicMetadata::Everything,
            keys => PublicMetadata::Keys(keys.to_vec()),
        };
        policy
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{
        Config,
        tests::{problems, usable},
    };

    fn config(text: &str) -> Config {
        let Config { namespaces, presence, .. } = toml::from_str(text).expect("a config");
        Config { namespaces, presence, ..usable() }
    }

    #[test]
    fn presence_is_kept_only_where_a_namespace_says_so_and_shown_to_no_client_by_default() {
        let config = config(
            "[[namespaces]]\npattern = \"topic:a:*\"\npresence = {}\n\
             [[namespaces]]\npattern = \"topic:b:*\"\n\
             presence = { read = \"subscribers\", count = \"authenticated\", metadata = [\"name\"] }\n\
             [[namespaces]]\npattern = \"topic:**\"",
        );
        assert!(config.check().is_ok());
        let policies: Vec<_> = config
            .namespaces
            .iter()
            .map(|namespace| namespace.presence.as_ref().map(NamespacePresence::policy))
            .collect();
        assert_eq!(policies[0], Some(PresencePolicy::default()));
        let mut open = PresencePolicy::default();
        (open.read, open.count) = (PresenceReaders::Subscribers, PresenceReaders::Authenticated);
        open.metadata = PublicMetadata::Keys(vec!["name".into()]);
        assert_eq!(policies[1], Some(open));
        assert_eq!(policies[2], None);
        let all = NamespacePresence { metadata: vec!["*".into()], ..NamespacePresence::default() };
        assert_eq!(all.policy().metadata, PublicMetadata::Everything);
    }

    #[test]
    fn a_presence_that_can_not_work_is_refused() {
        let found = problems(&config(
            "[presence]\nmax_users = 0\nflush_interval = \"0s\"\n[[namespaces]]\npattern = \"user\"\npresence = {}",
        ));
        let keys: Vec<_> = found.iter().filter_map(|problem| problem.split(':').next()).collect();
        assert_eq!(keys, ["namespaces[0].presence", "presence.max_users", "presence.flush_interval"]);
    }
}
