//! `resume`: the streams that stood still go on from where the client stopped.

use std::{collections::BTreeMap, time::Duration};

use realtime_schema::{CommandId, ErrorCode, ErrorReply, GapReason, Origin, Stream, StreamPosition, Topic};

use super::{Effect, Pending, PendingKind, Run, Session, error};
use crate::outbound::ResumePending;

/// The streams that stand still until the client resumes, or until the hold expires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// When the hold expires, on the monotonic clock.
    pub until: Duration,
    /// The streams that the resume ticket names: the client may have their past.
    pub streams: Vec<Stream>,
}

/// What a client resumes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResumeRequest {
    /// The id for the `ack`.
    pub id: Option<CommandId>,
    /// The streams of the user, of its roles and of all, each with a position, and whether the client may have what came
    /// after it.
    pub streams: Vec<(Stream, StreamPosition, bool)>,
    /// The topics, each with a position, and what allows the client to subscribe to it; `None` if only a subscription
    /// that the server made does, or the application's authorizer.
    pub topics: Vec<(Topic, StreamPosition, Option<Origin>)>,
}

impl Session {
    pub(super) fn hold(&self) -> Option<&Hold> {
        self.rare.as_ref()?.hold.as_ref()
    }

    fn take_hold(&mut self, ends: impl FnOnce(&Hold) -> bool) -> Option<Hold> {
        let hold = self.rare.as_mut()?.hold.take_if(|hold| ends(hold));
        self.rare.take_if(|rare| rare.hold.is_none() && rare.publications.is_none());
        hold
    }

    pub(super) fn resume(
        &mut self,
        id: Option<CommandId>,
        since: BTreeMap<Stream, StreamPosition>,
        effects: &mut Vec<Effect>,
    ) {
        let named = self.take_hold(|_| true).map(|hold| hold.streams).unwrap_or_default();
        let mut request = ResumeRequest { id: id.clone(), ..ResumeRequest::default() };
        for (stream, position) in since {
            match stream {
                Stream::Topic(topic) => {
                    let origin = self.may_subscribe(&topic).then_some(Origin::Client);
                    request.topics.push((topic, position, origin));
                }
                stream => {
                    let may_read = named.contains(&stream);
                    request.streams.push((stream, position, may_read));
                }
            }
        }
        self.run(Pending { id, kind: PendingKind::Resume }, Run::Resume(Box::new(request)), effects);
    }

    pub(super) fn resumed(&mut self, outcome: Result<(), ResumePending>, effects: &mut Vec<Effect>) {
        let Some(id) = self.finish(PendingKind::Resume) else { return };
        if outcome.is_err() {
            let message = "an earlier `resume` of this connection is still catching up; wait for its reply";
            effects.push(error(ErrorReply::new(id, ErrorCode::Conflict, message)));
        }
    }

    /// Lets the streams go on without the client's positions once the hold has expired.
    pub(super) fn hold_elapsed(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        if self.take_hold(|hold| now >= hold.until).is_some() {
            effects.push(Effect::Run(Run::Release { reason: GapReason::HoldExpired }));
        }
    }
}
