//! The outbound queue of a connection, bounded in messages and bytes, with a policy for a full queue.

use std::collections::{HashSet, VecDeque};

use realtime_schema::{Gap, GapReason, Route, Stream};

use crate::{frame::Frame, policy::Overflow};

mod catch_up;
mod gates;
mod inspect;
mod presence;

pub use catch_up::{Page, PageLimits, ResumePending, Resumed};
pub use gates::{Gate, Owed, Start};

use gates::Gates;
use presence::Outdated;

/// The capacity that a queue keeps between frames while there is traffic. An idle queue keeps none.
const KEPT: usize = 4;

/// The bounds of a queue. A single message larger than `bytes` still fits into an empty queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueLimits {
    /// Most queued messages.
    pub messages: usize,
    /// Most queued bytes of text.
    pub bytes: usize,
}

/// The result of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The frame is queued; `dropped` older messages made room.
    Queued {
        /// Number of dropped publications.
        dropped: u32,
    },
    /// The connection reads this stream from its history: the frame will come from there.
    CatchingUp,
    /// The queue is full and nothing may be dropped: close the connection as too slow.
    Full,
}

/// What a queue rarely has.
#[derive(Debug, Default)]
struct Rare {
    /// Messages dropped since the last take, by stream.
    gaps: Vec<Gap>,
    /// The streams that are read from their histories.
    gates: Gates,
    /// The topics whose present users the client has to be sent again.
    outdated: Outdated,
}

/// A bounded queue of frames.
#[derive(Debug, Default)]
pub struct OutboundQueue {
    /// The first frame, usually the only one: it needs no allocation.
    first: Option<Frame>,
    /// The frames after the first.
    frames: VecDeque<Frame>,
    messages: u32,
    /// Number of queued presence frames.
    presence: u32,
    bytes: usize,
    /// Boxed: usually there is none.
    rare: Option<Box<Rare>>,
}

impl OutboundQueue {
    /// True if there is nothing to take. There may still be a [history to read](Self::next_open).
    pub fn is_empty(&self) -> bool {
        self.has_no_frame() && self.rare.as_ref().is_none_or(|rare| rare.gaps.is_empty())
    }

    fn has_no_frame(&self) -> bool {
        self.first.is_none() && self.frames.is_empty()
    }

    /// Number of queued messages.
    pub fn len(&self) -> usize {
        self.messages as usize
    }

    /// Number of queued bytes of text.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Appends `frame`. If the queue is full, makes room by the policy of `frame`. A stream with a history loses nothing
    /// by that: the connection reads it from its history afterwards.
    pub fn push(&mut self, frame: Frame, limits: QueueLimits) -> Verdict {
        if self.rare.is_some() && self.is_catching_up(&frame) {
            return Verdict::CatchingUp;
        }
        if !self.fits(&frame, limits) {
            return self.push_to_full(frame, limits);
        }
        self.append(frame);
        Verdict::Queued { dropped: 0 }
    }

    /// True if the connection reads the frame's stream from its history. Like [`Self::push_to_full`] not inlined: the
    /// usual push would save and restore the registers that it needs.
    #[cold]
    #[inline(never)]
    fn is_catching_up(&self, frame: &Frame) -> bool {
        let stream = frame.stream().map(|(stream, _)| stream);
        stream.is_some_and(|stream| self.rare.as_ref().is_some_and(|rare| rare.gates.contains(stream)))
    }

    #[cold]
    #[inline(never)]
    fn push_to_full(&mut self, frame: Frame, limits: QueueLimits) -> Verdict {
        let mut dropped = 0;
        self.leave_out_presence();
        if self.fits(&frame, limits) {
            self.append(frame);
            return Verdict::Queued { dropped };
        }
        let overflow = frame.label().map(|label| label.overflow);
        if overflow == Some(Overflow::Drop) && frame.kept().is_some() {
            self.leave_to_history(&frame);
            return Verdict::CatchingUp;
        }
        while overflow != Some(Overflow::Drop) && !self.fits(&frame, limits) && self.leave_oldest_to_history() {}
        match overflow {
            Some(Overflow::Close) => {}
            // A control frame is never dropped; publications that may be dropped make room for it.
            None | Some(Overflow::Drop) => while !self.fits(&frame, limits) && self.drop_oldest(&mut dropped) {},
            Some(Overflow::Latest) if self.fits(&frame, limits) => {}
            Some(Overflow::Latest) => dropped = self.keep_latest(&frame),
        }
        if !self.fits(&frame, limits) {
            return Verdict::Full;
        }
        self.append(frame);
        Verdict::Queued { dropped }
    }

    fn append(&mut self, frame: Frame) {
        self.count(&frame);
        if self.has_no_frame() {
            self.first = Some(frame);
        } else {
            self.frames.push_back(frame);
        }
    }

    fn fits(&self, frame: &Frame, limits: QueueLimits) -> bool {
        self.has_no_frame()
            || (self.len() + frame.messages() as usize <= limits.messages
                && self.bytes + frame.text_len() <= limits.bytes)
    }

    fn count(&mut self, frame: &Frame) {
        self.messages += frame.messages();
        self.bytes += frame.text_len();
    }

    fn forget(&mut self, frame: &Frame) {
        self.messages -= frame.messages();
        self.bytes -= frame.text_len();
    }

