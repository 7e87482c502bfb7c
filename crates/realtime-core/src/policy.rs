//! What the application decides for its topics: who may subscribe, and what becomes of a slow reader.

use realtime_schema::{Topic, TopicPattern, UserId};
use serde::{Deserialize, Serialize};

use crate::topic::matches;

/// What to do when a connection's queue is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Overflow {
    /// Close the connection with 4513; the client comes back.
    #[default]
    Close,
    /// Drop the oldest messages that may be dropped, and tell the client with a `gap`.
    Drop,
    /// Keep only the latest message of each type and route: right for gauges.
    Latest,
}

/// Who may subscribe to a namespace's topics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubscribePolicy {
    /// Only clients whose token grants it.
    #[default]
    Granted,
    /// Every client with a valid token.
    Authenticated,
}

/// The policy of the topics that a pattern matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// Which topics. `{sub}` stands for the subscribing user.
    pub pattern: TopicPattern,
    /// Who may subscribe by themselves.
    pub subscribe: SubscribePolicy,
    /// What becomes of a slow reader.
    pub overflow: Overflow,
}

/// The namespaces in the order written: the first that matches decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespaces {
    list: Vec<Namespace>,
    default_overflow: Overflow,
}

impl Namespaces {
    /// The namespaces, and what to do with slow readers of everything that is in none of them.
    pub fn new(list: Vec<Namespace>, default_overflow: Overflow) -> Self {
        Self { list, default_overflow }
    }

    /// Whether any user with a valid token may subscribe to `topic` as `user`.
    pub fn lets_subscribe(&self, topic: &Topic, user: &UserId) -> bool {
        self.list
            .iter()
            // One with `{sub}` holds the topics of every user, so that no later one opens them to others.
            .find(|namespace| matches(&namespace.pattern, topic, None))
            .filter(|namespace| matches(&namespace.pattern, topic, Some(user)))
            .is_some_and(|namespace| namespace.subscribe == SubscribePolicy::Authenticated)
    }

    /// What to do with a slow reader of `topic`, or of a message that was not published to one topic.
    pub fn overflow(&self, topic: Option<&Topic>) -> Overflow {
        topic
            .and_then(|topic| self.list.iter().find(|namespace| matches(&namespace.pattern, topic, None)))
            .map_or(self.default_overflow, |namespace| namespace.overflow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn namespace(pattern: &str, subscribe: SubscribePolicy, overflow: Overflow) -> Namespace {
        Namespace { pattern: pattern.parse().expect("a pattern"), subscribe, overflow }
    }

    #[test]
    fn nothing_is_open_by_default() {
        let topic = Topic::new("order:1").expect("a topic");
        let user = UserId::new("alice").expect("a user");
        assert!(!Namespaces::default().lets_subscribe(&topic, &user));
        assert_eq!(Namespaces::default().overflow(Some(&topic)), Overflow::Close);
    }

    #[test]
    fn the_first_namespace_that_matches_decides() {
        let namespaces = Namespaces::new(
            vec![
                namespace("news:internal", SubscribePolicy::Granted, Overflow::Close),
                namespace("news:*", SubscribePolicy::Authenticated, Overflow::Drop),
            ],
            Overflow::Latest,
        );
        let user = UserId::new("alice").expect("a user");
        let topic = |text| Topic::new(text).expect("a topic");
        assert!(namespaces.lets_subscribe(&topic("news:today"), &user));
        assert!(!namespaces.lets_subscribe(&topic("news:internal"), &user));
        assert_eq!(namespaces.overflow(Some(&topic("news:today"))), Overflow::Drop);
        assert_eq!(namespaces.overflow(Some(&topic("order:1"))), Overflow::Latest);
        assert_eq!(namespaces.overflow(None), Overflow::Latest);
    }

    #[test]
    fn a_namespace_of_ones_own_is_open_to_its_user_alone() {
        let namespaces = Namespaces::new(
            vec![
                namespace("user:{sub}:**", SubscribePolicy::Authenticated, Overflow::Close),
                namespace("**", SubscribePolicy::Authenticated, Overflow::Close),
            ],
            Overflow::Close,
        );
        let topic = Topic::new("user:alice:inbox").expect("a topic");
        assert!(namespaces.lets_subscribe(&topic, &UserId::new("alice").expect("a user")));
        assert!(!namespaces.lets_subscribe(&topic, &UserId::new("mallory").expect("a user")));
    }
}
