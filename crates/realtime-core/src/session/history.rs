//! `history`: a page of a stream's kept messages.

use realtime_schema::{
    Ack, Action, CommandId, Control, ErrorCode, ErrorReply, GrantAction, Publication, Stream, StreamPosition,
};

use super::{Effect, Pending, PendingKind, Run, Session, error};
use crate::access::AccessRequest;

/// A page of a history that a client asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryRequest {
    /// The stream.
    pub stream: Stream,
    /// Where the page begins; `None` for the oldest message, or the newest with `reverse`.
    pub since: Option<StreamPosition>,
    /// Most messages; `None` for the default.
    pub limit: Option<u32>,
    /// From the newest message to the oldest.
    pub reverse: bool,
}

/// The outcome of [`Run::History`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum HistoryOutcome {
    /// The page.
    Page {
        /// The position of the stream's last message.
        position: StreamPosition,
        /// The messages.
        publications: Vec<Publication>,
        /// There are more in this direction.
        more: bool,
    },
    /// The position is of another epoch, or messages after it are no longer kept.
    PositionExpired {
        /// The position of the stream's last message.
        position: StreamPosition,
    },
    /// Only a connection that receives the stream may read it, and this one does not.
    NotReceived,
    /// The stream has no history.
    NoHistory,
}

impl Session {
    pub(super) fn history(&mut self, id: Option<CommandId>, request: HistoryRequest, effects: &mut Vec<Effect>) {
        if self.has_grant(&request.stream) {
            return self.read_history(id, request, false, effects);
        }
        let route = request.stream.route(&self.user);
        if self.settings.namespaces.allows_history(&route, &self.user, true) {
            return self.read_history(id, request, true, effects);
        }
        self.ask_for_history(id, request, effects);
    }

    /// Reads a page: `if_received` only if the connection receives the stream.
    pub(super) fn read_history(
        &mut self,
        id: Option<CommandId>,
        request: HistoryRequest,
        if_received: bool,
        effects: &mut Vec<Effect>,
    ) {
        let run = Run::History { request: Box::new(request), if_received };
        self.run(Pending { id, kind: PendingKind::History }, run, effects);
    }

    pub(super) fn history_read(&mut self, request: HistoryRequest, outcome: HistoryOutcome, effects: &mut Vec<Effect>) {
        let Some(id) = self.finish(PendingKind::History) else { return };
        let refusal = match outcome {
            HistoryOutcome::Page { position, publications, more } => {
                let Some(id) = id else { return };
                let publications = Some(publications);
                let ack = Ack { position: Some(position), publications, more, ..Ack::new(id) };
                return effects.push(Effect::Send(Control::Ack(ack)));
            }
            HistoryOutcome::NotReceived => return self.ask_for_history(id, request, effects),
            HistoryOutcome::PositionExpired { position } => {
                let StreamPosition { epoch, offset } = position;
                let message = format!(
                    "the history does not have all that follows this position; the stream is at offset {offset} of epoch `{epoch}`: \
                     read without `since`, or load your state anew"
                );
                ErrorReply::new(id, ErrorCode::PositionExpired, message)
            }
            HistoryOutcome::NoHistory => {
                let message = format!("`{}` has no history: no namespace with `history` covers it", request.stream);
                ErrorReply::new(id, ErrorCode::NotFound, message)
            }
        };
        effects.push(error(refusal));
    }

    fn ask_for_history(&mut self, id: Option<CommandId>, request: HistoryRequest, effects: &mut Vec<Effect>) {
        let HistoryRequest { stream, since, limit, reverse } = request;
        match &stream {
            Stream::Topic(topic) => {
                let question = AccessRequest::new(GrantAction::History, topic.clone());
                self.authorize(id, question, Action::History { stream, since, limit, reverse }, effects);
            }
            stream => {
                let message = format!(
                    "`{}` may not read the history of `{stream}`: its namespace does not say `read = \"subscribers\"`",
                    self.user
                );
                effects.push(error(ErrorReply::new(id, ErrorCode::Forbidden, message)));
            }
        }
    }

    fn has_grant(&self, stream: &Stream) -> bool {
        let Stream::Topic(topic) = stream else { return false };
        crate::topic::granted(&self.grants, GrantAction::History, topic, &self.user)
    }
}
