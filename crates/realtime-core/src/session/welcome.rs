//! The first frame of every connection.

use std::{collections::BTreeMap, time::Duration};

use realtime_schema::{Connection, Control, PROTOCOL, Stream, StreamPosition, Timestamp, Welcome};

use super::{Session, SessionSettings};

/// The streams of a connection at its start.
#[derive(Clone, Debug, Default)]
pub struct WelcomeStreams {
    /// The streams with a history that the server gives, each with the position from which the connection receives it.
    pub positions: BTreeMap<Stream, StreamPosition>,
    /// The ticket with which the client resumes them on its next connection.
    pub ticket: Option<String>,
}

/// The first frame that `session` sends its client.
pub fn welcome(
    session: &Session,
    connection: &Connection,
    now: Duration,
    wall: Timestamp,
    streams: WelcomeStreams,
) -> Control {
    let WelcomeStreams { positions, ticket } = streams;
    Control::Welcome(Box::new(Welcome {
        connection: connection.id,
        user: connection.user.clone(),
        roles: connection.roles.clone(),
        client: connection.client.clone(),
        protocol: PROTOCOL.into(),
        features: session.settings.features(),
        server: session.settings.server.clone(),
        time: wall,
        token_expires_in_ms: session.token_expires_in(now).map(millis),
        ping_ms: millis(session.liveness.every()),
        reconnect: session.settings.reconnect,
        limits: session.settings.limits,
        streams: positions,
        resumed: session.hold().is_some(),
        resume: ticket,
        hold_ms: session.hold().map(|hold| millis(hold.until.saturating_sub(now))),
    }))
}

impl SessionSettings {
    /// The optional features that this server offers.
    fn features(&self) -> Vec<String> {
        // A grant of a token allows to publish, whatever the namespaces say.
        let offered = [
            ("history", self.namespaces.any_history()),
            ("presence", self.namespaces.any_presence()),
            ("publish", true),
        ];
        offered.into_iter().filter(|(_, is_offered)| *is_offered).map(|(name, _)| name.to_owned()).collect()
    }
}

/// A duration in whole milliseconds, as on the wire.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
