//! The routes of the port: `/ws`, the API for backends, health and metrics, and the page for development.

mod api;
pub(crate) mod base_path;
mod body;
mod client_address;
mod error;
mod health;
mod host;
mod key;
mod metrics;
mod page;
mod params;
mod publication;

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, atomic::AtomicBool},
};

use arc_swap::ArcSwap;
use axum::{
    Extension, Router,
    extract::{MatchedPath, Request, State},
    http::HeaderMap,
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
    routing::{any, get},
};
use realtime_adapters::{front::Slots, jwt::Issuers, ws::Handshake};
use realtime_core::auth::{Refusal, RefusalReason};
use realtime_schema::ErrorCode;
use realtime_service::{Service, endpoint};

use crate::{
    config::{Config, ConfigError},
    dev::Dev,
    http::{client_address::ClientAddresses, error::ApiError},
    live::Live,
};

/// What the handlers of all routes share.
pub(crate) struct App {
    pub(crate) service: Service,
    pub(crate) config: Config,
    pub(crate) dev: Option<Dev>,
    /// What a reload replaces.
    pub(crate) live: ArcSwap<Live>,
    /// Held while a reload is in progress.
    pub(crate) reloading: tokio::sync::Mutex<()>,
    /// Set once the server is to stop.
    pub(crate) stopping: AtomicBool,
    pub(crate) verifier: Arc<Issuers>,
    /// The sockets of the public port that speak HTTP.
    pub(crate) http_slots: Slots,
    metrics: metrics::Metrics,
    client_addresses: ClientAddresses,
}

impl App {
    pub(crate) fn new(
        service: Service,
        verifier: Arc<Issuers>,
        config: Config,
        dev: Option<Dev>,
    ) -> Result<Self, ConfigError> {
        let client_addresses = ClientAddresses::new(&config.server);
        let http_slots = Slots::new(&config.acceptor());
        let metrics =
            metrics::Metrics::new(service.clone(), verifier.clone(), &config, &client_addresses, http_slots.clone());
        Ok(Self {
            live: ArcSwap::from_pointee(Live::new(config.clone(), dev.is_some())?),
            reloading: tokio::sync::Mutex::new(()),
            http_slots,
            metrics,
            client_addresses,
            stopping: AtomicBool::new(false),
            service,
            config,
            dev,
            verifier,
        })
    }

    /// The client's address, for limits and logs: behind a trusted proxy, the one that the proxy names.
    pub(crate) fn client_address(&self, headers: &HeaderMap, remote: IpAddr) -> IpAddr {
        self.client_addresses.of(headers, remote)
    }
}

/// The address that a request's socket comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Remote(pub(crate) SocketAddr);

/// The routes of the public port. With `server.admin_listen` the metrics are not among them.
pub(crate) fn router(app: Arc<App>) -> Router {
    let server = &app.config.server;
    let mut probes = health::router();
    if server.admin_listen.is_none() {
        let guard = from_fn_with_state(app.clone(), metrics::guard);
        probes = probes.route("/metrics", get(metrics::expose).layer(guard));
    }
    let document = async |State(app): State<Arc<App>>| axum::Json(base_path::openapi(&app.config.server));
    let mut router = probes
        .clone()
        .route(&server.path, any(websocket))
        .nest("/api/v1", api::router(&app))
        .route("/api/openapi.json", get(document));
    if app.dev.is_some() {
        router = router.merge(page::router(&app));
    }
    let router = base_path::nest(router, probes, &server.base_path).fallback(unknown);
    finished(router, app)
}

/// The routes of `server.admin_listen`, open to every client that can reach it.
pub(crate) fn admin_router(app: Arc<App>) -> Router {
    let router = health::router().route("/metrics", get(metrics::expose));
    finished(router.fallback(async || not_found("/api/openapi.json of server.listen")), app)
}

/// What every request passes through, whatever its route.
fn finished(router: Router<Arc<App>>, app: Arc<App>) -> Router {
    router
        .method_not_allowed_fallback(async || ApiError::with_status(405, "this path has other methods"))
        .layer(from_fn_with_state(app.clone(), host::check))
        .layer(from_fn_with_state(app.clone(), metrics::count))
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

/// The first characters of a request's path, for the log: enough to recognize it, too few for a token. Where a route
/// matches, those of its pattern.
fn start_of_path(request: &Request) -> &str {
    // The router takes the prefix of a nested path away, but not from the pattern.
    let path = request.extensions().get::<MatchedPath>().map_or_else(|| request.uri().path(), MatchedPath::as_str);
    path.char_indices().nth(40).map_or(path, |(end, _)| &path[..end])
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
