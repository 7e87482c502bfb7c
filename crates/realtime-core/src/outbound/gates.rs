//! Gates: the streams that a connection reads from their histories instead of receiving them live.
//!
//! A gate of a stream stands in the queue of a connection. While it does, the queue takes no frame of the stream, and the
//! connection's own task reads pages of the history, until it has reached the top; then the gate goes. So no publisher
//! waits for a reader, nothing is buffered, and a live subscription needs no position.

use std::collections::BTreeMap;

use realtime_schema::{
    Ack, CommandId, Control, ErrorCode, ErrorReply, Gap, GapReason, Route, Stream, StreamPosition, Subscribed,
};

use crate::{
    epoch::{Epoch, Epochs},
    log::Log,
};

/// Where reading a history begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// At whatever is the top when the first page is read: nothing was missed before.
    Live,
    /// After a position; `None` for an epoch that no node gives.
    After(Option<Epoch>, u64),
}

impl Start {
    /// After a client's position.
    pub fn after(position: &StreamPosition) -> Self {
        Self::After(Epoch::parse(&position.epoch), position.offset)
    }
}

/// What the client gets once the stream is live.
#[derive(Clone, Debug, PartialEq)]
pub enum Owed {
    /// The `ack` of a `subscribe`.
    Ack(CommandId),
    /// A `subscribed` frame, with the position.
    Subscribed(Subscribed),
    /// A part of the `ack` of a `resume`.
    Resumed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The index does not list the connection yet: not read.
    Opening,
    /// Not read until the client says where it stopped.
    Held,
    /// Read by the connection's task.
    Open,
}

/// A stream that a connection reads from its history.
#[derive(Clone, Debug)]
pub struct Gate {
    stream: Route,
    start: Start,
    state: State,
    owes: Vec<Owed>,
    /// A gap to report before the first page: everything up to the position, for this reason.
    cause: Option<GapReason>,
}

impl Gate {
    /// A gate that is not read before it is [opened](super::OutboundQueue::open_gate): the index does not list the connection yet.
    pub fn opening(stream: Route, start: Start) -> Self {
        Self { stream, start, state: State::Opening, owes: Vec::new(), cause: None }
    }

    /// A gate that is not read before its client [resumes](super::OutboundQueue::resume_held).
    pub fn held(stream: Route, start: Start) -> Self {
        Self { state: State::Held, ..Self::opening(stream, start) }
    }

    /// A gate that is read from now on.
    pub fn open(stream: Route, start: Start) -> Self {
        Self { state: State::Open, ..Self::opening(stream, start) }
    }

    /// Its stream.
    pub fn stream(&self) -> &Route {
        &self.stream
    }

    /// With another start.
    #[must_use]
    pub fn starting(mut self, start: Start) -> Self {
        self.start = start;
        self
    }

    /// With a gap before the first page: everything up to the start.
    #[must_use]
    pub fn after_gap(mut self, cause: Option<GapReason>) -> Self {
        self.cause = cause;
        self
    }

    /// With what the client gets once the stream is live.
    #[must_use]
    pub fn owing(mut self, owed: impl IntoIterator<Item = Owed>) -> Self {
        self.owes.extend(owed);
        self
    }
}

/// A `resume` that is not answered yet.
#[derive(Clone, Debug)]
struct Resume {
    id: Option<CommandId>,
    /// Gates that owe a part of the answer.
    left: usize,
    streams: BTreeMap<Stream, StreamPosition>,
}

/// The gates of one connection. Usually there are none.
#[derive(Clone, Debug, Default)]
pub(super) struct Gates {
    list: Vec<Gate>,
    resume: Option<Resume>,
    /// The client has a resume ticket, and has not said where it stopped: what the server gives it stands still.
    is_holding: bool,
}

/// The result of looking at a history for one page.
pub(super) struct Judged {
    pub(super) gap: Option<Gap>,
    /// The offset of the next message to read.
    pub(super) next: u64,
}

impl Gates {
    /// True if there is no gate, no reply is owed, and no `resume` is awaited.
    pub(super) fn is_idle(&self) -> bool {
        self.list.is_empty() && self.resume.is_none() && !self.is_holding
    }

