//! `presence`: by a grant, by a namespace, by the authorizer; and what a refresh ends.

use realtime_schema::{ErrorCode, GrantAction};

use super::*;
use crate::{
    access::AccessDecision,
    presence::{PresencePolicy, PresenceReaders, PresenceRight},
};

const WATCH: &str = r#"{"action":"presence","id":7,"topic":"room:1","subscribe":true}"#;

fn world(grants: &[&str], has_authorizer: bool) -> World {
    let mut rooms = Namespace::new("topic:room:*".parse().expect("a pattern"));
    rooms.presence = Some(PresencePolicy { count: PresenceReaders::Subscribers, ..PresencePolicy::default() });
    let namespaces = Namespaces::new(vec![rooms], Overflow::Close);
    let settings = SessionSettings { has_authorizer, namespaces, ..settings() };
    World::with(&claims(grants, None), settings, PingMode::Frame)
}

fn run(names: bool, right: PresenceRight) -> Effect {
    let command =
        PresenceCommand { id: id(7), topic: topic("room:1"), watch: true, names, after: None, limit: None, right };
    Effect::Run(Run::Presence(Box::new(command)))
}

#[test]
fn a_grant_allows_it_at_any_time() {
    assert_eq!(world(&["presence:room:*"], false).receive(WATCH), [run(true, PresenceRight::Always)]);
}

#[test]
fn a_namespace_may_allow_its_subscribers_to_count_and_not_to_list() {
    let mut world = world(&[], false);
    let refusal = world.receive(WATCH);
    assert_eq!(error(&refusal).code, ErrorCode::Forbidden);
    let count = &WATCH.replace("true", "true,\"names\":false");
    assert_eq!(world.receive(count), [run(false, PresenceRight::WhileSubscribed)]);
    let early = world.receive(count);
    assert_eq!(error(&early).code, ErrorCode::RateLimited, "the reply to the first one is pending");
    assert_eq!(world.handle(Input::PresenceAnswered), []);
    assert_eq!(world.receive(count), [run(false, PresenceRight::WhileSubscribed)]);
}

#[test]
fn the_authorizer_is_asked_where_no_grant_and_no_namespace_allows_it() {
    let mut world = world(&[], true);
    let effects = world.receive(WATCH);
    let [Effect::Run(Run::Authorize(authorizing))] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!((authorizing.request.action, &authorizing.request.topic), (GrantAction::Presence, &topic("room:1")));
    let (authorizing, outcome) = (authorizing.clone(), AuthorizeOutcome::Decided(AccessDecision::Allow));
    let allowed = world.handle(Input::Authorized { authorizing, outcome });
    assert_eq!(allowed, [run(true, PresenceRight::Always)]);
}

#[test]
fn a_topic_without_presence_is_not_found_and_a_long_one_is_invalid() {
    let mut world = world(&["presence:**"], true);
    assert_eq!(error(&world.receive(&WATCH.replace("room", "order"))).code, ErrorCode::NotFound);
    let longest = world.receive(&WATCH.replace("room:1", "room:a-name-of-20-ch"));
    assert!(matches!(longest[..], [Effect::Run(Run::Presence(_))]), "20 characters are allowed: {longest:?}");
    world.handle(Input::PresenceAnswered);
    let long = world.receive(&WATCH.replace("room:1", "room:a-name-that-is-too-long"));
    assert_eq!((&error(&long).code, error(&long).errors[0].path.as_str()), (&ErrorCode::PayloadInvalid, "/topic"));
}

#[test]
fn the_end_of_watching_needs_no_right() {
    let end = Effect::Run(Run::EndPresence { topic: topic("room:1"), revoked: false });
    assert_eq!(world(&[], false).receive(&WATCH.replace("true", "false")), [end, ack(7)]);
}

#[test]
fn a_refresh_ends_what_the_new_token_does_not_allow_to_watch() {
    let mut world = world(&["presence:**"], false);
    world.receive(r#"{"action":"refresh","id":8,"token":"t"}"#);
    world.verified(Ok(claims(&["presence:room:2"], None)));
    let watched = |name: &str, names| Watched { topic: topic(name), names };
    let effects = world.handle(Input::Regranted {
        refreshed: refreshed(&[]),
        subscriptions: vec![Subscription { topic: topic("room:3"), origin: Origin::Server }],
        watched: vec![
            watched("room:1", true),
            watched("room:2", true),
            watched("room:3", false),
            watched("room:4", false),
        ],
    });
    let ended = |name: &str| Effect::Run(Run::EndPresence { topic: topic(name), revoked: true });
    let reason = "room:2 is granted, and a subscriber of room:3 may count";
    assert_eq!(effects[..2], [ended("room:1"), ended("room:4")], "{reason}");
    assert_eq!(effects.len(), 3, "and the ack: {effects:?}");
}

#[test]
fn the_welcome_offers_presence_only_where_a_namespace_has_it() {
    let offers = |world: &World| {
        let record = record(&claims(&[], None));
        let Control::Welcome(welcome) = welcome(&world.session, &record, ms(0), wall(ms(0)), WelcomeStreams::default())
        else {
            panic!("not a welcome")
        };
        welcome.features.contains(&"presence".to_owned())
    };
    assert!(offers(&world(&[], false)));
    assert!(!offers(&World::new(&claims(&[], None))));
}
