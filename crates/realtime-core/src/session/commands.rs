//! What each command of the client comes to.

use std::time::Duration;

use realtime_schema::{
    Ack, Action, CloseCode, Closing, Command, CommandId, Control, ErrorCode, ErrorReply, FieldError, Gap, GapReason,
    JwtClaims, Origin, Role, Stream, StreamPosition, Subscription, Timestamp, Topic,
};

use super::{Effect, Run, Session, SubscribeOutcome, welcome::millis};
use crate::{auth::Refusal, codec::DecodeError};

impl Session {
    pub(super) fn text(&mut self, now: Duration, decoded: Result<Command, DecodeError>, effects: &mut Vec<Effect>) {
        if let Err(after) = self.admit(now, effects) {
            let id = match &decoded {
                Ok(command) => command.id.clone(),
                Err(DecodeError::Refused(reply)) => reply.id.clone(),
                Err(DecodeError::NotAnObject(_)) => None,
            };
            if !self.closed {
                effects.push(Effect::Send(Control::Error(self.rate_limited(id, after))));
            }
            return;
        }
        match decoded {
            Ok(command) => self.command(command, effects),
            Err(DecodeError::Refused(reply)) => effects.push(Effect::Send(Control::Error(reply))),
            Err(DecodeError::NotAnObject(reason)) => {
                let closing = Closing::new(CloseCode::BAD_FRAME, format!("not a JSON object: {reason}"));
                self.close(closing, effects);
            }
        }
    }

    /// Takes a token of the rate limit; too many in a row without one close the connection.
    pub(super) fn admit(&mut self, now: Duration, effects: &mut Vec<Effect>) -> Result<(), Duration> {
        let limits = &self.settings.limits;
        let taken = self.bucket.take(limits.messages_per_second, limits.burst, now);
        match taken {
            Ok(()) => self.strikes = 0,
            Err(_) if self.strikes >= limits.burst => {
                let closing = Closing::new(
                    CloseCode::OVER_LIMIT,
                    format!("over limits.messages_per_second ({}) for too long", limits.messages_per_second),
                );
                self.close(closing, effects);
            }
            Err(_) => self.strikes += 1,
        }
        taken
    }

    fn rate_limited(&self, id: Option<CommandId>, after: Duration) -> ErrorReply {
        let message = format!(
            "more than limits.messages_per_second ({}); wait and send again",
            self.settings.limits.messages_per_second
        );
        ErrorReply { after_ms: Some(millis(after)), ..ErrorReply::new(id, ErrorCode::RateLimited, message) }
    }

    fn command(&mut self, Command { id, action }: Command, effects: &mut Vec<Effect>) {
        match action {
            Action::Subscribe { topic, since } => self.subscribe(id, topic, since, effects),
            Action::Unsubscribe { topic } => effects.push(Effect::Run(Run::Unsubscribe { id, topic })),
            Action::Refresh { token } => effects.push(Effect::Run(Run::Verify { id, token })),
            Action::Ping {} => Self::ack(id, effects),
            Action::Pong {} => {}
            // The decoder reads no other, so only a caller that makes its own commands gets here.
            other => {
                let message = format!("{other:?} is not an action of this release");
                effects.push(Effect::Send(Control::Error(ErrorReply::new(id, ErrorCode::UnknownAction, message))));
            }
        }
    }

