//! The routes of the port: `/ws`, the API for backends, health and metrics, the console, and the keys for development.

mod api;
pub(crate) mod app;
pub(crate) mod base_path;
mod body;
mod client_address;
mod console;
mod development;
mod error;
mod exposition;
mod health;
mod host;
mod key;
mod metrics;
mod params;
mod publication;

use std::sync::Arc;

use axum::{
    Extension, Router,
    extract::{Request, State},
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
    routing::{any, get},
};
use realtime_adapters::ws::Handshake;
use realtime_core::auth::{Refusal, RefusalReason};
use realtime_schema::ErrorCode;
use realtime_service::endpoint;

use app::{App, Remote, start_of_path};
use error::ApiError;

/// The routes of the public port. With `server.admin_listen` the metrics are not among them.
pub(crate) fn router(app: Arc<App>) -> Router {
    let server = &app.config.server;
    let mut probes = health::router();
    if server.admin_listen.is_none() {
        let guard = from_fn_with_state(app.clone(), exposition::guard);
        probes = probes.route("/metrics", get(exposition::expose).layer(guard));
    }
    let document = async |State(app): State<Arc<App>>| axum::Json(base_path::openapi(&app.config.server));
    let mut router = probes
        .clone()
        .route(&server.path, any(websocket))
        .nest("/api/v1", api::router(&app))
        .route("/api/openapi.json", get(document));
    // The live page of a server for development is the console.
    if server.console || app.dev.is_some() {
        router = router.merge(console::router());
    }
    if app.dev.is_some() {
        router = router.merge(development::router(&app));
    }
    let router = base_path::nest(router, probes, &server.base_path).fallback(unknown);
    finished(router, app)
}

/// The routes of `server.admin_listen`, open to every client that can reach it.
pub(crate) fn admin_router(app: Arc<App>) -> Router {
    let router = health::router().route("/metrics", get(exposition::expose));
    finished(router.fallback(async || not_found("/api/openapi.json of server.listen")), app)
}

/// What every request passes through, whatever its route.
fn finished(router: Router<Arc<App>>, app: Arc<App>) -> Router {
    router
        .method_not_allowed_fallback(async || ApiError::with_status(405, "this path has other methods"))
        .layer(from_fn_with_state(app.clone(), host::check))
        .layer(from_fn_with_state(app.clone(), exposition::count))
        .with_state(app)
}

async fn websocket(
    State(app): State<Arc<App>>,
    Extension(Remote(remote)): Extension<Remote>,
    request: Request,
) -> Response {
    let address = app.client_address(request.headers(), remote.ip());
    let ws = app.live.load().ws.clone();
    endpoint::websocket(&app.service, &ws, Some(address), request).await.into_response()
}

/// An unknown path. A browser's socket gets a close code, because a browser can't see an HTTP response.
async fn unknown(
    State(app): State<Arc<App>>,
    Extension(Remote(remote)): Extension<Remote>,
    mut request: Request,
) -> Response {
    if request.headers().contains_key(http::header::UPGRADE) {
        let path = app.config.server.websocket_path();
        let message = format!("there is no WebSocket endpoint at this path; connect to {path}");
        let refusal = Refusal::new(RefusalReason::Path, message);
        let address = app.client_address(request.headers(), remote.ip());
        app.service.refused(refusal.reason, Some(address), &format!("{} is not an endpoint", start_of_path(&request)));
        if let Ok(handshake) = Handshake::check(&mut request, &app.live.load().ws) {
            return endpoint::refuse(&app.service, handshake, refusal).into_response();
        }
    }
    let document = format!("{}/api/openapi.json", app.config.server.base_path);
    not_found(&document).into_response()
}

fn not_found(document: &str) -> ApiError {
    ApiError::new(ErrorCode::NotFound, format!("unknown path; {document} lists them all"))
}
