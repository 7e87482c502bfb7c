//! Messages that clients publish.

use realtime_schema::{Action, ClientId, MessageId, MessageType, Payload, Route, StreamPosition, UserId};

use super::*;
use crate::{
    access::{AccessDecision, AccessRequest},
    policy::PublishPolicy,
};

const PUBLISH: &str = r#"{"action":"publish","id":7,"topic":"room:1","type":"said","payload":{"text":"hello"}}"#;

fn publication() -> ClientPublication {
    ClientPublication {
        id: id(7),
        topic: topic("room:1"),
        kind: MessageType::new("said").expect("a type"),
        payload: Payload::from_text(r#"{"text":"hello"}"#.into()).expect("JSON"),
        idempotency_key: None,
        echo: true,
    }
}

fn run(only_subscribers: bool) -> Effect {
    Effect::Run(Run::Publish { publication: Box::new(publication()), only_subscribers })
}

fn message() -> MessageId {
    MessageId(uuid::Uuid::nil())
}

fn published(duplicate: bool) -> PublishOutcome {
    PublishOutcome::Published {
        message: message(),
        position: Some(StreamPosition { epoch: "k3f".into(), offset: 17 }),
        duplicate,
    }
}

/// A world whose topics `room:*` have this policy, and clients these grants.
fn world(policy: PublishPolicy, grants: &[&str]) -> World {
    with(policy, grants, |_| {})
}

fn with(policy: PublishPolicy, grants: &[&str], change: impl FnOnce(&mut SessionSettings)) -> World {
    let namespace = Namespace { publish: policy, ..Namespace::new("topic:room:*".parse().expect("a pattern")) };
    let mut settings = SessionSettings { namespaces: Namespaces::new(vec![namespace], Overflow::Close), ..settings() };
    change(&mut settings);
    World::with(&claims(grants, None), settings, PingMode::Frame)
}

impl World {
    fn published(&mut self, outcome: PublishOutcome) -> Vec<Effect> {
        self.handle(Input::Published(Box::new(outcome)))
    }
}

#[test]
fn a_granted_message_is_published_and_then_acknowledged_with_its_id_and_position() {
    for mut world in [world(PublishPolicy::Granted, &["publish:room:*"]), world(PublishPolicy::Authenticated, &[])] {
        assert_eq!(world.receive(PUBLISH), [run(false)]);
        let position = Some(StreamPosition { epoch: "k3f".into(), offset: 17 });
        let ack = Ack { message: Some(message()), position, duplicate: true, ..Ack::new(CommandId::Number(7)) };
        assert_eq!(world.published(published(true)), [Effect::Send(Control::Ack(ack))]);
        assert_eq!(world.published(published(true)), [], "a second outcome is ignored");
    }
}

#[test]
fn a_log_of_a_publication_names_its_topic_and_never_its_payload() {
    let shown = format!("{:?}", publication());
    assert!(shown.contains("room:1") && shown.contains("Number(7)") && !shown.contains("hello"), "{shown}");
}

#[test]
fn an_invalid_message_gets_each_field_that_is_wrong() {
    let errors = vec![FieldError::new("payload", "is large"), FieldError::new("idempotency_key", "is long")];
    let mut world = world(PublishPolicy::Authenticated, &[]);
    world.receive(PUBLISH);
    let refused = world.published(PublishOutcome::Invalid(errors.clone()));
    assert_eq!(error(&refused).errors, errors);
}

#[test]
fn a_topic_of_the_longest_name_may_be_published_to() {
    let mut world = world(PublishPolicy::Authenticated, &[]);
    let longest = world.receive(&PUBLISH.replace("room:1", "room:a-name-of-20-ch"));
    assert!(matches!(longest[..], [Effect::Run(Run::Publish { .. })]), "{longest:?}");
}

#[test]
fn a_message_without_an_id_is_published_without_a_reply() {
    let mut world = world(PublishPolicy::Authenticated, &[]);
    world.receive(r#"{"action":"publish","topic":"room:1","type":"said","payload":1}"#);
    assert_eq!(world.published(published(false)), []);
}

#[test]
fn nothing_is_published_without_a_grant_or_an_open_namespace() {
    for grants in [&[][..], &["subscribe:**"], &["publish:room:2"], &["history:**", "presence:**"]] {
        let refused = world(PublishPolicy::Granted, grants).receive(PUBLISH);
        assert_eq!((error(&refused).code.clone(), error(&refused).id.clone()), (ErrorCode::Forbidden, id(7)));
        assert!(error(&refused).message.contains("publish to `room:1`"), "{:?}", error(&refused));
    }
}

#[test]
fn a_namespace_of_subscribers_publishes_what_a_subscriber_sends_and_refuses_others() {
    let mut world = world(PublishPolicy::Subscribers, &[]);
    assert_eq!(world.receive(PUBLISH), [run(true)]);
    let refused = world.published(PublishOutcome::NotSubscribed(publication()));
    assert_eq!((&error(&refused).code, &error(&refused).id), (&ErrorCode::Forbidden, &id(7)));
}

#[test]
fn the_authorizer_is_asked_with_the_message_where_nothing_else_allows_it() {
    let request = || AccessRequest::publish(topic("room:1"), publication().kind, publication().payload);
    let authorizing = || {
        let ClientPublication { id: _, topic, kind, payload, idempotency_key, echo } = publication();
        Box::new(Authorizing {
            request: request(),
            action: Action::Publish { topic, kind, payload, idempotency_key, echo },
        })
    };
    let outcome = |decision| AuthorizeOutcome::Decided(decision);
    for policy in [PublishPolicy::Granted, PublishPolicy::Subscribers] {
        for (decision, allowed) in [(AccessDecision::Allow, true), (AccessDecision::deny_with("muted"), false)] {
            let mut world = with(policy, &[], |settings| settings.has_authorizer = true);
            let mut effects = world.receive(PUBLISH);
            if policy == PublishPolicy::Subscribers {
                assert_eq!(effects, [run(true)]);
                effects = world.published(PublishOutcome::NotSubscribed(publication()));
            }
            assert_eq!(effects, [Effect::Run(Run::Authorize(authorizing()))]);
            let decided = world.handle(Input::Authorized { authorizing: authorizing(), outcome: outcome(decision) });
            if allowed {
                // Not only to subscribers: the authorizer has decided.
                assert_eq!(decided, [run(false)]);
                assert!(matches!(&*world.published(published(false)), [Effect::Send(Control::Ack(_))]));
            } else {
                assert_eq!(error(&decided).message, "muted");
            }
        }
    }
}

#[test]
fn a_message_over_a_limit_is_refused_with_its_name() {
    let open = |change: fn(&mut SessionSettings)| with(PublishPolicy::Authenticated, &[], change);
    let long = r#"{"action":"publish","id":7,"topic":"room:123456789012345678","type":"said","payload":1}"#;
    let refused = open(|_| {}).receive(long);
    assert_eq!(
        (&error(&refused).code, error(&refused).errors[0].path.as_str()),
        (&ErrorCode::PayloadInvalid, "/topic")
    );
    let refused = open(|settings| settings.limits.max_publish_bytes = 15).receive(PUBLISH);
    assert_eq!(error(&refused).code, ErrorCode::TooLarge);
    assert_eq!(error(&refused).message, "the payload is 16 bytes; limits.max_publish_bytes is 15");
    assert_eq!(open(|settings| settings.limits.max_publish_bytes = 16).receive(PUBLISH), [run(false)]);
}

#[test]
fn a_connection_that_publishes_too_much_is_told_when_to_go_on_and_can_still_send_other_commands() {
    let mut world = with(PublishPolicy::Authenticated, &[], |settings| {
        settings.limits.publishes_per_second = 2;
        settings.limits.publish_burst = 2;
        settings.limits.burst = 100;
    });
    for _ in 0..2 {
        assert_eq!(world.receive(PUBLISH), [run(false)]);
        world.published(published(false));
    }
    let refused = world.receive(PUBLISH);
    assert_eq!((&error(&refused).code, error(&refused).after_ms), (&ErrorCode::RateLimited, Some(500)));
    assert!(error(&refused).message.contains("limits.publishes_per_second (2)"), "{:?}", error(&refused));
    assert_eq!(world.receive(r#"{"action":"ping","id":8}"#), [ack(8)]);
    assert_eq!(world.at(500).receive(PUBLISH), [run(false)]);
}

#[test]
fn each_failure_has_its_code_and_says_what_to_do() {
    let invalid = PublishOutcome::Invalid(vec![FieldError::new("idempotency_key", "is 0 characters long")]);
    for (outcome, code, after_ms, words) in [
        (PublishOutcome::Conflict, ErrorCode::Conflict, None, "use a new one"),
        (PublishOutcome::TooLarge { size: 9, limit: 8 }, ErrorCode::TooLarge, None, "limits.max_publish_bytes is 8"),
        (invalid, ErrorCode::PayloadInvalid, None, "idempotency_key: is 0"),
        (PublishOutcome::Unavailable, ErrorCode::Unavailable, Some(1_000), "send the same command again"),
        (
            PublishOutcome::RateLimited { after: ms(20) },
            ErrorCode::RateLimited,
            Some(20),
            "limits.user_publishes_per_second (50)",
        ),
    ] {
        let mut world = world(PublishPolicy::Authenticated, &[]);
        world.receive(PUBLISH);
        let refused = world.published(outcome);
        let refused = error(&refused);
        assert_eq!((&refused.code, refused.after_ms, &refused.id), (&code, after_ms, &id(7)));
        assert!(refused.message.contains(words), "{refused:?}");
    }
}

fn user(name: &str) -> UserId {
    UserId::new(name).expect("a user")
}

fn client(name: &str) -> ClientId {
    ClientId::new(name).expect("a client")
}

#[test]
fn the_key_of_a_command_names_the_user_the_client_and_the_id_and_no_two_are_the_same() {
    let key = |who: &str, tab: Option<&str>, id: Option<CommandId>, explicit: Option<&str>| {
        let tab = tab.map(client);
        let publication = ClientPublication { id, idempotency_key: explicit.map(str::to_owned), ..publication() };
        publication.into_request(&user(who), tab.as_ref()).expect("a request").1
    };
    let text = |text: &str| Some(CommandId::Text(text.into()));
    let keys = [
        key("alice", Some("tab"), id(7), None),
        key("alice", Some("tab"), text("7"), None),
        key("alice", Some("tab"), id(8), None),
        key("alice", Some("tab2"), id(7), None),
        key("bob", Some("tab"), id(7), None),
        // Texts that would be the same if their parts were only joined.
        key("alice:3:tab", Some("x"), text("7"), None),
        key("alice", Some("tab:7"), text("x"), None),
        key("alice", Some("tab"), text("7:x"), None),
        key("alice", None, None, Some("k")),
        key("bob", None, None, Some("k")),
        key("alice", None, None, Some("number:3:tab:7")),
    ];
    let distinct: std::collections::HashSet<_> = keys.iter().flatten().collect();
    assert_eq!(distinct.len(), keys.len(), "{keys:#?}");
    // The explicit key of a user is the same on every connection.
    let explicit = key("alice", None, None, Some("k"));
    assert_eq!(key("alice", Some("tab"), id(7), Some("k")), explicit);
    // Without a client id, the id of a command is of one connection only.
    assert_eq!(key("alice", None, id(7), None), None);
    assert_eq!(key("alice", Some("tab"), None, None), None);
}

#[test]
fn the_client_is_left_out_of_its_own_message_if_it_says_so() {
    let tab = client("tab");
    let (request, _) = publication().into_request(&user("alice"), Some(&tab)).expect("a request");
    assert_eq!((request.except_client, request.to), (None, Route::Topic(topic("room:1")).into()));
    let quiet = ClientPublication { echo: false, ..publication() };
    let (request, _) = quiet.clone().into_request(&user("alice"), Some(&tab)).expect("a request");
    assert_eq!((request.except_client, request.idempotency_key), (Some(tab), None));
    let once = ClientPublication { idempotency_key: Some("k".into()), ..publication() };
    let (request, _) = once.into_request(&user("alice"), None).expect("a request");
    assert_eq!(request.idempotency_key.as_deref(), Some("k"), "its length is checked with the message");
    let refused = quiet.into_request(&user("alice"), None).expect_err("no client to leave out");
    assert_eq!(refused.path, "/echo");
}

#[test]
fn the_hook_of_the_application_sees_the_message_first() {
    let mut world = world(PublishPolicy::Authenticated, &[]);
    let refused = world.hooked(PUBLISH, Ok(crate::client_message::Handled::error(ErrorCode::Forbidden, "muted")));
    assert_eq!(error(&refused).message, "muted");
    assert_eq!(world.hooked(PUBLISH, Ok(crate::client_message::Handled::Pass)), [run(false)]);
}

#[test]
fn no_debug_text_of_a_publication_contains_its_payload() {
    assert!(!format!("{:?}", publication()).contains("hello"));
}

#[test]
fn a_payload_that_other_clients_could_not_parse_is_refused() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let side_by_side = format!("[{}{{}}]", "[],".repeat(100));
    let in_a_text = format!(r#""\\\"{}""#, "[{".repeat(100));
    for (payload, accepted) in [
        (nested(64), true),
        (nested(65), false),
        (nested(30_000), false),
        (format!(r#"{{"a":{}}}"#, nested(64)), false),
        (side_by_side, true),
        (in_a_text, true),
        ("1".into(), true),
    ] {
        let mut world = world(PublishPolicy::Authenticated, &[]);
        let command = format!(r#"{{"action":"publish","id":7,"topic":"room:1","type":"said","payload":{payload}}}"#);
        let effects = world.receive(&command);
        let is_run = matches!(effects.as_slice(), [Effect::Run(Run::Publish { .. })]);
        assert_eq!(is_run, accepted, "{}: {effects:?}", payload.chars().take(20).collect::<String>());
        if !accepted {
            let refusal = error(&effects);
            assert_eq!(
                (refusal.code.clone(), refusal.errors[0].path.as_str()),
                (ErrorCode::PayloadInvalid, "/payload")
            );
        }
    }
}

#[test]
fn the_refusal_of_a_client_that_is_not_subscribed_says_to_subscribe_first() {
    let mut world = world(PublishPolicy::Subscribers, &[]);
    world.receive(PUBLISH);
    let refused = world.published(PublishOutcome::NotSubscribed(publication()));
    assert!(error(&refused).message.contains("subscribe first"), "{refused:?}");
}
