//! `GET /metrics`, in the text format of Prometheus (OpenMetrics 1.0), and who may read it.

mod keys;
mod process;
mod requests;
mod service;

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::header,
    middleware::Next,
    response::{IntoResponse, Response},
};
use prometheus_client::{encoding::text::encode, metrics::info::Info, registry::Registry};
use realtime_adapters::{front::Slots, jwt::Issuers};
use realtime_schema::ErrorCode;
use realtime_service::Service;

use super::{App, client_address::ClientAddresses, error::ApiError, key};
use crate::config::{Config, MetricsAccess};

pub(crate) use requests::{Requests, count};

/// Everything that is exposed.
pub(crate) struct Metrics {
    registry: Registry,
    pub(crate) requests: Requests,
}

impl Metrics {
    pub(crate) fn new(
        service: Service,
        verifier: Arc<Issuers>,
        config: &Config,
        addresses: &ClientAddresses,
        http_slots: Slots,
    ) -> Self {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(process::Process::new()));
        let ours = registry.sub_registry_with_prefix("realtime");
        let build =
            [("version", env!("CARGO_PKG_VERSION")), ("commit", env!("BUILD_COMMIT")), ("rustc", env!("BUILD_RUSTC"))];
        ours.register("build", "The build of the server.", Info::new(build.to_vec()));
        ours.register_collector(Box::new(service::Figures::new(service, http_slots, config)));
        ours.register_collector(Box::new(keys::KeyMetrics(verifier)));
        addresses.register(ours);
        Self { requests: Requests::registered(ours), registry }
    }
}

/// Writes the metrics. On a thread of its own: the queues of all connections are looked at.
pub(super) async fn expose(State(app): State<Arc<App>>) -> Response {
    let encoded = tokio::task::spawn_blocking(move || {
        let mut text = String::new();
        encode(&mut text, &app.metrics.registry).map(|()| text)
    });
    match encoded.await {
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
