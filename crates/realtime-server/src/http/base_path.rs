//! A prefix of every path, for a proxy that passes paths on as they are.

use std::sync::Arc;

use axum::Router;
use serde_json::{Value as Json, json};

use super::app::App;
use crate::config::ServerConfig;

/// The paths that are served even when no HTTP socket is left, and without the prefix too: probes and scrapers reach
/// the server beside the proxy.
const PROBES: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// The same, with and without the prefix.
pub(crate) fn probes(base: &str) -> Vec<String> {
    let prefixed = PROBES.iter().filter(|_| !base.is_empty()).map(|path| format!("{base}{path}"));
    PROBES.iter().map(ToString::to_string).chain(prefixed).collect()
}

/// Everything that `router` serves, with `base` before each path; and `probes` without it.
pub(super) fn nest(router: Router<Arc<App>>, probes: Router<Arc<App>>, base: &str) -> Router<Arc<App>> {
    if base.is_empty() { router } else { probes.nest(base, router) }
}

/// The OpenAPI document, with the paths that this server has.
pub(super) fn openapi(server: &ServerConfig) -> Json {
    let mut document = realtime_schema::openapi(env!("CARGO_PKG_VERSION"));
    if !server.base_path.is_empty() {
        document["servers"] = json!([{ "url": server.base_path }]);
    }
    document
}
