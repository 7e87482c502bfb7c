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

#[test]
fn each_envelope_is_addressed_to_what_its_name_says() {
    let (user, role) = (UserId::new("alice").expect("a user"), Role::new("admin").expect("a role"));
    let (id, topic) = (ConnectionId(Uuid::from_u128(3)), Topic::new("order:1").expect("a topic"));
    for (envelope, route) in [
        (broadcast_envelope(NODE, content("1"), stamp()), Route::All),
        (user_envelope(NODE, user.clone(), content("1"), stamp()), Route::User(user)),
        (role_envelope(NODE, role.clone(), content("1"), stamp()), Route::Role(role)),
        (connection_envelope(NODE, id, content("1"), stamp()), Route::Connection(id)),
        (topic_envelope(NODE, topic.clone(), content("1"), stamp()), Route::Topic(topic)),
    ] {
        assert_eq!((envelope.v, envelope.node), (Envelope::VERSION, NODE));
        assert_eq!(envelope.message.to.routes(), [route]);
        assert_eq!(decode(&encode(&envelope), PLENTY), Ok(envelope));
    }
}

#[test]
fn what_is_too_large_is_not_read() {
    let bytes = encode(&broadcast_envelope(NODE, content("1"), stamp()));
    let limit = bytes.len() - 1;
    assert_eq!(decode(&bytes, limit), Err(Skip::TooLarge { size: bytes.len(), limit }));
    assert!(decode(&bytes, bytes.len()).is_ok());
}

#[test]
fn another_releases_envelope_is_skipped_by_its_version_whatever_its_form() {
    let mut readable = broadcast_envelope(NODE, content("1"), stamp());
    readable.v = 2;
    assert_eq!(decode(&encode(&readable), PLENTY), Err(Skip::Version { found: 2 }));
    assert_eq!(decode(br#"{"v":3,"cells":[{"to":{"planet":"mars"}}]}"#, PLENTY), Err(Skip::Version { found: 3 }));
    assert!(matches!(decode(br#"{"v":1}"#, PLENTY), Err(Skip::Malformed(_))));
}

#[test]
fn fields_that_a_later_release_adds_are_ignored() {
    let envelope = broadcast_envelope(NODE, content("1"), stamp());
    let text = String::from_utf8(encode(&envelope)).expect("JSON is UTF-8");
    let later = text.replacen('{', r#"{"trace":"00-ab","#, 1);
    assert_eq!(decode(later.as_bytes(), PLENTY), Ok(envelope));
}

#[test]
fn deep_nesting_is_carried_or_refused_but_never_overflows_the_stack() {
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
        // Kept as it came, odd spacing and all.
        any::<u8>().prop_map(|n| format!("{{ \"n\" :\t[ {n} , 1e400 ] }}")),
    ]
}

proptest! {
    #[test]
    fn what_is_written_reads_back_the_same(payload in payload(), ms in any::<i64>(), except in proptest::option::of("[a-z]{1,64}")) {
        let mut envelope = broadcast_envelope(NODE, content(&payload), Stamp { now: Timestamp::from_millis(ms), ..stamp() });
        envelope.message = Message { except_client: except.map(|c| ClientId::new(c).expect("a client")), ..envelope.message };
        let read = decode(&encode(&envelope), PLENTY).expect("an envelope");
        prop_assert_eq!(read.message.payload.as_str(), payload);
        prop_assert_eq!(read, envelope);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode(&bytes, PLENTY);
    }

    #[test]
    fn no_damage_to_an_envelope_makes_it_panic(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = encode(&broadcast_envelope(NODE, content(r#"{"a":"b"}"#), stamp()));
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = decode(&bytes, PLENTY);
        let _ = decode(&bytes[..at], PLENTY);
    }
}
