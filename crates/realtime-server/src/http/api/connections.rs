//! Connections, by id and by user: what they are, what they are subscribed to, and how they are closed.

use std::sync::Arc;

use axum::{Json, extract::State};
use realtime_ports::RealtimeService;
use realtime_schema::{
    CloseCode, Closing, ConnectionId, ConnectionInfo, ConnectionList, ConnectionPage, ConnectionQuery,
    DisconnectRequest, Disconnected, ErrorCode, FieldError, Origin, Revoked, SubscriptionChange, TimeSpan, Topic,
    UserId,
};

use super::blocking::blocking;
use crate::http::{
    app::App,
    body::OptionalJsonBody,
    error::{ApiError, ApiResult},
    params::{PathParams, QueryParams},
};

/// Maximum length of a reason, in characters: in any language it fits a close frame, which takes 123 bytes.
const MAX_REASON_CHARS: usize = 100;

pub(super) async fn connections(
    State(app): State<Arc<App>>,
    QueryParams(query): QueryParams<ConnectionQuery>,
) -> ApiResult<ConnectionPage> {
    blocking(move || app.service.list_connections(&query)).await.map(Json)
}

pub(super) async fn connection(
    State(app): State<Arc<App>>,
    PathParams(id): PathParams<String>,
) -> ApiResult<ConnectionInfo> {
    app.service.connection(connection_id(&id)?).map(Json).ok_or_else(not_connected)
}

pub(super) async fn connections_of(
    State(app): State<Arc<App>>,
    PathParams(user): PathParams<String>,
) -> ApiResult<ConnectionList> {
    let user = UserId::new(user).map_err(ApiError::field)?;
    Ok(Json(ConnectionList { connections: app.service.connections_of(&user) }))
}

pub(super) async fn disconnect(
    State(app): State<Arc<App>>,
    PathParams(id): PathParams<String>,
    QueryParams(query): QueryParams<DisconnectRequest>,
    OptionalJsonBody(body): OptionalJsonBody<DisconnectRequest>,
) -> ApiResult<Disconnected> {
    let (id, asked) = (connection_id(&id)?, body.unwrap_or(query));
    let closing = closing(&asked)?;
    if let Some(TimeSpan(block_for)) = asked.block_for {
        let revoked = app.service.block_connection(id, block_for, closing).await?;
        return revoked.map(blocked).ok_or_else(not_connected);
    }
    if !app.service.disconnect(id, closing).await {
        return Err(not_connected());
    }
    Ok(Json(Disconnected { disconnected: 1, revocation: None }))
}

pub(super) async fn disconnect_user(
    State(app): State<Arc<App>>,
    PathParams(user): PathParams<String>,
    QueryParams(query): QueryParams<DisconnectRequest>,
    OptionalJsonBody(body): OptionalJsonBody<DisconnectRequest>,
) -> ApiResult<Disconnected> {
    let asked = body.unwrap_or(query);
    let closing = closing(&asked)?;
    let mut disconnected = 0;
    let user = UserId::new(user).map_err(ApiError::field)?;
    if let Some(TimeSpan(block_for)) = asked.block_for {
        return Ok(blocked(app.service.block_user(user, block_for, closing).await?));
    }
    for info in app.service.connections_of(&user) {
        disconnected += u64::from(app.service.disconnect(info.connection.id, closing.clone()).await);
    }
    Ok(Json(Disconnected { disconnected, revocation: None }))
}

fn blocked(Revoked { revocation, disconnected }: Revoked) -> Json<Disconnected> {
    Json(Disconnected { disconnected, revocation: Some(revocation) })
}

pub(super) async fn subscribe(
    State(app): State<Arc<App>>,
    PathParams((id, topic)): PathParams<(String, String)>,
) -> ApiResult<SubscriptionChange> {
    let topic = Topic::new(topic).map_err(ApiError::field)?;
    let changed = app.service.subscribe(connection_id(&id)?, &topic, Origin::Server).await?;
    Ok(Json(SubscriptionChange { changed }))
}

pub(super) async fn unsubscribe(
    State(app): State<Arc<App>>,
    PathParams((id, topic)): PathParams<(String, String)>,
) -> ApiResult<SubscriptionChange> {
    let topic = Topic::new(topic).map_err(ApiError::field)?;
    let id = connection_id(&id)?;
    if app.service.connection(id).is_none() {
        return Err(not_connected());
    }
    Ok(Json(SubscriptionChange { changed: app.service.unsubscribe(id, &topic).await }))
}

fn connection_id(text: &str) -> Result<ConnectionId, ApiError> {
    text.parse().map_err(|_| ApiError::field(FieldError::new("id", "is not a connection's id, which is a UUID")))
}

fn not_connected() -> ApiError {
    ApiError::new(ErrorCode::NotFound, "no such connection on this node")
}

/// How to close.
fn closing(asked: &DisconnectRequest) -> Result<Closing, ApiError> {
    if asked.block_for.is_some_and(|TimeSpan(block_for)| block_for.as_millis() == 0) {
        return Err(ApiError::field(FieldError::new("block_for", "must be longer than zero")));
    }
    let code = CloseCode(asked.code.unwrap_or(CloseCode::FORBIDDEN.0));
    if !(matches!(code, CloseCode::FORBIDDEN | CloseCode::REVOKED) || matches!(code.0, 4000..=4399)) {
        let problem = format!(
            "is {}; give 4403 (the client does not reconnect), 4603 (revoked: it needs a new token), 4000 to 4199 (your own: it does not reconnect) or 4200 to 4399 (your own: it reconnects)",
            code.0
        );
        return Err(ApiError::field(FieldError::new("code", problem)));
    }
    let reason = asked.reason.clone().unwrap_or_else(|| "disconnected by an operator".to_owned());
    if reason.chars().count() > MAX_REASON_CHARS {
        let problem = format!("is longer than {MAX_REASON_CHARS} characters");
        return Err(ApiError::field(FieldError::new("reason", problem)));
    }
    Ok(Closing::new(code, reason))
}
