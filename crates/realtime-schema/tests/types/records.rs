//! Times, claims, queries, records and envelopes.

use realtime_schema::{
    Connection, Envelope, Event, JwtClaims, NodeId, PingMode, Presence, QueryParams, Receipt, StreamPosition, Timestamp,
};
use serde_json::{Value, json};

use crate::{assert_contains, read, refusal, user, written};

const ID: &str = "019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d8e";
const NOON: i64 = 1_795_438_800_123;

#[test]
fn a_time_is_written_in_utc_with_milliseconds() {
    for (millis, text) in [
        (NOON, "2026-11-23T13:00:00.123Z"),
        (0, "1970-01-01T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (1_000, "1970-01-01T00:00:01.000Z"),
    ] {
        assert_eq!(Timestamp::from_millis(millis).to_string(), text);
        assert_eq!(read::<Timestamp>(&format!("\"{text}\"")).as_millis(), millis);
    }
}

#[test]
fn a_time_is_read_in_any_zone_and_precision() {
    for same in ["2026-11-23T15:00:00.123+02:00", "2026-11-23T13:00:00.1239Z", "2026-11-23T04:30:00.123-08:30"] {
        assert_eq!(read::<Timestamp>(&format!("\"{same}\"")).as_millis(), NOON, "{same}");
    }
}

#[test]
fn an_invalid_time_is_refused_with_a_valid_example() {
    for wrong in ["\"\"", "\"yesterday\"", "\"2026-11-23\"", "\"2026-11-23T13:00:00\"", "\"2026-13-01T00:00:00Z\""] {
        assert_contains(&refusal::<Timestamp>(wrong), &["timestamp: ", "2026-11-23T13:00:00.123Z"]);
    }
    assert_contains(&refusal::<Timestamp>("1795438800123"), &["invalid type: integer", "string"]);
}

#[test]
fn a_time_out_of_range_becomes_the_nearest_valid_one() {
    for (far, year) in [(i64::MIN, "0001-"), (i64::MAX, "9999-")] {
        let shown = Timestamp::from_millis(far).to_string();
        assert!(shown.starts_with(year), "{shown}");
        assert_eq!(shown.parse::<Timestamp>(), Ok(Timestamp::from_millis(far)), "the text can be read again");
    }
}

#[test]
fn seconds_are_rounded_down_before_1970_too() {
    assert_eq!(Timestamp::from_millis(1_999).as_secs(), 1);
    assert_eq!(Timestamp::from_millis(-1).as_secs(), -1);
}

#[test]
fn claims_need_only_a_user() {
    assert_eq!(read::<JwtClaims>(r#"{"sub":"alice"}"#), JwtClaims::new(user("alice")));
    assert_eq!(written(&JwtClaims::new(user("alice"))), json!({"sub": "alice"}));
    assert_contains(&refusal::<JwtClaims>("{}"), &["missing field `sub`"]);
    assert_contains(&refusal::<JwtClaims>(r#"{"sub":""}"#), &["user: must not be empty"]);
}

#[test]
fn unknown_claims_are_ignored() {
    let claims: JwtClaims = read(
        r#"{"aud":["web"],"sub":"alice","email":"a@example.org","realm_access":{"roles":["x"]},"roles":["admin"]}"#,
    );
    assert_eq!(claims.sub, user("alice"));
    assert_eq!(claims.roles.len(), 1);
}

#[test]
fn a_claim_of_the_wrong_type_is_refused_and_not_treated_as_absent() {
    for wrong in [
        r#"{"sub":"alice","exp":"1795438800"}"#,
        r#"{"sub":"alice","nbf":1.5}"#,
        r#"{"sub":"alice","roles":"admin"}"#,
        r#"{"sub":"alice","metadata":[]}"#,
        r#"{"sub":7}"#,
    ] {
        assert_contains(&refusal::<JwtClaims>(wrong), &["invalid type"]);
    }
}

#[test]
fn a_query_may_be_empty_and_unknown_parameters_are_ignored() {
    assert_eq!(read::<QueryParams>("{}"), QueryParams::default());
    let query: QueryParams = read(r#"{"token":"a.b.c","client":"tab-1","ping":"text","utm_source":"mail"}"#);
    assert_eq!(query.ping, Some(PingMode::Text));
    assert_eq!(query.client.expect("a client").as_str(), "tab-1");
}

#[test]
fn the_refusal_of_a_query_names_the_invalid_parameter() {
    assert_contains(
        &refusal::<QueryParams>(&json!({"client": "x".repeat(65)}).to_string()),
        &["client: is 65", "at most 64"],
    );
    assert_contains(&refusal::<QueryParams>(r#"{"ping":"loud"}"#), &["`loud`", "`frame`", "`text`"]);
}

#[test]
fn no_debug_text_of_a_query_contains_the_token() {
    let query: QueryParams = read(r#"{"token":"secret.secret.secret"}"#);
    let shown = format!("{query:?}");
    assert!(!shown.contains("secret"), "{shown}");
    assert!(shown.contains("token"), "the presence of a token may be shown");
}

fn envelope() -> Value {
    json!({
        "v": 1,
        "node": ID,
        "event": {"published": {
            "id": ID,
            "to": [{"user": "alice"}, {"topic": "order:123"}],
            "type": "order-updated",
            "payload": {"status": "shipped"},
            "timestamp": "2026-11-23T13:00:00.123Z",
            "except_client": "tab-7f3a",
        }},
    })
}

#[test]
fn an_envelope_survives_writing_and_reading() {
    let read: Envelope = read(&envelope().to_string());
    assert_eq!(written(&read), envelope());
    let (node, message) = (ID.parse::<NodeId>().expect("an id"), read.message().expect("a publication").clone());
    assert_eq!(Envelope::new(node, message), read);
    assert_eq!(read.v, Envelope::VERSION);
}

#[test]
fn new_fields_of_a_later_releases_envelope_are_ignored() {
    let mut later = envelope();
    later["hops"] = json!(3);
    later["event"]["published"]["priority"] = json!({"high": true});
    assert_eq!(written(&read::<Envelope>(&later.to_string())), envelope());
    later["v"] = json!(2);
    assert_eq!(read::<Envelope>(&later.to_string()).v, 2, "the caller checks the version");
}

#[test]
fn an_event_of_a_later_release_is_read_by_its_name() {
    let mut later = envelope();
    later["event"] = json!({"joined": {"topic": "order:123", "user": "alice"}});
    let read: Envelope = read(&later.to_string());
    assert_eq!(read.event, Event::Other("joined".into()));
    assert!(read.message().is_none());
    assert_eq!(written(&read)["event"], json!({"joined": null}), "its content is not kept");
}

#[test]
fn a_forged_envelope_is_refused() {
    for (pointer, wrong) in [
        ("/node", json!("me")),
        ("/v", json!(-1)),
        ("/event", json!({})),
        ("/event", json!("published")),
        ("/event/published/id", json!(1)),
        ("/event/published/to", json!([])),
        ("/event/published/type", json!("welcome")),
        ("/event/published/timestamp", json!("now")),
    ] {
        let mut forged = envelope();
        *forged.pointer_mut(pointer).expect("a field") = wrong;
        refusal::<Envelope>(&forged.to_string());
    }
}

#[test]
fn a_record_without_roles_and_metadata_is_read() {
    let connection: Connection =
        read(&json!({"id": ID, "user": "alice", "created_at": "2026-11-23T13:00:00.123Z"}).to_string());
    assert!(connection.roles.is_empty() && connection.metadata.is_empty() && connection.client.is_none());
}

#[test]
fn a_receipt_has_duplicate_only_for_a_repeated_request() {
    let receipt: Receipt = read(&json!({"id": ID, "delivered": 2, "other_nodes": false}).to_string());
    assert!(!receipt.duplicate);
    assert_eq!(written(&receipt), json!({"id": ID, "delivered": 2, "other_nodes": false}));
    assert_eq!(written(&Receipt { duplicate: true, ..receipt })["duplicate"], json!(true));
}

#[test]
fn an_incomplete_position_is_refused() {
    assert_eq!(
        read::<StreamPosition>(r#"{"offset":17,"epoch":"k3f"}"#),
        StreamPosition { epoch: "k3f".into(), offset: 17 }
    );
    assert_contains(&refusal::<StreamPosition>(r#"{"epoch":"k3f"}"#), &["missing field `offset`"]);
    assert_contains(&refusal::<StreamPosition>(r#"{"epoch":"k3f","offset":-1}"#), &["-1"]);
    assert_contains(&refusal::<StreamPosition>(r#"{"epoch":"k3f","offset":1,"stray":0}"#), &["unknown field `stray`"]);
}

#[test]
fn presence_names_the_users_who_joined_and_left() {
    let text = r#"{"topic":"t","version":7,"count":2,"joined":[{"user":"alice","connections":1,"metadata":{"a":1}}],"left":["bob"]}"#;
    let presence: Presence = read(text);
    assert_eq!((presence.version, presence.count, presence.users.as_ref()), (7, 2, None));
    assert_eq!((&presence.joined[0].user, presence.left.as_slice()), (&user("alice"), &[user("bob")][..]));
    let again = serde_json::to_string(&presence).expect("JSON");
    assert_eq!(again, text, "lists without users are left out");
}
