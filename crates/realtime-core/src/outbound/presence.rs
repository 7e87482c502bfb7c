//! Presence frames in a queue: they make room for every other frame, and what was left out is replaced by the list.

use realtime_schema::Topic;

use super::{OutboundQueue, QueueLimits};
use crate::frame::{Frame, PresenceMark};

/// The topics of which presence frames were left out. Usually there are none.
#[derive(Debug, Default)]
pub(super) struct Outdated(Vec<OutdatedTopic>);

#[derive(Debug)]
struct OutdatedTopic {
    topic: Topic,
    /// True if the connection's task knows.
    reported: bool,
}

impl Outdated {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn contains(&self, topic: &Topic) -> bool {
        self.0.iter().any(|outdated| outdated.topic == *topic)
    }

    /// Adds a topic, to be reported again if it is known already.
    fn add(&mut self, topic: &Topic) {
        match self.0.iter_mut().find(|outdated| outdated.topic == *topic) {
            Some(outdated) => outdated.reported = false,
            None => self.0.push(OutdatedTopic { topic: topic.clone(), reported: false }),
        }
    }

    fn remove(&mut self, topic: &Topic) {
        self.0.retain(|outdated| outdated.topic != *topic);
    }
}

impl OutboundQueue {
    /// Appends a [presence frame](Frame::encode_presence) if there is room for it, and returns true. A frame that does not
    /// fit is left out, with those of its topic that wait: then the topic is *outdated*. Of an outdated topic only a
    /// frame with the whole list is accepted, which ends that.
    pub fn push_presence(&mut self, frame: Frame, limits: QueueLimits) -> bool {
        let Some(PresenceMark { topic, whole }) = frame.presence() else { return false };
        if !whole && self.rare.as_ref().is_some_and(|rare| rare.outdated.contains(topic)) {
            return false;
        }
        if !self.fits(&frame, limits) {
            self.leave_out(Some(topic));
            // What it replaces makes room for a list, and for nothing else: a change needs those before it.
            if !whole || !self.fits(&frame, limits) {
                self.rare.get_or_insert_default().outdated.add(topic);
                return false;
            }
        }
        if *whole && let Some(rare) = &mut self.rare {
            rare.outdated.remove(topic);
            self.forget_rare();
        }
        self.presence += 1;
        self.append(frame);
        true
    }

    /// Makes room for another frame: drops every presence frame that waits.
    pub(super) fn leave_out_presence(&mut self) {
        self.leave_out(None);
    }

    /// Drops the presence frames of a topic that wait, or of every topic, which are outdated then.
    fn leave_out(&mut self, of: Option<&Topic>) {
        if self.presence == 0 {
            return;
        }
        let mut topics = Vec::new();
        let (messages, bytes, presence) = (&mut self.messages, &mut self.bytes, &mut self.presence);
        if let Some(first) = self.first.take() {
            self.frames.push_front(first);
        }
        self.frames.retain(|frame| {
            let mark = frame.presence().filter(|mark| of.is_none_or(|topic| *topic == mark.topic));
            if let Some(PresenceMark { topic, .. }) = mark {
                *messages -= frame.messages();
                *bytes -= frame.text_len();
                *presence -= 1;
                if !topics.contains(topic) {
                    topics.push(topic.clone());
                }
            }
            mark.is_none()
        });
        for topic in &topics {
            self.rare.get_or_insert_default().outdated.add(topic);
        }
    }

    /// The topics that became outdated since the last call: the connection needs their lists. Call it when what waits is
    /// taken.
    pub fn take_outdated(&mut self) -> Vec<Topic> {
        let Some(rare) = &mut self.rare else { return Vec::new() };
        let unreported = rare.outdated.0.iter_mut().filter(|outdated| !outdated.reported);
        unreported
            .map(|outdated| {
                outdated.reported = true;
                outdated.topic.clone()
            })
            .collect()
    }

