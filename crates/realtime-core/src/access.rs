//! What the application's authorizer is asked, and what it returns.

use realtime_schema::{GrantAction, MessageType, Payload, Topic};

/// A question to the application's authorizer: may this connection do this? It is asked only where neither a grant of
/// the token nor a namespace allows it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct AccessRequest {
    /// What the client wants to do.
    pub action: GrantAction,
    /// The topic that it concerns.
    pub topic: Topic,
    /// The message that the client wants to publish; `None` for every other action.
    pub message: Option<AccessMessage>,
}

/// The message of an [`AccessRequest`] to publish.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct AccessMessage {
    /// Its type.
    pub kind: MessageType,
    /// Its payload.
    pub payload: Payload,
}

impl AccessRequest {
    /// A question about `action`, without a message.
    pub fn new(action: GrantAction, topic: Topic) -> Self {
        Self { action, topic, message: None }
    }

    /// A question about a message that a client wants to publish.
    pub fn publish(topic: Topic, kind: MessageType, payload: Payload) -> Self {
        Self { message: Some(AccessMessage { kind, payload }), ..Self::new(GrantAction::Publish, topic) }
    }
}

/// The decision of the application's authorizer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AccessDecision {
    /// The client may do it.
    Allow,
    /// The client may not do it.
    Deny {
        /// The text of the client's `error`; without one the service writes it.
        message: Option<String>,
    },
}

impl AccessDecision {
    /// A denial whose text the service writes.
    pub const fn deny() -> Self {
        Self::Deny { message: None }
    }

    /// A denial with this text for the client: what is wrong, and what to do about it.
    pub fn deny_with(message: impl Into<String>) -> Self {
        Self::Deny { message: Some(message.into()) }
    }

    /// True for [`Self::Allow`].
    pub const fn is_allowed(&self) -> bool {
        matches!(self, Self::Allow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_publication_has_a_message_and_only_allow_is_a_yes() {
        let topic = Topic::new("chat:7").expect("a topic");
        assert_eq!(AccessRequest::new(GrantAction::History, topic.clone()).message, None);
        let kind = MessageType::new("chat-message").expect("a type");
        let request = AccessRequest::publish(topic, kind.clone(), Payload::of(&1).expect("JSON"));
        assert_eq!((request.action, request.message.map(|message| message.kind)), (GrantAction::Publish, Some(kind)));
        assert!(AccessDecision::Allow.is_allowed());
        assert!(!AccessDecision::deny().is_allowed() && !AccessDecision::deny_with("no").is_allowed());
    }
}
