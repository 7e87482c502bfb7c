//! The promises of every [`PubSubManager`].

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
};

use realtime_schema::{ConnectionId, Origin, Subscription, TopicInfo};

use super::scene::{Bystander, Dice, id, shown, topic};
use crate::{PubSubManager, PubSubStats, SubscribeError, WebSocketConnection};

/// Runs the whole suite. Each part takes a fresh manager.
///
/// # Panics
/// The manager breaks a promise of the port; the message says which.
pub fn pubsub_conformance<P: PubSubManager>(fresh: impl Fn() -> P) {
    subscribers_are_shown_and_bystanders_are_not(&fresh());
    subscribing_twice_is_subscribing_once(&fresh());
    unsubscribing_ends_one_subscription(&fresh());
    only_an_attached_connection_can_subscribe(&fresh());
    attaching_again_changes_nothing(&fresh());
    the_limit_is_the_connections_own(&fresh());
    detaching_ends_every_subscription(&fresh());
    a_connections_subscriptions_are_sorted_by_topic(&fresh());
    topics_are_listed_in_sorted_pages(&fresh());
    subscribers_come_in_pages_in_the_order_of_their_ids(&fresh());
    each_subscriber_is_shown_once(&fresh());
    no_socket_is_shown_after_unsubscribe_or_detach_has_returned(&fresh());
    busy_threads_leave_no_subscription_behind(&fresh());
}

fn attach<P: PubSubManager>(pubsub: &P, n: usize, max_topics: u32) -> Arc<Bystander> {
    let socket = Bystander::new(n);
    pubsub.attach(Arc::clone(&socket) as _, max_topics);
    socket
}

fn subscribe<P: PubSubManager>(pubsub: &P, n: usize, name: &str) -> Result<bool, SubscribeError> {
    pubsub.subscribe(id(n), &topic(name), Origin::Client)
}

fn subscribers<P: PubSubManager>(pubsub: &P, name: &str) -> Vec<ConnectionId> {
    shown(|visit| pubsub.visit(&topic(name), visit))
}

fn names(subscriptions: &[Subscription]) -> Vec<&str> {
    subscriptions.iter().map(|subscription| subscription.topic.as_str()).collect()
}

fn assert_stats<P: PubSubManager>(pubsub: &P, topics: usize, subscriptions: usize, when: &str) {
    assert_eq!(pubsub.stats(), PubSubStats { topics, subscriptions }, "topics and subscriptions {when}");
}

/// A topic shows its subscribers and no other connection.
pub fn subscribers_are_shown_and_bystanders_are_not<P: PubSubManager>(pubsub: &P) {
    assert_stats(pubsub, 0, 0, "of a fresh manager");
    for n in 1..=3 {
        attach(pubsub, n, 10);
    }
    assert_eq!(subscribe(pubsub, 1, "order:1"), Ok(true), "a first subscription is new");
    assert_eq!(subscribe(pubsub, 2, "order:1"), Ok(true), "so is another connection's");
    assert_eq!(subscribe(pubsub, 2, "order:2"), Ok(true), "and one to another topic");
    assert_eq!(subscribers(pubsub, "order:1"), [id(1), id(2)], "the subscribers of a topic");
    assert_eq!(subscribers(pubsub, "order:2"), [id(2)], "the subscribers of another");
    assert_eq!(subscribers(pubsub, "order"), [], "a topic is not its prefix");
    assert_eq!(subscribers(pubsub, "ORDER:1"), [], "letters are not folded");
    assert_stats(pubsub, 2, 3, "after three subscriptions");
}

/// The second call succeeds, changes nothing, and keeps the first origin.
pub fn subscribing_twice_is_subscribing_once<P: PubSubManager>(pubsub: &P) {
    attach(pubsub, 1, 10);
    let order = topic("order:1");
    assert_eq!(pubsub.subscribe(id(1), &order, Origin::Server), Ok(true), "the first is new");
    assert_eq!(pubsub.subscribe(id(1), &order, Origin::Client), Ok(false), "the second is not");
    assert_eq!(subscribers(pubsub, "order:1"), [id(1)], "it is shown once");
    let expected = [Subscription { topic: order, origin: Origin::Server }];
    assert_eq!(pubsub.subscriptions(id(1)), expected, "the first origin stays");
    assert_stats(pubsub, 1, 1, "after the repeat");
}

