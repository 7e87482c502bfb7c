//! Pages of a history, for a connection that catches up.

use std::collections::VecDeque;

use realtime_core::{
    Frame,
    outbound::{OutboundQueue, Page, PageLimits},
};
use realtime_schema::{ClientId, Route};

use super::Streams;

/// The bounds of one page: what a task writes before others are scheduled.
const PAGE: PageLimits = PageLimits { messages: 64, bytes: 64 * 1024 };

impl Streams {
    /// Appends to `batch` all frames that wait in a queue, and returns the next page of a stream that its connection
    /// reads from the history. `None` if it no longer does.
    ///
    /// `queue` runs its argument on the queue, under its lock.
    pub(crate) fn take_page(
        &self,
        route: &Route,
        client: Option<&ClientId>,
        batch: &mut VecDeque<Frame>,
        queue: impl FnOnce(&mut dyn FnMut(&mut OutboundQueue)),
    ) -> Option<Page> {
        let mut page = None;
        self.read(route, |log| {
            queue(&mut |queue| page = queue.take_page(route, log, &self.epochs(), client, PAGE, batch));
        });
        page
    }
}