    /// The connection needs no list of these topics: it does not watch them.
    pub fn forget_outdated(&mut self, topics: &[Topic]) {
        if let Some(rare) = &mut self.rare {
            topics.iter().for_each(|topic| rare.outdated.remove(topic));
            self.forget_rare();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use realtime_schema::{Control, Ping, Presence, Timestamp};

    use super::*;
    use crate::{
        codec::{encode_control, encode_presence},
        outbound::Verdict,
    };

    const LIMITS: QueueLimits = QueueLimits { messages: 3, bytes: 10_000 };

    fn topic(name: &str) -> Topic {
        Topic::new(name).expect("a topic")
    }

    fn frame(name: &str, version: u64, whole: bool) -> Frame {
        encode_presence(&Presence::new(topic(name), version, 1), whole, Timestamp::from_millis(0))
    }

    fn control() -> Frame {
        encode_control(&Control::Ping(Ping {}), Timestamp::from_millis(0))
    }

    /// The versions of the presence frames that wait, which are taken.
    fn taken(queue: &mut OutboundQueue) -> Vec<u64> {
        let mut batch = VecDeque::new();
        assert!(queue.take(&mut batch).is_empty(), "presence has no gaps");
        let version =
            |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON")["payload"]["version"].as_u64();
        batch.iter().flat_map(Frame::texts).filter_map(version).collect()
    }

    #[test]
    fn what_does_not_fit_is_left_out_until_the_list_comes() {
        let mut queue = OutboundQueue::default();
        for version in 1..=3 {
            assert!(queue.push_presence(frame("a", version, false), LIMITS));
        }
        assert!(!queue.push_presence(frame("a", 4, false), LIMITS), "the queue is full");
        assert!(!queue.push_presence(frame("a", 5, false), LIMITS), "a change without the one before it is of no use");
        assert!(queue.push_presence(frame("b", 1, false), LIMITS), "another topic has room");
        assert_eq!(queue.take_outdated(), [topic("a")]);
        assert_eq!(queue.take_outdated(), [], "once");
        assert_eq!(taken(&mut queue), [1], "of b: those of a were dropped");

        assert!(!queue.push_presence(frame("a", 6, false), LIMITS), "still outdated, though there is room");
        assert!(queue.push_presence(frame("a", 6, true), LIMITS), "the list");
        assert!(queue.push_presence(frame("a", 7, false), LIMITS));
        assert_eq!(taken(&mut queue), [6, 7]);
        assert!(queue.take_outdated().is_empty() && queue.rare.is_none(), "nothing is left of it");
    }

    #[test]
    fn presence_makes_room_for_any_other_frame_and_never_the_reverse() {
        let mut queue = OutboundQueue::default();
        assert_eq!(queue.push(control(), LIMITS), Verdict::Queued { dropped: 0 });
        assert!(queue.push_presence(frame("a", 1, false), LIMITS));
        assert!(queue.push_presence(frame("b", 1, false), LIMITS));
        assert_eq!(queue.push(control(), LIMITS), Verdict::Queued { dropped: 0 }, "no message is dropped");
        assert_eq!(queue.len(), 2);
        assert_eq!(queue.take_outdated(), [topic("a"), topic("b")]);
        queue.push(control(), LIMITS);
        assert!(!queue.push_presence(frame("a", 2, true), LIMITS), "there is no room for the list");
        assert_eq!(queue.take_outdated(), [topic("a")], "it is needed again");
        assert_eq!(queue.push(control(), LIMITS), Verdict::Full, "and only now nothing can be dropped");
        assert_eq!(queue.len(), 3);
    }

    #[test]
    fn a_list_replaces_the_changes_that_wait() {
        let mut queue = OutboundQueue::default();
        for version in 1..=3 {
            assert!(queue.push_presence(frame("a", version, false), LIMITS));
        }
        assert!(queue.push_presence(frame("a", 4, true), LIMITS));
        assert_eq!(taken(&mut queue), [4]);
        assert!(queue.take_outdated().is_empty());
    }

    #[test]
    fn a_topic_that_is_no_longer_watched_needs_no_list() {
        let mut queue = OutboundQueue::default();
        let taken: Vec<_> = (0..4).map(|version| queue.push_presence(frame("a", version, false), LIMITS)).collect();
        assert_eq!(taken, [true, true, true, false]);
        let outdated = queue.take_outdated();
        queue.forget_outdated(&outdated);
        assert!(queue.rare.is_none());
        assert!(queue.push_presence(frame("a", 9, false), LIMITS), "it is watched again");
    }

    #[test]
    fn the_counts_of_the_queue_agree_with_what_waits() {
        let mut queue = OutboundQueue::default();
        let limits = QueueLimits { messages: 100, bytes: 100_000 };
        for n in 0..20 {
            queue.push_presence(frame(if n % 3 == 0 { "a" } else { "b" }, n, n % 7 == 0), limits);
            queue.push(control(), limits);
        }
        let bytes = queue.bytes();
        queue.leave_out_presence();
        assert_eq!((queue.len(), queue.presence), (20, 0));
        assert_eq!(queue.bytes(), 20 * control().text_len());
        assert!(queue.bytes() < bytes);
    }
}
