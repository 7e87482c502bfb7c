//! What happens to a user, on a topic or in streams: a line of JSON for each event, as it happens.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use futures_util::stream;
use realtime_adapters::local::SystemClock;
use realtime_ports::Clock;
use realtime_schema::{ErrorCode, Problem, TraceEvent, TraceEventKind, TraceRequest};
use realtime_service::{Trace, TraceError};
use tokio::time::timeout;

use crate::http::{app::App, body::JsonBody, error::ApiError};

/// Time without an event after which a line says that the trace goes on: a proxy closes a response that is silent.
const ALIVE_INTERVAL: Duration = Duration::from_secs(15);

pub(super) async fn trace(
    State(app): State<Arc<App>>,
    JsonBody(request): JsonBody<TraceRequest>,
) -> Result<Response, ApiError> {
    let trace = app.service.trace(&request)?;
    let lines = stream::unfold(trace, async |mut trace| {
        let line = next_line(&mut trace).await?;
        Some((Ok::<_, Infallible>(line), trace))
    });
    let headers = [
        (header::CONTENT_TYPE, "application/x-ndjson"),
        (header::CACHE_CONTROL, "no-store"),
        // A proxy must not collect the lines (nginx).
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::from_stream(lines)).into_response())
}

/// The next line; `None` after the last one.
async fn next_line(trace: &mut Trace) -> Option<Bytes> {
    let alive = || TraceEvent::new(TraceEventKind::Alive, SystemClock::default().now());
    let event = timeout(ALIVE_INTERVAL, trace.next()).await.unwrap_or_else(|_| Some(alive()))?;
    let mut line = serde_json::to_vec(&event).unwrap_or_default();
    line.push(b'\n');
    Some(line.into())
}

impl From<TraceError> for ApiError {
    fn from(error: TraceError) -> Self {
        let detail = error.to_string();
        match error {
            TraceError::Invalid(field) => Self::field(field),
            TraceError::TooMany { .. } => Self::new(ErrorCode::LimitExceeded, detail),
            _ => Problem { after_ms: Some(1_000), ..Problem::new(ErrorCode::Unavailable, detail) }.into(),
        }
    }
}
