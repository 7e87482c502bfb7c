//! How a queue leaves a stream to its history, and takes it back: the gates of a connection, and the pages that its task
//! reads.
//!
//! Order of locks, from the outside: the changes of one connection, a stream, the index, a queue. A queue takes no other
//! lock.

use std::collections::VecDeque;

use realtime_schema::{ClientId, CommandId, Control, Gap, GapReason, Route, StreamPosition};

use super::{
    OutboundQueue,
    gates::{Gate, Judged, Owed, Start},
};
use crate::{
    epoch::{Epoch, Epochs},
    frame::Frame,
    log::Log,
};

/// The bounds of a page of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageLimits {
    /// Most messages.
    pub messages: usize,
    /// Most bytes of text. A single message larger than this is a page of its own.
    pub bytes: usize,
}

/// What follows the queued frames, of a stream that is read from its history.
#[derive(Debug, Default)]
pub struct Page {
    /// The gaps of dropped messages, which come before the queued frames.
    pub dropped: Vec<Gap>,
    /// What the client can't have of the stream, before the frames.
    pub gap: Option<Gap>,
    /// The frames, oldest first.
    pub frames: Vec<Frame>,
    /// The replies that were owed, after the frames.
    pub replies: Vec<Control>,
    /// True if the stream is live from here on.
    pub live: bool,
}

/// A held stream that a client resumes.
#[derive(Clone, Debug, PartialEq)]
pub struct Resumed {
    /// The stream.
    pub stream: Route,
    /// Where to read from; `None` for where it was held.
    pub start: Option<Start>,
    /// A gap to report first: the client may not have what was before.
    pub cause: Option<GapReason>,
}

/// An earlier `resume` of the connection has not been answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResumePending;

impl OutboundQueue {
    /// A stream to read from its history, each in its turn; `None` if there is none.
    pub fn next_open(&mut self) -> Option<Route> {
        self.rare.as_mut()?.gates.next_open()
    }

