//! The subscription table, compared with a simple model under random operations.

use std::{collections::BTreeSet, sync::Arc};

use proptest::prelude::*;
use uuid::Uuid;

use super::*;

fn id(n: u8) -> ConnectionId {
    ConnectionId(Uuid::from_u128(u128::from(n)))
}

fn topic(n: u8) -> Topic {
    Topic::new(format!("order:{n}")).expect("a topic")
}

fn attached(ids: &[u8], max_topics: u32) -> SubscriptionTable<(ConnectionId, u8)> {
    let mut table = SubscriptionTable::new();
    for n in ids {
        assert!(table.attach((id(*n), *n), max_topics));
    }
    table
}

fn listeners(table: &SubscriptionTable<(ConnectionId, u8)>, topic: &Topic) -> Vec<u8> {
    let mut all: Vec<_> = table.subscribers(topic).iter().map(|(_, listener)| *listener).collect();
    all.sort_unstable();
    all
}

#[test]
fn subscribing_twice_is_subscribing_once() {
    let mut table = attached(&[1], 10);
    assert_eq!(table.subscribe(id(1), &topic(7), Origin::Client), Ok(true));
    assert_eq!(table.subscribe(id(1), &topic(7), Origin::Server), Ok(false));
    assert_eq!(table.subscriptions(id(1)), [Subscription { topic: topic(7), origin: Origin::Client }]);
    assert_eq!((table.topic_count(), table.subscription_count()), (1, 1));
    assert!(table.unsubscribe(id(1), &topic(7)) && !table.unsubscribe(id(1), &topic(7)));
}

#[test]
fn only_an_attached_connection_can_subscribe() {
    let mut table = attached(&[1], 10);
    assert_eq!(table.subscribe(id(2), &topic(7), Origin::Client), Err(SubscribeRefused::NotAttached));
    table.detach(id(1));
    assert_eq!(table.subscribe(id(1), &topic(7), Origin::Client), Err(SubscribeRefused::NotAttached));
    assert!(!table.exists(&topic(7)));
}

#[test]
fn the_error_names_the_limit_and_a_repeat_at_the_limit_succeeds() {
    let mut table = attached(&[1], 2);
    table.subscribe(id(1), &topic(1), Origin::Client).expect("first");
    table.subscribe(id(1), &topic(2), Origin::Client).expect("second");
    let refused = table.subscribe(id(1), &topic(3), Origin::Client).expect_err("over the limit");
    assert_eq!(refused.to_string(), "the connection has 2 topics, which is the limit");
    assert_eq!(table.subscribe(id(1), &topic(2), Origin::Client), Ok(false));
    assert!(!table.exists(&topic(3)));
    table.unsubscribe(id(1), &topic(1));
    assert_eq!(table.subscribe(id(1), &topic(3), Origin::Client), Ok(true));
}

#[test]
fn detaching_ends_every_subscription_and_removes_empty_topics() {
    let mut table = attached(&[1, 2], 10);
    for n in [3, 1, 2] {
        table.subscribe(id(1), &topic(n), Origin::Client).expect("subscribed");
    }
    table.subscribe(id(2), &topic(2), Origin::Server).expect("subscribed");
    let had: Vec<_> = table.detach(id(1)).into_iter().map(|s| s.topic).collect();
    assert_eq!(had, [topic(1), topic(2), topic(3)]);
    assert_eq!(listeners(&table, &topic(2)), [2]);
    assert_eq!((table.topic_count(), table.subscription_count()), (1, 1));
    assert_eq!(table.detach(id(1)), []);
}

#[test]
fn a_connection_unsubscribed_from_all_topics_stays_attached() {
    let mut table = attached(&[1], 1);
    table.subscribe(id(1), &topic(1), Origin::Client).expect("subscribed");
    assert_eq!(table.unsubscribe_all(id(1)).len(), 1);
    assert_eq!(table.subscribe(id(1), &topic(2), Origin::Client), Ok(true));
    assert_eq!(table.subscribe(id(1), &topic(3), Origin::Client), Err(SubscribeRefused::Limit(TopicLimit(1))));
}

#[test]
fn a_connection_with_one_topic_needs_no_allocation() {
    assert_eq!(size_of::<ConnectionTopics>(), 32);
    assert_eq!(size_of::<Attached<Arc<dyn Send>>>(), 48);
}

#[test]
fn subscribers_share_one_copy_of_the_topic() {
    let mut table = attached(&[1, 2], 10);
    for n in [1, 2] {
        table.subscribe(id(n), &topic(7), Origin::Client).expect("subscribed");
    }
    let text = |n| table.subscriptions(id(n))[0].topic.as_str().as_ptr();
    assert_eq!(text(1), text(2));
}

/// The simplest model: a list of attached connections and a list of pairs.
#[derive(Default)]
struct Model {
    attached: Vec<(u8, u32)>,
    pairs: Vec<(u8, u8, Origin)>,
}

impl Model {
    fn attach(&mut self, n: u8, limit: u32) -> bool {
        let new = !self.attached.iter().any(|(known, _)| *known == n);
        if new {
            self.attached.push((n, limit));
        }
        new
    }