    /// From now on a stream that the server gives may be held, until [`Self::resume_all`] or [`Self::release`].
    pub(super) fn hold(&mut self) {
        self.is_holding = true;
    }

    pub(super) fn is_holding(&self) -> bool {
        self.is_holding
    }

    pub(super) fn contains(&self, stream: &Route) -> bool {
        self.list.iter().any(|gate| gate.stream == *stream)
    }

    pub(super) fn has_open(&self) -> bool {
        self.list.iter().any(|gate| gate.state == State::Open)
    }

    /// A stream to read next; each in its turn.
    pub(super) fn next_open(&mut self) -> Option<Route> {
        let at = self.list.iter().position(|gate| gate.state == State::Open)?;
        // To the end: the others come before it again.
        let gate = self.list.remove(at);
        let stream = gate.stream.clone();
        self.list.push(gate);
        Some(stream)
    }

    /// Adds a gate. If the stream has one already, a newer position replaces its start, and it owes both replies.
    pub(super) fn add(&mut self, gate: Gate) {
        match self.list.iter_mut().find(|known| known.stream == gate.stream) {
            None => self.list.push(gate),
            Some(known) => {
                if gate.start != Start::Live {
                    known.start = gate.start;
                    known.cause = gate.cause;
                    if known.state == State::Held {
                        known.state = gate.state;
                    }
                }
                known.owes.extend(gate.owes);
            }
        }
    }

    /// The index lists the connection now.
    pub(super) fn open(&mut self, stream: &Route, owed: Option<Owed>) {
        let Some(gate) = self.list.iter_mut().find(|gate| gate.stream == *stream) else { return };
        if gate.state == State::Opening {
            gate.state = State::Open;
        }
        gate.owes.extend(owed);
    }

    /// Removes a gate; returns the replies that will not come, as errors.
    pub(super) fn remove(&mut self, stream: &Route) -> Vec<Control> {
        let Some(at) = self.list.iter().position(|gate| gate.stream == *stream) else { return Vec::new() };
        let mut replies = Vec::new();
        for owed in self.list.remove(at).owes {
            match owed {
                Owed::Ack(id) => {
                    let message = "the subscription ended before it had caught up";
                    replies.push(Control::Error(ErrorReply::new(Some(id), ErrorCode::Conflict, message)));
                }
                Owed::Subscribed(_) => {}
                Owed::Resumed => replies.extend(self.resumed(None)),
            }
        }
        replies
    }

    /// Starts the answer to a `resume` with this id. The caller then [resumes](Self::resume) the streams, and
    /// [settles](Self::settle).
    pub(super) fn begin_resume(&mut self, id: Option<CommandId>) -> bool {
        if self.resume.is_some() {
            return false;
        }
        // One part is the caller's, so that nothing is answered before all streams are counted.
        self.resume = Some(Resume { id, left: 1, streams: BTreeMap::new() });
        true
    }

    /// Lets a held stream be read from `start`, or from where it was held, after a gap for `cause`. False if the stream
    /// is not held.
    pub(super) fn resume(&mut self, stream: &Route, start: Option<Start>, cause: Option<GapReason>) -> bool {
        let Some(resume) = &mut self.resume else { return false };
        let held = |gate: &&mut Gate| gate.stream == *stream && gate.state == State::Held;
        let Some(gate) = self.list.iter_mut().find(held) else { return false };
        resume.left += 1;
        if let Some(start) = start {
            gate.start = start;
        }
        (gate.state, gate.cause) = (State::Open, cause);
        gate.owes.push(Owed::Resumed);
        true
    }

    pub(super) fn is_held(&self, stream: &Route) -> bool {
        self.list.iter().any(|gate| gate.stream == *stream && gate.state == State::Held)
    }

    /// Lets every stream that is still held be read from where it was held, as a part of the `resume`.
    pub(super) fn resume_all(&mut self) {
        self.is_holding = false;
        let held = self.list.iter().filter(|gate| gate.state == State::Held);
        for stream in held.map(|gate| gate.stream.clone()).collect::<Vec<_>>() {
            self.resume(&stream, None, None);
        }
    }

    /// Counts one more part of the answer.
    pub(super) fn expect_resumed(&mut self) {
        if let Some(resume) = &mut self.resume {
            resume.left += 1;
        }
    }

