//! Histories of streams, in pages.

use std::sync::Arc;

use axum::{Json, extract::State};
use realtime_schema::{HistoryPage, HistoryQuery, Role, Route, Topic, UserId};

use super::blocking::blocking;
use crate::http::{
    app::App,
    error::{ApiError, ApiResult},
    params::{PathParams, QueryParams},
};

pub(super) async fn of_topic(
    State(app): State<Arc<App>>,
    PathParams(topic): PathParams<String>,
    QueryParams(query): QueryParams<HistoryQuery>,
) -> ApiResult<HistoryPage> {
    page(app, Route::Topic(Topic::new(topic).map_err(ApiError::field)?), query).await
}

pub(super) async fn of_user(
    State(app): State<Arc<App>>,
    PathParams(user): PathParams<String>,
    QueryParams(query): QueryParams<HistoryQuery>,
) -> ApiResult<HistoryPage> {
    page(app, Route::User(UserId::new(user).map_err(ApiError::field)?), query).await
}

pub(super) async fn of_role(
    State(app): State<Arc<App>>,
    PathParams(role): PathParams<String>,
    QueryParams(query): QueryParams<HistoryQuery>,
) -> ApiResult<HistoryPage> {
    page(app, Route::Role(Role::new(role).map_err(ApiError::field)?), query).await
}

pub(super) async fn of_all(
    State(app): State<Arc<App>>,
    QueryParams(query): QueryParams<HistoryQuery>,
) -> ApiResult<HistoryPage> {
    page(app, Route::All, query).await
}

/// Reads a page on a thread that may block: it copies up to `history.page_bytes`.
async fn page(app: Arc<App>, route: Route, query: HistoryQuery) -> ApiResult<HistoryPage> {
    Ok(Json(blocking(move || app.service.history(&route, &query)).await??))
}