/// The other subscriptions stay; the last one removes the topic.
pub fn unsubscribing_ends_one_subscription<P: PubSubManager>(pubsub: &P) {
    for n in 1..=2 {
        attach(pubsub, n, 10);
        subscribe(pubsub, n, "order:1").expect("subscribed");
        subscribe(pubsub, n, "order:2").expect("subscribed");
    }
    assert!(pubsub.unsubscribe(id(1), &topic("order:1")), "an existing subscription ends");
    assert!(!pubsub.unsubscribe(id(1), &topic("order:1")), "an ended subscription can't end again");
    assert!(!pubsub.unsubscribe(id(1), &topic("order:3")), "a missing subscription can't end");
    assert!(!pubsub.unsubscribe(id(9), &topic("order:2")), "an unknown connection has none");
    assert_eq!(subscribers(pubsub, "order:1"), [id(2)], "the other subscriber stays");
    assert_eq!(names(&pubsub.subscriptions(id(1))), ["order:2"], "its other topic stays");
    assert!(pubsub.unsubscribe(id(2), &topic("order:1")), "the last subscriber can unsubscribe");
    assert_stats(pubsub, 1, 2, "after a topic has lost its last subscriber");
    assert_eq!(subscribe(pubsub, 1, "order:1"), Ok(true), "it can subscribe again, as new");
}

/// Not before `attach`, and not after `detach`.
pub fn only_an_attached_connection_can_subscribe<P: PubSubManager>(pubsub: &P) {
    assert_eq!(subscribe(pubsub, 1, "order:1"), Err(SubscribeError::NotConnected), "it is unknown");
    attach(pubsub, 1, 10);
    assert_eq!(subscribe(pubsub, 1, "order:1"), Ok(true), "it is attached");
    pubsub.detach(id(1));
    assert_eq!(subscribe(pubsub, 1, "order:1"), Err(SubscribeError::NotConnected), "it is gone");
    assert_stats(pubsub, 0, 0, "after refusals");
    attach(pubsub, 1, 10);
    assert_eq!(pubsub.subscriptions(id(1)), [], "an id attached again starts without subscriptions");
    assert_eq!(subscribe(pubsub, 1, "order:1"), Ok(true), "and can subscribe");
}

/// It keeps the subscriptions and the limit.
pub fn attaching_again_changes_nothing<P: PubSubManager>(pubsub: &P) {
    attach(pubsub, 1, 1);
    subscribe(pubsub, 1, "order:1").expect("subscribed");
    attach(pubsub, 1, 10);
    assert_eq!(subscribers(pubsub, "order:1"), [id(1)], "the subscription stays");
    assert_eq!(subscribe(pubsub, 1, "order:2"), Err(SubscribeError::LimitExceeded { limit: 1 }), "so does the limit");
}

/// At the limit a repeated subscription succeeds; below it a new one does; other connections have their own limit.
pub fn the_limit_is_the_connections_own<P: PubSubManager>(pubsub: &P) {
    attach(pubsub, 1, 2);
    attach(pubsub, 2, 0);
    for name in ["order:1", "order:2"] {
        assert_eq!(subscribe(pubsub, 1, name), Ok(true), "within the limit");
    }
    let over = Err(SubscribeError::LimitExceeded { limit: 2 });
    assert_eq!(subscribe(pubsub, 1, "order:3"), over, "the refusal names the limit");
    assert_eq!(subscribe(pubsub, 1, "order:2"), Ok(false), "a repeated subscription is not a third topic");
    assert_eq!(subscribers(pubsub, "order:3"), [], "a refused subscription leaves no entry");
    assert_stats(pubsub, 2, 2, "after a refusal");
    pubsub.unsubscribe(id(1), &topic("order:1"));
    assert_eq!(subscribe(pubsub, 1, "order:3"), Ok(true), "there is room for a topic again");
    assert_eq!(
        subscribe(pubsub, 2, "order:3"),
        Err(SubscribeError::LimitExceeded { limit: 0 }),
        "a limit of 0 allows no topic"
    );
}

