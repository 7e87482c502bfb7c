//! Publications: recipients, payloads, and the refusals of invalid requests.

use realtime_schema::{
    Audience, BatchRequest, DisconnectRequest, Message, MessageType, Payload, PublishRequest, Route, TopicQuery,
};
use serde_json::{Value, json};

use crate::{assert_contains, read, refusal, topic, user, written};

const CONNECTION: &str = "019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d8e";

/// A request to publish to `to`.
fn request(to: &Value) -> String {
    json!({"to": to, "type": "greeting", "payload": 1}).to_string()
}

fn routes(to: &Value) -> Vec<Route> {
    read::<PublishRequest>(&request(to)).to.routes().to_vec()
}

fn refused(to: &Value) -> String {
    refusal::<PublishRequest>(&request(to))
}

#[test]
fn every_form_of_audience_is_read() {
    assert_eq!(routes(&json!("all")), [Route::All]);
    assert_eq!(routes(&json!({"user": "alice"})), [Route::User(user("alice"))]);
    assert_eq!(routes(&json!({"role": "admin"})), [Route::Role("admin".parse().expect("a role"))]);
    assert_eq!(routes(&json!({"connection": CONNECTION})), [Route::Connection(CONNECTION.parse().expect("an id"))]);
    assert_eq!(routes(&json!({"topic": "order:123"})), [Route::Topic(topic("order:123"))]);
    assert_eq!(routes(&json!(["all", {"user": "alice"}])), [Route::All, Route::User(user("alice"))]);
}

