//! Policies for streams: permission to subscribe to a topic, and the overflow policy of slow readers.

use realtime_schema::{Audience, Route, StreamPattern, Topic, TopicPattern, UserId};
use serde::{Deserialize, Serialize};

use crate::topic::matches;

/// What to do when a connection's queue is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Overflow {
    /// Close the connection with 4513; the client reconnects.
    #[default]
    Close,
    /// Drop the oldest messages that may be dropped, and send the client a `gap`.
    Drop,
    /// Keep only the latest message of each type and route: suits gauges.
    Latest,
}

/// Who may subscribe to a namespace's topics. Other streams can't be subscribed to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubscribePolicy {
    /// Only clients whose token grants it.
    #[default]
    Granted,
    /// Every client with a valid token.
    Authenticated,
}

/// The policy of the streams that a pattern matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// The streams. In a topic pattern `{sub}` stands for the subscribing user.
    pub pattern: StreamPattern,
    /// The clients that may subscribe. Only topics can be subscribed to.
    pub subscribe: SubscribePolicy,
    /// What to do when the queue of a slow reader is full.
    pub overflow: Overflow,
}

impl Namespace {
    fn topics(&self) -> Option<&TopicPattern> {
        match &self.pattern {
            StreamPattern::Topic(pattern) => Some(pattern),
            _ => None,
        }
    }

    fn covers(&self, route: &Route) -> bool {
        match (&self.pattern, route) {
            (StreamPattern::All, Route::All)
            | (StreamPattern::User, Route::User(_))
            | (StreamPattern::AnyRole, Route::Role(_)) => true,
            (StreamPattern::Role(expected), Route::Role(role)) => expected == role,
            (StreamPattern::Topic(pattern), Route::Topic(topic)) => matches(pattern, topic, None),
            _ => false,
        }
    }
}

/// The namespaces in the order written: the first that matches decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespaces {
    list: Vec<Namespace>,
    default_overflow: Overflow,
}

impl Namespaces {
    /// The namespaces, and the overflow policy of a message that is in none of them.
    pub fn new(list: Vec<Namespace>, default_overflow: Overflow) -> Self {
        Self { list, default_overflow }
    }

    /// Whether a namespace allows `user` to subscribe to `topic` without a grant.
    pub fn allows_subscribe(&self, topic: &Topic, user: &UserId) -> bool {
        self.list
            .iter()
            // A pattern with `{sub}` matches the topics of every user, so that no later one opens them to others.
            .filter_map(|namespace| Some((namespace, namespace.topics()?)))
            .find(|(_, pattern)| matches(pattern, topic, None))
            .filter(|(_, pattern)| matches(pattern, topic, Some(user)))
            .is_some_and(|(namespace, _)| namespace.subscribe == SubscribePolicy::Authenticated)
    }

    /// The overflow policy of a message to `to`: the first namespace that covers its stream decides. A message to a
    /// single connection or to several routes belongs to no stream, and has the default.
    pub fn overflow(&self, to: &Audience) -> Overflow {
        let [route] = to.routes() else { return self.default_overflow };
        self.list
            .iter()
            .find(|namespace| namespace.covers(route))
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
        assert!(!Namespaces::default().allows_subscribe(&topic, &user));
        assert_eq!(Namespaces::default().overflow(&Route::Topic(topic).into()), Overflow::Close);
    }

    #[test]
    fn the_first_namespace_that_matches_decides() {
        let namespaces = Namespaces::new(
            vec![
                namespace("topic:news:internal", SubscribePolicy::Granted, Overflow::Close),
                namespace("topic:news:*", SubscribePolicy::Authenticated, Overflow::Drop),
            ],
            Overflow::Latest,
        );
        let user = UserId::new("alice").expect("a user");
        let topic = |text| Topic::new(text).expect("a topic");
        assert!(namespaces.allows_subscribe(&topic("news:today"), &user));
        assert!(!namespaces.allows_subscribe(&topic("news:internal"), &user));
        let overflow = |text| namespaces.overflow(&Route::Topic(topic(text)).into());
        assert_eq!(overflow("news:today"), Overflow::Drop);
        assert_eq!(overflow("order:1"), Overflow::Latest);
    }

    #[test]
    fn a_stream_has_the_policy_of_its_namespace_and_any_other_audience_the_default() {
        let granted = |pattern, overflow| namespace(pattern, SubscribePolicy::Granted, overflow);
        let namespaces = Namespaces::new(
            vec![
                granted("role:admin", Overflow::Latest),
                granted("role:*", Overflow::Drop),
                granted("user", Overflow::Drop),
                granted("all", Overflow::Latest),
                granted("topic:**", Overflow::Drop),
            ],
            Overflow::Close,
        );
        let role = |text| Route::Role(realtime_schema::Role::new(text).expect("a role"));
        let topic = |text| Route::Topic(Topic::new(text).expect("a topic"));
        for (route, overflow) in [
            (role("admin"), Overflow::Latest),
            (role("member"), Overflow::Drop),
            (Route::User(UserId::new("alice").expect("a user")), Overflow::Drop),
            (Route::All, Overflow::Latest),
            (topic("role:admin"), Overflow::Drop),
            (Route::Connection(realtime_schema::ConnectionId(uuid::Uuid::nil())), Overflow::Close),
        ] {
            assert_eq!(namespaces.overflow(&route.clone().into()), overflow, "{route:?}");
        }
        let union = Audience::union(vec![role("member"), topic("a")]).expect("two routes");
        assert_eq!(namespaces.overflow(&union), Overflow::Close);
        assert!(
            !Namespaces::new(vec![granted("user", Overflow::Drop)], Overflow::Close)
                .allows_subscribe(&Topic::new("user").expect("a topic"), &UserId::new("alice").expect("a user"))
        );
    }

    #[test]
    fn a_namespace_with_sub_is_open_only_to_its_user() {
        let namespaces = Namespaces::new(
            vec![
                namespace("topic:user:{sub}:**", SubscribePolicy::Authenticated, Overflow::Close),
                namespace("topic:**", SubscribePolicy::Authenticated, Overflow::Close),
            ],
            Overflow::Close,
        );
        let topic = Topic::new("user:alice:inbox").expect("a topic");
        assert!(namespaces.allows_subscribe(&topic, &UserId::new("alice").expect("a user")));
        assert!(!namespaces.allows_subscribe(&topic, &UserId::new("mallory").expect("a user")));
    }
}