    fn subscribe(
        &mut self,
        id: Option<CommandId>,
        topic: Topic,
        since: Option<StreamPosition>,
        effects: &mut Vec<Effect>,
    ) {
        let max = self.settings.limits.topic_chars;
        let chars = topic.as_str().chars().count();
        if u32::try_from(chars).map_or(true, |chars| chars > max) {
            let problem = FieldError::new("topic", format!("is {chars} characters long; limits.topic_chars is {max}"));
            let reply = ErrorReply::new(id, ErrorCode::PayloadInvalid, problem.to_string());
            return effects.push(Effect::Send(Control::Error(ErrorReply { errors: vec![problem], ..reply })));
        }
        if !self.may_subscribe(&topic) {
            let message = format!(
                "nothing lets `{}` subscribe to `{topic}`: neither a grant of its token nor a namespace's policy",
                self.user
            );
            return effects.push(Effect::Send(Control::Error(ErrorReply::new(id, ErrorCode::Forbidden, message))));
        }
        if let Some(since) = since {
            effects.push(Effect::Send(Control::Gap(no_history(&topic, &since))));
        }
        effects.push(Effect::Run(Run::Subscribe { id, topic }));
    }

    pub(super) fn subscribed(&mut self, id: Option<CommandId>, outcome: SubscribeOutcome, effects: &mut Vec<Effect>) {
        match outcome {
            SubscribeOutcome::Done => Self::ack(id, effects),
            // It is being torn down; there is nobody to answer.
            SubscribeOutcome::NotConnected => {}
            SubscribeOutcome::LimitExceeded { limit } => {
                let message = format!("limits.subscriptions is {limit}; unsubscribe from a topic first");
                effects.push(Effect::Send(Control::Error(ErrorReply::new(id, ErrorCode::LimitExceeded, message))));
            }
            SubscribeOutcome::Unavailable => {
                let message = "the message bus is unavailable; subscribe again";
                let reply = ErrorReply::new(id, ErrorCode::Unavailable, message);
                effects.push(Effect::Send(Control::Error(ErrorReply { after_ms: Some(1_000), ..reply })));
            }
        }
    }

    pub(super) fn verified(
        &mut self,
        now: Duration,
        wall: Timestamp,
        id: Option<CommandId>,
        outcome: Result<JwtClaims, Refusal>,
        effects: &mut Vec<Effect>,
    ) {
        let refusal = match outcome {
            Ok(claims) if claims.sub == self.user => {
                self.expires_at = self.expiry(&claims, now, wall);
                self.grants = claims.grants.into();
                return effects.push(Effect::Run(Run::Regrant { id, roles: claims.roles }));
            }
            Ok(_) => ErrorReply::new(
                id,
                ErrorCode::Forbidden,
                "the new token is another user's; a connection keeps its user, connect anew",
            ),
            Err(refusal) => {
                ErrorReply { after_ms: refusal.after_ms, ..ErrorReply::new(id, refusal.code, refusal.message) }
            }
        };
        effects.push(Effect::Send(Control::Error(refusal)));
    }

    /// Ends what the new token no longer grants, then acknowledges. What the server's side gave stays.
    pub(super) fn regranted(
        &mut self,
        now: Duration,
        id: Option<CommandId>,
        roles: Vec<Role>,
        subscriptions: &[Subscription],
        effects: &mut Vec<Effect>,
    ) {
        for Subscription { topic, origin } in subscriptions {
            if *origin == Origin::Client && !self.may_subscribe(topic) {
                effects.push(Effect::Run(Run::Revoke { topic: topic.clone() }));
            }
        }
        if let Some(id) = id {
            let token_expires_in_ms = self.token_lasts(now).map(millis);
            effects.push(Effect::Send(Control::Ack(Ack { token_expires_in_ms, roles: Some(roles), ..Ack::new(id) })));
        }
    }

    pub(super) fn ack(id: Option<CommandId>, effects: &mut Vec<Effect>) {
        if let Some(id) = id {
            effects.push(Effect::Send(Control::Ack(Ack::new(id))));
        }
    }
}

/// Without history, nothing after a position can be had: the client is told, never left to believe otherwise.
fn no_history(topic: &Topic, since: &StreamPosition) -> Gap {
    Gap {
        stream: Some(Stream::Topic(topic.clone())),
        from: Some(since.offset.saturating_add(1)),
        to: None,
        missed: None,
        reason: GapReason::NoHistory,
    }
}
