//! No input makes a reader panic, and every valid value survives writing and reading.

use proptest::{collection::vec, option, prelude::*};
use realtime_schema::{
    Audience, BatchRequest, ClientId, CommandId, Connection, ConnectionId, DisconnectRequest, Envelope, Grant,
    GrantAction, JwtClaims, Message, MessageId, MessageType, NodeId, Payload, Problem, PublishRequest, QueryParams,
    Receipt, Role, Route, Stream, StreamPosition, Subscription, Timestamp, TokenInfo, Topic, TopicPattern, TopicQuery,
    UserId, Welcome,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

/// Reads `bytes` as every type of input.
fn read_as_everything(bytes: &[u8]) {
    fn read<T: DeserializeOwned>(bytes: &[u8]) {
        drop(serde_json::from_slice::<T>(bytes));
    }
    let readers: [fn(&[u8]); 20] = [
        read::<Stream>,
        read::<CommandId>,
        read::<PublishRequest>,
        read::<BatchRequest>,
        read::<DisconnectRequest>,
        read::<TopicQuery>,
        read::<QueryParams>,
        read::<JwtClaims>,
        read::<Grant>,
        read::<TopicPattern>,
        read::<Topic>,
        read::<Timestamp>,
        read::<Audience>,
        read::<Payload>,
        read::<Message>,
        read::<Envelope>,
        read::<Connection>,
        read::<Subscription>,
        read::<Problem>,
        read::<Welcome>,
    ];
    for read in readers {
        read(bytes);
    }
}

/// JSON that is almost valid for some type.
fn nearly() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(Value::Null),
        prop::sample::select(vec!["all", "subscribe", "order:123", "2026-11-23T13:00:00Z", "subscribe:a:*"])
            .prop_map(Value::from),
    ];
    let key = prop_oneof![
        8 => prop::sample::select(vec![
            "action", "id", "topic", "since", "token", "to", "type", "payload", "timestamp", "user", "role",
            "connection", "publications", "sub", "grants", "exp", "v", "node", "message", "epoch", "offset", "code",
        ]).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            vec((key.clone(), inner), 0..6).prop_map(|fields| fields.into_iter().collect()),
        ]
    })
}

fn survives_writing_and_reading<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(
    value: &T,
) -> Result<(), TestCaseError> {
    let text = serde_json::to_string(value).expect("JSON");
    let again: T = serde_json::from_str(&text).map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
    prop_assert_eq!(&again, value, "{}", text);
    Ok(())
}

/// Texts that are valid names; without white space and pattern characters, so that they are valid topics too.
fn name(max: usize) -> impl Strategy<Value = String> {
    vec(prop::sample::select("aZ09-_.:/é世😀\"\\'<&".chars().collect::<Vec<_>>()), 1..=max)
        .prop_map(String::from_iter)
        .prop_filter("reserved", |text| MessageType::new(text).is_ok())
}

fn topic() -> impl Strategy<Value = Topic> {
    name(255).prop_map(|text| Topic::new(text).expect("a topic"))
}

fn user() -> impl Strategy<Value = UserId> {
    name(255).prop_map(|text| UserId::new(text).expect("a user"))
}

fn role() -> impl Strategy<Value = Role> {
    name(20).prop_map(|text| Role::new(text).expect("a role"))
}

fn client() -> impl Strategy<Value = ClientId> {
    name(64).prop_map(|text| ClientId::new(text).expect("a client"))
}

fn connection_id() -> impl Strategy<Value = ConnectionId> {
    any::<u128>().prop_map(|bits| ConnectionId(uuid::Uuid::from_u128(bits)))
}

fn timestamp() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_millis)
}

fn position() -> impl Strategy<Value = StreamPosition> {
    (any::<String>(), any::<u64>()).prop_map(|(epoch, offset)| StreamPosition { epoch, offset })
}

fn stream() -> impl Strategy<Value = Stream> {
    prop_oneof![Just(Stream::All), Just(Stream::User), role().prop_map(Stream::Role), topic().prop_map(Stream::Topic),]
}

fn audience() -> impl Strategy<Value = Audience> {
    let route = prop_oneof![
        Just(Route::All),
        user().prop_map(Route::User),
        role().prop_map(Route::Role),
        connection_id().prop_map(Route::Connection),
        topic().prop_map(Route::Topic),
    ];
    vec(route, 1..5).prop_map(|routes| Audience::union(routes).expect("at least one"))
}

fn payload() -> impl Strategy<Value = Payload> {
    nearly().prop_map(|value| Payload::of(&value).expect("JSON"))
}

fn kind() -> impl Strategy<Value = MessageType> {
    name(255).prop_map(|text| MessageType::new(text).expect("a type"))
}

fn message() -> impl Strategy<Value = Message> {
    (any::<u128>(), audience(), kind(), payload(), timestamp(), option::of(client())).prop_map(
        |(id, to, kind, payload, timestamp, except_client)| Message {
            id: MessageId(uuid::Uuid::from_u128(id)),
            to,
            kind,
            payload,
            timestamp,
            except_client,
        },
    )
}