#[test]
fn a_list_of_one_is_that_one() {
    let one: Audience = read(r#"[{"topic":"order:123"}]"#);
    assert_eq!(one, Audience::from(Route::Topic(topic("order:123"))));
    assert_eq!(written(&one), json!({"topic": "order:123"}));
}

#[test]
fn only_a_publication_to_one_topic_has_a_topic() {
    assert_eq!(read::<Audience>(r#"{"topic":"t"}"#).topic(), Some(&topic("t")));
    for other in [r#""all""#, r#"{"user":"t"}"#, r#"[{"topic":"t"},{"topic":"u"}]"#] {
        assert_eq!(read::<Audience>(other).topic(), None, "{other}");
    }
}

#[test]
fn an_empty_or_too_long_audience_is_refused_with_the_limit() {
    assert_contains(&refused(&json!([])), &["to: is empty", "\"all\""]);
    let most = vec![json!("all"); Audience::MAX_ROUTES];
    assert_eq!(routes(&json!(most)).len(), 100);
    assert_contains(&refused(&json!([most, vec![json!("all")]].concat())), &["at most 100 routes"]);
    assert!(Audience::union(Vec::new()).is_err());
    assert!(Audience::union(vec![Route::All; Audience::MAX_ROUTES + 1]).is_err());
}

#[test]
fn an_unknown_form_of_audience_is_refused_with_the_known_ones() {
    let forms = ["\"all\"", "user", "role", "connection", "topic"];
    for unknown in [json!("everyone"), json!(7), json!(null), json!({})] {
        assert_contains(&refused(&unknown), &forms);
    }
    assert_contains(&refused(&json!({"group": "g"})), &["`group`", "`user`", "`role`", "`connection`", "`topic`"]);
    assert_contains(&refused(&json!([{"group": "g"}])), &["`group`", "`user`"]);
    assert_contains(&refused(&json!({"all": null})), &["`all`"]);
    assert_contains(&refused(&json!([["all"]])), &["sequence"]);
}

#[test]
fn two_routes_in_one_object_are_refused_with_how_to_name_both() {
    for both in [json!({"role": "admin", "user": "alice"}), json!([{"role": "admin", "user": "alice"}])] {
        assert_contains(&refused(&both), &["`role` and `user` are two routes", r#"[{"role":…}, {"user":…}]"#]);
    }
}

#[test]
fn an_error_inside_a_route_is_described() {
    assert_contains(&refused(&json!({"user": ""})), &["user: must not be empty"]);
    assert_contains(&refused(&json!({"role": "x".repeat(256)})), &["role: is 256 characters long; at most 255"]);
    assert_contains(&refused(&json!({"topic": "two words"})), &["topic: contains ' '"]);
    assert_contains(&refused(&json!({"connection": "7"})), &["UUID"]);
    assert_contains(&refused(&json!({"user": 7})), &["invalid type: integer `7`", "string"]);
}

#[test]
fn a_refusal_names_the_missing_or_unknown_field() {
    assert_contains(&refusal::<PublishRequest>(r#"{"type":"a","payload":1}"#), &["missing field `to`"]);
    assert_contains(&refusal::<PublishRequest>(r#"{"to":"all","payload":1}"#), &["missing field `type`"]);
    assert_contains(&refusal::<PublishRequest>(r#"{"to":"all","type":"a"}"#), &["missing field `payload`"]);
    assert_contains(
        &refusal::<PublishRequest>(r#"{"to":"all","type":"a","payload":1,"topic":"t"}"#),
        &[
            "unknown field `topic`",
            "`to`",
            "`type`",
            "`payload`",
            "`timestamp`",
            "`idempotency_key`",
            "`except_client`",
        ],
    );
    assert_contains(
        &refusal::<PublishRequest>(r#"{"to":"all","to":"all","type":"a","payload":1}"#),
        &["duplicate field `to`"],
    );
}

#[test]
fn a_refusal_names_the_field_with_an_invalid_value() {
    let with = |field: &str, value: Value| {
        let mut request = json!({"to": "all", "type": "a", "payload": 1});
        request[field] = value;
        refusal::<PublishRequest>(&request.to_string())
    };
    assert_contains(&with("type", json!("welcome")), &["type: `welcome` is reserved"]);
    assert_contains(&with("timestamp", json!("yesterday")), &["timestamp: is not an RFC 3339 time"]);
    assert_contains(&with("except_client", json!("x".repeat(65))), &["client: is 65 characters long; at most 64"]);
}

#[test]
fn a_payload_keeps_its_original_text() {
    for payload in
        ["null", "1.0", "1e400", r#"{"b":1,"a":2,"a":3}"#, "[ 1,\t2 ]", r#""\u00e9""#, "12345678901234567890"]
    {
        let request: PublishRequest = read(&format!(r#"{{"to":"all","type":"a","payload":{payload}}}"#));
        assert_eq!(request.payload.as_str(), payload);
        assert_contains(&serde_json::to_string(&request).expect("JSON"), &[&format!(r#""payload":{payload}"#)]);
    }
}

#[test]
fn a_payload_that_is_not_one_json_value_is_refused() {
    for text in ["", "{", "1 2", "nul", "{'a':1}", "NaN"] {
        assert!(Payload::from_text(text.into()).is_err(), "{text}");
    }
}

#[test]
fn a_batch_is_of_1_to_1000_publications() {
    let batch =
        |n: usize| json!({"publications": vec![json!({"to": "all", "type": "a", "payload": 1}); n]}).to_string();
    assert_eq!(read::<BatchRequest>(&batch(1000)).publications.len(), BatchRequest::MAX);
    assert_contains(&refusal::<BatchRequest>(&batch(0)), &["publications: 0 messages", "1 to 1000"]);
    assert_contains(&refusal::<BatchRequest>(&batch(1001)), &["publications: 1001 messages", "1 to 1000"]);
    assert_contains(&refusal::<BatchRequest>("{}"), &["missing field `publications`"]);
}

#[test]
fn a_disconnect_may_be_empty_and_refuses_unknown_fields() {
    assert_eq!(read::<DisconnectRequest>("{}"), DisconnectRequest::default());
    assert_contains(
        &refusal::<DisconnectRequest>(r#"{"cause":"x"}"#),
        &["unknown field `cause`", "`code`", "`reason`"],
    );
    assert_contains(&refusal::<DisconnectRequest>(r#"{"code":70000}"#), &["70000"]);
}

#[test]
fn a_page_of_topics_has_100_by_default_and_1_to_1000_on_request() {
    assert_eq!(read::<TopicQuery>("{}").limit, 100);
    assert_eq!(read::<TopicQuery>("{}"), TopicQuery::default());
    assert_eq!(read::<TopicQuery>(r#"{"limit":1000,"after":"t"}"#).limit, TopicQuery::MAX_LIMIT);
    for wrong in [r#"{"limit":0}"#, r#"{"limit":1001}"#] {
        assert_contains(&refusal::<TopicQuery>(wrong), &["limit: ", "1 to 1000"]);
    }
    assert_contains(&refusal::<TopicQuery>(r#"{"before":"t"}"#), &["unknown field `before`", "`after`"]);
}

#[test]
fn a_message_writes_no_absent_field() {
    let message = Message {
        id: CONNECTION.parse().expect("an id"),
        to: Route::All.into(),
        kind: MessageType::new("greeting").expect("a type"),
        payload: Payload::of(&json!({"hello": "world"})).expect("JSON"),
        timestamp: "2026-11-23T13:00:00.123Z".parse().expect("a time"),
        except_client: None,
    };
    assert_eq!(
        written(&message),
        json!({
            "id": CONNECTION,
            "to": "all",
            "type": "greeting",
            "payload": {"hello": "world"},
            "timestamp": "2026-11-23T13:00:00.123Z",
        })
    );
}
