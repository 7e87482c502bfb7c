//! HTTP requests by route, method and status, with their latency.

use std::time::Duration;

use axum::http::Method;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::Registry,
};

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

    /// Counts a request whose response begins after `latency`.
    pub(crate) fn count(&self, method: &Method, route: String, status: u16, latency: Duration) {
        let method = label(method);
        self.total.get_or_create(&StatusLabels { method, route: route.clone(), status }).inc();
        self.seconds.get_or_create(&RouteLabels { method, route }).observe(latency.as_secs_f64());
    }
}

/// The label of a method: a client may send any token as one.
fn label(method: &Method) -> &'static str {
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
