//! The users who are on a topic.

use std::sync::Arc;

use axum::{Json, extract::State};
use realtime_schema::{ErrorCode, PresencePage, PresenceQuery, Problem, Topic};
use realtime_service::PresenceError;

use crate::http::{
    app::App,
    error::{ApiError, ApiResult},
    params::{PathParams, QueryParams},
};

pub(super) async fn presence(
    State(app): State<Arc<App>>,
    PathParams(topic): PathParams<String>,
    QueryParams(query): QueryParams<PresenceQuery>,
) -> ApiResult<PresencePage> {
    let topic = Topic::new(topic).map_err(ApiError::field)?;
    Ok(Json(app.service.presence(&topic, query).await?))
}

impl From<PresenceError> for ApiError {
    fn from(error: PresenceError) -> Self {
        match error {
            PresenceError::NotKept => Self::new(ErrorCode::NotFound, error.to_string()),
            _ => Problem { after_ms: Some(1_000), ..Problem::new(ErrorCode::Unavailable, error.to_string()) }.into(),
        }
    }
}
