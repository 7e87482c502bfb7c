//! `history`: by a grant, by a namespace for what the connection receives, by the authorizer; and the replies.

use realtime_schema::{GrantAction, Publication, StreamPosition};

use super::*;
use crate::{
    access::AccessDecision,
    policy::{HistoryRead, Retention},
};

const READ: &str = r#"{"action":"history","id":7,"stream":"topic:order:1","limit":2,"reverse":true}"#;

/// Every stream has a history, and its receivers may read that of `topic:shared:*` and of users.
fn world(grants: &[&str], has_authorizer: bool) -> World {
    let kept = |pattern: &str, read| {
        let mut namespace = Namespace::new(pattern.parse().expect("a pattern")).with_history(Retention::default());
        namespace.read = read;
        namespace
    };
    let list = vec![
        kept("topic:shared:*", HistoryRead::Subscribers),
        kept("user", HistoryRead::Subscribers),
        kept("all", HistoryRead::Granted),
        kept("topic:**", HistoryRead::Granted),
    ];
    let settings = SessionSettings { has_authorizer, namespaces: Namespaces::new(list, Overflow::Close), ..settings() };
    World::with(&claims(grants, None), settings, PingMode::Frame)
}

fn request(stream: &str) -> HistoryRequest {
    HistoryRequest { stream: stream.parse().expect("a stream"), since: None, limit: Some(2), reverse: true }
}

fn read(stream: &str, if_received: bool) -> Effect {
    Effect::Run(Run::History { request: Box::new(request(stream)), if_received })
}

fn position() -> StreamPosition {
    StreamPosition { epoch: "k3f".into(), offset: 17 }
}

impl World {
    fn history(&mut self, stream: &str) -> Vec<Effect> {
        self.receive(&READ.replace("topic:order:1", stream))
    }

    fn page(&mut self, stream: &str, outcome: HistoryOutcome) -> Vec<Effect> {
        self.handle(Input::HistoryRead { request: Box::new(request(stream)), outcome })
    }
}

#[test]
fn a_grant_allows_to_read_a_topic_that_the_connection_does_not_receive() {
    assert_eq!(world(&["history:order:*"], false).history("topic:order:1"), [read("topic:order:1", false)]);
    let mut other = world(&["history:order:*", "subscribe:**"], false);
    assert_eq!(error(&other.history("topic:bill:1")).code, ErrorCode::Forbidden);
}

#[test]
fn a_namespace_allows_to_read_what_the_connection_receives() {
    for stream in ["topic:shared:1", "user"] {
        assert_eq!(world(&[], false).history(stream), [read(stream, true)], "{stream}");
    }
    let refused = world(&["history:**"], true).history("all");
    assert_eq!(error(&refused).code, ErrorCode::Forbidden, "a grant is for topics only, and so is the authorizer");
    assert!(error(&refused).message.contains("the history of `all`"), "{}", error(&refused).message);
}

#[test]
fn a_page_is_the_reply_with_the_position_and_whether_there_is_more() {
    let publications = vec![Publication::from_text(r#"{"offset":17}"#.into()).expect("JSON")];
    let page = HistoryOutcome::Page { position: position(), publications: publications.clone(), more: true };
    let mut world = world(&["history:**"], false);
    world.history("topic:order:1");
    let ack = Ack {
        position: Some(position()),
        publications: Some(publications),
        more: true,
        ..Ack::new(CommandId::Number(7))
    };
    assert_eq!(world.page("topic:order:1", page.clone()), [Effect::Send(Control::Ack(ack))]);
    assert_eq!(world.page("topic:order:1", page.clone()), [], "a second outcome is ignored");
    world.receive(&READ.replace(r#""id":7,"#, ""));
    assert_eq!(world.page("topic:order:1", page), [], "a command without an id gets no reply");
}

#[test]
fn a_page_that_can_not_be_read_is_an_error_that_says_what_to_do() {
    for (outcome, code, words) in [
        (
            HistoryOutcome::PositionExpired { position: position() },
            ErrorCode::PositionExpired,
            "at offset 17 of epoch `k3f`: read without `since`",
        ),
        (HistoryOutcome::NoHistory, ErrorCode::NotFound, "`topic:order:1` has no history"),
    ] {
        let mut world = world(&["history:**"], false);
        world.history("topic:order:1");
        let effects = world.page("topic:order:1", outcome);
        let reply = error(&effects);
        assert_eq!((&reply.code, &reply.id), (&code, &id(7)));
        assert!(reply.message.contains(words), "{}", reply.message);
    }
}

#[test]
fn the_authorizer_decides_where_a_topic_is_neither_granted_nor_received() {
    let asked = |effects: Vec<Effect>| match effects.as_slice() {
        [Effect::Run(Run::Authorize(authorizing))] => authorizing.clone(),
        other => panic!("not a question: {other:?}"),
    };
    let mut world = world(&[], true);
    let question = asked(world.history("topic:order:1"));
    assert_eq!((question.request.action, &question.request.topic), (GrantAction::History, &topic("order:1")));
    let outcome = AuthorizeOutcome::Decided(AccessDecision::Allow);
    let allowed = world.handle(Input::Authorized { authorizing: question, outcome });
    assert_eq!(allowed, [read("topic:order:1", false)]);
    world.page("topic:order:1", HistoryOutcome::NoHistory);

    assert_eq!(world.history("topic:shared:1"), [read("topic:shared:1", true)]);
    let question = asked(world.page("topic:shared:1", HistoryOutcome::NotReceived));
    assert_eq!(question.request.topic, topic("shared:1"));
}

#[test]
fn a_connection_that_does_not_receive_a_stream_may_not_read_it() {
    let mut world = world(&[], false);
    world.history("user");
    let refused = world.page("user", HistoryOutcome::NotReceived);
    assert_eq!((&error(&refused).code, &error(&refused).id), (&ErrorCode::Forbidden, &id(7)));
}
