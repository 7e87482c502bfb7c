//! The topics that the backend gave to users: every connection of the user has them, now and later.

use std::collections::{BTreeSet, HashMap};

use realtime_schema::{Topic, UserId};

/// The topics of users, bounded.
#[derive(Debug, Default)]
pub struct UserTopics {
    by_user: HashMap<UserId, BTreeSet<Topic>>,
    /// Number of pairs of a user and a topic.
    count: usize,
    /// Pairs that may be added, because they are being stored.
    reserved: usize,
}

/// How many topics users may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserTopicLimits {
    /// Maximum topics of one user.
    pub per_user: usize,
    /// Maximum pairs of a user and a topic.
    pub total: usize,
}

/// Why a topic was not given to a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UserTopicRefused {
    /// The user has as many as one user may have.
    #[error("limits.user_topics is {limit}, and the user has as many; take one away first")]
    PerUser {
        /// `limits.user_topics`.
        limit: usize,
    },
    /// All users have as many as all may have.
    #[error(
        "limits.all_user_topics is {limit}, and all users together have as many; take some away, or raise the limit"
    )]
    Total {
        /// `limits.all_user_topics`.
        limit: usize,
    },
}

impl UserTopics {
    /// No topics.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives `topic` to `user`; false if the user has it already.
    ///
    /// # Errors
    /// A limit is reached.
    pub fn give(&mut self, user: &UserId, topic: &Topic, limits: UserTopicLimits) -> Result<bool, UserTopicRefused> {
        let reserved = self.reserve(user, topic, limits)?;
        if reserved {
            self.settle(user, topic, true);
        }
        Ok(reserved)
    }

    /// Takes a slot for `topic` of `user`, who does not have it before it is [settled](Self::settle); false if the user
    /// has it already. One pending slot for each user.
    ///
    /// # Errors
    /// A limit is reached.
    pub fn reserve(&mut self, user: &UserId, topic: &Topic, limits: UserTopicLimits) -> Result<bool, UserTopicRefused> {
        let UserTopicLimits { per_user, total } = limits;
        let topics = self.by_user.get(user);
        if topics.is_some_and(|topics| topics.contains(topic)) {
            return Ok(false);
        }
        if topics.map_or(0, BTreeSet::len) >= per_user {
            return Err(UserTopicRefused::PerUser { limit: per_user });
        }
        if self.count + self.reserved >= total {
            return Err(UserTopicRefused::Total { limit: total });
        }
        self.reserved += 1;
        Ok(true)
    }

    /// Gives back a slot that was [reserved](Self::reserve), and gives `topic` to `user` if it was `stored`.
    pub fn settle(&mut self, user: &UserId, topic: &Topic, stored: bool) {
        self.reserved = self.reserved.saturating_sub(1);
        if stored {
            self.restore(user.clone(), topic.clone());
        }
    }

    /// Takes over what an earlier process gave, whatever the limits are now: a lower limit takes no topic away.
    pub fn restore(&mut self, user: UserId, topic: Topic) {
        self.count += usize::from(self.by_user.entry(user).or_default().insert(topic));
    }

    /// Takes `topic` away from `user`; false if the user did not have it.
    pub fn take(&mut self, user: &UserId, topic: &Topic) -> bool {
        let Some(topics) = self.by_user.get_mut(user) else { return false };
        if !topics.remove(topic) {
            return false;
        }
        if topics.is_empty() {
            self.by_user.remove(user);
        }
        self.count -= 1;
        true
    }

    /// Whether `user` has `topic`.
    pub fn has(&self, user: &UserId, topic: &Topic) -> bool {
        self.by_user.get(user).is_some_and(|topics| topics.contains(topic))
    }

    /// The topics of `user`, sorted as text.
    pub fn of(&self, user: &UserId) -> Vec<Topic> {
        self.by_user.get(user).map(|topics| topics.iter().cloned().collect()).unwrap_or_default()
    }

