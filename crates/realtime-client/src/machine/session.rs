//! What a client carries over a restart of its process, and positions of what was not handed out.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use super::{
    state::State,
    types::{Emission, Position},
};

/// What the next process continues with: see [`Client::close`](crate::Client::close). It serializes to a JSON object.
/// Keep it where only this user's process reads it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    client: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ticket: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    positions: BTreeMap<String, Position>,
}

impl Session {
    /// The name of the client.
    pub fn client(&self) -> &str {
        &self.client
    }

    /// Where each stream continues.
    pub fn positions(&self) -> &BTreeMap<String, Position> {
        &self.positions
    }
}

/// Without the ticket, which belongs to the connection.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("client", &self.client)
            .field("positions", &self.positions)
            .finish_non_exhaustive()
    }
}

impl State {
    pub(crate) fn session(&self) -> Session {
        Session {
            client: self.options.client.clone(),
            ticket: self.ticket.clone(),
            user: self.user.clone(),
            positions: self.positions.clone(),
        }
    }

    /// Continues where another process stopped; before the start.
    pub(crate) fn continue_from(&mut self, session: Session) {
        self.ticket = session.ticket;
        self.user = session.user;
        self.positions = session.positions;
        self.welcomes = 1;
    }

    /// The application does not receive this: its stream continues before it. The newest goes first.
    pub(crate) fn take_back(&mut self, emission: &Emission) {
        match emission {
            Emission::Message { message, .. } => {
                let own = message.stream.as_ref().and_then(|stream| self.positions.get_mut(stream));
                if let (Some(own), Some(offset)) = (own, message.offset) {
                    own.offset = own.offset.min(offset.saturating_sub(1));
                }
            }
            Emission::Gap { gap, .. } => match (&gap.stream, &gap.previous) {
                (Some(stream), Some(previous)) => _ = self.positions.insert(stream.clone(), previous.clone()),
                (Some(stream), None) => _ = self.positions.remove(stream),
                (None, _) => {}
            },
            Emission::State(_) | Emission::Subscription { .. } | Emission::Frame { .. } | Emission::Error(_) => {}
        }
    }
}