    /// All queued frames, in one list.
    fn all(&mut self) -> &mut VecDeque<Frame> {
        if let Some(first) = self.first.take() {
            self.frames.push_front(first);
        }
        &mut self.frames
    }

    /// Makes room by the oldest message whose policy allows it: drops it, or leaves its stream to the history. False if
    /// there is none.
    fn drop_oldest(&mut self, dropped: &mut u32) -> bool {
        let droppable = |frame: &Frame| frame.label().is_some_and(|label| label.overflow == Overflow::Drop);
        let Some(at) = self.all().iter().position(droppable) else { return false };
        if self.frames[at].kept().is_some() {
            let frame = self.frames[at].clone();
            self.leave_to_history(&frame);
            return true;
        }
        let Some(frame) = self.frames.remove(at) else { return false };
        self.forget(&frame);
        if let Some(rest) = frame.without_first() {
            self.count(&rest);
            self.frames.insert(at, rest);
        }
        if let Some(label) = frame.label() {
            let stream = Stream::of_audience(&label.to);
            let gaps = &mut self.rare.get_or_insert_default().gaps;
            match gaps.iter_mut().find(|gap| gap.stream == stream) {
                Some(gap) => gap.missed = gap.missed.map(|n| n + 1),
                None => gaps.push(dropped_one(stream)),
            }
        }
        *dropped += 1;
        true
    }

    /// Leaves the stream of the oldest frame that has a history to it. False if there is none.
    fn leave_oldest_to_history(&mut self) -> bool {
        let kept = |frame: &&Frame| {
            frame.kept().is_some() && frame.label().is_some_and(|label| label.overflow == Overflow::Drop)
        };
        let Some(frame) = self.first.iter().chain(&self.frames).find(kept).cloned() else { return false };
        self.leave_to_history(&frame);
        true
    }

    /// The queued frames of the stream of `frame` go, and the connection reads the history from the oldest of them, or
    /// from `frame` itself.
    fn leave_to_history(&mut self, frame: &Frame) {
        let Some((stream, kept)) = frame.stream() else { return };
        let oldest = self.drop_frames_of(stream).unwrap_or(kept.first).min(kept.first);
        let gate = Gate::open(stream.clone(), Start::After(Some(kept.epoch), oldest - 1));
        self.rare.get_or_insert_default().gates.add(gate);
    }

    /// Drops the queued frames of a stream with a history; returns the offset of the oldest.
    fn drop_frames_of(&mut self, stream: &Route) -> Option<u64> {
        let of_stream = |frame: &Frame| frame.stream().filter(|(of, _)| *of == stream).map(|(_, kept)| kept.first);
        let oldest = self.first.iter().chain(&self.frames).find_map(of_stream)?;
        let (messages, bytes) = (&mut self.messages, &mut self.bytes);
        if let Some(first) = self.first.take() {
            self.frames.push_front(first);
        }
        self.frames.retain(|frame| {
            let goes = of_stream(frame).is_some();
            if goes {
                *messages -= frame.messages();
                *bytes -= frame.text_len();
            }
            !goes
        });
        Some(oldest)
    }

    /// Drops every frame that a later one of the same type and route supersedes, `new` included.
    fn keep_latest(&mut self, new: &Frame) -> u32 {
        let mut later: HashSet<_> = new.label().into_iter().cloned().collect();
        let mut dropped = 0;
        let mut kept = VecDeque::with_capacity(self.all().len());
        while let Some(frame) = self.frames.pop_back() {
            match frame.label().filter(|label| label.overflow == Overflow::Latest) {
                Some(label) if later.contains(label) => {
                    self.forget(&frame);
                    dropped += frame.messages();
                    continue;
                }
                Some(label) => drop(later.insert(label.clone())),
                None => {}
            }
            kept.push_front(frame);
        }
        self.frames = kept;
        dropped
    }

    /// Appends all queued frames to `batch`, and returns the gaps since the last call.
    /// The gaps come before the frames: dropped messages are older than queued ones.
    pub fn take(&mut self, batch: &mut VecDeque<Frame>) -> Vec<Gap> {
        batch.extend(self.first.take());
        // Keeps the capacity during bursts: freeing it after each would allocate again for the next.
        let quiet = self.frames.len() <= KEPT;
        batch.append(&mut self.frames);
        if quiet {
            self.frames.shrink_to(KEPT);
        }
        (self.messages, self.presence, self.bytes) = (0, 0, 0);
        let Some(rare) = &mut self.rare else { return Vec::new() };
        let gaps = std::mem::take(&mut rare.gaps);
        self.forget_rare();
        gaps
    }

    fn forget_rare(&mut self) {
        self.rare.take_if(|rare| rare.gaps.is_empty() && rare.gates.is_idle() && rare.outdated.is_empty());
    }

    /// Frees unused capacity, if the queue is empty.
    pub fn rest(&mut self) {
        if self.is_empty() {
            self.frames = VecDeque::new();
        }
    }

    /// Drops all queued frames and gaps.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

fn dropped_one(stream: Option<Stream>) -> Gap {
    Gap { stream, from: None, to: None, missed: Some(1), position: None, reason: GapReason::SlowConsumer }
}

#[cfg(test)]
mod tests;
