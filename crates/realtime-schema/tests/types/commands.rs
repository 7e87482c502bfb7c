//! Client commands: each action, in any order of keys, and what is said of a wrong one.

use realtime_schema::{ClientCommand, CommandId, StreamPosition};
use serde_json::json;

use crate::{read, refusal, says, topic, written};

#[test]
fn every_action_is_read() {
    let subscribe: ClientCommand =
        read(r#"{"action":"subscribe","id":7,"topic":"order:123","since":{"epoch":"k3f","offset":17}}"#);
    let since = Some(StreamPosition { epoch: "k3f".into(), offset: 17 });
    assert_eq!(
        subscribe,
        ClientCommand::Subscribe { id: Some(CommandId::Number(7)), topic: topic("order:123"), since }
    );
    assert_eq!(
        read::<ClientCommand>(r#"{"action":"unsubscribe","topic":"order:123"}"#),
        ClientCommand::Unsubscribe { id: None, topic: topic("order:123") }
    );
    assert_eq!(
        read::<ClientCommand>(r#"{"action":"refresh","id":"r","token":"a.b.c"}"#),
        ClientCommand::Refresh { id: Some(CommandId::Text("r".into())), token: "a.b.c".into() }
    );
    assert_eq!(read::<ClientCommand>(r#"{"action":"ping"}"#), ClientCommand::Ping { id: None });
    assert_eq!(read::<ClientCommand>(r#"{"action":"pong"}"#), ClientCommand::Pong {});
}

#[test]
fn the_list_of_actions_is_complete() {
    for action in ClientCommand::ACTIONS {
        let said = refusal::<ClientCommand>(&json!({"action": action, "stray": 1}).to_string());
        assert!(!said.contains("unknown variant"), "{action}: {said}");
    }
    let said = refusal::<ClientCommand>(r#"{"action":"shout"}"#);
    says(&said, &ClientCommand::ACTIONS);
}

#[test]
fn the_order_of_keys_makes_no_difference() {
    let straight: ClientCommand =
        read(r#"{"action":"subscribe","id":"a","topic":"t","since":{"epoch":"e","offset":1}}"#);
    for shuffled in [
        r#"{"since":{"offset":1,"epoch":"e"},"topic":"t","id":"a","action":"subscribe"}"#,
        r#"{"topic":"t","since":{"epoch":"e","offset":1},"action":"subscribe","id":"a"}"#,
        r#"{"id":"a","\u0061ction":"subscribe","topic":"\u0074","since":{"epoch":"e","offset":1}}"#,
    ] {
        assert_eq!(read::<ClientCommand>(shuffled), straight, "{shuffled}");
    }
}

#[test]
fn an_unknown_action_is_refused_by_name_even_when_its_payload_comes_first() {
    let said = refusal::<ClientCommand>(r#"{"payload":{"deep":[1,{"er":null}]},"topic":"t","action":"shout"}"#);
    says(&said, &["`shout`", "`subscribe`", "`unsubscribe`", "`refresh`", "`ping`", "`pong`"]);
}

#[test]
fn what_is_missing_is_named() {
    for (command, field) in [
        (r#"{"topic":"t"}"#, "`action`"),
        (r#"{"action":"subscribe","id":1}"#, "`topic`"),
        (r#"{"action":"unsubscribe"}"#, "`topic`"),
        (r#"{"action":"refresh","id":1}"#, "`token`"),
        (r#"{"action":"subscribe","topic":"t","since":{"offset":1}}"#, "`epoch`"),
    ] {
        says(&refusal::<ClientCommand>(command), &["missing field", field]);
    }
}

#[test]
fn a_field_that_the_action_does_not_know_is_named() {
    for (command, field) in [
        (r#"{"action":"subscribe","topic":"t","topik":"u"}"#, "`topik`"),
        (r#"{"action":"ping","topic":"t"}"#, "`topic`"),
        (r#"{"action":"subscribe","topic":"t","since":{"epoch":"e","offset":1,"of":2}}"#, "`of`"),
    ] {
        says(&refusal::<ClientCommand>(command), &["unknown field", field]);
    }
}

#[test]
fn a_topic_that_is_none_is_refused_with_what_is_wrong() {
    says(&refusal::<ClientCommand>(r#"{"action":"subscribe","topic":""}"#), &["topic: must not be empty"]);
    says(&refusal::<ClientCommand>(r#"{"action":"subscribe","topic":"order:*"}"#), &["topic: holds '*'"]);
}

#[test]
fn an_id_is_an_integer_or_a_short_text() {
    let id = |json: &str| read::<CommandId>(json);
    assert_eq!(id("0"), CommandId::Number(0));
    assert_eq!(id("-9223372036854775808"), CommandId::Number(i64::MIN));
    assert_eq!(id("9223372036854775807"), CommandId::Number(i64::MAX));
    assert_eq!(id(r#""7""#), CommandId::Text("7".into()), "a text stays a text");
    let longest = "é".repeat(CommandId::MAX_CHARS);
    assert_eq!(id(&format!("{longest:?}")), CommandId::Text(longest.clone()), "characters are counted, not bytes");
    for wrong in ["9223372036854775808", "1.5", "true", "null", "[]", "{}", r#""""#, &format!("\"{longest}x\"")] {
        says(&refusal::<CommandId>(wrong), &["an integer or a string of 1 to 64 characters"]);
    }
}

#[test]
fn an_id_is_echoed_as_it_came() {
    for id in ["7", "-1", r#""sub-1""#, r#""é\n""#] {
        assert_eq!(serde_json::to_string(&read::<CommandId>(id)).expect("JSON"), id);
    }
}

#[test]
fn an_id_of_null_is_no_id() {
    assert_eq!(read::<ClientCommand>(r#"{"action":"ping","id":null}"#), ClientCommand::Ping { id: None });
}

#[test]
fn what_is_absent_is_not_written() {
    let command = ClientCommand::Subscribe { id: None, topic: topic("t"), since: None };
    assert_eq!(written(&command), json!({"action": "subscribe", "topic": "t"}));
}

#[test]
fn a_token_is_not_shown_to_a_log() {
    let refresh: ClientCommand = read(r#"{"action":"refresh","id":7,"token":"secret.secret.secret"}"#);
    let shown = format!("{refresh:?} {refresh:#?}");
    assert!(!shown.contains("secret"), "{shown}");
    says(&shown, &["Refresh", "7"]);
}