/// The first call returns the connection's subscriptions.
pub fn detaching_ends_every_subscription<P: PubSubManager>(pubsub: &P) {
    for n in 1..=2 {
        attach(pubsub, n, 10);
        subscribe(pubsub, n, "order:2").expect("subscribed");
    }
    pubsub.subscribe(id(1), &topic("order:1"), Origin::Server).expect("subscribed");
    let expected = [
        Subscription { topic: topic("order:1"), origin: Origin::Server },
        Subscription { topic: topic("order:2"), origin: Origin::Client },
    ];
    assert_eq!(pubsub.detach(id(1)), expected, "its subscriptions, in order");
    assert_eq!(pubsub.detach(id(1)), [], "the second call returns nothing");
    assert_eq!(pubsub.subscriptions(id(1)), [], "it is subscribed to nothing");
    assert_eq!(
        (subscribers(pubsub, "order:1"), subscribers(pubsub, "order:2")),
        (vec![], vec![id(2)]),
        "the remaining subscribers"
    );
    assert_stats(pubsub, 1, 1, "after one connection was detached");
    pubsub.detach(id(2));
    assert_stats(pubsub, 0, 0, "after all were detached");
    assert_eq!(pubsub.topics("", None, 10), [], "an empty topic is not listed");
}

/// In whatever order they were made.
pub fn a_connections_subscriptions_are_sorted_by_topic<P: PubSubManager>(pubsub: &P) {
    attach(pubsub, 1, 10);
    for name in ["b", "é", "a:2", "a:10", "a"] {
        subscribe(pubsub, 1, name).expect("subscribed");
    }
    assert_eq!(names(&pubsub.subscriptions(id(1))), ["a", "a:10", "a:2", "b", "é"], "compared as text");
    assert_eq!(pubsub.subscriptions(id(9)), [], "an unknown connection has none");
}

/// The pages together show each topic once, with its number of subscribers.
pub fn topics_are_listed_in_sorted_pages<P: PubSubManager>(pubsub: &P) {
    const TOPICS: usize = 250;
    attach(pubsub, 1, 1_000);
    attach(pubsub, 2, 1_000);
    for n in 0..TOPICS {
        subscribe(pubsub, 1, &format!("order:{n:04}")).expect("subscribed");
    }
    subscribe(pubsub, 2, "order:0003").expect("subscribed");
    let expected: Vec<_> = (0..TOPICS)
        .map(|n| TopicInfo {
            topic: topic(&format!("order:{n:04}")),
            subscribers: if n == 3 { 2 } else { 1 },
            history: None,
        })
        .collect();
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = pubsub.topics("", after.clone(), 100);
        assert!(page.len() <= 100, "a page holds at most the requested number");
        let Some(last) = page.last() else { break };
        after = Some(last.topic.clone());
        all.extend(page);
    }
    assert!(all == expected, "all pages together show each topic once, in order, with its subscribers");
    assert_eq!(pubsub.topics("", None, 0), [], "a page with the limit 0 is empty");
    assert_eq!(pubsub.topics("", Some(topic("order:0247x")), 10), expected[248..], "after a topic that does not exist");
    assert!(pubsub.topics("", None, usize::MAX) == expected, "a page without an end");
    assert_eq!(pubsub.topics("order:010", None, 3), expected[100..103], "those that begin with a text");
    assert_eq!(pubsub.topics("order:010", Some(topic("order:0108")), 3), expected[109..110], "the rest of those");
    assert_eq!(pubsub.topics("order:0003", None, 3), expected[3..4], "a whole topic is its own beginning");
    assert_eq!(pubsub.topics("rder", None, 3), [], "none begins with this");
}

/// A connection that stays subscribed is on exactly one page.
pub fn subscribers_come_in_pages_in_the_order_of_their_ids<P: PubSubManager>(pubsub: &P) {
    const MANY: usize = 90;
    let news = topic("news");
    for n in (0..MANY).rev() {
        attach(pubsub, n, 10);
        subscribe(pubsub, n, if n % 3 == 2 { "other" } else { "news" }).expect("subscribed");
    }
    assert_eq!(pubsub.subscribers(&news, None, 3), [0, 1, 3].map(id), "the first so many, in the order of ids");
    assert_eq!(pubsub.subscribers(&news, Some(id(2)), 2), [3, 4].map(id), "after a connection that is no subscriber");
    assert_eq!(pubsub.subscribers(&news, None, 0), [], "a page of nothing");
    assert_eq!(pubsub.subscribers(&topic("none"), None, 3), [], "a topic without subscribers");
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = pubsub.subscribers(&news, after, 8);
        let Some(last) = page.last() else { break };
        after = Some(*last);
        seen.extend(page);
        for n in (0..MANY).filter(|n| n % 3 == 1) {
            pubsub.unsubscribe(id(n), &news);
        }
    }
    let expected: Vec<_> = (0..MANY).filter(|n| n % 3 == 0 || (n % 3 == 1 && *n < 11)).map(id).collect();
    assert_eq!(seen, expected, "each subscriber once, without those that left before their page was read");
}

