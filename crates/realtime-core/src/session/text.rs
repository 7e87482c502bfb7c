//! Text messages: a command, or the error of an invalid one.

use std::time::Duration;

use realtime_schema::{Action, CloseCode, Closing, Command, CommandId, ErrorCode, ErrorReply};

use super::{ClientPublication, Effect, HistoryRequest, Session, error};
use crate::codec::{DecodeError, id_of};

impl Session {
    pub(super) fn text(&mut self, now: Duration, decoded: Result<Command, DecodeError>, effects: &mut Vec<Effect>) {
        if self.admits(now, id_of(&decoded), effects) {
            self.decoded(now, decoded, effects);
        }
    }

    /// Applies the rate limit to a message with this id: true if it may be handled.
    pub(super) fn admits(&mut self, now: Duration, id: Option<&CommandId>, effects: &mut Vec<Effect>) -> bool {
        let Err(after) = self.admit(now, effects) else { return true };
        if !self.closed {
            effects.push(error(self.rate_limited(id.cloned(), after)));
        }
        false
    }

    /// Handles a message that the rate limit admitted.
    pub(super) fn decoded(&mut self, now: Duration, decoded: Result<Command, DecodeError>, effects: &mut Vec<Effect>) {
        match decoded {
            Ok(command) => self.command(now, command, effects),
            Err(DecodeError::Refused(reply)) => effects.push(error(reply)),
            Err(DecodeError::NotAnObject(reason)) => {
                let closing = Closing::new(CloseCode::BAD_FRAME, format!("not a JSON object: {reason}"));
                self.close(closing, effects);
            }
        }
    }

    fn command(&mut self, now: Duration, Command { id, action }: Command, effects: &mut Vec<Effect>) {
        match action {
            Action::Ping {} => Self::ack(id, effects),
            Action::Pong {} => {}
            // The caller should read nothing while a command is pending; if it does, no reply is sent out of order.
            _ if self.pending.is_some() => effects.push(error(pending(id))),
            Action::Subscribe { topic, since } => self.subscribe(id, topic, since, effects),
            Action::Unsubscribe { topic } => self.unsubscribe(id, topic, effects),
            Action::Publish { topic, kind, payload, idempotency_key, echo } => {
                let publication = ClientPublication { id, topic, kind, payload, idempotency_key, echo };
                self.publish(now, publication, effects);
            }
            Action::Refresh { token } => self.refresh(id, token, effects),
            Action::Call { .. } => Self::not_handled(id, effects),
            Action::History { stream, since, limit, reverse } => {
                self.history(id, HistoryRequest { stream, since, limit, reverse }, effects);
            }
            Action::Presence { .. } => self.presence(id, action, effects),
            Action::Resume { since } => self.resume(id, since, effects),
            // Only an action that a later schema adds gets here, and only from a caller that makes its own commands.
            other => {
                let message = format!("this server does not offer the action `{}`", other.name());
                effects.push(error(ErrorReply::new(id, ErrorCode::UnknownAction, message)));
            }
        }
    }
}

pub(super) fn pending(id: Option<CommandId>) -> ErrorReply {
    ErrorReply::new(id, ErrorCode::RateLimited, "another command of this connection is pending; wait for its reply")
}
