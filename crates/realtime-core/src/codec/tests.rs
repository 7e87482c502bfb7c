//! Tests of decoding, refusals and encoding.

use proptest::prelude::*;
use realtime_schema::{Ack, MessageType, Payload, Route, StreamPosition};
use serde_json::{Value, json};

use super::*;

fn reply(text: &str) -> ErrorReply {
    match decode(text) {
        Err(DecodeError::Refused(reply)) => reply,
        other => panic!("{text} was not refused with a reply: {other:?}"),
    }
}

fn command(id: CommandId, action: Action) -> Command {
    Command::new(id, action)
}

#[test]
fn every_action_is_decoded_with_fields_in_any_order() {
    let topic: Topic = "order:123".parse().expect("a topic");
    let since = StreamPosition { epoch: "k3f".into(), offset: 17 };
    let subscribe = command(CommandId::Number(7), Action::Subscribe { topic: topic.clone(), since: Some(since) });
    for text in [
        r#"{"action":"subscribe","id":7,"topic":"order:123","since":{"epoch":"k3f","offset":17}}"#,
        r#"{"since":{"offset":17,"epoch":"k3f"},"topic":"order:123","id":7,"action":"subscribe"}"#,
        r#"{"\u0061ction":"subscribe","topic":"order:\u0031\u0032\u0033","id":7,"since":{"epoch":"k3f","offset":17}}"#,
    ] {
        assert_eq!(decode(text), Ok(subscribe.clone()), "{text}");
    }
    assert_eq!(
        decode(r#"{"action":"unsubscribe","topic":"order:123"}"#),
        Ok(Command { id: None, action: Action::Unsubscribe { topic } })
    );
    assert_eq!(
        decode(r#"{"action":"refresh","token":"t","id":"r1"}"#),
        Ok(command(CommandId::Text("r1".into()), Action::Refresh { token: "t".into() }))
    );
    for (payload, read) in [("[1, 2]", Some("[1, 2]")), (r#"{"a":{}}"#, Some(r#"{"a":{}}"#)), ("null", None)] {
        let text = format!(r#"{{"action":"call","id":7,"name":"cart.add","payload":{payload}}}"#);
        let payload = read.map(|text| Payload::from_text(text.into()).expect("JSON"));
        let call = Action::Call { name: Some("cart.add".parse().expect("a name")), payload };
        assert_eq!(decode(&text), Ok(command(CommandId::Number(7), call)), "{text}");
    }
    let bare = Action::Call { name: None, payload: None };
    assert_eq!(decode(r#"{"action":"call"}"#), Ok(Command { id: None, action: bare }));
    assert_eq!(reply(r#"{"action":"call","name":""}"#).errors[0].path, "/name");
    let ping = Command { id: None, action: Action::Ping {} };
    assert_eq!(decode(r#"{"action":"ping","id":null}"#), Ok(ping.clone()), "null is absent");
    assert_eq!(decode(r#"{"action":"ping"}"#), Ok(ping));
    assert_eq!(decode(r#"{"action":"pong"}"#), Ok(Command { id: None, action: Action::Pong {} }));
    assert!(
        matches!(decode(r#"{"action":"pong","id":1}"#), Err(DecodeError::Refused(reply)) if reply.errors[0].path == "/id")
    );
}

#[test]
fn publish_history_presence_and_resume_are_decoded() {
    let topic: Topic = "order:123".parse().expect("a topic");
    let position = |offset| StreamPosition { epoch: "k3f".into(), offset };
    let publish = |payload: &str, key: Option<&str>, echo| Action::Publish {
        topic: topic.clone(),
        kind: MessageType::new("note").expect("a type"),
        payload: Payload::from_text(payload.into()).expect("JSON"),
        idempotency_key: key.map(str::to_owned),
        echo,
    };
    let history = |since, limit, reverse| Action::History { stream: Stream::User, since, limit, reverse };
    let streams = [(Stream::All, position(0)), (Stream::Topic(topic.clone()), position(17))];
    for (text, action) in [
        (
            r#"{"action":"publish","topic":"order:123","type":"note","payload":[1, 2],"idempotency_key":"k"}"#,
            publish("[1, 2]", Some("k"), true),
        ),
        (r#"{"action":"publish","payload":null,"type":"note","topic":"order:123"}"#, publish("null", None, true)),
        (
            r#"{"action":"publish","payload":1,"type":"note","topic":"order:123","echo":false}"#,
            publish("1", None, false),
        ),
        (r#"{"action":"history","stream":"user"}"#, history(None, None, false)),
        (
            r#"{"action":"history","stream":"user","since":{"epoch":"k3f","offset":17},"limit":50.0,"reverse":true}"#,
            history(Some(position(17)), Some(50), true),
        ),
        (r#"{"action":"history","stream":"user","limit":0,"reverse":null}"#, history(None, Some(0), false)),
        (
            r#"{"action":"presence","topic":"order:123"}"#,
            Action::Presence { topic: topic.clone(), subscribe: None, names: None, after: None, limit: None },
        ),
        (
            r#"{"action":"presence","topic":"order:123","names":false,"after":"alice","limit":50.0}"#,
            Action::Presence {
                topic: topic.clone(),
                subscribe: None,
                names: Some(false),
                after: Some("alice".parse().expect("a user")),
                limit: Some(50),
            },
        ),
        (
            r#"{"action":"presence","topic":"order:123","subscribe":false}"#,
            Action::Presence { topic: topic.clone(), subscribe: Some(false), names: None, after: None, limit: None },
        ),
        (
            r#"{"action":"resume","since":{"topic:order:123":{"epoch":"k3f","offset":17.0},"all":{"epoch":"k3f","offset":0}}}"#,
            Action::Resume { since: streams.into() },
        ),
        (r#"{"action":"resume","since":{}}"#, Action::Resume { since: BTreeMap::new() }),
    ] {
        assert_eq!(decode(text), Ok(Command { id: None, action: action.clone() }), "{text}");
        let written = serde_json::to_string(&action).expect("JSON");
        assert_eq!(decode(&written), Ok(Command { id: None, action }), "{written}");
    }
}

#[test]
fn a_refused_field_of_a_newer_action_is_named() {
    for (text, path, message) in [
        (r#"{"action":"publish","topic":"a","type":"note"}"#, "/payload", "is missing"),
        (r#"{"action":"publish","topic":"a","type":"welcome","payload":1}"#, "/type", "reserved"),
        (r#"{"action":"publish","topic":"a","payload":1}"#, "/type", "is missing"),
        (r#"{"action":"publish","topic":"a","type":"note","payload":1,"to":"all"}"#, "/to", "is not a field"),
        (r#"{"action":"history"}"#, "/stream", "is missing"),
        (r#"{"action":"history","stream":"connection:7"}"#, "/stream", "topic:TOPIC, role:ROLE, user or all"),
        (r#"{"action":"history","stream":"all","limit":-1}"#, "/limit", "an integer from 0 to 4294967295"),
        (r#"{"action":"history","stream":"all","limit":1.5}"#, "/limit", "an integer from 0 to 4294967295"),
        (r#"{"action":"history","stream":"all","reverse":"yes"}"#, "/reverse", "boolean"),
        (r#"{"action":"presence"}"#, "/topic", "is missing"),
        (r#"{"action":"resume"}"#, "/since", "is missing"),
        (r#"{"action":"resume","since":5}"#, "/since", "expected an object with a position for each stream"),
        (r#"{"action":"resume","since":{"group":{"epoch":"a","offset":1}}}"#, "/since", "topic:TOPIC"),
        (r#"{"action":"resume","since":{"all":["a",1]}}"#, "/since", "an object with `epoch` and `offset`"),
        (
            r#"{"action":"resume","since":{"all":{"epoch":"a","offset":1},"all":{"epoch":"a","offset":2}}}"#,
            "/since",
            "`all` is given twice",
        ),
    ] {
        let refused = reply(text).errors;
        assert_eq!(refused.iter().map(|error| error.path.as_str()).collect::<Vec<_>>(), [path], "{text}");
        assert!(refused[0].message.contains(message), "{text}: {}", refused[0].message);
    }
}

#[test]
fn every_listed_action_is_known() {
    for action in Action::NAMES {
        assert_ne!(
            reply(&json!({"action": action, "stray": 1}).to_string()).code,
            ErrorCode::UnknownAction,
            "`{action}` is known"
        );
    }
}

#[test]
fn an_integer_may_be_written_with_a_fraction_of_zero() {
    let since = |offset| StreamPosition { epoch: "k3f".into(), offset };
    let topic: Topic = "a".parse().expect("a topic");
    for (text, offset) in [("17.0", 17), ("1.7e1", 17), ("-0.0", 0)] {
        let text =
            format!(r#"{{"action":"subscribe","topic":"a","id":7.0,"since":{{"epoch":"k3f","offset":{text}}}}}"#);
        let read = Action::Subscribe { topic: topic.clone(), since: Some(since(offset)) };
        assert_eq!(decode(&text), Ok(command(CommandId::Number(7), read)), "{text}");
    }
    for offset in ["17.5", "-1.0", "1e300", "18446744073709551616.0", "\"17\"", "true"] {
        let text = format!(r#"{{"action":"subscribe","topic":"a","since":{{"epoch":"k3f","offset":{offset}}}}}"#);
        assert_eq!(reply(&text).errors[0].path, "/since", "{text}");
    }
    assert_eq!(reply(r#"{"action":"ping","id":9223372036854775808.0}"#).errors[0].path, "/id");
}

#[test]
fn text_that_is_not_a_json_object_is_a_fatal_error() {
    for text in ["", "hello", "[]", "1", "\"subscribe\"", "null", "{", r#"{"action":"ping"} x"#] {
        assert!(matches!(decode(text), Err(DecodeError::NotAnObject(_))), "{text}");
    }
    let reason = "invalid type: integer `1`, expected a JSON object with an `action`".to_owned();
    assert_eq!(decode("1"), Err(DecodeError::NotAnObject(reason)));
}

#[test]
fn a_command_has_at_most_16_fields() {
    let with = |count: usize| {
        let strays = (2..count).map(|n| format!(r#""f{n}":1,"#)).collect::<String>();
        reply(&format!(r#"{{{strays}"id":3,"action":"ping"}}"#))
    };
    assert_eq!(with(16).errors.len(), 14, "each unknown field is named");
    let mut fields = String::new();
    for n in 0..15 {
        fields += &format!(r#","f{n}":1"#);
    }
    let excess = reply(&format!(r#"{{"action":"ping","id":3{fields}}}"#));
    assert_eq!(excess.errors[0], FieldError::new("", "more than 16 fields"));
    assert_eq!(excess.id, Some(CommandId::Number(3)));
}

#[test]
fn a_refusal_names_the_field_and_echoes_the_id() {
    let missing = reply(r#"{"action":"subscribe","id":3}"#);
    assert_eq!(missing.id, Some(CommandId::Number(3)));
    assert_eq!(missing.code, ErrorCode::BadRequest);
    assert_eq!(missing.errors, vec![FieldError::new("topic", "is missing")]);

    assert_eq!(reply(r#"{"id":3}"#).errors[0].path, "/action");
    assert_eq!(reply(r#"{"action":7,"id":3}"#).errors[0].path, "/action");
    assert_eq!(reply(r#"{"action":"ping","id":1.5}"#).errors[0].path, "/id");
    assert_eq!(reply(r#"{"action":"subscribe","topic":"a b"}"#).errors[0].path, "/topic");
    assert_eq!(reply(r#"{"action":"subscribe","topic":"a","since":{"epoch":"x"}}"#).errors[0].path, "/since");
    assert_eq!(reply(r#"{"action":"ping","topic":"a"}"#).errors[0].path, "/topic");
    assert_eq!(reply(r#"{"action":"ping","id":1,"id":2}"#).errors[0].message, "is given twice");
    let two = reply(r#"{"action":"subscribe","topic":"","stray":1}"#);
    assert_eq!(two.errors.iter().map(|e| e.path.as_str()).collect::<Vec<_>>(), ["/topic", "/stray"]);
}

#[test]
fn no_field_accepts_an_array_and_refusals_use_the_protocols_words() {
    for (field, command) in [
        ("since", json!({"action": "subscribe", "topic": "a", "since": ["k3f", 17]})),
        ("topic", json!({"action": "subscribe", "topic": ["a"]})),
        ("token", json!({"action": "refresh", "token": []})),
        ("id", json!({"action": "ping", "id": [1]})),
        ("action", json!({"action": ["ping"]})),
    ] {
        let expected = FieldError::new(field, "is an array, which no field of a command is");
        assert_eq!(reply(&command.to_string()).errors, [expected], "{command}");
    }
    let refused = reply(r#"{"action":"subscribe","topic":"a","since":5}"#);
    assert_eq!(refused.message, "since: invalid type: integer `5`, expected an object with `epoch` and `offset`");
}

#[test]
fn the_refusal_of_an_unknown_action_lists_the_known_ones() {
    let unknown = reply(r#"{"action":"teleport","id":"x","payload":{"deep":[1,2]}}"#);
    assert_eq!((unknown.code, unknown.id), (ErrorCode::UnknownAction, Some(CommandId::Text("x".into()))));
    assert!(unknown.message.contains("unsubscribe"), "{}", unknown.message);
}

fn text(frame: &Frame) -> &str {
    frame.texts().next().expect("a message")
}

#[test]
fn a_control_frame_has_type_payload_and_timestamp() {
    let frame = encode_control(&Control::Ack(Ack::new(CommandId::Number(7))), Timestamp::from_millis(0));
    let value: Value = serde_json::from_str(text(&frame)).expect("JSON");
    assert_eq!(value, json!({"type": "ack", "payload": {"id": 7}, "timestamp": "1970-01-01T00:00:00.000Z"}));
    assert!(frame.label().is_none(), "a control frame is never dropped");
}

#[test]
fn a_payload_is_sent_unchanged_and_one_route_is_named_by_its_topic_or_its_stream() {
    let message = |to: realtime_schema::Audience| Message {
        id: MessageId(uuid::Uuid::from_u128(1)),
        to,
        kind: MessageType::new("tick").expect("a type"),
        payload: Payload::from_text(r#"{ "b":1.0,  "a":[1e3] }"#.into()).expect("JSON"),
        timestamp: Timestamp::from_millis(0),
        except_client: None,
    };
    let topic = Route::Topic("t".parse().expect("a topic"));
    let frame = encode_publication(&message(topic.clone().into()), Overflow::Drop);
    assert!(text(&frame).contains(r#""payload":{ "b":1.0,  "a":[1e3] }"#), "{}", text(&frame));
    assert!(text(&frame).contains(r#""topic":"t""#));
    assert_eq!(frame.label().map(|label| label.overflow), Some(Overflow::Drop));
    let names = |to: realtime_schema::Audience| {
        let frame: Value =
            serde_json::from_str(text(&encode_publication(&message(to), Overflow::Close))).expect("JSON");
        assert!(frame.get("offset").is_none(), "{frame}");
        (frame.get("topic").cloned(), frame.get("stream").cloned())
    };
    assert_eq!(names(topic.clone().into()), (Some(json!("t")), None));
    assert_eq!(names(Route::All.into()), (None, Some(json!("all"))));
    assert_eq!(names(Route::Role("admin".parse().expect("a role")).into()), (None, Some(json!("role:admin"))));
    let alice = Route::User("alice".parse().expect("a user"));
    assert_eq!(names(alice.clone().into()), (None, Some(json!("user"))), "without the user's id");
    let connection = Route::Connection(realtime_schema::ConnectionId(uuid::Uuid::nil()));
    assert_eq!(names(connection.into()), (None, None));
    for routes in [vec![topic, Route::All], vec![alice, Route::User("bob".parse().expect("a user"))]] {
        assert_eq!(names(realtime_schema::Audience::union(routes).expect("an audience")), (None, None));
    }
}

#[test]
fn a_publication_with_a_history_says_its_stream_and_its_offset() {
    let message = |to: realtime_schema::Audience| Message {
        id: MessageId(uuid::Uuid::from_u128(1)),
        to,
        kind: MessageType::new("tick").expect("a type"),
        payload: Payload::from_text("5".into()).expect("JSON"),
        timestamp: Timestamp::from_millis(0),
        except_client: Some("tab".parse().expect("a client")),
    };
    let user = Route::User("alice".parse().expect("a user"));
    let prepared = prepare_publication(&message(user.into()), Overflow::Drop).expect("of a stream");
    let frame = prepared.finish(crate::epoch::Epoch(7), 17);
    let expected = json!({
        "type": "tick", "payload": 5, "timestamp": "1970-01-01T00:00:00.000Z",
        "id": "00000000-0000-0000-0000-000000000001", "stream": "user", "offset": 17,
    });
    assert_eq!(serde_json::from_str::<Value>(text(&frame)).expect("JSON"), expected);
    assert_eq!(frame.label().map(|label| label.overflow), Some(Overflow::Drop));
    assert_eq!(frame.text_len(), text(&frame).len());
    let kept = frame.kept().expect("kept");
    assert_eq!((kept.first, kept.last, kept.except.as_ref().map(AsRef::as_ref)), (17, 17, Some("tab")));

    let connection = Route::Connection(realtime_schema::ConnectionId(uuid::Uuid::nil())).into();
    let topics = ["a", "b"].map(|topic| Route::Topic(topic.parse().expect("a topic")));
    let union = realtime_schema::Audience::union(topics.into()).expect("an audience");
    for of_no_stream in [connection, union] {
        assert!(prepare_publication(&message(of_no_stream), Overflow::Drop).is_none());
    }
}

proptest! {
    #[test]
    fn no_text_makes_decode_panic(text in ".{0,200}") {
        let _ = decode(&text);
    }

    #[test]
    fn no_object_makes_decode_panic(
        action in prop::sample::select([&Action::NAMES[..], &["x"]].concat()),
        id in any::<i64>(), topic in ".{0,300}", stray in ".{0,20}",
    ) {
        let _ = decode(&json!({"action": action, "id": id, "topic": topic, stray: 1}).to_string());
    }
}