    fn of(&self, n: u8) -> Vec<Subscription> {
        let mut all: Vec<_> = self.pairs.iter().filter(|pair| pair.0 == n).collect();
        all.sort_by_key(|pair| topic(pair.1));
        all.into_iter().map(|pair| Subscription { topic: topic(pair.1), origin: pair.2 }).collect()
    }

    fn take_all(&mut self, n: u8) -> Vec<Subscription> {
        let had = self.of(n);
        self.pairs.retain(|pair| pair.0 != n);
        had
    }

    fn subscribe(&mut self, n: u8, t: u8, origin: Origin) -> Result<bool, SubscribeRefused> {
        let (_, limit) = *self.attached.iter().find(|(known, _)| *known == n).ok_or(SubscribeRefused::NotAttached)?;
        if self.pairs.iter().any(|pair| (pair.0, pair.1) == (n, t)) {
            return Ok(false);
        }
        if self.of(n).len() >= limit as usize {
            return Err(TopicLimit(limit).into());
        }
        self.pairs.push((n, t, origin));
        Ok(true)
    }

    fn unsubscribe(&mut self, n: u8, t: u8) -> bool {
        let before = self.pairs.len();
        self.pairs.retain(|pair| (pair.0, pair.1) != (n, t));
        self.pairs.len() < before
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Attach(u8, u32),
    Detach(u8),
    Subscribe(u8, u8, Origin),
    Unsubscribe(u8, u8),
    UnsubscribeAll(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let (n, t) = (0_u8..6, 0_u8..8);
    let origin = prop_oneof![Just(Origin::Client), Just(Origin::Server)];
    prop_oneof![
        3 => (n.clone(), 0_u32..6).prop_map(|(n, limit)| Step::Attach(n, limit)),
        1 => n.clone().prop_map(Step::Detach),
        8 => (n.clone(), t.clone(), origin).prop_map(|(n, t, origin)| Step::Subscribe(n, t, origin)),
        4 => (n.clone(), t).prop_map(|(n, t)| Step::Unsubscribe(n, t)),
        1 => n.prop_map(Step::UnsubscribeAll),
    ]
}

proptest! {
    #[test]
    fn the_table_behaves_like_a_list_of_pairs(steps in proptest::collection::vec(step(), 0..200)) {
        let mut table = SubscriptionTable::new();
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Attach(n, limit) => prop_assert_eq!(table.attach((id(n), n), limit), model.attach(n, limit)),
                Step::Detach(n) => {
                    model.attached.retain(|(known, _)| *known != n);
                    prop_assert_eq!(table.detach(id(n)), model.take_all(n));
                }
                Step::Subscribe(n, t, origin) => {
                    prop_assert_eq!(table.subscribe(id(n), &topic(t), origin), model.subscribe(n, t, origin));
                }
                Step::Unsubscribe(n, t) => {
                    prop_assert_eq!(table.unsubscribe(id(n), &topic(t)), model.unsubscribe(n, t));
                }
                Step::UnsubscribeAll(n) => prop_assert_eq!(table.unsubscribe_all(id(n)), model.take_all(n)),
            }
            for n in 0..6 {
                prop_assert_eq!(table.subscriptions(id(n)), model.of(n));
            }
            for t in 0..8 {
                let mut expected: Vec<_> = model.pairs.iter().filter(|pair| pair.1 == t).map(|pair| pair.0).collect();
                expected.sort_unstable();
                prop_assert_eq!(table.exists(&topic(t)), !expected.is_empty());
                for n in 0..6 {
                    prop_assert_eq!(table.subscribed(id(n), &topic(t)), expected.contains(&n));
                }
                prop_assert_eq!(listeners(&table, &topic(t)), expected);
            }
            let topics: BTreeSet<_> = model.pairs.iter().map(|pair| pair.1).collect();
            prop_assert_eq!(table.topic_count(), topics.len());
            prop_assert_eq!(table.subscription_count(), model.pairs.len());
        }
        for n in 0..6 {
            table.detach(id(n));
        }
        prop_assert_eq!((table.topic_count(), table.subscription_count()), (0, 0));
        prop_assert_eq!(table.topics.iter().count(), 0);
        prop_assert!(table.connections.count() == 0);
    }
}

#[test]
fn a_connection_that_has_one_topic_left_needs_no_allocation_again() {
    let mut topics = ConnectionTopics::new(9);
    for n in 1..=3 {
        assert_eq!(topics.add(&topic(n), Origin::Client, || topic(n)), Ok(true));
    }
    assert!(topics.remove(&topic(1)) && matches!(topics.held, Held::Many(_)));
    assert!(topics.remove(&topic(3)) && matches!(topics.held, Held::One(_)));
    assert!(topics.contains(&topic(2)));
}

#[test]
fn attached_connections_are_counted() {
    let mut table = AttachedTable::new();
    assert_eq!(table.count(), 0);
    assert!(table.insert((id(1), 1), 9) && table.insert((id(2), 2), 9));
    assert_eq!(table.count(), 2);
    assert!(table.remove(id(1)).is_some());
    assert_eq!(table.count(), 1);
}
