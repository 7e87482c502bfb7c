//! The histories that a durable store has kept.

use std::{collections::HashMap, sync::atomic::Ordering::Relaxed};

use realtime_core::{Frame, Kept, Label, epoch::Epoch, log::Log};
use realtime_ports::{Appended, Record};
use realtime_schema::{Audience, Route};

use super::{Streams, append::bounds, retention::millis};

/// What a store has kept of the streams, while it is being loaded.
#[derive(Default)]
pub(crate) struct Restored(HashMap<Route, (Log, Vec<Appended>)>);

impl Restored {
    /// Takes a message.
    pub(crate) fn appended(&mut self, appended: Appended) {
        let (_, messages) = self.0.entry(appended.route.clone()).or_insert_with(|| (Log::new(Epoch(0)), Vec::new()));
        messages.push(appended);
    }

    /// Takes a position, which comes after the messages of its stream.
    pub(crate) fn position(&mut self, route: Route, epoch: u64, top: u64) {
        let (log, _) = self.0.entry(route).or_insert_with(|| (Log::new(Epoch(0)), Vec::new()));
        *log = Log::at(Epoch(epoch), top);
    }
}

impl Streams {
    /// Takes over what a store has kept, before the node serves anyone. Returns the positions of the streams that begin
    /// another epoch, because their end may have been lost, and the streams that no longer have a history.
    pub(crate) fn restore(&self, restored: Restored) -> Vec<Record> {
        let (now, generation) = (self.now(), self.epochs().generation.generation());
        let mut changed = Vec::new();
        for (route, (position, messages)) in restored.0 {
            let mut log = self.restored_log(&route, &position, messages);
            let Some(retention) = self.retention(&route) else {
                // What was published to it meanwhile is kept nowhere: a client of before gets a gap.
                let reached = self.logs.lost_after(log.top());
                changed.push(Record::Forgotten { route, reached });
                continue;
            };
            if log.epoch().generation() != generation {
                log.begin_epoch(self.epochs().generation);
                changed.push(Record::Position { route: route.clone(), epoch: log.epoch().0, top: log.top() });
            }
            log.trim(bounds(retention));
            let (bytes, oldest) = (log.bytes(), log.oldest());
            self.bytes.fetch_add(bytes, Relaxed);
            let stream = self.logs.write(&route, |stream, state| {
                state.log = log;
                stream.clone()
            });
            match oldest {
                Some(oldest) => self.by_messages().push(millis(retention.age), oldest, stream),
                None => self.quiet(stream, now),
            }
        }
        self.expire();
        self.keep_total();
        changed
    }

    fn restored_log(&self, route: &Route, position: &Log, messages: Vec<Appended>) -> Log {
        let overflow = self.settings.load().namespaces.overflow(&Audience::from(route.clone()));
        let before = messages.first().map_or(position.top(), |first| first.offset - 1);
        let mut log = Log::at(position.epoch(), before);
        for Appended { epoch, offset, at, kind, text, except, .. } in messages {
            let kept = Some(Kept { epoch: Epoch(epoch), first: offset, last: offset, except });
            let label = Label { overflow, kind, to: Audience::from(route.clone()), kept };
            log.append(Frame::restored(label, &text), u64::try_from(at.as_millis()).unwrap_or(0));
        }
        log
    }
}
