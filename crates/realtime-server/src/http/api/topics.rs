//! Topics, with how many subscribers they have.

use std::sync::Arc;

use axum::{Json, extract::State};
use realtime_schema::{TopicPage, TopicQuery};

use crate::http::{App, error::ApiResult, params::QueryParams};

pub(super) async fn topics(
    State(app): State<Arc<App>>,
    QueryParams(TopicQuery { after, limit }): QueryParams<TopicQuery>,
) -> ApiResult<TopicPage> {
    let limit = usize::from(limit);
    // One more than the limit shows whether there is a next page.
    let mut topics = app.service.topics(after, limit + 1);
    let more = topics.len() > limit;
    topics.truncate(limit);
    let next = topics.last().filter(|_| more).map(|last| last.topic.clone());
    Ok(Json(TopicPage { topics, next }))
}
