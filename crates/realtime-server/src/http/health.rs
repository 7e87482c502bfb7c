//! Liveness for a supervisor, readiness for a load balancer.

use std::sync::{Arc, atomic::Ordering::Acquire};

use axum::{
    Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use realtime_schema::{ErrorCode, Problem};

use super::{app::App, error::ApiError};

/// The two routes.
pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/healthz", get(healthz)).route("/readyz", get(readyz))
}

/// The process responds.
async fn healthz() -> &'static str {
    "ok\n"
}

/// New clients are welcome: not stopping, with a key to verify tokens, and able to store if there is a durable store. What
/// does not prevent that follows on lines of its own.
async fn readyz(State(app): State<Arc<App>>) -> Response {
    let not_ready = if app.stopping.load(Acquire) || app.service.is_draining() {
        "this node is draining".to_owned()
    } else if !app.verifier.is_ready() {
        let mut text = "there is no key to verify tokens with yet".to_owned();
        degraded(&app, "; ", &mut text);
        text
    } else if !app.service.can_store() {
        "nothing can be stored now: the log has the reason".to_owned()
    } else {
        let mut text = "ready".to_owned();
        degraded(&app, "\n", &mut text);
        return (text + "\n").into_response();
    };
    ApiError::from(Problem { after_ms: Some(1_000), ..Problem::new(ErrorCode::Unavailable, not_ready) }).into_response()
}

/// Adds which issuers have no keys or old ones, each after `separator`.
fn degraded(app: &App, separator: &str, text: &mut String) {
    for (issuer, status) in app.verifier.status() {
        let Some(address) = status.address else { continue };
        let Some(error) = address.last_error else { continue };
        let keys = match address.age {
            None => "no keys yet".to_owned(),
            Some(age) if address.stale => format!("its keys are stale, {} s old", age.as_secs()),
            Some(age) => format!("its keys are {} s old", age.as_secs()),
        };
        text.push_str(&format!("{separator}degraded: issuer {issuer}: {keys}; the last fetch failed: {error}"));
    }
}
