//! The application's authorizer: asked where neither a grant nor a namespace allows a command.

use realtime_schema::{Action, CommandId, ErrorCode, ErrorReply, GrantAction, Origin, Route, Topic};

use super::{ClientPublication, Effect, Pending, PendingKind, Run, Session, error};
use crate::{
    access::{AccessDecision, AccessRequest},
    presence::PresenceRight,
};

/// The milliseconds after which a client should repeat a command that could not be authorized.
const RETRY_AFTER_MS: u64 = 1_000;

/// A command that waits for the application's authorizer.
#[derive(Clone, Debug, PartialEq)]
pub struct Authorizing {
    /// The question.
    pub request: AccessRequest,
    /// The command, which is carried out if it is allowed.
    pub action: Action,
}

/// The outcome of [`Run::Authorize`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthorizeOutcome {
    /// The decision of the authorizer.
    Decided(AccessDecision),
    /// The authorizer failed or took too long, so nothing is allowed.
    Unavailable,
}

impl Session {
    /// Asks the authorizer whether the client may do what `action` wants. Without an authorizer the client gets the
    /// error `forbidden`.
    pub(super) fn authorize(
        &mut self,
        id: Option<CommandId>,
        request: AccessRequest,
        action: Action,
        effects: &mut Vec<Effect>,
    ) {
        if !self.settings.has_authorizer {
            let message = self.not_granted(&request);
            return effects.push(error(ErrorReply::new(id, ErrorCode::Forbidden, message)));
        }
        let authorizing = Box::new(Authorizing { request, action });
        self.run(Pending { id, kind: PendingKind::Authorize }, Run::Authorize(authorizing), effects);
    }

    pub(super) fn authorized(
        &mut self,
        authorizing: Authorizing,
        outcome: AuthorizeOutcome,
        effects: &mut Vec<Effect>,
    ) {
        let Some(id) = self.finish(PendingKind::Authorize) else { return };
        let Authorizing { request, action } = authorizing;
        match outcome {
            AuthorizeOutcome::Decided(AccessDecision::Allow) => self.allowed(id, action, effects),
            AuthorizeOutcome::Decided(AccessDecision::Deny { message }) => {
                let message = message.unwrap_or_else(|| self.not_granted(&request));
                effects.push(error(ErrorReply::new(id, ErrorCode::Forbidden, message)));
            }
            AuthorizeOutcome::Unavailable => {
                let message = "the application could not authorize this command now; send it again";
                let reply = ErrorReply::new(id, ErrorCode::Unavailable, message);
                effects.push(error(ErrorReply { after_ms: Some(RETRY_AFTER_MS), ..reply }));
            }
        }
    }

    /// Carries out a command that the authorizer allowed.
    fn allowed(&mut self, id: Option<CommandId>, action: Action, effects: &mut Vec<Effect>) {
        match action {
            Action::Subscribe { topic, since } => self.join(id, topic, since, Origin::Authorizer, effects),
            Action::Publish { topic, kind, payload, idempotency_key, echo } => {
                let publication = ClientPublication { id, topic, kind, payload, idempotency_key, echo };
                self.run_publication(publication, false, effects);
            }
            Action::History { stream, since, limit, reverse } => {
                let request = super::HistoryRequest { stream, since, limit, reverse };
                self.read_history(id, request, false, effects);
            }
            Action::Presence { .. } => self.run_presence(id, action, PresenceRight::Always, effects),
            other => debug_assert!(false, "{other:?} is never authorized"),
        }
    }

    /// After a refresh: ends the subscriptions that the authorizer no longer allows, then acknowledges.
    pub(super) fn reauthorized(
        &mut self,
        now: std::time::Duration,
        refreshed: super::refresh::Refreshed,
        denied: Vec<Topic>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(id) = self.finish(PendingKind::Refresh) else { return };
        self.revoke(now, id, refreshed, denied, effects);
    }

    pub(super) fn not_granted(&self, request: &AccessRequest) -> String {
        let (user, topic) = (&self.user, &request.topic);
        let wanted = match request.action {
            GrantAction::Publish => "publish to",
            GrantAction::History => "read the history of",
            GrantAction::Presence => "see who is on",
            _ => "subscribe to",
        };
        let namespaces = &self.settings.namespaces;
        let is_for_subscribers = match request.action {
            GrantAction::Publish => namespaces.allows_publish(topic, user, true),
            GrantAction::History => namespaces.allows_history(&Route::Topic(topic.clone()), user, true),
            _ => false,
        };
        let reason = if is_for_subscribers {
            "its namespace allows it to subscribers only; subscribe first"
        } else {
            "neither a grant of its token nor a namespace allows it"
        };
        format!("`{user}` may not {wanted} `{topic}`: {reason}")
    }
}
