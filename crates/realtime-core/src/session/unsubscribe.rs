//! `unsubscribe`: acknowledged after the last message of the topic.

use realtime_schema::{CommandId, Topic};

use super::{Effect, Pending, PendingKind, Run, Session};

impl Session {
    pub(super) fn unsubscribe(&mut self, id: Option<CommandId>, topic: Topic, effects: &mut Vec<Effect>) {
        self.run(Pending { id, kind: PendingKind::Unsubscribe }, Run::Unsubscribe { topic }, effects);
    }

    pub(super) fn unsubscribed(&mut self, effects: &mut Vec<Effect>) {
        if let Some(id) = self.finish(PendingKind::Unsubscribe) {
            Self::ack(id, effects);
        }
    }
}
