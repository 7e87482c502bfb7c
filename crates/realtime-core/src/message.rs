//! Messages: constructors, validation, and recipients. Ids and time are arguments.

use std::borrow::Cow;

use realtime_schema::{
    Audience, Connection, ConnectionId, FieldError, Message, MessageId, MessageType, Payload, PublishRequest, Role,
    Route, Timestamp, Topic, UserId,
};

/// A message's content.
#[derive(Clone, Debug, PartialEq)]
pub struct Content {
    /// The application's type of message.
    pub kind: MessageType,
    /// The payload.
    pub payload: Payload,
}

/// The identity of a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Unique for each publication.
    pub id: MessageId,
    /// The time of the publication.
    pub now: Timestamp,
}

/// A message to `to`.
pub fn create(to: impl Into<Audience>, content: Content, stamp: Stamp) -> Message {
    let Content { kind, payload } = content;
    Message { id: stamp.id, to: to.into(), kind, payload, timestamp: stamp.now, except_client: None }
}

/// A message to every connection.
pub fn to_all(content: Content, stamp: Stamp) -> Message {
    create(Route::All, content, stamp)
}

/// A message to every connection of a user.
pub fn to_user(user: UserId, content: Content, stamp: Stamp) -> Message {
    create(Route::User(user), content, stamp)
}

/// A message to every connection of a role.
pub fn to_role(role: Role, content: Content, stamp: Stamp) -> Message {
    create(Route::Role(role), content, stamp)
}

/// A message to one connection.
pub fn to_connection(id: ConnectionId, content: Content, stamp: Stamp) -> Message {
    create(Route::Connection(id), content, stamp)
}

/// A message to every subscriber of a topic.
pub fn to_topic(topic: Topic, content: Content, stamp: Stamp) -> Message {
    create(Route::Topic(topic), content, stamp)
}

/// The message of `request`. The timestamp of the request, if there is one, replaces the stamp's.
pub fn from_request(request: PublishRequest, stamp: Stamp) -> Message {
    let PublishRequest { to, kind, payload, timestamp, idempotency_key: _, except_client, history: _ } = request;
    Message { id: stamp.id, to, kind, payload, timestamp: timestamp.unwrap_or(stamp.now), except_client }
}

/// Checks the properties of `request` that its types don't: the length of its idempotency key, and its payload's size.
///
/// # Errors
/// Every invalid field, with the valid values.
pub fn validate(request: &PublishRequest, max_payload_bytes: usize) -> Result<(), Vec<FieldError>> {
    let mut errors = Vec::new();
    let size = request.payload.as_str().len();
    if size > max_payload_bytes {
        errors.push(FieldError::new("payload", format!("is {size} bytes; at most {max_payload_bytes} are allowed")));
    }
    if let Some(key) = &request.idempotency_key {
        const MAX: usize = PublishRequest::MAX_KEY_CHARS;
        let length = key.chars().count();
        if !(1..=MAX).contains(&length) {
            let message = format!("is {length} characters long; give 1 to {MAX}, or leave it out");
            errors.push(FieldError::new("idempotency_key", message));
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// The routes to look up for a message's recipients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan<'a> {
    /// The routes to look up, each once.
    pub routes: Cow<'a, [Route]>,
    /// True if two of them may include the same connection, so that a delivery must track its recipients.
    pub overlap: bool,
}

/// Plans the lookups for `to`: each route once, and [`Route::All`] alone, because it includes every other.
pub fn plan(to: &Audience) -> Plan<'_> {
    let routes = to.routes();
    if let Some(all) = routes.iter().find(|route| **route == Route::All) {
        return Plan { routes: Cow::Borrowed(std::slice::from_ref(all)), overlap: false };
    }
    let repeated = |at: usize| routes[..at].contains(&routes[at]);
    let routes = if (1..routes.len()).any(repeated) {
        Cow::Owned((0..routes.len()).filter(|at| !repeated(*at)).map(|at| routes[at].clone()).collect())
    } else {
        Cow::Borrowed(routes)
    };
    Plan { overlap: may_overlap(&routes), routes }
}

/// Whether different routes may include the same connection. A connection has one user and one id, but any number of
/// roles and topics.
fn may_overlap(routes: &[Route]) -> bool {
    routes.len() > 1
        && !routes.iter().all(|route| matches!(route, Route::User(_)))
        && !routes.iter().all(|route| matches!(route, Route::Connection(_)))
}

/// Whether `connection` is a recipient of `message`; `subscribed` returns whether it is subscribed to a topic.
///
/// This defines routing; an index is only a faster way to the same result.
pub fn is_for(message: &Message, connection: &Connection, subscribed: impl Fn(&Topic) -> bool) -> bool {
    let left_out = message.except_client.is_some() && message.except_client == connection.client;
    !left_out
        && message.to.routes().iter().any(|route| match route {
            Route::All => true,
            Route::User(user) => connection.user == *user,
            Route::Role(role) => connection.roles.contains(role),
            Route::Connection(id) => connection.id == *id,
            Route::Topic(topic) => subscribed(topic),
        })
}

/// The recipients of `message`; `subscribed` returns whether a connection is subscribed to a topic.
pub fn filter<'a>(
    message: &Message,
    connections: impl IntoIterator<Item = &'a Connection>,
    subscribed: impl Fn(ConnectionId, &Topic) -> bool,
) -> impl Iterator<Item = &'a Connection> {
    connections
        .into_iter()
        .filter(move |connection| is_for(message, connection, |topic| subscribed(connection.id, topic)))
}

#[cfg(test)]
mod tests;
