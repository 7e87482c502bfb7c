//! The figures of the node.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use realtime_adapters::local::SystemClock;
use realtime_ports::Clock;
use realtime_schema::NodeStats;
use realtime_service::MetricsSnapshot;

use super::blocking::blocking;
use crate::http::{app::App, error::ApiError};

pub(super) async fn stats(State(app): State<Arc<App>>) -> Result<Response, ApiError> {
    // On a thread that may block: it reads files of the system, and every 10 seconds the queues of all connections.
    let stats = blocking(move || read(&app)).await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(stats)).into_response())
}

fn read(app: &App) -> NodeStats {
    let m: MetricsSnapshot = app.service.metrics();
    let process = app.metrics.process();
    NodeStats {
        node: app.service.node_id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        at: SystemClock::default().now(),
        started_at: app.service.started_at(),
        draining: app.service.is_draining(),
        connections: m.connections,
        users: m.users,
        topics: m.topics,
        subscriptions: m.subscriptions,
        history_streams: m.history_streams,
        history_bytes: m.history_bytes,
        queued_bytes: app.metrics.queued_bytes_of_late(),
        memory_bytes: process.memory_bytes,
        cpu_seconds: process.cpu_seconds,
        connections_total: m.connections_total,
        publications_total: m.publications_total,
        deliveries_total: m.deliveries_total,
        dropped_total: m.dropped_total,
        gaps_total: m.gaps_total,
        closed_slow_total: m.closed_slow_total,
        commands_total: m.commands_total,
        errors_total: m.errors_total,
        refusals_total: counts(m.refusals.iter().map(|(reason, count)| (reason.as_str(), count))),
        closes_total: counts(m.closes.iter()),
        limits: app.metrics.limits().map(|(name, limit)| (name.to_owned(), limit)).collect(),
    }
}

/// Those that are not zero.
fn counts<C: FromIterator<(String, u64)>>(all: impl Iterator<Item = (&'static str, u64)>) -> C {
    all.filter(|(_, count)| *count > 0).map(|(name, count)| (name.to_owned(), count)).collect()
}
