//! Envelopes between nodes: constructors, encoding, decoding and checks.

use realtime_schema::{Audience, ConnectionId, Envelope, Event, NodeId, Role, Topic, UserId};
use serde::Deserialize;

use crate::message::{self, Content, Stamp};

/// Why an envelope of another node was ignored. The node itself is not affected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Skip {
    /// More bytes than an envelope may have; they were not read.
    #[error("{size} bytes are more than the limit of {limit} for an envelope")]
    TooLarge {
        /// The size received, in bytes.
        size: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// A version that this release does not know.
    #[error("envelope version {found} is unknown; this release supports {}", Envelope::VERSION)]
    Version {
        /// The version in the envelope.
        found: u32,
    },
    /// An event that this release does not know.
    #[error("unknown event `{name}`")]
    Event {
        /// The name of the event.
        name: String,
    },
    /// Bytes that are not an envelope.
    #[error("not an envelope: {0}")]
    Malformed(String),
}

/// An envelope of `node` with a message to `to`.
pub fn envelope(node: NodeId, to: impl Into<Audience>, content: Content, stamp: Stamp) -> Envelope {
    Envelope::new(node, message::create(to, content, stamp))
}

/// An envelope for every connection.
pub fn broadcast_envelope(node: NodeId, content: Content, stamp: Stamp) -> Envelope {
    Envelope::new(node, message::to_all(content, stamp))
}

/// An envelope for every connection of a user.
pub fn user_envelope(node: NodeId, user: UserId, content: Content, stamp: Stamp) -> Envelope {
    Envelope::new(node, message::to_user(user, content, stamp))
}

/// An envelope for every connection of a role.
pub fn role_envelope(node: NodeId, role: Role, content: Content, stamp: Stamp) -> Envelope {
    Envelope::new(node, message::to_role(role, content, stamp))
}

/// An envelope for one connection.
pub fn connection_envelope(node: NodeId, id: ConnectionId, content: Content, stamp: Stamp) -> Envelope {
    Envelope::new(node, message::to_connection(id, content, stamp))
}

/// An envelope for every subscriber of a topic.
pub fn topic_envelope(node: NodeId, topic: Topic, content: Content, stamp: Stamp) -> Envelope {
    Envelope::new(node, message::to_topic(topic, content, stamp))
}

/// Checks that this release knows the version and the event of an envelope.
///
/// # Errors
/// [`Skip::Version`], [`Skip::Event`].
pub fn accept(envelope: &Envelope) -> Result<(), Skip> {
    match (envelope.v, &envelope.event) {
        (Envelope::VERSION, Event::Other(name)) => Err(Skip::Event { name: name.clone() }),
        (Envelope::VERSION, _) => Ok(()),
        (found, _) => Err(Skip::Version { found }),
    }
}

/// The envelope as JSON.
pub fn encode(envelope: &Envelope) -> Vec<u8> {
    serde_json::to_vec(envelope).expect("an envelope has text keys and a payload that is JSON already")
}

/// Reads an envelope of at most `max_bytes` bytes. Never panics, whatever the bytes are.
///
/// # Errors
/// See [`Skip`]. An unknown version is reported as such even if the rest can't be read.
pub fn decode(bytes: &[u8], max_bytes: usize) -> Result<Envelope, Skip> {
    /// The field that all versions have in common.
    #[derive(Deserialize)]
    struct AnyVersion {
        v: u32,
    }

    if bytes.len() > max_bytes {
        return Err(Skip::TooLarge { size: bytes.len(), limit: max_bytes });
    }
    match serde_json::from_slice::<Envelope>(bytes) {
        Ok(envelope) => accept(&envelope).map(|()| envelope),
        Err(error) => match serde_json::from_slice::<AnyVersion>(bytes) {
            Ok(AnyVersion { v: found }) if found != Envelope::VERSION => Err(Skip::Version { found }),
            _ => Err(Skip::Malformed(error.to_string())),
        },
    }
}

#[cfg(test)]
mod tests;
