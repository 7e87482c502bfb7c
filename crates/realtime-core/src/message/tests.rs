//! Messages: validation, and the recipients of a plan, compared with a model that checks every connection.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use proptest::prelude::*;
use realtime_schema::{ClientId, JwtClaims, Origin};
use uuid::Uuid;

use super::*;
use crate::{connection::record, pubsub::SubscriptionTable, registry::Registry};

fn id(n: u8) -> ConnectionId {
    ConnectionId(Uuid::from_u128(u128::from(n)))
}

fn user(n: u8) -> UserId {
    UserId::new(format!("user-{n}")).expect("a user")
}

fn role(n: u8) -> Role {
    Role::new(format!("role-{n}")).expect("a role")
}

fn topic(n: u8) -> Topic {
    Topic::new(format!("order:{n}")).expect("a topic")
}

fn client(n: u8) -> ClientId {
    ClientId::new(format!("tab-{n}")).expect("a client")
}

fn content() -> Content {
    let payload = Payload::from_text(r#"{"n":1}"#.into()).expect("JSON");
    Content { kind: MessageType::new("note").expect("a type"), payload }
}

fn stamp() -> Stamp {
    Stamp { id: MessageId(Uuid::from_u128(7)), now: Timestamp::from_millis(1_000) }
}

fn request(to: Route) -> PublishRequest {
    let Content { kind, payload } = content();
    PublishRequest::new(to, kind, payload)
}

fn connection(n: u8, of: u8, roles: &[u8]) -> Connection {
    let claims = JwtClaims { roles: roles.iter().copied().map(role).collect(), ..JwtClaims::new(user(of)) };
    record(id(n), &claims, Some(client(n % 3)), Timestamp::EPOCH)
}

#[test]
fn each_kind_of_message_names_its_target_its_id_and_its_time() {
    let made = [
        (to_all(content(), stamp()), Route::All),
        (to_user(user(1), content(), stamp()), Route::User(user(1))),
        (to_role(role(1), content(), stamp()), Route::Role(role(1))),
        (to_connection(id(1), content(), stamp()), Route::Connection(id(1))),
        (to_topic(topic(1), content(), stamp()), Route::Topic(topic(1))),
    ];
    for (message, route) in made {
        assert_eq!(message.to.routes(), [route]);
        assert_eq!((message.id, message.timestamp), (stamp().id, stamp().now));
        assert_eq!(Content { kind: message.kind, payload: message.payload }, content());
    }
}

#[test]
fn a_timestamp_of_the_publisher_is_kept() {
    let at = Timestamp::from_millis(5);
    let stamped = PublishRequest { timestamp: Some(at), except_client: Some(client(1)), ..request(Route::All) };
    let message = from_request(stamped, stamp());
    assert_eq!((message.timestamp, message.except_client), (at, Some(client(1))));
    assert_eq!(from_request(request(Route::All), stamp()).timestamp, stamp().now);
}

#[test]
fn all_errors_of_a_request_are_returned_at_once() {
    let fine = PublishRequest { idempotency_key: Some("k".repeat(128)), ..request(Route::All) };
    assert_eq!(validate(&fine, 7), Ok(()));
    let bad = PublishRequest { idempotency_key: Some("é".repeat(129)), ..request(Route::All) };
    let errors = validate(&bad, 6).expect_err("two mistakes");
    let messages: Vec<_> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        messages,
        [
            "payload: is 7 bytes; at most 6 are allowed",
            "idempotency_key: is 129 characters long; give 1 to 128, or leave it out"
        ]
    );
    let empty = PublishRequest { idempotency_key: Some(String::new()), ..request(Route::All) };
    assert_eq!(validate(&empty, 7).map_err(|errors| errors.len()), Err(1));
}

#[test]
fn the_route_all_includes_every_other() {
    let to = Audience::union(vec![Route::User(user(1)), Route::All, Route::Topic(topic(1))]).expect("an audience");
    assert_eq!(plan(&to), Plan { routes: Cow::Owned(vec![Route::All]), overlap: false });
}

#[test]
fn a_duplicate_route_is_looked_up_once() {
    let (one, two) = (Route::Topic(topic(1)), Route::Role(role(1)));
    let to = Audience::union(vec![one.clone(), two.clone(), one.clone()]).expect("an audience");
    assert_eq!(plan(&to), Plan { routes: Cow::Owned(vec![one.clone(), two]), overlap: true });
    let to = Audience::union(vec![one.clone(), one.clone()]).expect("an audience");
    assert_eq!(plan(&to), Plan { routes: Cow::Owned(vec![one]), overlap: false });
}

