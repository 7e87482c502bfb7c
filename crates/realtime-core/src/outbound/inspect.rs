//! Looks at a queue, without a change: for an explanation.

use realtime_schema::{MessageId, Stream};

use super::OutboundQueue;

impl OutboundQueue {
    /// True if the message with this id waits. Searches the text of every frame: cold.
    pub fn holds(&self, id: MessageId) -> bool {
        let needle = format!("\"id\":\"{id}\"");
        let frames = self.first.iter().chain(&self.frames);
        frames.into_iter().any(|frame| frame.texts().any(|text| text.contains(&needle)))
    }

    /// True if messages of `stream` were dropped and the `gap` was not taken yet; of no stream if it is `None`.
    pub fn has_gap(&self, stream: Option<&Stream>) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.gaps.iter().any(|gap| gap.stream.as_ref() == stream))
    }
}