    /// Number of pairs of a user and a topic.
    pub fn count(&self) -> usize {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: UserTopicLimits = UserTopicLimits { per_user: 2, total: 3 };

    fn user(name: &str) -> UserId {
        UserId::new(name).expect("a user")
    }

    fn topic(name: &str) -> Topic {
        Topic::new(name).expect("a topic")
    }

    #[test]
    fn a_topic_is_given_once_and_taken_once() {
        let mut topics = UserTopics::new();
        let (alice, bob) = (user("alice"), user("bob"));
        assert_eq!(topics.give(&alice, &topic("b"), LIMITS), Ok(true));
        assert_eq!(topics.give(&alice, &topic("a"), LIMITS), Ok(true));
        assert_eq!(topics.give(&alice, &topic("a"), LIMITS), Ok(false));
        assert_eq!(topics.of(&alice), [topic("a"), topic("b")]);
        assert_eq!((topics.of(&bob), topics.count()), (vec![], 2));
        assert!(topics.has(&alice, &topic("a")) && !topics.has(&bob, &topic("a")));
        assert!(topics.take(&alice, &topic("a")));
        assert!(!topics.take(&alice, &topic("a")));
        assert!(!topics.take(&bob, &topic("a")));
        assert_eq!((topics.of(&alice), topics.count()), (vec![topic("b")], 1));
    }

    #[test]
    fn each_limit_is_named_and_a_topic_that_is_there_is_never_over_it() {
        let mut topics = UserTopics::new();
        for (name, topic_name) in [("alice", "a"), ("alice", "b"), ("bob", "a")] {
            assert_eq!(topics.give(&user(name), &topic(topic_name), LIMITS), Ok(true));
        }
        let over = topics.give(&user("alice"), &topic("c"), LIMITS).expect_err("over the limit of a user");
        assert!(over.to_string().contains("limits.user_topics is 2"), "{over}");
        let over = topics.give(&user("carol"), &topic("a"), LIMITS).expect_err("over the limit of all");
        assert!(over.to_string().contains("limits.all_user_topics is 3"), "{over}");
        assert_eq!(topics.give(&user("alice"), &topic("a"), LIMITS), Ok(false));
        assert!(topics.take(&user("bob"), &topic("a")));
        assert_eq!(topics.give(&user("carol"), &topic("a"), LIMITS), Ok(true));
    }

    #[test]
    fn a_slot_counts_before_the_user_has_the_topic_and_is_free_again_if_it_was_not_stored() {
        let mut topics = UserTopics::new();
        let (alice, bob, carol) = (user("alice"), user("bob"), user("carol"));
        let limits = UserTopicLimits { per_user: 2, total: 2 };
        for user in [&alice, &bob] {
            assert_eq!(topics.reserve(user, &topic("a"), limits), Ok(true));
        }
        assert!(topics.give(&carol, &topic("a"), limits).is_err(), "two of two slots are taken");
        assert_eq!((topics.has(&alice, &topic("a")), topics.count()), (false, 0));
        topics.settle(&alice, &topic("a"), true);
        topics.settle(&bob, &topic("a"), false);
        assert_eq!((topics.of(&alice), topics.of(&bob), topics.count()), (vec![topic("a")], vec![], 1));
        assert_eq!(topics.give(&carol, &topic("a"), limits), Ok(true));
    }

    #[test]
    fn a_lower_limit_takes_away_no_topic_of_an_earlier_process() {
        let mut topics = UserTopics::new();
        for name in ["a", "b", "c", "a"] {
            topics.restore(user("alice"), topic(name));
        }
        assert_eq!((topics.of(&user("alice")).len(), topics.count()), (3, 3));
        assert!(topics.give(&user("alice"), &topic("d"), LIMITS).is_err());
    }

    proptest! {
        /// Against a set: the same answers, the same count, and no more than the limits allow.
        #[test]
        fn the_table_does_what_a_set_does(steps in proptest::collection::vec((0..3_u8, 0..4_u8, any::<bool>()), 0..200)) {
            let mut topics = UserTopics::new();
            let mut set = BTreeSet::new();
            for (who, what, give) in steps {
                let pair = (user(&format!("u{who}")), topic(&format!("t{what}")));
                let had = set.contains(&pair);
                if give {
                    let mine = set.iter().filter(|(user, _)| *user == pair.0).count();
                    let result = topics.give(&pair.0, &pair.1, LIMITS);
                    let fits = had || (mine < LIMITS.per_user && set.len() < LIMITS.total);
                    prop_assert_eq!(result.ok(), fits.then_some(!had));
                    if fits {
                        set.insert(pair);
                    }
                } else {
                    prop_assert_eq!(topics.take(&pair.0, &pair.1), had);
                    set.remove(&pair);
                }
                prop_assert_eq!(topics.count(), set.len());
                for who in 0..3 {
                    let user = user(&format!("u{who}"));
                    let mine: Vec<_> = set.iter().filter(|(of, _)| *of == user).map(|(_, topic)| topic.clone()).collect();
                    prop_assert_eq!(topics.of(&user), mine);
                }
            }
        }
    }
}
