//! Sessions, as inputs and their effects.

use realtime_schema::{Ack, ErrorCode, ErrorReply, FieldError, Gap, GapReason, Origin, Ping, Stream, Subscription};

use super::*;
use crate::{
    auth::Refusal,
    codec::decode,
    policy::{Namespace, Overflow, SubscribePolicy},
};

mod authorize;
mod history;
mod hook;
mod presence;
mod publish;
mod resume;

/// The wall clock, in seconds, when the monotonic clock is at zero.
const WALL_S: i64 = 1_000_000;

struct World {
    session: Session,
    now: Duration,
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn wall(now: Duration) -> Timestamp {
    Timestamp::from_millis(WALL_S * 1000 + i64::try_from(now.as_millis()).expect("small"))
}

fn claims(grants: &[&str], exp: Option<i64>) -> JwtClaims {
    JwtClaims {
        grants: grants.iter().map(|grant| grant.parse().expect("a grant")).collect(),
        exp,
        ..JwtClaims::new("alice".parse().expect("a user"))
    }
}

fn settings() -> SessionSettings {
    let mut open = Namespace::new("topic:news:*".parse().expect("a pattern"));
    open.subscribe = SubscribePolicy::Authenticated;
    SessionSettings {
        limits: ClientLimits { messages_per_second: 10, burst: 5, topic_chars: 20, ..ClientLimits::default() },
        namespaces: Namespaces::new(vec![open], Overflow::Close),
        has_authorizer: false,
        ping_interval: ms(25_000),
        pong_misses: 2,
        reconnect: Reconnect { min_ms: 1, max_ms: 2, spread_ms: 3 },
        server: "test/0".into(),
        close_at_expiry: true,
        leeway_s: 5,
    }
}

fn record(claims: &JwtClaims) -> Connection {
    crate::connection::record(realtime_schema::ConnectionId(uuid::Uuid::nil()), claims, None, wall(ms(0)))
}

/// What a session runs for a `subscribe` with the id 7.
fn subscribe(topic: Topic, origin: Origin) -> Run {
    Run::Subscribe { topic, origin, since: None, id: Some(CommandId::Number(7)) }
}

fn refreshed(roles: &[realtime_schema::Role]) -> Refreshed {
    Refreshed { roles: roles.to_vec(), ..Refreshed::default() }
}

impl World {
    fn new(claims: &JwtClaims) -> Self {
        Self::with(claims, settings(), PingMode::Frame)
    }

    fn with(claims: &JwtClaims, settings: SessionSettings, ping: PingMode) -> Self {
        // A jitter of 100 does not change the ping interval.
        let opening = Opening { now: ms(0), wall: wall(ms(0)), ping, jitter: 100, hold: None };
        Self { session: Session::open(Arc::new(settings), &record(claims), claims, &opening), now: ms(0) }
    }

    fn handle(&mut self, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.session.handle(self.now, input, &mut effects);
        effects
    }

    fn receive(&mut self, text: &str) -> Vec<Effect> {
        self.handle(Input::Text(decode(text)))
    }

    fn verified(&mut self, outcome: Result<JwtClaims, Refusal>) -> Vec<Effect> {
        let wall = wall(self.now);
        self.handle(Input::Verified { outcome: Box::new(outcome), wall })
    }

