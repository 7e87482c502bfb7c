//! The end of a node: no client is admitted, and all are sent away, spread over time.

use std::time::Duration;

use realtime_schema::{CloseCode, Closing};

use crate::{admission::DRAINING, node::Node};

/// Admits no client any more, closes every connection, and waits until all are gone or `deadline` has passed.
/// Returns how many are left.
pub(crate) async fn drain(node: &Node, deadline: Duration) -> usize {
    node.admissions.start_draining();
    node.traces.stop();
    let closing = closing(node);
    tracing::info!(connections = node.connections.count(), spread_ms = closing.spread_ms, "draining");
    node.connections.close_all(&closing);
    let _ = tokio::time::timeout(deadline, node.admissions.emptied()).await;
    node.admissions.held()
}

/// What a draining node sends its clients. The more they are, the wider their reconnects are spread.
pub(crate) fn closing(node: &Node) -> Closing {
    let settings = node.settings.load();
    let connections = u64::try_from(node.connections.count()).unwrap_or(u64::MAX);
    let paced_ms = connections.saturating_mul(1_000) / u64::from(settings.drain_rate.max(1));
    Closing {
        after_ms: settings.reconnect.min_ms,
        spread_ms: paced_ms.max(settings.reconnect.spread_ms),
        ..Closing::new(CloseCode::DRAINING, DRAINING)
    }
}
