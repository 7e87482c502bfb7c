//! Single promises, and random schedules compared with a model that keeps every connection and every time of leaving.

use std::collections::BTreeMap;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;

const GRACE: u64 = 10;

fn id(n: u8) -> ConnectionId {
    ConnectionId(Uuid::from_u128(n.into()))
}

fn user(n: u8) -> UserId {
    UserId::new(format!("user-{n}")).expect("a user")
}

fn second(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn names(users: &[Present<u8>]) -> Vec<&str> {
    users.iter().map(|present| present.user.as_str()).collect()
}

#[test]
fn three_connections_of_a_user_join_once_and_leave_once_after_the_grace() {
    let mut presence = TopicPresence::new(0);
    (0..3).for_each(|n| assert!(presence.join(id(n), &user(1), 0)));
    let change = presence.take_change(second(0)).expect("a change");
    assert_eq!((names(&change.joined), change.joined[0].connections), (vec!["user-1"], 3));
    assert_eq!((change.count, change.version), (1, 1));

    (0..3).for_each(|n| assert!(presence.leave(id(n), second(10))));
    presence.expire(second(9));
    assert_eq!(presence.take_change(second(9)), None, "still in the grace period");
    assert_eq!(presence.due(second(1), false), Some(second(10)));
    presence.expire(second(10));
    let change = presence.take_change(second(10)).expect("a change");
    assert_eq!((change.left, change.count, change.version), (vec![user(1)], 0, 2));
    assert!(presence.is_empty());
    assert_eq!(presence.due(second(1), false), None);
}

#[test]
fn a_user_who_is_back_within_the_grace_changes_nothing() {
    let mut presence = TopicPresence::new(0);
    presence.join(id(1), &user(1), 0);
    presence.take_change(second(0));
    presence.leave(id(1), second(10));
    presence.join(id(2), &user(1), 0);
    assert_eq!(presence.due(second(1), false), None, "the grace period is over with the return");
    presence.expire(second(60));
    assert_eq!(presence.take_change(second(60)), None);
    assert_eq!((presence.count(), presence.version()), (1, 1));
}

#[test]
fn a_join_and_a_leave_between_two_reports_cancel_out() {
    let mut presence = TopicPresence::new(7);
    presence.join(id(1), &user(1), 0);
    presence.leave(id(1), second(1));
    presence.expire(second(1));
    assert!(presence.has_unreported());
    assert_eq!(presence.take_change(second(1)), None);
    assert_eq!((presence.version(), presence.is_empty()), (7, true), "no change, no version");
}

#[test]
fn a_repeated_join_or_leave_of_a_connection_is_not_counted() {
    let mut presence = TopicPresence::new(0);
    assert!(presence.join(id(1), &user(1), 0));
    assert!(!presence.join(id(1), &user(1), 0));
    assert!(presence.contains(id(1)));
    assert!(presence.leave(id(1), second(0)));
    assert!(!presence.leave(id(1), second(0)));
    assert!(!presence.leave(id(2), second(0)), "never joined");
    presence.expire(second(0));
    assert_eq!(presence.count(), 0);
}

#[test]
fn the_metadata_of_the_connection_that_joined_last_is_shown() {
    let mut presence = TopicPresence::new(0);
    presence.join(id(1), &user(1), 1);
    presence.take_change(second(0));
    presence.join(id(2), &user(1), 2);
    let change = presence.take_change(second(1)).expect("a change");
    assert_eq!((change.joined.len(), change.left.len()), (0, 0));
    assert_eq!(change.updated, [Present { user: user(1), connections: 2, metadata: 2 }]);
    presence.join(id(3), &user(1), 3);
    presence.join(id(4), &user(1), 2);
    assert_eq!(presence.take_change(second(2)), None, "what is shown is what was reported");
}

#[test]
fn reports_are_due_at_once_after_a_quiet_time_and_then_at_intervals() {
    let mut presence = TopicPresence::new(0);
    assert_eq!(presence.due(second(1), false), None);
    assert_eq!(presence.due(second(1), true), Some(Duration::ZERO), "a report that is wanted is due at once");
    presence.join(id(1), &user(1), 0);
    assert_eq!(presence.due(second(1), false), Some(Duration::ZERO));
    presence.take_change(second(100));
    presence.join(id(2), &user(2), 0);
    assert_eq!(presence.due(second(1), false), Some(second(101)));
    presence.leave(id(1), second(100));
    assert_eq!(presence.due(second(1), false), Some(second(100)), "the end of a grace period comes first");
}

#[test]
fn a_topic_is_empty_once_every_user_is_gone_and_that_was_reported() {
    let mut presence = TopicPresence::new(0);
    assert!(presence.is_empty() && !presence.contains(id(1)));
    presence.join(id(1), &user(1), 0);
    assert!(!presence.is_empty() && presence.contains(id(1)) && !presence.contains(id(2)));
    presence.take_change(second(0));
    assert!(!presence.is_empty(), "a user is there");
    presence.leave(id(1), second(10));
    assert!(!presence.is_empty() && !presence.contains(id(1)), "in the grace period the user is still there");
    presence.expire(second(10));
    assert!(!presence.is_empty(), "the leave was not reported");
    presence.take_change(second(10));
    assert!(presence.is_empty());
}

#[test]
fn pages_have_a_limit_and_a_budget_and_at_least_one_user() {
    let mut presence = TopicPresence::new(0);
    (0..5).for_each(|n| assert!(presence.join(id(n), &user(n), n)));
    let all = |after: Option<&UserId>, limit, budget| {
        let page = presence.page(after, limit, budget, |_, cost| usize::from(*cost));
        (page.users.iter().map(|present| present.metadata).collect::<Vec<_>>(), page.next)
    };
    assert_eq!(all(None, 10, 100), (vec![0, 1, 2, 3, 4], None));
    assert_eq!(all(None, 2, 100), (vec![0, 1], Some(user(1))));
    assert_eq!(all(Some(&user(1)), 3, 100), (vec![2, 3, 4], None), "a full last page has no next one");
    assert_eq!(all(None, 10, 3), (vec![0, 1, 2], Some(user(2))));
    assert_eq!(all(Some(&user(3)), 10, 3), (vec![4], None), "one user is on the page, whatever it costs");
    assert_eq!(all(Some(&user(4)), 10, 3), (vec![], None));
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Join {
        connection: u8,
        user: u8,
        metadata: u8,
    },
    Leave {
        connection: u8,
    },
    /// Time passes, and grace periods end.
    Wait(u64),
    /// A change is reported to those that have the list.
    Report,
    /// A client takes the list, which is possible right after a report.
    Snapshot,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..8_u8, 0..3_u8, 0..2_u8)
            .prop_map(|(connection, user, metadata)| Step::Join { connection, user, metadata }),
        4 => (0..8_u8).prop_map(|connection| Step::Leave { connection }),
        3 => (0..2 * GRACE).prop_map(Step::Wait),
        2 => Just(Step::Report),
        1 => Just(Step::Snapshot),
    ];
    prop::collection::vec(step, 0..60)
}

