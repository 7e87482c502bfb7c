//! Topics, with how many subscribers they have and which, and the busiest.

use std::sync::Arc;

use axum::{Json, extract::State};
use realtime_schema::{BusiestQuery, BusiestTopics, SubscriberPage, SubscriberQuery, Topic, TopicPage, TopicQuery};

use super::blocking::blocking;
use crate::http::{
    app::App,
    error::{ApiError, ApiResult},
    params::{PathParams, QueryParams},
};

pub(super) async fn topics(
    State(app): State<Arc<App>>,
    QueryParams(TopicQuery { prefix, after, limit }): QueryParams<TopicQuery>,
) -> ApiResult<TopicPage> {
    let limit = usize::from(limit);
    // One more than the limit shows whether there is a next page.
    let mut topics = blocking(move || app.service.topics(&prefix, after, limit + 1)).await?;
    let more = topics.len() > limit;
    topics.truncate(limit);
    let next = topics.last().filter(|_| more).map(|last| last.topic.clone());
    Ok(Json(TopicPage { topics, next }))
}

pub(super) async fn busiest(
    State(app): State<Arc<App>>,
    QueryParams(query): QueryParams<BusiestQuery>,
) -> ApiResult<BusiestTopics> {
    blocking(move || app.service.busiest_topics(query.limit.into())).await.map(Json)
}

pub(super) async fn subscribers(
    State(app): State<Arc<App>>,
    PathParams(topic): PathParams<String>,
    QueryParams(query): QueryParams<SubscriberQuery>,
) -> ApiResult<SubscriberPage> {
    let topic = Topic::new(topic).map_err(ApiError::field)?;
    blocking(move || app.service.list_subscribers(&topic, &query)).await.map(Json)
}
