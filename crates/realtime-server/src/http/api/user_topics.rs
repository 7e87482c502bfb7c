//! The topics of a user: given to every connection, now and later.

use std::sync::Arc;

use axum::{Json, extract::State};
use realtime_ports::RealtimeService;
use realtime_schema::{Topic, UserId, UserTopicChange, UserTopicList};

use crate::http::{
    app::App,
    error::{ApiError, ApiResult},
    params::PathParams,
};

pub(super) async fn list(
    State(app): State<Arc<App>>,
    PathParams(user): PathParams<String>,
) -> ApiResult<UserTopicList> {
    let user = UserId::new(user).map_err(ApiError::field)?;
    Ok(Json(UserTopicList { topics: app.service.user_topics(&user) }))
}

pub(super) async fn give(
    State(app): State<Arc<App>>,
    PathParams(path): PathParams<(String, String)>,
) -> ApiResult<UserTopicChange> {
    let (user, topic) = user_and_topic(path)?;
    Ok(Json(app.service.subscribe_user(&user, &topic).await?))
}

pub(super) async fn take(
    State(app): State<Arc<App>>,
    PathParams(path): PathParams<(String, String)>,
) -> ApiResult<UserTopicChange> {
    let (user, topic) = user_and_topic(path)?;
    Ok(Json(app.service.unsubscribe_user(&user, &topic).await?))
}

fn user_and_topic((user, topic): (String, String)) -> Result<(UserId, Topic), ApiError> {
    Ok((UserId::new(user).map_err(ApiError::field)?, Topic::new(topic).map_err(ApiError::field)?))
}
