//! What a client may see: of each stream with history a strictly rising part of its log, and the rest is what the gaps
//! name.

use std::collections::{BTreeMap, BTreeSet};

use super::log::Log;
use crate::machine::{Gap, Message, Position, State};

pub(super) type Logs = BTreeMap<String, Log>;

#[derive(Debug, Default)]
pub(super) struct Oracle {
    /// Publications that are delivered or named by a gap, for each stream that the client follows.
    cursors: BTreeMap<String, usize>,
    last: BTreeMap<String, u64>,
    pub(super) subscribed: BTreeSet<String>,
    pub(super) delivered: u64,
    pub(super) gaps: u64,
}

impl Oracle {
    pub(super) fn message(&mut self, logs: &Logs, message: &Message) {
        self.delivered += 1;
        let n: u64 = message.payload.get().parse().expect("a number");
        let topic = message.topic.as_deref().unwrap_or_default();
        assert!(message.topic.is_none() || self.subscribed.contains(topic), "a message of {topic} after unsubscribe");
        let name = message.stream.clone().unwrap_or_else(|| format!("topic:{topic}"));
        let last = self.last.insert(name.clone(), n).unwrap_or(0);
        assert!(n > last, "{name}: {n} after {last}");
        if let (Some(log), Some(cursor)) = (logs.get(&name), self.cursors.get_mut(&name)) {
            let next = log.all.get(*cursor).map(|entry| entry.n);
            assert_eq!(next, Some(n), "{name}: the message behind the position is missing, and no gap names it");
            *cursor += 1;
        }
    }

    pub(super) fn gap(&mut self, logs: &Logs, gap: &Gap) {
        self.gaps += 1;
        let (Some(stream), Some(at)) = (&gap.stream, &gap.position) else { return };
        let Some(log) = logs.get(stream) else { return };
        let next = log.index(at);
        if let Some(&cursor) = self.cursors.get(stream) {
            assert!(next >= cursor, "{stream}: a gap goes back");
            let previous = gap.previous.as_ref().expect("a gap says where the client stood");
            assert_eq!(log.index(previous), cursor, "{stream}: the position before the gap");
            let lost = previous.epoch != at.epoch || previous.offset < at.offset;
            assert!(lost || gap.reason != "not_resumed", "{stream}: nothing is lost, and a gap says so");
        }
        self.cursors.insert(stream.clone(), next);
    }

    /// A subscription is live: nothing after this position may be missing.
    pub(super) fn live(&mut self, logs: &Logs, topic: &str, position: Option<&Position>) {
        let stream = format!("topic:{topic}");
        if let (Some(log), Some(position)) = (logs.get(&stream), position) {
            self.cursors.insert(stream, log.index(position));
        }
    }

    pub(super) fn unsubscribed(&mut self, topic: &str) {
        self.subscribed.remove(topic);
        self.cursors.remove(&format!("topic:{topic}"));
    }

    /// The positions that the client would send now are what was delivered: never ahead of it, never behind.
    pub(super) fn positions(&mut self, logs: &Logs, state: &State) {
        for (stream, log) in logs {
            let topic = stream.strip_prefix("topic:");
            if topic.is_some_and(|topic| !self.subscribed.contains(topic)) {
                continue;
            }
            match (state.positions.get(stream), self.cursors.get(stream)) {
                (Some(at), Some(cursor)) => {
                    assert_eq!(log.index(at), *cursor, "{stream}: the position is not what was delivered");
                }
                (Some(at), None) if topic.is_none() => _ = self.cursors.insert(stream.clone(), log.index(at)),
                (None, _) => _ = self.cursors.remove(stream),
                (Some(_), None) => {}
            }
        }
    }

    /// Nothing is on its way any more: the client has everything.
    pub(super) fn complete(&self, logs: &Logs, streams: impl Iterator<Item = String>) {
        for stream in streams {
            assert_eq!(
                self.cursors.get(&stream).copied(),
                Some(logs[&stream].all.len()),
                "{stream}: incomplete in the end"
            );
        }
    }
}
