//! The application's hook: it receives each message before the session handles it, and may reply.

use std::time::Duration;

use realtime_schema::{Ack, CommandId, Control, ErrorCode, ErrorReply};

use super::{Effect, Pending, PendingKind, Run, Session, error, publish::too_deep, text::pending};
use crate::client_message::{ClientMessage, Handled};

/// Why the application's hook did not return a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HookFailure {
    /// The hook returned an error.
    Failed,
    /// The hook took longer than its timeout.
    TimedOut,
}

impl HookFailure {
    fn reply(self, id: Option<CommandId>) -> ErrorReply {
        match self {
            Self::Failed => ErrorReply::new(id, ErrorCode::Internal, "the application failed to carry out this call"),
            Self::TimedOut => {
                let message = "the application did not reply to this call in time; it may have been carried out";
                ErrorReply { after_ms: Some(1_000), ..ErrorReply::new(id, ErrorCode::Unavailable, message) }
            }
        }
    }
}

impl Session {
    pub(super) fn hooked(&mut self, now: Duration, message: Box<ClientMessage>, effects: &mut Vec<Effect>) {
        if !self.admits(now, message.id(), effects) {
            return;
        }
        let id = message.id().cloned();
        if let Some(problem) = message.call().and_then(|call| too_deep(call.payload?)) {
            let reply = ErrorReply::new(id, ErrorCode::PayloadInvalid, problem.to_string());
            return effects.push(error(ErrorReply { errors: vec![problem], ..reply }));
        }
        if self.pending.is_some() {
            return effects.push(error(pending(id)));
        }
        self.run(Pending { id, kind: PendingKind::Hook }, Run::Hook(message), effects);
    }

    pub(super) fn handled(
        &mut self,
        now: Duration,
        message: ClientMessage,
        handled: Result<Handled, HookFailure>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(id) = self.finish(PendingKind::Hook) else { return };
        let reply = match handled {
            Ok(Handled::Ack(result)) => id.map(|id| Control::Ack(Ack { result: Some(result), ..Ack::new(id) })),
            Ok(Handled::Error(reply)) => id.map(|id| Control::Error(ErrorReply { id: Some(id), ..*reply })),
            Err(failure) if message.call().is_some() => id.map(|id| Control::Error(failure.reply(Some(id)))),
            // A hook that fails drops no command of the protocol.
            Ok(Handled::Pass) | Err(_) => return self.decoded(now, message.into_decoded(), effects),
        };
        // A client that gave its command no id expects no reply.
        effects.extend(reply.map(Effect::Send));
    }

    /// The reply to a call that no hook handled.
    pub(super) fn not_handled(id: Option<CommandId>, effects: &mut Vec<Effect>) {
        let message = "no handler of this server handles this `call`; check its `name`";
        effects.push(error(ErrorReply::new(id, ErrorCode::UnknownAction, message)));
    }
}
