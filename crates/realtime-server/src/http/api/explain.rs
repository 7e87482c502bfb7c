//! Why a user receives a message, or does not.

use std::sync::Arc;

use axum::{Json, extract::State};
use realtime_schema::{ErrorCode, ExplainRequest, Explanation};
use realtime_service::ExplainError;

use super::blocking::blocking;
use crate::http::{
    app::App,
    body::JsonBody,
    error::{ApiError, ApiResult},
};

pub(super) async fn explain(
    State(app): State<Arc<App>>,
    JsonBody(request): JsonBody<ExplainRequest>,
) -> ApiResult<Explanation> {
    let explained = blocking(move || app.service.explain(&request)).await?;
    explained.map(Json).map_err(|error| match error {
        ExplainError::Invalid(field) => ApiError::field(field),
        unknown => ApiError::new(ErrorCode::NotFound, unknown.to_string()),
    })
}
