//! One example of each frame that a server sends.

use std::collections::BTreeMap;

use crate::{
    client::CommandId,
    code::{CloseCode, ErrorCode},
    connection::Connection,
    field_error::FieldError,
    limits::ClientLimits,
    presence::Presence,
    reason::{GapReason, UnsubscribedReason},
    server::{Ack, Closing, Control, ErrorReply, Gap, PROTOCOL, Ping, Reconnect, Subscribed, Unsubscribed, Welcome},
    stream::{Stream, StreamPosition},
    timestamp::Timestamp,
    topic::Topic,
};

pub(super) fn now() -> Timestamp {
    Timestamp::from_millis(1_795_438_800_123)
}

/// A control frame of each type.
pub(super) fn controls() -> Vec<Control> {
    let topic = Topic::new("order:123").expect("a topic");
    let Connection { id, user, roles, client, .. } = Connection::example();
    let message = "topic: is missing";
    let refused = ErrorReply::new(Some(CommandId::Number(7)), ErrorCode::BadRequest, message);
    let closing = Closing::new(CloseCode::DRAINING, "this node is draining; reconnect to another one");
    vec![
        Control::Welcome(Box::new(Welcome {
            connection: id,
            user,
            roles,
            client,
            protocol: PROTOCOL.into(),
            features: Vec::new(),
            server: "realtime/0.1.0".into(),
            time: now(),
            token_expires_in_ms: Some(3_600_000),
            ping_ms: 25_000,
            reconnect: Reconnect { min_ms: 250, max_ms: 30_000, spread_ms: 1_000 },
            limits: ClientLimits::default(),
            streams: BTreeMap::new(),
            resumed: false,
            resume: None,
            hold_ms: None,
        })),
        Control::Ack(Ack::new(CommandId::Number(7))),
        Control::Error(ErrorReply { errors: vec![FieldError::new("topic", "is missing")], ..refused }),
        Control::Subscribed(Subscribed { topic: topic.clone(), position: None, reason: None }),
        Control::Unsubscribed(Unsubscribed { topic: topic.clone(), reason: UnsubscribedReason::Revoked }),
        Control::Gap(Gap {
            stream: Some(Stream::Topic(topic)),
            from: Some(18),
            to: Some(40),
            missed: None,
            position: Some(StreamPosition { epoch: "k3f".into(), offset: 40 }),
            reason: GapReason::Retention,
        }),
        Control::Presence(Presence::example()),
        Control::Closing(Closing { after_ms: 250, spread_ms: 20_000, ..closing }),
        Control::Ping(Ping {}),
    ]
}
