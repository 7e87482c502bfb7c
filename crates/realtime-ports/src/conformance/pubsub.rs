//! What every [`PubSubManager`] promises.

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

/// Runs the whole suite. Each part asks a fresh manager.
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
    detaching_ends_everything_and_leaves_no_trace(&fresh());
    a_connections_subscriptions_come_in_the_order_of_their_topics(&fresh());
    topics_come_in_pages_in_their_order(&fresh());
    each_subscriber_is_shown_once(&fresh());
    nothing_is_shown_once_unsubscribe_or_detach_has_returned(&fresh());
    busy_threads_leave_nothing_behind(&fresh());
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

/// A topic shows those who subscribed to it, and no one else.
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

/// The repeat succeeds, changes nothing, and keeps who asked first.
pub fn subscribing_twice_is_subscribing_once<P: PubSubManager>(pubsub: &P) {
    attach(pubsub, 1, 10);
    let order = topic("order:1");
    assert_eq!(pubsub.subscribe(id(1), &order, Origin::Server), Ok(true), "the first is new");
    assert_eq!(pubsub.subscribe(id(1), &order, Origin::Client), Ok(false), "the repeat is not");
    assert_eq!(subscribers(pubsub, "order:1"), [id(1)], "it is shown once");
    let expected = [Subscription { topic: order, origin: Origin::Server }];
    assert_eq!(pubsub.subscriptions(id(1)), expected, "the first origin stays");
    assert_stats(pubsub, 1, 1, "after the repeat");
}

/// The others go on, and the last one takes the topic along.
pub fn unsubscribing_ends_one_subscription<P: PubSubManager>(pubsub: &P) {
    for n in 1..=2 {
        attach(pubsub, n, 10);
        subscribe(pubsub, n, "order:1").expect("subscribed");
        subscribe(pubsub, n, "order:2").expect("subscribed");
    }
    assert!(pubsub.unsubscribe(id(1), &topic("order:1")), "there was a subscription to end");
    assert!(!pubsub.unsubscribe(id(1), &topic("order:1")), "there is none any more");
    assert!(!pubsub.unsubscribe(id(1), &topic("order:3")), "there never was one");
    assert!(!pubsub.unsubscribe(id(9), &topic("order:2")), "an unknown connection has none");
    assert_eq!(subscribers(pubsub, "order:1"), [id(2)], "the other subscriber stays");
    assert_eq!(names(&pubsub.subscriptions(id(1))), ["order:2"], "its other topic stays");
    assert!(pubsub.unsubscribe(id(2), &topic("order:1")), "the last subscriber can leave");
    assert_stats(pubsub, 1, 2, "after a topic has lost its last subscriber");
    assert_eq!(subscribe(pubsub, 1, "order:1"), Ok(true), "it can come back, as new");
}

/// Neither before it is attached nor after it is detached.
pub fn only_an_attached_connection_can_subscribe<P: PubSubManager>(pubsub: &P) {
    assert_eq!(subscribe(pubsub, 1, "order:1"), Err(SubscribeError::NotConnected), "it is unknown");
    attach(pubsub, 1, 10);
    assert_eq!(subscribe(pubsub, 1, "order:1"), Ok(true), "it is attached");
    pubsub.detach(id(1));
    assert_eq!(subscribe(pubsub, 1, "order:1"), Err(SubscribeError::NotConnected), "it is gone");
    assert_stats(pubsub, 0, 0, "after refusals");
    attach(pubsub, 1, 10);
    assert_eq!(pubsub.subscriptions(id(1)), [], "an id that comes back starts with nothing");
    assert_eq!(subscribe(pubsub, 1, "order:1"), Ok(true), "and can subscribe");
}

/// Not the subscriptions, not the limit.
pub fn attaching_again_changes_nothing<P: PubSubManager>(pubsub: &P) {
    attach(pubsub, 1, 1);
    subscribe(pubsub, 1, "order:1").expect("subscribed");
    attach(pubsub, 1, 10);
    assert_eq!(subscribers(pubsub, "order:1"), [id(1)], "the subscription stays");
    assert_eq!(subscribe(pubsub, 1, "order:2"), Err(SubscribeError::LimitExceeded { limit: 1 }), "so does the limit");
}

