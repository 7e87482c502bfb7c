//! `subscribe`: the permission, and the reply to the client.

use realtime_schema::{
    Action, CommandId, Control, ErrorCode, ErrorReply, FieldError, Gap, GapReason, GrantAction, Origin, Route, Stream,
    StreamPosition, Topic,
};

use super::{Effect, Pending, PendingKind, Run, Session, SubscribeOutcome, error};
use crate::access::AccessRequest;

impl Session {
    pub(super) fn subscribe(
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
            return effects.push(error(ErrorReply { errors: vec![problem], ..reply }));
        }
        if !self.may_subscribe(&topic) {
            let request = AccessRequest::new(GrantAction::Subscribe, topic.clone());
            return self.authorize(id, request, Action::Subscribe { topic, since }, effects);
        }
        self.join(id, topic, since, Origin::Client, effects);
    }

    /// Subscribes to a topic that the client may subscribe to, by what `origin` says.
    pub(super) fn join(
        &mut self,
        id: Option<CommandId>,
        topic: Topic,
        since: Option<StreamPosition>,
        origin: Origin,
        effects: &mut Vec<Effect>,
    ) {
        let has_history = self.settings.namespaces.retention(&Route::Topic(topic.clone())).is_some();
        if let Some(since) = since.as_ref().filter(|_| !has_history) {
            effects.push(Effect::Send(Control::Gap(Gap::after(
                Stream::Topic(topic.clone()),
                since,
                GapReason::NoHistory,
            ))));
        }
        let run = Run::Subscribe { topic, origin, since: since.filter(|_| has_history), id: id.clone() };
        self.run(Pending { id, kind: PendingKind::Subscribe }, run, effects);
    }

    pub(super) fn subscribed(&mut self, outcome: SubscribeOutcome, effects: &mut Vec<Effect>) {
        let Some(id) = self.finish(PendingKind::Subscribe) else { return };
        match outcome {
            SubscribeOutcome::Subscribed => Self::ack(id, effects),
            // The queue sends the `ack`; or the connection is closing, and no reply can reach the client.
            SubscribeOutcome::CatchingUp | SubscribeOutcome::NotConnected => {}
            SubscribeOutcome::LimitExceeded { limit } => {
                let message = format!("limits.subscriptions is {limit}; unsubscribe from a topic first");
                effects.push(error(ErrorReply::new(id, ErrorCode::LimitExceeded, message)));
            }
            SubscribeOutcome::Unavailable => {
                let message = "the message bus is unavailable; subscribe again";
                let reply = ErrorReply::new(id, ErrorCode::Unavailable, message);
                effects.push(error(ErrorReply { after_ms: Some(1_000), ..reply }));
            }
        }
    }
}