#[test]
fn users_never_overlap_and_neither_do_connections() {
    let one = Route::Role(role(1)).into();
    assert!(!plan(&one).overlap, "one route alone has each connection once");
    for routes in
        [vec![Route::User(user(1)), Route::User(user(2))], vec![Route::Connection(id(1)), Route::Connection(id(2))]]
    {
        let to = Audience::union(routes).expect("an audience");
        assert!(!plan(&to).overlap, "{to:?}");
        assert!(matches!(plan(&to).routes, Cow::Borrowed(_)));
    }
}

#[test]
fn a_bystander_gets_nothing_and_the_excluded_client_neither() {
    let (alice, bob) = (connection(1, 1, &[1]), connection(2, 2, &[]));
    let never = |_: &Topic| false;
    assert!(is_for(&to_user(user(1), content(), stamp()), &alice, never));
    assert!(!is_for(&to_user(user(1), content(), stamp()), &bob, never));
    assert!(!is_for(&to_role(role(1), content(), stamp()), &bob, never));
    assert!(!is_for(&to_topic(topic(1), content(), stamp()), &bob, never));
    let without_alice = Message { except_client: Some(client(1)), ..to_all(content(), stamp()) };
    assert!(!is_for(&without_alice, &alice, never) && is_for(&without_alice, &bob, never));
    // Excluding no client is not the same as excluding connections without a client name.
    let nameless = Connection { client: None, ..alice };
    assert!(is_for(&to_all(content(), stamp()), &nameless, never) && is_for(&without_alice, &nameless, never));
}

fn route() -> impl Strategy<Value = Route> {
    prop_oneof![
        1 => Just(Route::All),
        4 => (0_u8..5).prop_map(|n| Route::User(user(n))),
        4 => (0_u8..4).prop_map(|n| Route::Role(role(n))),
        4 => (0_u8..12).prop_map(|n| Route::Connection(id(n))),
        4 => (0_u8..4).prop_map(|n| Route::Topic(topic(n))),
    ]
}

/// A connection: its user, its roles, its topics.
fn connection_parts() -> impl Strategy<Value = (u8, Vec<u8>, Vec<u8>)> {
    (0_u8..5, proptest::collection::vec(0_u8..4, 0..3), proptest::collection::vec(0_u8..4, 0..3))
}

proptest! {
    #[test]
    fn the_indexes_find_exactly_the_recipients(
        everyone in proptest::collection::vec(connection_parts(), 0..12),
        routes in proptest::collection::vec(route(), 1..6),
        except in proptest::option::of(0_u8..3),
    ) {
        let mut registry = Registry::new();
        let mut subscriptions = SubscriptionTable::new();
        for (n, (of, roles, topics)) in (0_u8..).zip(&everyone) {
            registry.register(Arc::new(connection(n, *of, roles)), id(n));
            subscriptions.attach(id(n), 100);
            for t in topics {
                subscriptions.subscribe(id(n), &topic(*t), Origin::Server).expect("subscribed");
            }
        }
        let to = Audience::union(routes).expect("an audience");
        let message = Message { except_client: except.map(client), ..create(to, content(), stamp()) };

        let plan = plan(&message.to);
        let mut times = BTreeMap::<ConnectionId, u32>::new();
        for route in plan.routes.iter() {
            let found: Vec<_> = match route {
                Route::All => registry.all().map(|found| found.listener).collect(),
                Route::User(user) => registry.of_user(user).to_vec(),
                Route::Role(role) => registry.of_role(role).to_vec(),
                Route::Connection(id) => registry.get(*id).map(|found| found.listener).into_iter().collect(),
                Route::Topic(topic) => subscriptions.subscribers(topic).to_vec(),
            };
            for id in found {
                let record = &registry.get(id).expect("registered").record;
                if message.except_client.is_none() || record.client != message.except_client {
                    *times.entry(id).or_default() += 1;
                }
            }
        }

        let records: Vec<_> = registry.all().map(|found| (*found.record).clone()).collect();
        let meant: BTreeSet<_> =
            filter(&message, &records, |id, topic| subscriptions.subscribed(id, topic)).map(|c| c.id).collect();
        prop_assert_eq!(times.keys().copied().collect::<BTreeSet<_>>(), meant);
        prop_assert!(plan.overlap || times.values().all(|n| *n == 1), "twice without a warning: {:?}", times);
    }
}
