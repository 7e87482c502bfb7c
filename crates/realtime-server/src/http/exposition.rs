//! `GET /metrics`: who may read it; and the middleware that counts requests.

use std::{sync::Arc, time::Instant};

use axum::{
    extract::{MatchedPath, Request, State},
    http::header,
    middleware::Next,
    response::{IntoResponse, Response},
};
use realtime_schema::ErrorCode;

use super::{app::App, error::ApiError, key};
use crate::config::MetricsAccess;

/// Writes the metrics. On a thread of its own: the queues of all connections are looked at.
pub(super) async fn expose(State(app): State<Arc<App>>) -> Response {
    match tokio::task::spawn_blocking(move || app.metrics.text()).await {
        Ok(Ok(text)) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Ok(Err(_)) | Err(_) => ApiError::new(ErrorCode::Internal, "the metrics could not be written").into_response(),
    }
}

/// Admits a request for the metrics on the public port: with one of `metrics.keys` or `api.keys`, unless
/// `metrics.access` is `open` or the server is one for development.
pub(super) async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if is_admitted(&app, &request) {
        return next.run(request).await;
    }
    key::refuse(&app, &request, "send `Authorization: Bearer <key>` with one of metrics.keys or api.keys")
}

fn is_admitted(app: &App, request: &Request) -> bool {
    let live = app.live.load();
    let metrics = &live.config.metrics;
    let keys = metrics.all_keys();
    metrics.access == MetricsAccess::Open
        || app.dev.is_some()
        || key::is_known(request.headers(), keys.iter().chain(&live.api_keys))
}

/// Counts each request once its response begins. A handshake of a WebSocket ends with its 101.
pub(super) async fn count(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let method = request.method().clone();
    let route = match request.extensions().get::<MatchedPath>().map(MatchedPath::as_str) {
        // Of a nested router's fallback, axum names the route of the router, which is none.
        Some(route) if !route.contains("__private") => route.to_owned(),
        _ => "none".to_owned(),
    };
    let response = next.run(request).await;
    app.metrics.requests.count(&method, route, response.status().as_u16(), begun.elapsed());
    response
}
