//! HTTP requests by route, method and status, with their latency.

use std::{sync::Arc, time::Instant};

use axum::{
    extract::{MatchedPath, Request, State},
    http::Method,
    middleware::Next,
    response::Response,
};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::Registry,
};

use crate::http::App;

/// Upper bounds of the latency buckets, in seconds: from what an idle server needs to `api.timeout`.
const BUCKETS: [f64; 12] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0];

/// A request, with as few different labels as there are routes: never a path as it was sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    method: &'static str,
    route: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StatusLabels {
    method: &'static str,
    route: String,
    status: u16,
}

/// The counters, and the histogram.
#[derive(Clone, Debug)]
pub(crate) struct Requests {
    total: Family<StatusLabels, Counter>,
    seconds: Family<RouteLabels, Histogram>,
}

impl Requests {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let total = Family::default();
        let seconds = Family::new_with_constructor((|| Histogram::new(BUCKETS)) as fn() -> Histogram);
        registry.register("http_requests", "HTTP requests by method, route and status.", total.clone());
        let help = "Time from the head of a request to the head of its response, by method and route, in seconds.";
        registry.register("http_request_duration_seconds", help, seconds.clone());
        Self { total, seconds }
    }
}

/// Counts each request once its response begins. A handshake of a WebSocket ends with its 101.
pub(crate) async fn count(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let method = method(request.method());
    let route = match request.extensions().get::<MatchedPath>().map(MatchedPath::as_str) {
        // Of a nested router's fallback, axum names the route of the router, which is none.
        Some(route) if !route.contains("__private") => route.to_owned(),
        _ => "none".to_owned(),
    };
    let response = next.run(request).await;
    let requests = &app.metrics.requests;
    let status = StatusLabels { method, route: route.clone(), status: response.status().as_u16() };
    requests.total.get_or_create(&status).inc();
    requests.seconds.get_or_create(&RouteLabels { method, route }).observe(begun.elapsed().as_secs_f64());
    response
}

/// The label of a method: a client may send any token as one.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        _ => "other",
    }
}
