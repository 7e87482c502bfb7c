//! The HTTP API for backends: each handler is one call of the service.

mod blocking;
mod connections;
mod explain;
mod history;
mod presence;
mod publish;
mod revocations;
mod stats;
mod topics;
mod trace;
mod user_topics;

use std::sync::Arc;

use axum::{
    Router,
    middleware::from_fn_with_state,
    routing::{delete, get, post, put},
};
use realtime_schema::ErrorCode;

use super::{app::App, error::ApiError, key};

/// The routes under `/api/v1`.
pub(super) fn router(app: &Arc<App>) -> Router<Arc<App>> {
    Router::new()
        .route("/publish", post(publish::publish))
        .route("/publish/batch", post(publish::publish_batch))
        .route("/connections", get(connections::connections))
        .route("/connections/{id}", get(connections::connection).delete(connections::disconnect))
        .route("/connections/{id}/topics/{topic}", put(connections::subscribe).delete(connections::unsubscribe))
        .route("/users/{id}/connections", get(connections::connections_of).delete(connections::disconnect_user))
        .route("/users/{id}/topics", get(user_topics::list))
        .route("/users/{id}/topics/{topic}", put(user_topics::give).delete(user_topics::take))
        .route("/explain", post(explain::explain))
        .route("/trace", post(trace::trace))
        .route("/revocations", get(revocations::list).post(revocations::revoke))
        .route("/revocations/{id}", delete(revocations::remove))
        .route("/stats", get(stats::stats))
        .route("/topics", get(topics::topics))
        .route("/topics/busiest", get(topics::busiest))
        .route("/topics/{topic}/history", get(history::of_topic))
        .route("/users/{id}/history", get(history::of_user))
        .route("/roles/{role}/history", get(history::of_role))
        .route("/all/history", get(history::of_all))
        .route("/topics/{topic}/subscribers", get(topics::subscribers))
        .route("/topics/{topic}/presence", get(presence::presence))
        .fallback(async || ApiError::new(ErrorCode::NotFound, "unknown path; /api/openapi.json lists them all"))
        .method_not_allowed_fallback(async || {
            ApiError::with_status(405, "unknown method for this path; /api/openapi.json lists them all")
        })
        .layer(from_fn_with_state(app.clone(), key::guard))
}