    /// True if there is a stream to read from its history.
    pub fn has_open(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.gates.has_open())
    }

    /// Adds a gate: from now on the queue takes no frame of its stream. The frames of it that wait are dropped: they are
    /// in the history.
    ///
    /// If the stream has a gate already, a newer position replaces its start, and it owes the replies of both.
    pub fn add_gate(&mut self, gate: Gate) {
        self.drop_frames_of(gate.stream());
        self.rare.get_or_insert_default().gates.add(gate);
    }

    /// Adds a gate of a stream that is live already, without a position of the client: it is read from the oldest
    /// message that waits here, or else from the top. The caller holds the lock of the stream.
    pub fn add_gate_over_live(&mut self, gate: Gate, log: &Log) {
        let gates = &mut self.rare.get_or_insert_default().gates;
        if gates.contains(gate.stream()) {
            return gates.add(gate);
        }
        let oldest = self.drop_frames_of(gate.stream()).unwrap_or(log.top() + 1);
        self.add_gate(gate.starting(Start::After(Some(log.epoch()), oldest - 1)));
    }

    /// True if the queue has a gate of this stream.
    pub fn has_gate(&self, stream: &Route) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.gates.contains(stream))
    }

    /// The index lists the connection now: the history may be read, and the client gets what is owed once it has caught
    /// up.
    pub fn open_gate(&mut self, stream: &Route, owed: Option<Owed>) {
        if let Some(rare) = &mut self.rare {
            rare.gates.open(stream, owed);
        }
    }

    /// Ends a stream: its frames that wait and its gate go. Returns an error for each reply that was owed.
    pub fn end_stream(&mut self, stream: &Route) -> Vec<Control> {
        self.drop_frames_of(stream);
        let Some(rare) = &mut self.rare else { return Vec::new() };
        let errors = rare.gates.remove(stream);
        self.forget_rare();
        errors
    }

    /// The client has a resume ticket: what the server gives it stands still until the client resumes, or the hold expires.
    pub fn hold(&mut self) {
        self.rare.get_or_insert_default().gates.hold();
    }

    /// True from [`Self::hold`] until the client resumes, or the hold expires.
    pub fn is_holding(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.gates.is_holding())
    }

    /// True if the stream stands still until the client resumes.
    pub fn is_held(&self, stream: &Route) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.gates.is_held(stream))
    }

    /// Begins the answer to a `resume` with this id. It is complete once every stream that is counted has caught up, and
    /// the caller has [settled](Self::settle_resume).
    ///
    /// # Errors
    /// An earlier `resume` has not been answered.
    pub fn begin_resume(&mut self, id: Option<CommandId>) -> Result<(), ResumePending> {
        let begun = self.rare.get_or_insert_default().gates.begin_resume(id);
        if begun { Ok(()) } else { Err(ResumePending) }
    }

    /// Lets held streams be read, each from a position or from where it was held.
    pub fn resume_held(&mut self, streams: Vec<Resumed>) {
        let Some(rare) = &mut self.rare else { return };
        for Resumed { stream, start, cause } in streams {
            rare.gates.resume(&stream, start, cause);
        }
    }

    /// Lets a stream that was not held go on, as a part of the `resume`: a gap first, if there was anything after the client's
    /// position that it can't have. The caller holds the lock of the stream.
    pub fn resume_live(&mut self, stream: Route, position: &StreamPosition, log: &Log) {
        self.expect_resumed();
        let gate = Gate::open(stream, Start::Live).owing([Owed::Resumed]);
        if self.has_gate(gate.stream()) {
            // It is being read, from where it was said to be.
            self.rare.get_or_insert_default().gates.add(gate);
            return;
        }
        // What waits here is read again, after the gap.
        let before = self.drop_frames_of(gate.stream()).unwrap_or(log.top() + 1) - 1;
        let is_complete = Epoch::parse(&position.epoch) == Some(log.epoch()) && position.offset >= before;
        let cause = (!is_complete).then_some(GapReason::NotGranted);
        self.add_gate(gate.starting(Start::After(Some(log.epoch()), before)).after_gap(cause));
    }

    /// Counts a stream whose gate will owe [`Owed::Resumed`].
    pub fn expect_resumed(&mut self) {
        if let Some(rare) = &mut self.rare {
            rare.gates.expect_resumed();
        }
    }

    /// A stream that was [counted](Self::expect_resumed) has no gate after all.
    pub fn not_resumed(&mut self) {
        if let Some(rare) = &mut self.rare {
            // Not the last part: that one is the caller's, until it settles.
            let ack = rare.gates.settle();
            debug_assert!(ack.is_none(), "settled twice");
        }
    }

    /// All streams of a `resume` are counted: those that are still held go on from where they were held. Returns the
    /// `ack` if nothing has to catch up.
    pub fn settle_resume(&mut self) -> Option<Control> {
        let rare = self.rare.as_mut()?;
        rare.gates.resume_all();
        let ack = rare.gates.settle();
        self.forget_rare();
        ack
    }

    /// Lets every held stream be read from where it was held, after a gap for `reason`. True if there was one.
    pub fn release_held(&mut self, reason: &GapReason) -> bool {
        let released = self.rare.as_mut().is_some_and(|rare| rare.gates.release(reason));
        self.forget_rare();
        released
    }

    /// Appends all queued frames to `batch`, and returns what follows them: the next page of `stream`. `None` if its gate
    /// is gone or not open; then nothing was taken. The caller holds the lock of the stream.
    ///
    /// `client` is left out of the messages that exclude it, as in live delivery.
    pub fn take_page(
        &mut self,
        stream: &Route,
        log: &Log,
        epochs: &Epochs,
        client: Option<&ClientId>,
        limits: PageLimits,
        batch: &mut VecDeque<Frame>,
    ) -> Option<Page> {
        let Judged { gap, next } = self.rare.as_mut()?.gates.judge(stream, log, epochs)?;
        // Where nothing follows, the top is reached.
        let (mut frames, mut bytes, mut read) = (Vec::new(), 0, log.top());
        for (at, frame) in log.from(next).enumerate() {
            bytes += frame.text_len();
            if at > 0 && (at >= limits.messages || bytes > limits.bytes) {
                break;
            }
            read = frame.kept().map_or(read, |kept| kept.last);
            if frame.is_for(client) {
                frames.push(frame.clone());
            }
        }
        let (live, replies) = self.rare.as_mut()?.gates.advance(stream, log, read);
        let dropped = self.take(batch);
        Some(Page { dropped, gap, frames, replies, live })
    }
}
