//! Schemas and types accept the same values, so that a client can validate before it sends.

use std::sync::LazyLock;

use jsonschema::Validator;
use proptest::prelude::*;
use realtime_schema::{
    BatchRequest, ClientId, DisconnectRequest, ExplainRequest, Grant, HistoryQuery, JwtClaims, MessageType,
    PresenceQuery, PublishRequest, QueryParams, RevocationQuery, RevocationRequest, Stream, Topic, TopicQuery,
    TraceRequest, UserId,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{schema, validator};

/// The validator of one part of a schema.
fn part(of: &str, name: &str) -> Validator {
    let definition = json!({"$ref": format!("#/$defs/{name}"), "$defs": schema(of)["$defs"]});
    validator(&definition)
}

fn reads<T: DeserializeOwned>(value: &Value) -> bool {
    serde_json::from_str::<T>(&value.to_string()).is_ok()
}

fn every_example_is_read<T: DeserializeOwned>(name: &str) {
    let schema = schema(name);
    for example in schema["examples"].as_array().expect("examples") {
        assert!(reads::<T>(example), "{name}: {example}");
    }
}

#[test]
fn every_example_of_a_request_is_read() {
    every_example_is_read::<QueryParams>("query-params");
    every_example_is_read::<JwtClaims>("jwt-claims");
    every_example_is_read::<Topic>("topic");
    every_example_is_read::<PublishRequest>("publish-request");
    every_example_is_read::<BatchRequest>("batch-request");
    every_example_is_read::<DisconnectRequest>("disconnect-request");
    every_example_is_read::<ExplainRequest>("explain-request");
    every_example_is_read::<TraceRequest>("trace-request");
    every_example_is_read::<TopicQuery>("topic-query");
    every_example_is_read::<HistoryQuery>("history-query");
    every_example_is_read::<PresenceQuery>("presence-query");
    every_example_is_read::<RevocationRequest>("revocation-request");
    every_example_is_read::<RevocationQuery>("revocation-query");
}

/// Text with many characters that have a meaning in names.
fn text() -> impl Strategy<Value = String> {
    let special = prop::sample::select(vec![
        ":", "*", "**", "{sub}", "{", "}", "order", "a", " ", "\t", "\n", "\u{85}", "\u{a0}", "\u{ad}", "\u{61c}",
        "\u{180e}", "\u{200b}", "\u{2003}", "\u{202e}", "\u{3000}", "\u{feff}", "é", "😀", "rt.", "ping", "\u{7f}",
    ]);
    let piece = prop_oneof![3 => special.prop_map(str::to_owned), 1 => any::<char>().prop_map(String::from)];
    prop_oneof![
        8 => prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat()),
        1 => (250_usize..260, prop::sample::select(vec!['a', 'é', '😀'])).prop_map(|(n, c)| c.to_string().repeat(n)),
    ]
}

/// Segments joined by `:`. Short, because only the type checks the length of a pattern.
fn segments() -> impl Strategy<Value = String> {
    let segment = prop::sample::select(vec!["order", "*", "**", "{sub}", "", "1*", "{id}", "two words"]);
    prop::collection::vec(segment, 1..5).prop_map(|segments| segments.join(":"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_topic_is_valid_by_its_schema_when_it_is_read(text in text()) {
        static TOPIC: LazyLock<Validator> = LazyLock::new(|| validator(&schema("topic")));
        prop_assert_eq!(TOPIC.is_valid(&json!(text)), reads::<Topic>(&json!(text)), "{:?}", text);
    }

    #[test]
    fn a_type_of_message_is_valid_by_its_schema_when_it_is_read(text in text()) {
        static KIND: LazyLock<Validator> = LazyLock::new(|| part("publish-request", "MessageType"));
        prop_assert_eq!(KIND.is_valid(&json!(text)), reads::<MessageType>(&json!(text)), "{:?}", text);
    }

    #[test]
    fn a_user_and_a_client_are_valid_by_their_schemas_when_they_are_read(text in text()) {
        static USER: LazyLock<Validator> = LazyLock::new(|| part("publish-request", "UserId"));
        static CLIENT: LazyLock<Validator> = LazyLock::new(|| part("publish-request", "ClientId"));
        prop_assert_eq!(USER.is_valid(&json!(text)), reads::<UserId>(&json!(text)), "{:?}", text);
        prop_assert_eq!(CLIENT.is_valid(&json!(text)), reads::<ClientId>(&json!(text)), "{:?}", text);
    }

    #[test]
    fn a_grant_is_valid_by_its_schema_when_it_is_read(
        action in prop::sample::select(vec!["subscribe:", "publish:", "history:", "presence:", "presence", "shout:", ""]),
        pattern in prop_oneof![segments(), text().prop_filter("short", |text| text.chars().count() < 250)],
    ) {
        static GRANT: LazyLock<Validator> = LazyLock::new(|| part("jwt-claims", "Grant"));
        let grant = json!(format!("{action}{pattern}"));
        prop_assert_eq!(GRANT.is_valid(&grant), reads::<Grant>(&grant), "{}", grant);
    }

    #[test]
    fn an_audience_is_valid_by_its_schema_when_it_is_read(
        routes in prop::collection::vec(
            prop::sample::select(vec![
                json!("all"), json!("group"), json!({"user": "alice"}), json!({"role": ""}), json!({"topic": "a b"}),
                json!({"connection": "019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d8e"}), json!({"connection": "7"}), json!({}),
                json!({"all": null}), json!({"user": "alice", "role": "admin"}), json!(null), json!(["all"]),
            ]),
            0..3,
        ),
        alone in any::<bool>(),
    ) {
        static AUDIENCE: LazyLock<Validator> = LazyLock::new(|| part("publish-request", "Audience"));
        let to = match routes.as_slice() {
            [one] if alone => one.clone(),
            many => json!(many),
        };
        let request = json!({"to": to, "type": "greeting", "payload": 1});
        prop_assert_eq!(AUDIENCE.is_valid(&to), reads::<PublishRequest>(&request), "{}", to);
    }

    #[test]
    fn a_stream_is_valid_by_its_schema_when_it_is_read(
        kind in prop::sample::select(vec!["topic:", "role:", "user", "all", "user:", "connection", "union", ""]),
        rest in prop_oneof![text().prop_filter("short", |text| text.chars().count() < 250), Just(String::new())],
    ) {
        static STREAM: LazyLock<Validator> = LazyLock::new(|| part("gap", "Stream"));
        let stream = json!(format!("{kind}{rest}"));
        prop_assert_eq!(STREAM.is_valid(&stream), reads::<Stream>(&stream), "{}", stream);
    }

    #[test]
    fn a_close_code_is_valid_by_its_schema_when_it_is_read(
        code in prop::sample::select(vec!["4000", "4063.0", "4.2e3", "4403", "4603", "4399.0", "null", "4000.5", "\"4000\"", "-4000"]),
    ) {
        static REQUEST: LazyLock<Validator> = LazyLock::new(|| validator(&schema("disconnect-request")));
        let request: Value = serde_json::from_str(&format!(r#"{{"code":{code}}}"#)).expect("JSON");
        prop_assert_eq!(REQUEST.is_valid(&request), reads::<DisconnectRequest>(&request), "{}", request);
    }

    #[test]
    fn a_page_is_valid_by_its_schema_when_it_is_read(limit in -2_i64..1_100) {
        static QUERY: LazyLock<Validator> = LazyLock::new(|| validator(&schema("topic-query")));
        prop_assert_eq!(QUERY.is_valid(&json!({"limit": limit})), reads::<TopicQuery>(&json!({"limit": limit})));
    }
}
