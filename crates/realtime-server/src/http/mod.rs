//! Everything that is answered on the port: `/ws`, the API for backends, health and metrics, and the page for
//! development.

mod api;
pub(crate) mod base_path;
mod body;
mod client_address;
mod health;
mod key;
mod key_metrics;
mod metrics;
mod page;
mod publication;

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, atomic::AtomicBool},
};

use arc_swap::ArcSwap;
use axum::{
    Extension, Router,
    extract::{Request, State},
    http::HeaderMap,
    response::{IntoResponse, Response},
    routing::{any, get},
};
use realtime_adapters::{jwt::Issuers, ws::Handshake};
use realtime_core::auth::{Refusal, RefusalReason};
use realtime_schema::ErrorCode;
use realtime_service::{Service, endpoint};

use crate::{
    config::{Config, ConfigError},
    dev::Dev,
    http::{body::Refused, client_address::ClientAddresses},
    live::Live,
};

/// What every request is answered with.
pub(crate) struct App {
    pub(crate) service: Service,
    pub(crate) config: Config,
    pub(crate) dev: Option<Dev>,
    /// What a reload replaces.
    pub(crate) live: ArcSwap<Live>,
    /// Held while a reload is in progress.
    pub(crate) reloading: tokio::sync::Mutex<()>,
    /// Set when the server was told to stop.
    pub(crate) stopping: AtomicBool,
    pub(crate) verifier: Arc<Issuers>,
    metrics: prometheus_client::registry::Registry,
    client_addresses: ClientAddresses,
}

impl App {
    pub(crate) fn new(
        service: Service,
        verifier: Arc<Issuers>,
        config: Config,
        dev: Option<Dev>,
    ) -> Result<Self, ConfigError> {
        let (mut metrics, client_addresses) =
            (metrics::registry(service.clone(), verifier.clone()), ClientAddresses::new(&config.server));
        client_addresses.register(&mut metrics);
        Ok(Self {
            live: ArcSwap::from_pointee(Live::new(config.clone(), dev.is_some())?),
            reloading: tokio::sync::Mutex::new(()),
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

/// The routes.
pub(crate) fn router(app: Arc<App>) -> Router {
    let mut router = Router::new()
        .route(&app.config.server.path, any(websocket))
        .nest("/api/v1", api::router(&app))
        .route(
            "/api/openapi.json",
            get(async |State(app): State<Arc<App>>| axum::Json(base_path::openapi(&app.config.server))),
        )
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics::expose));
    if app.dev.is_some() {
        router = router.merge(page::router(&app));
    }
    base_path::nest(router, &app.config.server.base_path)
        .fallback(unknown)
        .method_not_allowed_fallback(async || Refused::with_status(405, "this path answers to other methods"))
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

/// The first characters of a request's path, for the log: enough to recognize it, too few for a token.
fn start_of_path(request: &Request) -> &str {
    let path = request.uri().path();
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
    Refused::new(ErrorCode::NotFound, format!("there is nothing at this path; {document} lists all paths"))
        .into_response()
}
