//! The outbound queue of a connection, bounded in messages and bytes, with a policy for a full queue.

use std::collections::{HashSet, VecDeque};

use realtime_schema::{Gap, GapReason, Stream};

use crate::{frame::Frame, policy::Overflow};

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
    /// The queue is full and nothing may be dropped: close the connection as too slow.
    Full,
}

#[derive(Debug, Default)]
struct Gaps(Vec<Gap>);

/// A bounded queue of frames.
#[derive(Debug, Default)]
pub struct OutboundQueue {
    /// The first frame, usually the only one: it needs no allocation.
    first: Option<Frame>,
    /// The frames after the first.
    frames: VecDeque<Frame>,
    messages: u32,
    bytes: usize,
    /// Messages dropped since the last take, by stream. Boxed: usually empty.
    gaps: Option<Box<Gaps>>,
}

impl OutboundQueue {
    /// Whether the queue is empty.
    pub fn is_empty(&self) -> bool {
        self.has_no_frame() && self.gaps.is_none()
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

    /// Appends `frame`. If the queue is full, makes room by the policy of `frame`.
    pub fn push(&mut self, frame: Frame, limits: QueueLimits) -> Verdict {
        let mut dropped = 0;
        if !self.fits(&frame, limits) {
            match frame.label().map(|label| label.overflow) {
                Some(Overflow::Close) => {}
                // A control frame is never dropped; publications that may be dropped make room for it.
                None | Some(Overflow::Drop) => {
                    while !self.fits(&frame, limits) && self.drop_oldest() {
                        dropped += 1;
                    }
                }
                Some(Overflow::Latest) => dropped = self.keep_latest(&frame),
            }
            if !self.fits(&frame, limits) {
                return Verdict::Full;
            }
        }
        self.count(&frame);
        if self.has_no_frame() {
            self.first = Some(frame);
        } else {
            self.frames.push_back(frame);
        }
        Verdict::Queued { dropped }
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

    /// Drops the oldest message whose policy allows it, and records the gap. False if there is none.
    fn drop_oldest(&mut self) -> bool {
        let droppable = |frame: &Frame| frame.label().is_some_and(|label| label.overflow == Overflow::Drop);
        let Some(at) = self.all().iter().position(droppable) else { return false };
        let Some(frame) = self.frames.remove(at) else { return false };
        self.forget(&frame);
        if let Some(rest) = frame.without_first() {
            self.count(&rest);
            self.frames.insert(at, rest);
        }
        if let Some(label) = frame.label() {
            let stream = Stream::of_audience(&label.to);
            let Gaps(gaps) = &mut **self.gaps.get_or_insert_default();
            match gaps.iter_mut().find(|gap| gap.stream == stream) {
                Some(gap) => gap.missed = gap.missed.map(|n| n + 1),
                None => gaps.push(dropped_one(stream)),
            }
        }
        true
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
        (self.messages, self.bytes) = (0, 0);
        self.gaps.take().map_or_else(Vec::new, |gaps| gaps.0)
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
