//! Envelopes between nodes: whole, bounded, and read by newer and older releases.

use proptest::prelude::*;
use realtime_schema::{ClientId, Message, MessageId, MessageType, Payload, Route, Timestamp};
use uuid::Uuid;

use super::*;

const NODE: NodeId = NodeId(Uuid::from_u128(1));
const PLENTY: usize = 64 * 1024;

fn content(payload: &str) -> Content {
    Content {
        kind: MessageType::new("note").expect("a type"),
        payload: Payload::from_text(payload.into()).expect("JSON"),
    }
}

fn stamp() -> Stamp {
    Stamp { id: MessageId(Uuid::from_u128(7)), now: Timestamp::from_millis(1_000) }
}

fn published(envelope: &Envelope) -> &Message {
    envelope.message().expect("a publication")
}

#[test]
fn each_constructor_addresses_its_own_route() {
    let (user, role) = (UserId::new("alice").expect("a user"), Role::new("admin").expect("a role"));
    let (id, topic) = (ConnectionId(Uuid::from_u128(3)), Topic::new("order:1").expect("a topic"));
    for (envelope, route) in [
        (envelope(NODE, Route::All, content("1"), stamp()), Route::All),
        (broadcast_envelope(NODE, content("1"), stamp()), Route::All),
        (user_envelope(NODE, user.clone(), content("1"), stamp()), Route::User(user)),
        (role_envelope(NODE, role.clone(), content("1"), stamp()), Route::Role(role)),
        (connection_envelope(NODE, id, content("1"), stamp()), Route::Connection(id)),
        (topic_envelope(NODE, topic.clone(), content("1"), stamp()), Route::Topic(topic)),
    ] {
        assert_eq!((envelope.v, envelope.node), (Envelope::VERSION, NODE));
        assert_eq!(published(&envelope).to.routes(), [route]);
        assert_eq!(decode(&encode(&envelope), PLENTY), Ok(envelope));
    }
}

#[test]
fn a_too_large_envelope_is_not_parsed() {
    let bytes = encode(&broadcast_envelope(NODE, content("1"), stamp()));
    let limit = bytes.len() - 1;
    assert_eq!(decode(&bytes, limit), Err(Skip::TooLarge { size: bytes.len(), limit }));
    assert!(decode(&bytes, bytes.len()).is_ok());
}

#[test]
fn an_envelope_of_another_version_is_skipped_in_any_form() {
    let mut readable = broadcast_envelope(NODE, content("1"), stamp());
    readable.v = 2;
    assert_eq!(decode(&encode(&readable), PLENTY), Err(Skip::Version { found: 2 }));
    assert_eq!(decode(br#"{"v":3,"cells":[{"to":{"planet":"mars"}}]}"#, PLENTY), Err(Skip::Version { found: 3 }));
    assert!(matches!(decode(br#"{"v":1}"#, PLENTY), Err(Skip::Malformed(_))));
}

#[test]
fn an_event_of_a_later_release_is_skipped_by_its_name() {
    for event in [r#"{"joined":{"topic":"t","users":["alice"]}}"#, r#"{"joined":null}"#, r#"{"joined":[[{}]]}"#] {
        let text = format!(r#"{{"v":1,"node":"{NODE}","event":{event}}}"#);
        assert_eq!(decode(text.as_bytes(), PLENTY), Err(Skip::Event { name: "joined".into() }), "{text}");
    }
}

#[test]
fn the_order_of_an_envelopes_keys_makes_no_difference() {
    let envelope = broadcast_envelope(NODE, content(r#"{ "n": 1.0 }"#), stamp());
    let (v, node) = (r#""v":1"#.to_owned(), format!(r#""node":"{NODE}""#));
    let event = format!(r#""event":{}"#, serde_json::to_string(&envelope.event).expect("JSON"));
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let keys = order.map(|at| [&v, &node, &event][at].as_str());
        let text = format!("{{{}}}", keys.join(","));
        assert_eq!(decode(text.as_bytes(), PLENTY).as_ref(), Ok(&envelope), "{text}");
    }
    let message = serde_json::to_string(published(&envelope)).expect("JSON");
    for event in [
        format!(r#"{{"trace":{{"a":[1]}},"published":{message}}}"#),
        format!(r#"{{"published":{message},"trace":null}}"#),
    ] {
        let text = format!(r#"{{"event":{event},"v":1,"node":"{NODE}"}}"#);
        assert_eq!(decode(text.as_bytes(), PLENTY).as_ref(), Ok(&envelope), "{text}");
    }
    for event in [format!(r#"{{"published":{message},"published":{message}}}"#), "{}".into(), "[]".into(), "1".into()] {
        let text = format!(r#"{{"event":{event},"v":1,"node":"{NODE}"}}"#);
        assert!(matches!(decode(text.as_bytes(), PLENTY), Err(Skip::Malformed(_))), "{text}");
    }
}

#[test]
fn fields_that_a_later_release_adds_are_ignored() {
    let envelope = broadcast_envelope(NODE, content("1"), stamp());
    let text = String::from_utf8(encode(&envelope)).expect("JSON is UTF-8");
    let later = text.replacen('{', r#"{"trace":"00-ab","#, 1);
    assert_eq!(decode(later.as_bytes(), PLENTY), Ok(envelope));
}

#[test]
fn deep_nesting_is_accepted_or_refused_but_never_overflows_the_stack() {
    let deep = "[".repeat(200_000);
    let envelope = encode(&broadcast_envelope(NODE, content("1"), stamp()));
    let text = String::from_utf8(envelope).expect("JSON is UTF-8");
    for nested in
        [deep.clone(), format!(r#"{{"v":{deep}"#), text.replace(r#""payload":1"#, &format!(r#""payload":{deep}"#))]
    {
        assert!(matches!(decode(nested.as_bytes(), usize::MAX), Err(Skip::Malformed(_))));
    }
}

fn payload() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("null".to_owned()),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<String>().prop_map(|text| serde_json::to_string(&text).expect("a string")),
        // Unusual spacing, which must be kept.
        any::<u8>().prop_map(|n| format!("{{ \"n\" :\t[ {n} , 1e400 ] }}")),
    ]
}

proptest! {
    #[test]
    fn an_encoded_envelope_decodes_to_the_same(payload in payload(), ms in any::<i64>(), except in proptest::option::of("[a-z]{1,64}")) {
        let message = message::to_all(content(&payload), Stamp { now: Timestamp::from_millis(ms), ..stamp() });
        let except_client = except.map(|c| ClientId::new(c).expect("a client"));
        let envelope = Envelope::new(NODE, Message { except_client, ..message });
        let read = decode(&encode(&envelope), PLENTY).expect("an envelope");
        prop_assert_eq!(published(&read).payload.as_str(), payload);
        prop_assert_eq!(read, envelope);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode(&bytes, PLENTY);
    }

    #[test]
    fn no_changed_byte_makes_it_panic(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = encode(&broadcast_envelope(NODE, content(r#"{"a":"b"}"#), stamp()));
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = decode(&bytes, PLENTY);
        let _ = decode(&bytes[..at], PLENTY);
    }
}