/// The truth: who has which connections, and until when a user without one is present.
#[derive(Default)]
struct Model {
    connections: BTreeMap<u8, u8>,
    present: BTreeMap<u8, (u8, Option<Duration>)>,
}

impl Model {
    fn join(&mut self, connection: u8, user: u8, metadata: u8) {
        if self.connections.contains_key(&connection) {
            return;
        }
        self.connections.insert(connection, user);
        self.present.insert(user, (metadata, None));
    }

    fn leave(&mut self, connection: u8, until: Duration) {
        let Some(user) = self.connections.remove(&connection) else { return };
        if !self.connections.values().any(|other| *other == user)
            && let Some((_, end)) = self.present.get_mut(&user)
        {
            *end = Some(until);
        }
    }

    fn expire(&mut self, now: Duration) {
        self.present.retain(|_, (_, until)| until.is_none_or(|until| until > now));
    }

    fn list(&self) -> BTreeMap<UserId, u8> {
        self.present.iter().map(|(name, (metadata, _))| (user(*name), *metadata)).collect()
    }
}

/// A client that took the list at some version, and applies each later change.
struct Client {
    version: u64,
    list: BTreeMap<UserId, u8>,
}

impl Client {
    fn apply(&mut self, change: &Change<u8>) {
        assert!(change.version > self.version, "versions rise");
        self.version = change.version;
        for present in &change.joined {
            let before = self.list.insert(present.user.clone(), present.metadata);
            assert_eq!(before, None, "joined only if absent before");
        }
        for left in &change.left {
            assert!(self.list.remove(left).is_some(), "left only if present before");
        }
        for present in &change.updated {
            let before = self.list.insert(present.user.clone(), present.metadata);
            assert!(before.is_some_and(|before| before != present.metadata), "updated only if it differs");
        }
        assert_eq!(change.count, self.list.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_snapshot_and_the_changes_after_it_are_always_the_truth(steps in steps()) {
        let (mut presence, mut model) = (TopicPresence::new(0), Model::default());
        let mut clients: Vec<Client> = Vec::new();
        let mut now = Duration::ZERO;
        for step in steps {
            match step {
                Step::Join { connection, user: name, metadata } => {
                    presence.join(id(connection), &user(name), metadata);
                    model.join(connection, name, metadata);
                }
                Step::Leave { connection } => {
                    presence.leave(id(connection), now + second(GRACE));
                    model.leave(connection, now + second(GRACE));
                }
                Step::Wait(seconds) => {
                    now += second(seconds);
                    presence.expire(now);
                    model.expire(now);
                }
                Step::Report | Step::Snapshot => {
                    let before = presence.version();
                    if let Some(change) = presence.take_change(now) {
                        prop_assert_eq!(change.version, presence.version());
                        clients.iter_mut().for_each(|client| client.apply(&change));
                    } else {
                        prop_assert_eq!(before, presence.version());
                    }
                    prop_assert!(!presence.has_unreported());
                    if matches!(step, Step::Snapshot) {
                        let page = presence.page(None, usize::MAX, usize::MAX, |_, _| 1);
                        for present in &page.users {
                            let tabs = model.connections.values().filter(|name| user(**name) == present.user).count();
                            prop_assert_eq!(present.connections as usize, tabs);
                        }
                        let list = page.users.into_iter().map(|present| (present.user, present.metadata)).collect();
                        clients.push(Client { version: presence.version(), list });
                    }
                    for client in &clients {
                        prop_assert_eq!(&client.list, &model.list());
                    }
                }
            }
            prop_assert_eq!(presence.count(), model.present.len());
            let grace = model.present.values().filter_map(|(_, until)| *until).min();
            let due = presence.due(second(1), false);
            prop_assert!(due.is_none_or(|due| grace.is_none_or(|grace| due <= grace)));
            prop_assert_eq!(due.is_some(), presence.has_unreported() || grace.is_some());
        }
        // Without connections nothing is left, whatever happened before.
        (0..8).for_each(|connection| { presence.leave(id(connection), now); });
        presence.expire(now + second(GRACE));
        presence.take_change(now);
        prop_assert!(presence.is_empty() && presence.leaving.is_empty() && presence.connections.is_empty());
    }
}
