//! The first frame of every connection.

use std::{collections::BTreeMap, time::Duration};

use realtime_schema::{Connection, Control, PROTOCOL, Timestamp, Welcome};

use super::Session;

/// The first frame that `session` sends its client.
pub fn welcome(session: &Session, connection: &Connection, now: Duration, wall: Timestamp) -> Control {
    Control::Welcome(Box::new(Welcome {
        connection: connection.id,
        user: connection.user.clone(),
        roles: connection.roles.clone(),
        client: connection.client.clone(),
        protocol: PROTOCOL.into(),
        features: Vec::new(),
        server: session.settings.server.clone(),
        time: wall,
        token_expires_in_ms: session.token_expires_in(now).map(millis),
        ping_ms: millis(session.liveness.every()),
        reconnect: session.settings.reconnect,
        limits: session.settings.limits,
        streams: BTreeMap::new(),
        resumed: false,
        resume: None,
        hold_ms: None,
    }))
}

/// A duration in whole milliseconds, as on the wire.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
