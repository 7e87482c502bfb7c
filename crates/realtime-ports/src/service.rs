//! The operations that an application calls.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use realtime_core::{
    auth::{ConnectRequest, Refusal},
    user_topics::UserTopicRefused,
};
use realtime_schema::{
    Audience, Closing, Connection, ConnectionId, FieldError, MessageType, Origin, Payload, PublishRequest, Receipt,
    RevocationRequest, Revoked, Role, Route, Topic, UserId, UserTopicChange,
};

use crate::{bus::BusError, connection::WebSocketConnection, pubsub::SubscribeError, store::StoreError};

/// The real-time layer, as an application sees it. Cold: called per connection or per publication.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait RealtimeService: Send + Sync {
    /// Admits a client: extracts and verifies its token, authorizes it, registers its connection, and sends `welcome`.
    ///
    /// # Errors
    /// The refusal, if it was not admitted.
    async fn connect(
        &self,
        request: ConnectRequest,
        socket: Arc<dyn WebSocketConnection>,
    ) -> Result<Arc<Connection>, Refusal>;

    /// Ends every subscription of a connection, unregisters it and closes its socket. False if it is unknown.
    async fn disconnect(&self, id: ConnectionId, closing: Closing) -> bool;

    /// Refuses a token, a user, or all tokens issued before a time, and closes the connections that they have: with 4403
    /// those of a user, else with 4603. Kept in memory until it ends.
    ///
    /// # Errors
    /// A field is invalid, or `limits.revocations` is reached; then nothing has changed.
    async fn revoke(&self, request: RevocationRequest) -> Result<Revoked, RevokeError>;

    /// Closes a connection, and refuses its client for `block_for`: its token, which is every connection with the same
    /// `jti`, or its user if the token has none. `None` if the connection is unknown.
    ///
    /// # Errors
    /// `limits.revocations` is reached; then nothing has changed.
    async fn block_connection(
        &self,
        id: ConnectionId,
        block_for: Duration,
        closing: Closing,
    ) -> Result<Option<Revoked>, RevokeError>;

    /// Closes the connections of a user, and refuses the user for `block_for`, whatever the token.
    ///
    /// # Errors
    /// `limits.revocations` is reached; then nothing has changed.
    async fn block_user(&self, user: UserId, block_for: Duration, closing: Closing) -> Result<Revoked, RevokeError>;

    /// Subscribes a connection on the server's behalf and notifies it; false if it was subscribed already.
    ///
    /// # Errors
    /// The connection is not on this node, or has reached its limit of topics.
    async fn subscribe(&self, id: ConnectionId, topic: &Topic, origin: Origin) -> Result<bool, SubscribeError>;

    /// Ends a subscription on the server's behalf and notifies the client; false if there was none.
    async fn unsubscribe(&self, id: ConnectionId, topic: &Topic) -> bool;

    /// Gives a topic to a user: every connection of the user is subscribed to it on the server's behalf and notified, now
    /// and when it is opened later. Repeating it subscribes the connections that are not subscribed. A durable store keeps it
    /// over a restart, and has it before this returns.
    ///
    /// # Errors
    /// `limits.user_topics` or `limits.all_user_topics` is reached, or the store is unavailable, and nothing has changed;
    /// or the bus is unavailable, and some connections are not subscribed: repeat it.
    async fn subscribe_user(&self, user: &UserId, topic: &Topic) -> Result<UserTopicChange, UserTopicError>;

    /// Takes a topic away from a user, and ends the subscription of every connection of the user to it, also one that the
    /// client made.
    ///
    /// # Errors
    /// The durable store is unavailable, and nothing has changed.
    async fn unsubscribe_user(&self, user: &UserId, topic: &Topic) -> Result<UserTopicChange, UserTopicError>;

    /// Publishes a message to its recipients, each connection once.
    ///
    /// # Errors
    /// The message is not valid, its idempotency key was used for another message, or the bus failed.
    async fn publish(&self, request: PublishRequest) -> Result<Receipt, PublishError>;

    /// Publishes several messages in their order, with a result for each. A refused one does not affect the others.
    async fn publish_batch(&self, requests: Vec<PublishRequest>) -> Vec<Result<Receipt, PublishError>> {
        let mut results = Vec::with_capacity(requests.len());
        for request in requests {
            results.push(self.publish(request).await);
        }
        results
    }

    /// Sends to every connection. See [`Self::publish`].
    async fn send_to_all(&self, kind: MessageType, payload: Payload) -> Result<Receipt, PublishError> {
        self.publish(PublishRequest::new(Route::All, kind, payload)).await
    }

    /// Sends to every connection of a user. See [`Self::publish`].
    async fn send_to_user(&self, user: UserId, kind: MessageType, payload: Payload) -> Result<Receipt, PublishError> {
        self.publish(PublishRequest::new(Route::User(user), kind, payload)).await
    }

    /// Sends to every connection of a role. See [`Self::publish`].
    async fn send_to_role(&self, role: Role, kind: MessageType, payload: Payload) -> Result<Receipt, PublishError> {
        self.publish(PublishRequest::new(Route::Role(role), kind, payload)).await
    }

    /// Sends to one connection. See [`Self::publish`].
    async fn send_to_connection(
        &self,
        id: ConnectionId,
        kind: MessageType,
        payload: Payload,
    ) -> Result<Receipt, PublishError> {
        self.publish(PublishRequest::new(Route::Connection(id), kind, payload)).await
    }

    /// Sends to every subscriber of a topic. See [`Self::publish`].
    async fn publish_to_topic(
        &self,
        topic: Topic,
        kind: MessageType,
        payload: Payload,
    ) -> Result<Receipt, PublishError> {
        self.publish(PublishRequest::new(Audience::from(Route::Topic(topic)), kind, payload)).await
    }
}

/// Why a message was not published.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// A field has an invalid value.
    #[error("the message is not valid")]
    Invalid(Vec<FieldError>),
    /// The payload is larger than `limits.max_publish_bytes`.
    #[error("the payload is {size} bytes; limits.max_publish_bytes is {limit}")]
    TooLarge {
        /// The size of the payload, in bytes.
        size: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The idempotency key was used for another message.
    #[error("the idempotency key was used for another message; use a new key")]
    KeyReused,
    /// The bus failed.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// The message is not stored, and no connection was sent it. After [`StoreError::TimedOut`] both may still happen:
    /// repeat the request with the same idempotency key.
    #[error("the message is not stored: {0}")]
    Store(#[source] StoreError),
}

/// Why a topic was not given to a user, or not to all connections, or not taken away.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UserTopicError {
    /// A limit is reached.
    #[error(transparent)]
    Limit(#[from] UserTopicRefused),
    /// The bus failed to listen to the topic. The user has the topic; repeat it for the connections that lack it.
    #[error("the message bus is unavailable; some connections are not subscribed yet: try again")]
    Unavailable,
    /// The change could not be stored, and nothing has changed.
    #[error("nothing has changed, because it could not be stored: {0}")]
    Store(#[source] StoreError),
}

/// Why nothing was revoked.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RevokeError {
    /// A field holds what it must not.
    #[error("the revocation is not valid")]
    Invalid(Vec<FieldError>),
    /// As many revocations are kept as may be. None of them is dropped for a new one.
    #[error("limits.revocations is {limit}, and so many are kept; remove some, or raise the limit")]
    Full {
        /// `limits.revocations`.
        limit: usize,
    },
    /// The revocation holds until the node ends, but could not be stored.
    #[error("the revocation is in force, but was not stored, and a restart would end it: {0}")]
    Store(#[source] StoreError),
}
