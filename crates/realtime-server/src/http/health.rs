//! For whoever watches the process and whoever sends it traffic.

use std::sync::{Arc, atomic::Ordering::Acquire};

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use realtime_schema::{ErrorCode, Problem};

use super::{App, body::Refused};

/// The process answers.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// New clients are welcome: not stopping, and with a key to verify tokens.
pub(super) async fn readyz(State(app): State<Arc<App>>) -> Response {
    let not_ready = if app.stopping.load(Acquire) || app.service.is_draining() {
        "this node is draining"
    } else if !app.verifier.is_ready() {
        "the address of auth.jwks.url has not given a key yet"
    } else {
        return "ready\n".into_response();
    };
    Refused::from(Problem { after_ms: Some(1_000), ..Problem::new(ErrorCode::Unavailable, not_ready) }).into_response()
}
