//! The schema of commands, the commands that clients write, and the server's decoder agree.

use std::sync::LazyLock;

use jsonschema::Validator;
use proptest::{option, prelude::*};
use realtime_core::codec::decode;
use realtime_schema::{Action, CallName, Command, CommandId, Payload, StreamPosition, Topic, UserId, catalog};
use serde_json::{Value, json};

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let entry = catalog().into_iter().find(|entry| entry.name == "client-command");
    entry.expect("the catalog has the commands").schema
});
static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| jsonschema::validator_for(&SCHEMA).expect("a schema"));

fn id() -> impl Strategy<Value = Option<CommandId>> {
    option::of(prop_oneof![any::<i64>().prop_map(CommandId::Number), "(?s).{1,64}".prop_map(CommandId::Text)])
}

fn topic() -> impl Strategy<Value = Topic> {
    "[a-z0-9é_:./-]{1,40}".prop_map(|text| Topic::new(text).expect("a topic"))
}

fn position() -> impl Strategy<Value = StreamPosition> {
    (any::<String>(), any::<u64>()).prop_map(|(epoch, offset)| StreamPosition { epoch, offset })
}

/// Not `null`, which is read as no payload.
fn payload() -> impl Strategy<Value = Payload> {
    prop::sample::select(vec![json!([1, [2]]), json!({"a": {"b": []}}), json!("é\n"), json!(1.5), json!(false)])
        .prop_map(|value| Payload::of(&value).expect("JSON"))
}

fn command() -> impl Strategy<Value = Command> {
    let action = prop_oneof![
        (topic(), option::of(position())).prop_map(|(topic, since)| Action::Subscribe { topic, since }),
        topic().prop_map(|topic| Action::Unsubscribe { topic }),
        any::<String>().prop_map(|token| Action::Refresh { token }),
        (option::of("[a-z.]{1,9}"), option::of(payload())).prop_map(|(name, payload)| {
            let name = name.map(|name| CallName::new(name).expect("a name"));
            Action::Call { name, payload }
        }),
        (
            topic(),
            option::of(any::<bool>()),
            option::of(any::<bool>()),
            option::of("[a-z]{1,9}"),
            option::of(any::<u32>())
        )
            .prop_map(|(topic, subscribe, names, after, limit)| {
                let after = after.map(|after| UserId::new(after).expect("a user"));
                Action::Presence { topic, subscribe, names, after, limit }
            }),
        Just(Action::Ping {}),
        Just(Action::Pong {}),
    ];
    (id(), action).prop_map(|(id, action)| Command { id: id.filter(|_| action != Action::Pong {}), action })
}

#[test]
fn every_example_of_a_command_is_decoded() {
    let examples = SCHEMA["examples"].as_array().expect("examples");
    assert!(!examples.is_empty());
    for example in examples {
        assert!(decode(&example.to_string()).is_ok(), "{example}");
    }
}

#[test]
fn the_schema_describes_every_action() {
    let described: Vec<_> = SCHEMA["oneOf"].as_array().expect("a list").iter().collect();
    let names: Vec<_> = described.iter().map(|one| one["properties"]["action"]["const"].clone()).collect();
    assert_eq!(names, Action::NAMES.map(Value::from));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_decoder_and_the_schema_accept_the_same_commands(
        action in prop::sample::select(vec!["subscribe", "unsubscribe", "refresh", "call", "ping", "pong", "publish", "presence"]),
        fields in prop::collection::btree_map(
            prop::sample::select(vec![
                "id", "topic", "token", "since", "name", "payload", "stray", "subscribe", "names", "after", "limit",
            ]),
            prop::sample::select(vec![
                json!(7), json!(7.0), json!(1.5), json!("a"), json!(""), json!(null), json!({"epoch": "k", "offset": 1}),
                json!({"epoch": "k", "offset": 1.0}), json!({"epoch": "k", "offset": 1.5}), json!({"epoch": "k"}),
                json!({"epoch": "k", "offset": 1, "stray": 1}), json!([]), json!(u64::MAX), json!(true),
            ]),
            0..4,
        ),
    ) {
        let mut command = json!(fields);
        command["action"] = json!(action);
        prop_assert_eq!(VALIDATOR.is_valid(&command), decode(&command.to_string()).is_ok(), "{}", command);
    }

    #[test]
    fn an_encoded_command_decodes_to_the_same(command in command()) {
        let text = serde_json::to_string(&command).expect("JSON");
        prop_assert_eq!(decode(&text), Ok(command), "{}", text);
        prop_assert!(VALIDATOR.is_valid(&serde_json::from_str(&text).expect("JSON")), "{}", text);
    }
}
