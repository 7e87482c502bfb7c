//! The topics that were published to most often of late.

use std::time::Duration;

use realtime_schema::{BusiestTopics, TopicRate};

use crate::node::Node;

/// How far back publications are counted.
const WINDOW: Duration = Duration::from_secs(60);

/// The busiest topics, from the publications that are remembered for explanations: nothing is counted for it before.
pub(crate) fn topics(node: &Node, limit: usize) -> BusiestTopics {
    let now = node.clock.now();
    let since_start = now.as_millis().saturating_sub(node.started_at.as_millis());
    let window_ms = i64::try_from(WINDOW.as_millis()).unwrap_or(i64::MAX).min(since_start).max(1);
    let counted = node.recent.count_topics(now.as_millis() - window_ms, limit);
    let window_ms =
        counted.since.map_or(window_ms, |since| (now.as_millis() - since).clamp(1, window_ms)).unsigned_abs();
    let topics = counted.topics.into_iter().map(|(topic, publications)| TopicRate {
        per_second: per_second(publications, window_ms),
        subscribers: node.subscriptions.subscriber_count(&topic) as u64,
        topic,
        publications,
    });
    BusiestTopics { window_ms, topics: topics.collect() }
}

#[allow(clippy::cast_precision_loss, reason = "a rate is a float")]
fn per_second(publications: u64, window_ms: u64) -> f64 {
    publications as f64 * 1_000.0 / window_ms as f64
}
