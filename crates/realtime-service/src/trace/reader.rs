//! The reader's side of one trace.

use std::{collections::VecDeque, sync::Arc};

use realtime_schema::{TraceEvent, TraceEventKind};
use tokio::{sync::mpsc, time::sleep_until};

use super::{
    Traces,
    watch::{Queued, Watch},
};

/// What happens to a user, on a topic or in streams: made by [`Service::trace`](crate::Service::trace). Dropping it ends the trace.
#[derive(Debug)]
pub struct Trace {
    traces: Arc<Traces>,
    watch: Arc<Watch>,
    events: mpsc::Receiver<Queued>,
    /// What comes before the next event in the queue.
    ready: VecDeque<TraceEvent>,
    has_ended: bool,
}

impl Trace {
    pub(super) fn new(
        traces: Arc<Traces>,
        watch: Arc<Watch>,
        events: mpsc::Receiver<Queued>,
        started: TraceEvent,
    ) -> Self {
        Self { traces, watch, events, ready: VecDeque::from([started]), has_ended: false }
    }

    /// The next event: first `started`, last `ended`, then `None`. It can be cancelled without a loss, and returns at the
    /// latest when the trace ends.
    pub async fn next(&mut self) -> Option<TraceEvent> {
        if self.ready.is_empty() && !self.has_ended {
            let stopping = self.traces.stopping.clone();
            tokio::select! {
                // The end first: a user to whom much happens must not prolong the trace.
                biased;
                () = stopping.cancelled() => self.end("stopping", "the server stops"),
                () = sleep_until(self.watch.until) => self.end("time", "the time of the trace has passed"),
                queued = self.events.recv() => queued.into_iter().for_each(|queued| self.take(queued)),
            }
        }
        self.ready.pop_front()
    }

    fn take(&mut self, Queued { skipped, event }: Queued) {
        self.watch.taken(&event);
        self.skip(skipped);
        self.ready.push_back(event);
        // What follows may take long to come: the reader learns now what is missing after the last event.
        if self.events.is_empty() {
            self.skip(self.watch.take_skipped());
        }
    }

    fn skip(&mut self, skipped: u64) {
        if skipped > 0 {
            let event = TraceEvent::new(TraceEventKind::Skipped, self.traces.clock.now());
            self.ready.push_back(TraceEvent { skipped: Some(skipped), ..event });
        }
    }

    /// Takes what waits, and adds the last line.
    fn end(&mut self, reason: &str, detail: &str) {
        self.has_ended = true;
        self.traces.remove(&self.watch);
        while let Ok(queued) = self.events.try_recv() {
            self.take(queued);
        }
        self.skip(self.watch.take_skipped());
        self.ready.push_back(TraceEvent {
            reason: Some(reason.to_owned()),
            detail: Some(detail.to_owned()),
            ..TraceEvent::new(TraceEventKind::Ended, self.traces.clock.now())
        });
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        self.traces.remove(&self.watch);
    }
}
