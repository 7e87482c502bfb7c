//! Messages that the application's hook handles first.

use realtime_schema::Payload;
use serde_json::json;

use super::*;
use crate::client_message::{ClientMessage, Handled};

const CALL: &str = r#"{"action":"call","id":7,"name":"cart.add","payload":{"item":3}}"#;

fn message(text: &str) -> Box<ClientMessage> {
    Box::new(ClientMessage::new(text))
}

impl World {
    /// Passes a text as an input; the hook must be called, and returns `handled`.
    pub(super) fn hooked(&mut self, text: &str, handled: Result<Handled, HookFailure>) -> Vec<Effect> {
        let asked = self.handle(Input::Hooked(message(text)));
        assert_eq!(asked, [Effect::Run(Run::Hook(message(text)))]);
        self.handle(Input::Handled { message: message(text), handled })
    }
}

fn result(n: i64, result: &serde_json::Value) -> Effect {
    let result = Some(Payload::of(result).expect("JSON"));
    Effect::Send(Control::Ack(Ack { result, ..Ack::new(CommandId::Number(n)) }))
}

#[test]
fn a_call_is_acknowledged_with_the_result_of_the_application() {
    let mut world = World::new(&claims(&[], None));
    let handled = Handled::ack(&json!({"items": 4})).expect("JSON");
    assert_eq!(world.hooked(CALL, Ok(handled)), [result(7, &json!({"items": 4}))]);
}

#[test]
fn a_call_that_the_application_refuses_gets_its_error_with_the_id_of_the_command() {
    let mut world = World::new(&claims(&[], None));
    let effects = world.hooked(CALL, Ok(Handled::error(ErrorCode::Conflict, "sold out; choose another item")));
    let reply = error(&effects);
    assert_eq!((&reply.id, &reply.code, reply.status), (&id(7), &ErrorCode::Conflict, 409));
    assert_eq!(reply.message, "sold out; choose another item");
}

#[test]
fn a_message_that_the_application_replies_to_has_no_other_effect() {
    let mut world = World::new(&claims(&["subscribe:**"], None));
    let subscribe = r#"{"action":"subscribe","id":7,"topic":"a"}"#;
    assert_eq!(error(&world.hooked(subscribe, Ok(Handled::error(ErrorCode::Forbidden, "not now")))).id, id(7));
    for text in [r#"{"action":"an action of ours","id":7,"x":1}"#, r#"{"action":"ping","id":7}"#] {
        assert_eq!(world.hooked(text, Ok(Handled::ack(&1).expect("JSON"))), [result(7, &json!(1))], "{text}");
    }
    assert_eq!(world.hooked("not JSON", Ok(Handled::ack(&1).expect("JSON"))), [], "and the connection stays open");
}

#[test]
fn a_reply_to_a_message_without_an_id_is_not_sent() {
    let mut world = World::new(&claims(&[], None));
    let call = r#"{"action":"call","payload":[1,2]}"#;
    assert_eq!(world.hooked(call, Ok(Handled::ack(&1).expect("JSON"))), []);
    assert_eq!(world.hooked(call, Ok(Handled::error(ErrorCode::Conflict, "no"))), []);
    assert_eq!(world.hooked(call, Err(HookFailure::Failed)), []);
}

#[test]
fn the_session_handles_a_message_that_the_application_passes() {
    let mut world = World::new(&claims(&["subscribe:**"], None));
    let text = r#"{"action":"subscribe","id":7,"topic":"a"}"#;
    assert_eq!(world.hooked(text, Ok(Handled::Pass)), [Effect::Run(subscribe(topic("a"), Origin::Client))]);
    assert_eq!(world.handle(Input::Subscribed(SubscribeOutcome::Subscribed)), [ack(7)]);
    assert_eq!(closing(&world.hooked("hello", Ok(Handled::Pass))).code, CloseCode::BAD_FRAME);
}

#[test]
fn a_call_that_no_handler_replies_to_is_an_unknown_action() {
    let mut world = World::new(&claims(&[], None));
    for effects in [world.hooked(CALL, Ok(Handled::Pass)), world.receive(CALL)] {
        let reply = error(&effects);
        assert_eq!((&reply.id, &reply.code), (&id(7), &ErrorCode::UnknownAction));
        assert!(reply.message.contains("no handler"), "{}", reply.message);
    }
}

#[test]
fn a_hook_that_fails_refuses_a_call_and_drops_no_other_command() {
    let mut world = World::new(&claims(&[], None));
    let failed = world.hooked(CALL, Err(HookFailure::Failed));
    assert_eq!((&error(&failed).id, &error(&failed).code), (&id(7), &ErrorCode::Internal));
    let late = world.hooked(CALL, Err(HookFailure::TimedOut));
    let late = error(&late);
    assert_eq!((&late.code, late.retry, late.after_ms), (&ErrorCode::Unavailable, true, Some(1_000)));
    assert_eq!(world.hooked(r#"{"action":"ping","id":1}"#, Err(HookFailure::TimedOut)), [ack(1)]);
}

#[test]
fn a_message_over_the_rate_limit_does_not_reach_the_application() {
    let mut world = World::new(&claims(&[], None));
    for _ in 0..5 {
        assert_eq!(world.hooked(CALL, Ok(Handled::ack(&1).expect("JSON"))), [result(7, &json!(1))]);
    }
    let over = world.handle(Input::Hooked(message(CALL)));
    assert_eq!((&error(&over).id, &error(&over).code), (&id(7), &ErrorCode::RateLimited));
}

#[test]
fn the_application_handles_one_message_at_a_time() {
    let mut world = World::new(&claims(&[], None));
    world.handle(Input::Hooked(message(CALL)));
    let early = world.handle(Input::Hooked(message(r#"{"action":"call","id":8}"#)));
    assert_eq!((&error(&early).id, &error(&early).code), (&id(8), &ErrorCode::RateLimited));
    let handled = || Input::Handled { message: message(CALL), handled: Ok(Handled::ack(&1).expect("JSON")) };
    assert_eq!(world.handle(handled()), [result(7, &json!(1))]);
    assert_eq!(world.handle(handled()), [], "a second outcome is ignored");
}

#[test]
fn no_debug_text_of_a_message_contains_a_token() {
    let refresh = message(r#"{"action":"refresh","id":7,"token":"s3cr3t"}"#);
    assert!(!format!("{refresh:?} {:?}", Input::Hooked(refresh.clone())).contains("s3cr3t"));
}

#[test]
fn a_call_that_a_json_parser_may_not_read_does_not_reach_the_application() {
    let mut world = World::new(&claims(&[], None));
    let call = |levels: usize| {
        message(&format!(r#"{{"action":"call","id":7,"payload":{}{}}}"#, "[".repeat(levels), "]".repeat(levels)))
    };
    let refused = world.handle(Input::Hooked(call(65)));
    let reply = error(&refused);
    assert_eq!((&reply.id, &reply.code, &*reply.errors[0].path), (&id(7), &ErrorCode::PayloadInvalid, "/payload"));
    assert!(reply.message.contains("at most 64"), "{}", reply.message);
    assert_eq!(world.handle(Input::Hooked(call(64))), [Effect::Run(Run::Hook(call(64)))]);
}
