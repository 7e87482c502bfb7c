//! `presence`: who is on a topic, now and from now on.

use realtime_schema::{Action, CommandId, ErrorCode, ErrorReply, FieldError, GrantAction, Subscription, Topic, UserId};

use super::{Effect, Pending, PendingKind, Run, Session, error};
use crate::{access::AccessRequest, presence::PresenceRight};

/// A command `presence` that its client may send. The caller sends the reply: the order of the reply and of the frames
/// with later changes must be that of the changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresenceCommand {
    /// The id for the reply; without one the client gets no reply.
    pub id: Option<CommandId>,
    /// The topic.
    pub topic: Topic,
    /// Whether later changes are sent too.
    pub watch: bool,
    /// Whether the users are listed, and not only counted.
    pub names: bool,
    /// Only users who sort after this one.
    pub after: Option<UserId>,
    /// The most users on the page.
    pub limit: Option<u32>,
    /// The client's right.
    pub right: PresenceRight,
}

/// A topic whose presence a connection watches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// The topic.
    pub topic: Topic,
    /// Whether it is sent the names.
    pub names: bool,
}

impl Session {
    pub(super) fn presence(&mut self, id: Option<CommandId>, action: Action, effects: &mut Vec<Effect>) {
        let Action::Presence { topic, subscribe, names, .. } = &action else { return };
        if let Some(problem) = self.too_long(topic) {
            let reply = ErrorReply::new(id, ErrorCode::PayloadInvalid, problem.to_string());
            return effects.push(error(ErrorReply { errors: vec![problem], ..reply }));
        }
        if *subscribe == Some(false) {
            effects.push(Effect::Run(Run::EndPresence { topic: topic.clone(), revoked: false }));
            return Self::ack(id, effects);
        }
        if self.settings.namespaces.presence(topic).is_none() {
            let message = format!("the presence of `{topic}` is not kept: no namespace with `presence` covers it");
            return effects.push(error(ErrorReply::new(id, ErrorCode::NotFound, message)));
        }
        match self.presence_right(topic, names.unwrap_or(true)) {
            Some(right) => self.run_presence(id, action, right, effects),
            None => {
                let request = AccessRequest::new(GrantAction::Presence, topic.clone());
                self.authorize(id, request, action, effects);
            }
        }
    }

    /// Runs a command that its client may send.
    pub(super) fn run_presence(
        &mut self,
        id: Option<CommandId>,
        action: Action,
        right: PresenceRight,
        effects: &mut Vec<Effect>,
    ) {
        let Action::Presence { topic, subscribe, names, after, limit } = action else { return };
        let (watch, names) = (subscribe == Some(true), names.unwrap_or(true));
        let command = PresenceCommand { id: id.clone(), topic, watch, names, after, limit, right };
        self.run(Pending { id, kind: PendingKind::Presence }, Run::Presence(Box::new(command)), effects);
    }

    /// After a refresh: ends what neither a grant nor a namespace allows to watch any more. What the application's
    /// authorizer allowed ends too: the client may ask again.
    pub(super) fn rewatched(&self, watched: Vec<Watched>, subscriptions: &[Subscription], effects: &mut Vec<Effect>) {
        let is_lost = |Watched { topic, names }: &Watched| match self.presence_right(topic, *names) {
            Some(PresenceRight::Always) => false,
            Some(PresenceRight::WhileSubscribed) => !subscriptions.iter().any(|own| own.topic == *topic),
            None => true,
        };
        effects.extend(
            watched
                .into_iter()
                .filter(is_lost)
                .map(|Watched { topic, .. }| Effect::Run(Run::EndPresence { topic, revoked: true })),
        );
    }

    /// The right of the session's user by a grant or a namespace.
    fn presence_right(&self, topic: &Topic, names: bool) -> Option<PresenceRight> {
        if crate::topic::granted(&self.grants, GrantAction::Presence, topic, &self.user) {
            return Some(PresenceRight::Always);
        }
        self.settings.namespaces.presence_right(topic, &self.user, names)
    }

    /// What is wrong with the length of a topic, if something is.
    pub(super) fn too_long(&self, topic: &Topic) -> Option<FieldError> {
        let max = self.settings.limits.topic_chars;
        let chars = topic.as_str().chars().count();
        let fits = u32::try_from(chars).is_ok_and(|chars| chars <= max);
        (!fits).then(|| FieldError::new("topic", format!("is {chars} characters long; limits.topic_chars is {max}")))
    }
}