/// With many subscribers, and after half of them have unsubscribed.
pub fn each_subscriber_is_shown_once<P: PubSubManager>(pubsub: &P) {
    const MANY: usize = 500;
    for n in 0..MANY {
        attach(pubsub, n, 10);
        subscribe(pubsub, n, "news").expect("subscribed");
    }
    assert!(subscribers(pubsub, "news") == (0..MANY).map(id).collect::<Vec<_>>(), "each of {MANY} is shown once");
    for n in (0..MANY).step_by(2) {
        if n % 4 == 0 {
            pubsub.detach(id(n));
        } else {
            pubsub.unsubscribe(id(n), &topic("news"));
        }
    }
    let rest: Vec<_> = (1..MANY).step_by(2).map(id).collect();
    assert!(subscribers(pubsub, "news") == rest, "each remaining one is shown once");
    assert_stats(pubsub, 1, MANY / 2, "after half of them have unsubscribed");
}

/// A visitor on another thread never receives a socket whose subscription has ended.
pub fn no_socket_is_shown_after_unsubscribe_or_detach_has_returned<P: PubSubManager>(pubsub: &P) {
    let news = topic("news");
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(SeqCst) {
                    pubsub.visit(&news, &mut |socket: &Arc<dyn WebSocketConnection>| {
                        assert!(socket.is_open(), "a topic showed a socket after its subscription had ended");
                    });
                }
            });
        }
        for round in 0..1_000 {
            let socket = Bystander::new(1);
            socket.expected.store(true, SeqCst);
            pubsub.attach(Arc::clone(&socket) as _, 10);
            let subscribed = pubsub.subscribe(id(1), &news, Origin::Client);
            let found = subscribers(pubsub, "news");
            if round % 2 == 0 {
                pubsub.unsubscribe(id(1), &news);
                socket.expected.store(false, SeqCst);
            }
            pubsub.detach(id(1));
            socket.expected.store(false, SeqCst);
            if subscribed != Ok(true) || found != [id(1)] {
                done.store(true, SeqCst);
            }
            assert_eq!((subscribed, found), (Ok(true), vec![id(1)]), "a socket is shown once subscribe has returned");
        }
        done.store(true, SeqCst);
    });
}

/// Threads attach, subscribe, unsubscribe and detach the same ids; no subscription remains.
pub fn busy_threads_leave_no_subscription_behind<P: PubSubManager>(pubsub: &P) {
    const CONNECTIONS: usize = 8;
    const TOPICS: [&str; 4] = ["a", "b", "c", "d"];
    thread::scope(|scope| {
        for seed in 0..4 {
            scope.spawn(move || {
                let mut dice = Dice::new(seed);
                for _ in 0..3_000 {
                    let (n, name) = (dice.below(CONNECTIONS), TOPICS[dice.below(4)]);
                    match dice.below(8) {
                        0 => drop(pubsub.detach(id(n))),
                        1 => drop(attach(pubsub, n, 3)),
                        2 | 3 => drop(pubsub.unsubscribe(id(n), &topic(name))),
                        4 => drop(subscribers(pubsub, name)),
                        // Often refused: not attached, or over the limit.
                        _ => drop(subscribe(pubsub, n, name)),
                    }
                }
            });
        }
    });
    let mut pairs = 0;
    for n in 0..CONNECTIONS {
        for subscription in pubsub.subscriptions(id(n)) {
            pairs += 1;
            let listening = subscribers(pubsub, subscription.topic.as_str());
            assert!(listening.contains(&id(n)), "{} lists a topic that does not show it", id(n));
        }
    }
    let shown: usize = TOPICS.iter().map(|name| subscribers(pubsub, name).len()).sum();
    assert_eq!(shown, pairs, "topics show exactly the subscriptions that connections have");
    assert_eq!(pubsub.stats().subscriptions, pairs, "and the count is the same");
    for n in 0..CONNECTIONS {
        pubsub.detach(id(n));
    }
    assert_stats(pubsub, 0, 0, "after all are detached");
    for name in TOPICS {
        assert_eq!(subscribers(pubsub, name), [], "the topic {name} keeps no detached connection");
    }
}