fn grant() -> impl Strategy<Value = Grant> {
    let segment = prop_oneof![Just("*".to_owned()), Just("{sub}".to_owned()), "[a-z0-9é]{1,5}"];
    (prop::sample::select(GrantAction::ALL.to_vec()), vec(segment, 1..6), any::<bool>()).prop_map(
        |(action, mut segments, open)| {
            segments.extend(open.then(|| "**".to_owned()));
            Grant { action, pattern: TopicPattern::new(segments.join(":")).expect("a pattern") }
        },
    )
}

fn claims() -> impl Strategy<Value = JwtClaims> {
    (user(), option::of(any::<i64>()), vec(role(), 0..4), vec(grant(), 0..4), option::of(any::<String>()))
        .prop_map(|(sub, exp, roles, grants, jti)| JwtClaims { exp, roles, grants, jti, ..JwtClaims::new(sub) })
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(bytes in vec(any::<u8>(), 0..200)) {
        read_as_everything(&bytes);
    }

    #[test]
    fn no_text_makes_a_parser_panic(text in any::<String>()) {
        read_as_everything(text.as_bytes());
        read_as_everything(json!(text).to_string().as_bytes());
        drop(text.parse::<Timestamp>());
        drop(text.parse::<Grant>());
        drop(text.parse::<TopicPattern>());
        drop(text.parse::<Topic>());
        drop(text.parse::<Stream>());
        drop(text.parse::<ConnectionId>());
        drop(Payload::from_text(text));
    }

    #[test]
    fn no_json_makes_a_reader_panic(value in nearly()) {
        read_as_everything(value.to_string().as_bytes());
    }

    #[test]
    fn a_truncated_message_makes_no_reader_panic(message in message(), cut in any::<prop::sample::Index>()) {
        let text = serde_json::to_string(&Envelope::new(NodeId(message.id.0), message)).expect("JSON");
        read_as_everything(&text.as_bytes()[..cut.index(text.len())]);
    }

    #[test]
    fn a_time_survives_writing_and_reading(time in timestamp()) {
        survives_writing_and_reading(&time)?;
        prop_assert_eq!(time.to_string().len(), "2026-11-23T13:00:00.123Z".len());
    }

    #[test]
    fn a_stream_has_one_name(stream in stream()) {
        survives_writing_and_reading(&stream)?;
        prop_assert_eq!(stream.to_string().parse(), Ok(stream));
    }

    #[test]
    fn an_envelope_survives_writing_and_reading(message in message(), node in any::<u128>()) {
        survives_writing_and_reading(&Envelope::new(NodeId(uuid::Uuid::from_u128(node)), message))?;
    }

    #[test]
    fn a_request_to_publish_survives_writing_and_reading(message in message(), key in option::of(any::<String>())) {
        let Message { to, kind, payload, timestamp, except_client, .. } = message;
        let request = PublishRequest {
            timestamp: Some(timestamp),
            idempotency_key: key,
            except_client,
            ..PublishRequest::new(to, kind, payload)
        };
        survives_writing_and_reading(&request)?;
    }

    #[test]
    fn claims_survive_writing_and_reading(claims in claims()) {
        survives_writing_and_reading(&claims)?;
    }

    #[test]
    fn a_record_survives_writing_and_reading(
        id in connection_id(),
        user in user(),
        roles in vec(role(), 0..4),
        client in option::of(client()),
        created_at in timestamp(),
        count in any::<u32>(),
        iat in option::of(any::<i64>()),
    ) {
        let metadata = json!({"count": count}).as_object().expect("an object").clone();
        let token = iat.map(|iat| Box::new(TokenInfo { iat: Some(iat), jti: Some("7f3a".into()), exp: None }));
        survives_writing_and_reading(&Connection { id, user, roles, client, metadata, created_at, token })?;
    }

    #[test]
    fn a_receipt_survives_writing_and_reading(
        id in any::<u128>(),
        delivered in any::<u64>(),
        other_nodes in any::<bool>(),
        duplicate in any::<bool>(),
        position in option::of(position()),
    ) {
        let id = MessageId(uuid::Uuid::from_u128(id));
        survives_writing_and_reading(&Receipt { id, delivered, other_nodes, position, duplicate })?;
    }

    #[test]
    fn a_topic_is_read_exactly_when_its_characters_and_their_number_allow_it(text in any::<String>()) {
        let allowed = |c: char| !(c.is_whitespace() || c.is_control() || "*{}".contains(c) || hidden(c));
        let wanted = (1..=255).contains(&text.chars().count()) && text.chars().all(allowed);
        prop_assert_eq!(Topic::new(&text).is_ok(), wanted, "{:?}", text);
    }
}

/// Characters that are not visible and that the protocol refuses.
fn hidden(c: char) -> bool {
    matches!(u32::from(c), 0xAD | 0x61C | 0x180E | 0x200B..=0x200F | 0x2028..=0x202E | 0x2060..=0x206F | 0xFEFF)
}
