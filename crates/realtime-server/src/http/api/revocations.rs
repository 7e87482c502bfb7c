//! Revocations: users and tokens that are refused for a time.

use std::sync::Arc;

use axum::{Json, extract::State};
use realtime_ports::RealtimeService;
use realtime_schema::{
    ErrorCode, FieldError, Revocation, RevocationId, RevocationPage, RevocationQuery, RevocationRequest, Revoked,
};

use crate::http::{
    app::App,
    body::JsonBody,
    error::{ApiError, ApiResult},
    params::{PathParams, QueryParams},
};

pub(super) async fn revoke(
    State(app): State<Arc<App>>,
    JsonBody(request): JsonBody<RevocationRequest>,
) -> ApiResult<Revoked> {
    Ok(Json(app.service.revoke(request).await?))
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    QueryParams(RevocationQuery { after, limit }): QueryParams<RevocationQuery>,
) -> ApiResult<RevocationPage> {
    let limit = usize::from(limit);
    // One more than the limit shows whether there is a next page.
    let mut revocations = app.service.revocations(after, limit + 1);
    let more = revocations.len() > limit;
    revocations.truncate(limit);
    let next = revocations.last().filter(|_| more).map(|last| last.id);
    Ok(Json(RevocationPage { revocations, next }))
}

pub(super) async fn remove(State(app): State<Arc<App>>, PathParams(id): PathParams<String>) -> ApiResult<Revocation> {
    let invalid = |_| ApiError::field(FieldError::new("id", "is not a revocation's id, which is a UUID"));
    let id: RevocationId = id.parse().map_err(invalid)?;
    let unknown = || ApiError::new(ErrorCode::NotFound, "no such revocation on this node, or it has ended");
    app.service.remove_revocation(id).await?.map(Json).ok_or_else(unknown)
}