/// At it, repeats succeed; under it again, there is room again; others have their own.
pub fn the_limit_is_the_connections_own<P: PubSubManager>(pubsub: &P) {
    attach(pubsub, 1, 2);
    attach(pubsub, 2, 0);
    for name in ["order:1", "order:2"] {
        assert_eq!(subscribe(pubsub, 1, name), Ok(true), "within the limit");
    }
    let over = Err(SubscribeError::LimitExceeded { limit: 2 });
    assert_eq!(subscribe(pubsub, 1, "order:3"), over, "the refusal names the limit");
    assert_eq!(subscribe(pubsub, 1, "order:2"), Ok(false), "a repeat is no third topic");
    assert_eq!(subscribers(pubsub, "order:3"), [], "what was refused leaves no trace");
    assert_stats(pubsub, 2, 2, "after a refusal");
    pubsub.unsubscribe(id(1), &topic("order:1"));
    assert_eq!(subscribe(pubsub, 1, "order:3"), Ok(true), "there is room again");
    assert_eq!(subscribe(pubsub, 2, "order:3"), Err(SubscribeError::LimitExceeded { limit: 0 }), "no topic at all");
}

/// It returns what the connection had, the first time.
pub fn detaching_ends_everything_and_leaves_no_trace<P: PubSubManager>(pubsub: &P) {
    for n in 1..=2 {
        attach(pubsub, n, 10);
        subscribe(pubsub, n, "order:2").expect("subscribed");
    }
    pubsub.subscribe(id(1), &topic("order:1"), Origin::Server).expect("subscribed");
    let expected = [
        Subscription { topic: topic("order:1"), origin: Origin::Server },
        Subscription { topic: topic("order:2"), origin: Origin::Client },
    ];
    assert_eq!(pubsub.detach(id(1)), expected, "what it had, in order");
    assert_eq!(pubsub.detach(id(1)), [], "the second time there is nothing");
    assert_eq!(pubsub.subscriptions(id(1)), [], "it is subscribed to nothing");
    assert_eq!((subscribers(pubsub, "order:1"), subscribers(pubsub, "order:2")), (vec![], vec![id(2)]), "who is left");
    assert_stats(pubsub, 1, 1, "without the one that is gone");
    pubsub.detach(id(2));
    assert_stats(pubsub, 0, 0, "when all are gone");
    assert_eq!(pubsub.topics(None, 10), [], "an empty topic leaves no trace");
}

/// Whatever order they were made in.
pub fn a_connections_subscriptions_come_in_the_order_of_their_topics<P: PubSubManager>(pubsub: &P) {
    attach(pubsub, 1, 10);
    for name in ["b", "é", "a:2", "a:10", "a"] {
        subscribe(pubsub, 1, name).expect("subscribed");
    }
    assert_eq!(names(&pubsub.subscriptions(id(1))), ["a", "a:10", "a:2", "b", "é"], "compared as text");
    assert_eq!(pubsub.subscriptions(id(9)), [], "an unknown connection has none");
}

/// Paging through them shows each once, with its subscribers.
pub fn topics_come_in_pages_in_their_order<P: PubSubManager>(pubsub: &P) {
    const TOPICS: usize = 250;
    attach(pubsub, 1, 1_000);
    attach(pubsub, 2, 1_000);
    for n in 0..TOPICS {
        subscribe(pubsub, 1, &format!("order:{n:04}")).expect("subscribed");
    }
    subscribe(pubsub, 2, "order:0003").expect("subscribed");
    let expected: Vec<_> = (0..TOPICS)
        .map(|n| TopicInfo { topic: topic(&format!("order:{n:04}")), subscribers: if n == 3 { 2 } else { 1 } })
        .collect();
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = pubsub.topics(after.clone(), 100);
        assert!(page.len() <= 100, "a page holds no more than was asked for");
        let Some(last) = page.last() else { break };
        after = Some(last.topic.clone());
        all.extend(page);
    }
    assert!(all == expected, "all pages together show each topic once, in order, with its subscribers");
    assert_eq!(pubsub.topics(None, 0), [], "a page of nothing");
    assert_eq!(pubsub.topics(Some(topic("order:0247x")), 10), expected[248..], "after a topic that is not there");
    assert!(pubsub.topics(None, usize::MAX) == expected, "a page without an end");
}

/// However many there are, and after half of them are gone.
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
    assert!(subscribers(pubsub, "news") == rest, "each of those that are left is shown once");
    assert_stats(pubsub, 1, MANY / 2, "when half of them are gone");
}

/// A visitor on another thread never meets a socket whose subscription ended before.
pub fn nothing_is_shown_once_unsubscribe_or_detach_has_returned<P: PubSubManager>(pubsub: &P) {
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

/// Threads that attach, subscribe, unsubscribe and detach the same ids end with no subscription left over.
pub fn busy_threads_leave_nothing_behind<P: PubSubManager>(pubsub: &P) {
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
    assert_eq!(pubsub.stats().subscriptions, pairs, "and so many are counted");
    for n in 0..CONNECTIONS {
        pubsub.detach(id(n));
    }
    assert_stats(pubsub, 0, 0, "when all are detached");
    for name in TOPICS {
        assert_eq!(subscribers(pubsub, name), [], "the topic {name} keeps no connection that is gone");
    }
}