    fn at(&mut self, now: u64) -> &mut Self {
        self.now = ms(now);
        self
    }
}

fn topic(text: &str) -> Topic {
    text.parse().expect("a topic")
}

fn id(n: i64) -> Option<CommandId> {
    Some(CommandId::Number(n))
}

fn ack(n: i64) -> Effect {
    Effect::Send(Control::Ack(Ack::new(CommandId::Number(n))))
}

fn error(effects: &[Effect]) -> &ErrorReply {
    match effects {
        [Effect::Send(Control::Error(reply))] => reply,
        other => panic!("not one error: {other:?}"),
    }
}

fn closing(effects: &[Effect]) -> &Closing {
    match effects {
        [Effect::Close(closing)] => closing,
        other => panic!("not one close: {other:?}"),
    }
}

#[test]
fn a_granted_topic_is_subscribed_and_then_acknowledged() {
    let mut world = World::new(&claims(&["subscribe:order:*"], None));
    let asked = world.receive(r#"{"action":"subscribe","id":7,"topic":"order:1"}"#);
    assert_eq!(asked, [Effect::Run(subscribe(topic("order:1"), Origin::Client))]);
    assert_eq!(world.handle(Input::Subscribed(SubscribeOutcome::Subscribed)), [ack(7)]);
}

#[test]
fn nothing_is_subscribed_without_a_grant_or_an_open_namespace() {
    let mut world = World::new(&claims(&["publish:order:*"], None));
    assert_eq!(error(&world.receive(r#"{"action":"subscribe","id":7,"topic":"order:1"}"#)).code, ErrorCode::Forbidden);
    let open = world.receive(r#"{"action":"subscribe","id":7,"topic":"news:today"}"#);
    assert_eq!(open, [Effect::Run(subscribe(topic("news:today"), Origin::Client))]);
}

#[test]
fn the_refusal_of_one_subscription_too_many_names_the_limit() {
    let mut world = World::new(&claims(&["subscribe:**"], None));
    let subscribe = r#"{"action":"subscribe","id":1,"topic":"a"}"#;
    world.receive(subscribe);
    let refused = world.handle(Input::Subscribed(SubscribeOutcome::LimitExceeded { limit: 100 }));
    assert_eq!(error(&refused).code, ErrorCode::LimitExceeded);
    assert!(error(&refused).message.contains("limits.subscriptions is 100"));
    world.receive(subscribe);
    assert_eq!(world.handle(Input::Subscribed(SubscribeOutcome::NotConnected)), []);
    world.receive(subscribe);
    let unavailable = world.handle(Input::Subscribed(SubscribeOutcome::Unavailable));
    assert_eq!((&error(&unavailable).code, error(&unavailable).after_ms), (&ErrorCode::Unavailable, Some(1_000)));
}

#[test]
fn a_position_without_history_gets_a_gap_before_anything_else() {
    let mut world = World::new(&claims(&["subscribe:**"], None));
    let text = r#"{"action":"subscribe","id":7,"topic":"order:1","since":{"epoch":"k3f","offset":17}}"#;
    let stream = Some(Stream::Topic(topic("order:1")));
    let gap = Gap { stream, from: Some(18), to: None, missed: None, position: None, reason: GapReason::NoHistory };
    assert_eq!(
        world.receive(text),
        [Effect::Send(Control::Gap(gap)), Effect::Run(subscribe(topic("order:1"), Origin::Client))]
    );
}

#[test]
fn a_command_without_an_id_is_carried_out_without_a_reply() {
    let mut world = World::new(&claims(&["subscribe:**"], None));
    world.receive(r#"{"action":"subscribe","topic":"a"}"#);
    assert_eq!(world.handle(Input::Subscribed(SubscribeOutcome::Subscribed)), []);
    world.receive(r#"{"action":"unsubscribe","topic":"a"}"#);
    assert_eq!(world.handle(Input::Unsubscribed), []);
    assert_eq!(world.receive(r#"{"action":"ping"}"#), []);
    assert_eq!(world.receive(r#"{"action":"pong"}"#), []);
    assert_eq!(world.receive(r#"{"action":"ping","id":2}"#), [ack(2)]);
}

#[test]
fn an_unsubscribe_is_acknowledged_only_after_it_has_taken_effect() {
    let mut world = World::new(&claims(&[], None));
    let asked = world.receive(r#"{"action":"unsubscribe","id":8,"topic":"order:1"}"#);
    assert_eq!(asked, [Effect::Run(Run::Unsubscribe { topic: topic("order:1") })]);
    assert_eq!(world.handle(Input::Unsubscribed), [ack(8)]);
}

#[test]
fn the_refusal_of_a_topic_that_is_too_long_names_the_limit() {
    let mut world = World::new(&claims(&["subscribe:**"], None));
    let text = format!(r#"{{"action":"subscribe","id":1,"topic":"{}"}}"#, "x".repeat(21));
    let effects = world.receive(&text);
    assert_eq!(error(&effects).code, ErrorCode::PayloadInvalid);
    assert_eq!(error(&effects).errors, [FieldError::new("topic", "is 21 characters long; limits.topic_chars is 20")]);
    let longest = world.receive(&text.replace(&"x".repeat(21), &"x".repeat(20)));
    assert!(matches!(longest[..], [Effect::Run(Run::Subscribe { .. })]), "{longest:?}");
}

#[test]
fn a_text_that_is_not_an_object_closes_and_an_invalid_command_gets_an_error() {
    let mut world = World::new(&claims(&[], None));
    assert_eq!(error(&world.receive(r#"{"action":"dance","id":1}"#)).code, ErrorCode::UnknownAction);
    assert_eq!(error(&world.receive(r#"{"id":1}"#)).code, ErrorCode::BadRequest);
    assert_eq!(closing(&world.receive("hello")).code, CloseCode::BAD_FRAME);
    assert_eq!(world.receive(r#"{"action":"ping","id":1}"#), [], "nothing is done after a close");
    assert_eq!(closing(&World::new(&claims(&[], None)).handle(Input::Binary)).code, CloseCode::UNSUPPORTED);
}

#[test]
fn a_connection_is_closed_when_its_token_expires_and_not_before() {
    let mut world = World::new(&claims(&[], Some(WALL_S + 10)));
    assert_eq!(world.session.deadline(), ms(10_000));
    assert_eq!(world.at(9_999).handle(Input::Elapsed), []);
    let closed = world.at(10_000).handle(Input::Elapsed);
    assert_eq!((closing(&closed).code, closing(&closed).reconnect), (CloseCode::EXPIRED, true));
}

#[test]
fn a_token_admitted_by_the_leeway_expires_with_the_leeway() {
    let world = World::new(&claims(&[], Some(WALL_S - 2)));
    assert_eq!(world.session.deadline(), ms(3_000));
}

#[test]
fn an_expired_token_closes_nothing_where_expired_tokens_are_allowed() {
    let lax = SessionSettings { close_at_expiry: false, ..settings() };
    let world = World::with(&claims(&[], Some(WALL_S - 100)), lax, PingMode::Frame);
    assert_eq!(world.session.token_expires_in(ms(0)), None);
}

#[test]
fn a_refresh_renews_the_expiry_the_roles_and_the_grants() {
    let mut world = World::new(&claims(&["subscribe:a", "subscribe:b"], Some(WALL_S + 10)));
    let asked = world.receive(r#"{"action":"refresh","id":1,"token":"t2"}"#);
    assert_eq!(asked, [Effect::Run(Run::Verify { token: "t2".into() })]);

    let admin = "admin".parse().expect("a role");
    let renewed = JwtClaims { roles: vec![admin], ..claims(&["subscribe:b"], Some(WALL_S + 100)) };
    let regrant = world.at(5_000).verified(Ok(renewed.clone()));
    assert_eq!(regrant, [Effect::Run(Run::Regrant { roles: renewed.roles.clone(), token: None })]);

    let has = |name: &str, origin| Subscription { topic: topic(name), origin };
    let subscriptions = vec![
        has("a", Origin::Client),
        has("b", Origin::Client),
        has("given", Origin::Server),
        has("news:today", Origin::Client),
    ];
    let effects =
        world.handle(Input::Regranted { refreshed: refreshed(&renewed.roles), subscriptions, watched: Vec::new() });
    let ack =
        Ack { token_expires_in_ms: Some(95_000), roles: Some(renewed.roles.clone()), ..Ack::new(CommandId::Number(1)) };
    let revoke = Run::Revoke { refreshed: refreshed(&renewed.roles), topics: vec![topic("a")] };
    assert_eq!(effects, [Effect::Run(revoke)], "those of the server and of the open namespace stay");
    let acked = world.handle(Input::Revoked { refreshed: refreshed(&renewed.roles) });
    assert_eq!(acked, [Effect::Send(Control::Ack(ack))], "lost subscriptions have ended first");
    assert_eq!(error(&world.receive(r#"{"action":"subscribe","id":3,"topic":"a"}"#)).code, ErrorCode::Forbidden);
    assert_eq!(world.at(10_000).handle(Input::Elapsed), [], "the old expiry has no effect any more");
}

#[test]
fn a_refresh_by_another_user_or_with_a_bad_token_changes_nothing() {
    let mut world = World::new(&claims(&["subscribe:a"], Some(WALL_S + 10)));
    let refresh = r#"{"action":"refresh","id":1,"token":"t2"}"#;
    let other = JwtClaims { sub: "mallory".parse().expect("a user"), ..claims(&["subscribe:**"], None) };
    world.receive(refresh);
    assert_eq!(error(&world.verified(Ok(other))).code, ErrorCode::Forbidden);
    world.receive(refresh);
    assert_eq!(error(&world.verified(Err(Refusal::unauthorized("no")))).code, ErrorCode::Unauthorized);
    world.receive(refresh);
    let later = Refusal::new(crate::auth::RefusalReason::VerifierUnavailable, "no key").after(500);
    let refused = world.verified(Err(later));
    assert_eq!((&error(&refused).code, error(&refused).after_ms), (&ErrorCode::Unavailable, Some(500)));
    assert_eq!(world.session.deadline(), ms(10_000));
    assert!(world.session.may_subscribe(&topic("a")) && !world.session.may_subscribe(&topic("b")));
}

#[test]
fn too_many_commands_get_errors_then_the_connection_is_closed() {
    let mut world = World::new(&claims(&[], None));
    for _ in 0..5 {
        assert_eq!(world.receive(r#"{"action":"ping","id":1}"#), [ack(1)]);
    }
    let over = world.receive(r#"{"action":"ping","id":9}"#);
    assert_eq!((&error(&over).code, &error(&over).id), (&ErrorCode::RateLimited, &id(9)));
    assert_eq!(error(&over).after_ms, Some(100));
    assert!(error(&over).message.contains("limits.messages_per_second"));
    assert_eq!(world.at(100).receive(r#"{"action":"ping","id":1}"#), [ack(1)], "a client that waits is served");

    let mut replies = 0;
    let closed = loop {
        let effects = world.receive("{}");
        if matches!(effects.as_slice(), [Effect::Close(_)]) {
            break effects;
        }
        assert_eq!(error(&effects).code, ErrorCode::RateLimited);
        replies += 1;
    };
    assert_eq!(replies, 5);
    assert_eq!(closing(&closed).code, CloseCode::OVER_LIMIT);
}

#[test]
fn too_many_websocket_pings_close_the_connection() {
    let mut world = World::new(&claims(&[], None));
    let closed = (0..20).map(|_| world.handle(Input::Alive)).find(|effects| !effects.is_empty()).expect("a close");
    assert_eq!(closing(&closed).code, CloseCode::OVER_LIMIT);
}

#[test]
fn two_unanswered_pings_close_and_any_frame_counts_as_an_answer() {
    let mut world = World::new(&claims(&[], None));
    assert_eq!(world.session.deadline(), ms(25_000));
    assert_eq!(world.at(25_000).handle(Input::Elapsed), [Effect::Ping]);
    assert_eq!(world.at(50_000).handle(Input::Elapsed), [Effect::Ping]);
    assert_eq!(world.at(60_000).handle(Input::Alive), []);
    assert_eq!(world.at(75_000).handle(Input::Elapsed), [Effect::Ping]);
    assert_eq!(world.at(100_000).handle(Input::Elapsed), [Effect::Ping]);
    let closed = world.at(125_000).handle(Input::Elapsed);
    assert_eq!((closing(&closed).code, closing(&closed).reconnect), (CloseCode::NO_PONG, true));
}

#[test]
fn a_client_that_asks_for_text_pings_gets_them() {
    let mut world = World::with(&claims(&[], None), settings(), PingMode::Text);
    assert_eq!(world.at(25_000).handle(Input::Elapsed), [Effect::Send(Control::Ping(Ping {}))]);
}

#[test]
fn pings_vary_by_a_tenth_up_or_down() {
    let due = |jitter| {
        let opening = Opening { now: ms(0), wall: wall(ms(0)), ping: PingMode::Frame, jitter, hold: None };
        let claims = claims(&[], None);
        Session::open(Arc::new(settings()), &record(&claims), &claims, &opening).deadline()
    };
    assert_eq!((due(0), due(100), due(200), due(201)), (ms(22_500), ms(25_000), ms(27_500), ms(22_500)));
}

#[test]
fn the_welcome_holds_the_identity_the_settings_and_the_limits() {
    let claims = claims(&[], Some(WALL_S + 60));
    let world = World::new(&claims);
    let Control::Welcome(welcome) =
        welcome(&world.session, &record(&claims), ms(0), wall(ms(0)), WelcomeStreams::default())
    else {
        panic!("not a welcome")
    };
    assert_eq!(welcome.user.as_str(), "alice");
    assert_eq!((welcome.protocol.as_str(), welcome.token_expires_in_ms), ("realtime.v1", Some(60_000)));
    assert_eq!(world.session.limits(), &settings().limits);
    assert_eq!((welcome.limits, welcome.ping_ms), (settings().limits, 25_000));
    assert!(!welcome.resumed && welcome.streams.is_empty());
}

#[test]
fn one_command_is_pending_at_a_time_and_its_reply_has_its_id() {
    let mut world = World::new(&claims(&["subscribe:**"], None));
    world.receive(r#"{"action":"subscribe","id":1,"topic":"a"}"#);
    let early = world.receive(r#"{"action":"unsubscribe","id":2,"topic":"a"}"#);
    assert_eq!((&error(&early).code, &error(&early).id), (&ErrorCode::RateLimited, &id(2)));
    assert_eq!(world.handle(Input::Unsubscribed), [], "the outcome of a command that was never sent is ignored");
    assert_eq!(world.receive(r#"{"action":"ping","id":3}"#), [ack(3)], "a ping needs no operation");
    assert_eq!(world.handle(Input::Subscribed(SubscribeOutcome::Subscribed)), [ack(1)]);
    assert_eq!(world.handle(Input::Subscribed(SubscribeOutcome::Subscribed)), [], "a second outcome is ignored");
}

#[test]
fn only_a_refresh_may_change_the_expiry() {
    let mut world = World::new(&claims(&["subscribe:**"], Some(WALL_S + 10)));
    world.receive(r#"{"action":"subscribe","id":1,"topic":"a"}"#);
    assert!(!world.session.is_refreshing());
    world.handle(Input::Subscribed(SubscribeOutcome::Subscribed));
    world.receive(r#"{"action":"refresh","id":2,"token":"t2"}"#);
    assert!(world.session.is_refreshing());
    world.verified(Err(Refusal::unauthorized("no")));
    assert!(!world.session.is_refreshing());
}
