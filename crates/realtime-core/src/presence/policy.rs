//! The policy of presence: which topics have it, who may see it, and what of a connection is shown.

use realtime_schema::{Payload, Topic, UserId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::policy::Namespaces;

/// Who may see the users who are on a namespace's topics, and what they see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PresencePolicy {
    /// The clients that may list the users.
    pub read: PresenceReaders,
    /// The clients that may count them. Those that may list them may also count them.
    pub count: PresenceReaders,
    /// What of a connection's metadata is shown.
    pub metadata: PublicMetadata,
}

/// The clients that may see the presence of a namespace's topics without the grant `presence`. Backends may see all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PresenceReaders {
    /// Only clients whose token grants it.
    #[default]
    Granted,
    /// Every client that is subscribed to the topic.
    Subscribers,
    /// Every client with a valid token.
    Authenticated,
}

/// The part of a connection's metadata that is shown to those who see its user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PublicMetadata {
    /// Nothing.
    #[default]
    Nothing,
    /// The values of these keys.
    Keys(Vec<String>),
    /// Everything.
    Everything,
}

impl PublicMetadata {
    /// The shown part of `metadata`; `None` if it is empty.
    pub fn of(&self, metadata: &Map<String, Value>) -> Option<Payload> {
        let shown = match self {
            Self::Nothing => return None,
            Self::Everything => Payload::of(metadata),
            Self::Keys(keys) => {
                let shown: Map<_, _> = keys
                    .iter()
                    .filter_map(|key| metadata.get_key_value(key))
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect();
                Payload::of(&shown)
            }
        };
        shown.ok().filter(|shown| shown.as_str() != "{}")
    }
}

/// The right of a client to see the presence of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PresenceRight {
    /// While it is subscribed to the topic.
    WhileSubscribed,
    /// At any time.
    Always,
}

impl Namespaces {
    /// The presence policy of a topic; `None` if its presence is not kept.
    pub fn presence(&self, topic: &Topic) -> Option<&PresencePolicy> {
        if !self.any_presence() {
            return None;
        }
        self.of_topic(topic)?.presence.as_ref()
    }

    /// The right of `user` to list the users of `topic`, or without `names` to count them, without a grant.
    pub fn presence_right(&self, topic: &Topic, user: &UserId, names: bool) -> Option<PresenceRight> {
        let policy = self.open(topic, user)?.presence.as_ref()?;
        let right = |readers| match readers {
            PresenceReaders::Granted => None,
            PresenceReaders::Subscribers => Some(PresenceRight::WhileSubscribed),
            PresenceReaders::Authenticated => Some(PresenceRight::Always),
        };
        match (right(policy.read), right(policy.count)) {
            (list, _) if names => list,
            (Some(PresenceRight::Always), _) | (_, Some(PresenceRight::Always)) => Some(PresenceRight::Always),
            (list, count) => list.or(count),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::policy::{Namespace, Overflow};

    fn namespaces(pattern: &str, read: PresenceReaders, count: PresenceReaders) -> Namespaces {
        let mut namespace = Namespace::new(pattern.parse().expect("a pattern"));
        namespace.presence = Some(PresencePolicy { read, count, ..PresencePolicy::default() });
        Namespaces::new(vec![namespace], Overflow::Close)
    }

    #[test]
    fn no_one_may_see_presence_by_default() {
        let (topic, user) = (Topic::new("room:1").expect("a topic"), UserId::new("alice").expect("a user"));
        assert_eq!(Namespaces::default().presence(&topic), None);
        let kept = namespaces("topic:room:*", PresenceReaders::default(), PresenceReaders::default());
        assert!(kept.presence(&topic).is_some());
        assert!(kept.presence(&Topic::new("order:1").expect("a topic")).is_none());
        assert_eq!(kept.presence_right(&topic, &user, true), None);
        assert_eq!(kept.presence_right(&topic, &user, false), None);
    }

    #[test]
    fn the_right_to_list_is_also_the_right_to_count_and_not_the_reverse() {
        use PresenceReaders::{Authenticated, Granted, Subscribers};
        use PresenceRight::{Always, WhileSubscribed};
        let (topic, user) = (Topic::new("room:1").expect("a topic"), UserId::new("alice").expect("a user"));
        for (read, count, listed, counted) in [
            (Granted, Subscribers, None, Some(WhileSubscribed)),
            (Granted, Authenticated, None, Some(Always)),
            (Subscribers, Granted, Some(WhileSubscribed), Some(WhileSubscribed)),
            (Subscribers, Authenticated, Some(WhileSubscribed), Some(Always)),
            (Authenticated, Subscribers, Some(Always), Some(Always)),
        ] {
            let kept = namespaces("topic:room:*", read, count);
            assert_eq!(kept.presence_right(&topic, &user, true), listed, "{read:?} {count:?}");
            assert_eq!(kept.presence_right(&topic, &user, false), counted, "{read:?} {count:?}");
        }
    }

    #[test]
    fn the_part_with_sub_is_open_to_its_user_alone() {
        let kept = namespaces("topic:user:{sub}:*", PresenceReaders::Authenticated, PresenceReaders::Granted);
        let topic = Topic::new("user:alice:inbox").expect("a topic");
        let right = |user| kept.presence_right(&topic, &UserId::new(user).expect("a user"), true);
        assert_eq!(right("alice"), Some(PresenceRight::Always));
        assert_eq!(right("mallory"), None);
        assert!(kept.presence(&topic).is_some(), "it is kept for every user");
    }

    #[test]
    fn only_the_public_part_of_metadata_is_shown() {
        let metadata = json!({"name": "Alice", "plan": "gold"}).as_object().cloned().expect("an object");
        let shown = |public: PublicMetadata| public.of(&metadata).map(|shown| shown.as_str().to_owned());
        assert_eq!(shown(PublicMetadata::Nothing), None);
        assert_eq!(shown(PublicMetadata::Everything).as_deref(), Some(r#"{"name":"Alice","plan":"gold"}"#));
        let keys = |keys: &[&str]| PublicMetadata::Keys(keys.iter().map(|key| (*key).to_owned()).collect());
        assert_eq!(shown(keys(&["name", "avatar"])).as_deref(), Some(r#"{"name":"Alice"}"#));
        assert_eq!(shown(keys(&["avatar"])), None);
        assert_eq!(PublicMetadata::Everything.of(&Map::new()), None);
    }
}
