//! Client commands: their JSON and their ids. The tests of `realtime-core` cover decoding.

use realtime_schema::{Action, Command, CommandId, Payload, Stream, StreamPosition};
use serde_json::json;

use crate::{assert_contains, read, refusal, topic, written};

#[test]
fn a_command_is_one_flat_object() {
    let since = Some(StreamPosition { epoch: "k3f".into(), offset: 17 });
    for (command, json) in [
        (
            Command::new(CommandId::Number(7), Action::Subscribe { topic: topic("t"), since }),
            json!({"action": "subscribe", "id": 7, "topic": "t", "since": {"epoch": "k3f", "offset": 17}}),
        ),
        (
            Command { id: None, action: Action::Unsubscribe { topic: topic("t") } },
            json!({"action": "unsubscribe", "topic": "t"}),
        ),
        (
            Command::new(CommandId::Text("r".into()), Action::Refresh { token: "a.b.c".into() }),
            json!({"action": "refresh", "id": "r", "token": "a.b.c"}),
        ),
        (
            Command::new(
                CommandId::Number(8),
                Action::Call {
                    name: Some("cart.add".parse().expect("a name")),
                    payload: Some(Payload::of(&json!([{"item": 3}])).expect("JSON")),
                },
            ),
            json!({"action": "call", "id": 8, "name": "cart.add", "payload": [{"item": 3}]}),
        ),
        (
            Command::new(
                CommandId::Number(9),
                Action::Publish {
                    topic: topic("t"),
                    kind: "note".parse().expect("a type"),
                    payload: Payload::of(&json!(null)).expect("JSON"),
                    idempotency_key: Some("k".into()),
                    echo: true,
                },
            ),
            json!({"action": "publish", "id": 9, "topic": "t", "type": "note", "payload": null, "idempotency_key": "k"}),
        ),
        (
            Command {
                id: None,
                action: Action::Publish {
                    topic: topic("t"),
                    kind: "note".parse().expect("a type"),
                    payload: Payload::of(&json!(1)).expect("JSON"),
                    idempotency_key: None,
                    echo: false,
                },
            },
            json!({"action": "publish", "topic": "t", "type": "note", "payload": 1, "echo": false}),
        ),
        (
            Command {
                id: None,
                action: Action::History { stream: Stream::User, since: None, limit: Some(0), reverse: false },
            },
            json!({"action": "history", "stream": "user", "limit": 0}),
        ),
        (
            Command {
                id: None,
                action: Action::Presence {
                    topic: topic("t"),
                    subscribe: Some(true),
                    names: Some(false),
                    after: None,
                    limit: Some(10),
                },
            },
            json!({"action": "presence", "topic": "t", "subscribe": true, "names": false, "limit": 10}),
        ),
        (
            Command {
                id: None,
                action: Action::Resume {
                    since: [(Stream::All, StreamPosition { epoch: "k3f".into(), offset: 17 })].into(),
                },
            },
            json!({"action": "resume", "since": {"all": {"epoch": "k3f", "offset": 17}}}),
        ),
        (Command { id: None, action: Action::Call { name: None, payload: None } }, json!({"action": "call"})),
        (Command { id: None, action: Action::Ping {} }, json!({"action": "ping"})),
        (Command { id: None, action: Action::Pong {} }, json!({"action": "pong"})),
    ] {
        assert_eq!(written(&command), json);
        assert_eq!(json["action"], command.action.name());
    }
}

#[test]
fn an_id_is_an_integer_or_a_short_text() {
    let id = |json: &str| read::<CommandId>(json);
    assert_eq!(id("0"), CommandId::Number(0));
    assert_eq!(id("-9223372036854775808"), CommandId::Number(i64::MIN));
    assert_eq!(id("9223372036854775807"), CommandId::Number(i64::MAX));
    assert_eq!(id("7.0"), CommandId::Number(7), "an integer in JSON");
    assert_eq!(id(r#""7""#), CommandId::Text("7".into()), "a text stays a text");
    let longest = "é".repeat(CommandId::MAX_CHARS);
    assert_eq!(id(&format!("{longest:?}")), CommandId::Text(longest.clone()), "characters are counted, not bytes");
    for wrong in [
        "9223372036854775808",
        "1.5",
        "9223372036854775808.0",
        "1e300",
        "true",
        "null",
        "[]",
        "{}",
        r#""""#,
        &format!("\"{longest}x\""),
    ] {
        assert_contains(&refusal::<CommandId>(wrong), &["an integer or a string of 1 to 64 characters"]);
    }
}

#[test]
fn an_id_is_echoed_unchanged() {
    for id in ["7", "-1", r#""sub-1""#, r#""é\n""#] {
        assert_eq!(serde_json::to_string(&read::<CommandId>(id)).expect("JSON"), id);
    }
}

#[test]
fn an_absent_field_is_not_written() {
    let command = Command { id: None, action: Action::Subscribe { topic: topic("t"), since: None } };
    assert_eq!(written(&command), json!({"action": "subscribe", "topic": "t"}));
}

#[test]
fn no_debug_text_of_a_command_contains_a_token() {
    let refresh = Command::new(CommandId::Number(7), Action::Refresh { token: "secret.secret.secret".into() });
    let call = Action::Call { name: None, payload: Some(Payload::of(&"secret").expect("JSON")) };
    let publish = Action::Publish {
        topic: topic("t"),
        kind: "note".parse().expect("a type"),
        payload: Payload::of(&"secret").expect("JSON"),
        idempotency_key: Some("secret".into()),
        echo: true,
    };
    let shown = format!("{refresh:?} {refresh:#?} {call:?} {publish:?}");
    assert!(!shown.contains("secret"), "{shown}");
    assert_contains(&shown, &["Refresh", "7", "Publish", "note"]);
}