    /// All streams of a `resume` are counted: returns the `ack` if none of them has to catch up.
    pub(super) fn settle(&mut self) -> Option<Control> {
        self.resumed(None)
    }

    /// One part of a `resume` is complete; returns the `ack` if it was the last.
    fn resumed(&mut self, live: Option<(Stream, StreamPosition)>) -> Option<Control> {
        let resume = self.resume.as_mut()?;
        resume.streams.extend(live);
        resume.left = resume.left.saturating_sub(1);
        if resume.left > 0 {
            return None;
        }
        let Resume { id, streams, .. } = self.resume.take()?;
        id.map(|id| Control::Ack(Ack { streams: Some(streams), ..Ack::new(id) }))
    }

    /// Lets every held stream be read from where it was held, after a gap for `reason`. Returns whether there was one.
    pub(super) fn release(&mut self, reason: &GapReason) -> bool {
        self.is_holding = false;
        let mut released = false;
        for gate in self.list.iter_mut().filter(|gate| gate.state == State::Held) {
            (gate.state, gate.cause) = (State::Open, Some(reason.clone()));
            released = true;
        }
        released
    }

    /// Where the next page of `stream` begins, and the gap before it. `None` if its gate is gone or not open.
    pub(super) fn judge(&mut self, stream: &Route, log: &Log, epochs: &Epochs) -> Option<Judged> {
        let gate = self.list.iter_mut().find(|gate| gate.stream == *stream && gate.state == State::Open)?;
        let gap = |from: Option<u64>, to: u64, missed: Option<u64>, reason| Gap {
            stream: Stream::of(stream),
            from,
            to: Some(to),
            missed,
            position: Some(log.position_at(to)),
            reason,
        };
        let judged = match gate.start {
            Start::Live => Judged { gap: None, next: log.top() + 1 },
            Start::After(epoch, _) if epoch != Some(log.epoch()) => {
                // Of another epoch the client may have received anything; what this one keeps of its own, it has not.
                let (to, reason) = (log.unknown(), epochs.reason());
                Judged { gap: Some(gap(None, to, None, reason)), next: to + 1 }
            }
            Start::After(_, offset) if offset > log.top() => {
                Judged { gap: Some(gap(None, log.top(), None, GapReason::LogWentBack)), next: log.top() + 1 }
            }
            Start::After(_, offset) => match gate.cause.take() {
                Some(reason) => {
                    let to = offset.max(log.floor());
                    Judged { gap: Some(gap(None, to, None, reason)), next: to + 1 }
                }
                None if offset < log.began() => {
                    let lost = gap(Some(offset + 1), log.floor(), None, GapReason::PositionForgotten);
                    Judged { gap: Some(lost), next: log.floor() + 1 }
                }
                None if offset < log.floor() => {
                    let missed = log.floor() - offset;
                    let lost = gap(Some(offset + 1), log.floor(), Some(missed), GapReason::Retention);
                    Judged { gap: Some(lost), next: log.floor() + 1 }
                }
                None => Judged { gap: None, next: offset + 1 },
            },
        };
        gate.cause = None;
        Some(judged)
    }

    /// The page went up to `read`, inclusive. At the top the gate goes, and the replies that it owed are returned.
    pub(super) fn advance(&mut self, stream: &Route, log: &Log, read: u64) -> (bool, Vec<Control>) {
        let Some(at) = self.list.iter().position(|gate| gate.stream == *stream) else { return (true, Vec::new()) };
        if read < log.top() {
            self.list[at].start = Start::After(Some(log.epoch()), read);
            return (false, Vec::new());
        }
        let mut replies = Vec::new();
        for owed in self.list.remove(at).owes {
            let position = log.position();
            match owed {
                Owed::Ack(id) => replies.push(Control::Ack(Ack { position: Some(position), ..Ack::new(id) })),
                Owed::Subscribed(notice) => {
                    replies.push(Control::Subscribed(Subscribed { position: Some(position), ..notice }));
                }
                Owed::Resumed => replies.extend(self.resumed(Stream::of(stream).map(|stream| (stream, position)))),
            }
        }
        (true, replies)
    }
}
