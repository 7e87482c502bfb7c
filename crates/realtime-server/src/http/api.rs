//! The HTTP API for backends: what a handler does is one call of the service.

use std::sync::Arc;

use axum::{
    Json as Answer, Router,
    extract::State,
    middleware::from_fn_with_state,
    routing::{get, post, put},
};
use realtime_ports::RealtimeService;
use realtime_schema::{
    BatchRequest, BatchResponse, BatchResult, CloseCode, Closing, ConnectionId, ConnectionInfo, ConnectionList,
    DisconnectRequest, Disconnected, ErrorCode, FieldError, Origin, Receipt, SubscriptionChange, Topic, TopicPage,
    TopicQuery, UserId,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    App,
    body::{Asked, Json, MaybeJson, Refused, Segments},
    key,
    publication::read_publication,
};

/// Longest reason of a disconnect, in characters: what fits a close frame in any language is less than 123 bytes.
const MAX_REASON_CHARS: usize = 100;

type Done<T> = Result<Answer<T>, Refused>;

/// The routes under `/api/v1`.
pub(super) fn router(app: &Arc<App>) -> Router<Arc<App>> {
    Router::new()
        .route("/publish", post(publish))
        .route("/publish/batch", post(publish_batch))
        .route("/connections/{id}", get(connection).delete(disconnect))
        .route("/connections/{id}/topics/{topic}", put(subscribe).delete(unsubscribe))
        .route("/users/{id}/connections", get(connections_of).delete(disconnect_user))
        .route("/topics", get(topics))
        .fallback(async || Refused::new(ErrorCode::NotFound, "/api/openapi.json lists what there is"))
        .method_not_allowed_fallback(async || Refused::with_status(405, "/api/openapi.json lists the methods"))
        .layer(from_fn_with_state(app.clone(), key::guard))
}

async fn publish(State(app): State<Arc<App>>, Json(unread): Json<Box<RawValue>>) -> Done<Receipt> {
    let request = read_publication(unread.get().as_bytes()).map_err(Refused::fields)?;
    Ok(Answer(app.service.publish(request).await?))
}

/// A batch whose publications are not read yet, so that one that is wrong spoils no other.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UnreadBatch {
    publications: Vec<Box<RawValue>>,
}

async fn publish_batch(State(app): State<Arc<App>>, Json(batch): Json<UnreadBatch>) -> Done<BatchResponse> {
    let (count, max) = (batch.publications.len(), BatchRequest::MAX);
    if count == 0 || count > max {
        let problem = format!("holds {count}; a batch is 1 to {max} publications");
        return Err(Refused::field(FieldError::new("publications", problem)));
    }
    let (mut requests, mut refused) = (Vec::with_capacity(count), Vec::new());
    for (at, raw) in batch.publications.iter().enumerate() {
        match read_publication(raw.get().as_bytes()) {
            Ok(request) => requests.push(request),
            Err(errors) => refused.push((at, Refused::fields(errors))),
        }
    }
    let answers = app.service.publish_batch(requests).await;
    let mut answers: Vec<_> = answers.into_iter().map(|answer| answer.map_err(Refused::from)).collect();
    // In the order of the batch, each where it stood.
    for (at, refused) in refused {
        answers.insert(at, Err(refused));
    }
    let result = |answer| match answer {
        Ok(receipt) => BatchResult::Receipt(receipt),
        Err(Refused(problem)) => BatchResult::Problem(*problem),
    };
    let results = answers.into_iter().map(result).collect();
    Ok(Answer(BatchResponse { results }))
}

async fn connection(State(app): State<Arc<App>>, Segments(id): Segments<String>) -> Done<ConnectionInfo> {
    app.service.connection(connection_id(&id)?).map(Answer).ok_or_else(not_connected)
}

async fn connections_of(State(app): State<Arc<App>>, Segments(user): Segments<String>) -> Done<ConnectionList> {
    let user = UserId::new(user).map_err(Refused::field)?;
    Ok(Answer(ConnectionList { connections: app.service.connections_of(&user) }))
}

async fn disconnect(
    State(app): State<Arc<App>>,
    Segments(id): Segments<String>,
    Asked(query): Asked<DisconnectRequest>,
    MaybeJson(body): MaybeJson<DisconnectRequest>,
) -> Done<Disconnected> {
    let closing = closing(query, body)?;
    if !app.service.disconnect(connection_id(&id)?, closing).await {
        return Err(not_connected());
    }
    Ok(Answer(Disconnected { disconnected: 1 }))
}

async fn disconnect_user(
    State(app): State<Arc<App>>,
    Segments(user): Segments<String>,
    Asked(query): Asked<DisconnectRequest>,
    MaybeJson(body): MaybeJson<DisconnectRequest>,
) -> Done<Disconnected> {
    let closing = closing(query, body)?;
    let mut disconnected = 0;
    let user = UserId::new(user).map_err(Refused::field)?;
    for info in app.service.connections_of(&user) {
        disconnected += u64::from(app.service.disconnect(info.connection.id, closing.clone()).await);
    }
    Ok(Answer(Disconnected { disconnected }))
}

async fn subscribe(
    State(app): State<Arc<App>>,
    Segments((id, topic)): Segments<(String, String)>,
) -> Done<SubscriptionChange> {
    let topic = Topic::new(topic).map_err(Refused::field)?;
    let changed = app.service.subscribe(connection_id(&id)?, &topic, Origin::Server).await?;
    Ok(Answer(SubscriptionChange { changed }))
}

async fn unsubscribe(
    State(app): State<Arc<App>>,
    Segments((id, topic)): Segments<(String, String)>,
) -> Done<SubscriptionChange> {
    let topic = Topic::new(topic).map_err(Refused::field)?;
    let id = connection_id(&id)?;
    if app.service.connection(id).is_none() {
        return Err(not_connected());
    }
    Ok(Answer(SubscriptionChange { changed: app.service.unsubscribe(id, &topic).await }))
}

async fn topics(State(app): State<Arc<App>>, Asked(TopicQuery { after, limit }): Asked<TopicQuery>) -> Done<TopicPage> {
    let limit = usize::from(limit);
    // One more than asked tells whether there is a next page.
    let mut topics = app.service.topics(after, limit + 1);
    let more = topics.len() > limit;
    topics.truncate(limit);
    let next = topics.last().filter(|_| more).map(|last| last.topic.clone());
    Ok(Answer(TopicPage { topics, next }))
}

fn connection_id(text: &str) -> Result<ConnectionId, Refused> {
    text.parse().map_err(|_| Refused::field(FieldError::new("id", "is not a connection's id, which is a UUID")))
}

fn not_connected() -> Refused {
    Refused::new(ErrorCode::NotFound, "no such connection on this node")
}

/// What the clients are told, from the query or from the body.
fn closing(query: DisconnectRequest, body: Option<DisconnectRequest>) -> Result<Closing, Refused> {
    let asked = body.unwrap_or(query);
    let code = CloseCode(asked.code.unwrap_or(CloseCode::FORBIDDEN.0));
    if !(matches!(code, CloseCode::FORBIDDEN | CloseCode::REVOKED) || matches!(code.0, 4000..=4399)) {
        let problem = format!(
            "is {}; give 4403 (the client stays away), 4603 (revoked: it needs a new token), 4000 to 4199 (of your own: stays away) or 4200 to 4399 (of your own: comes back)",
            code.0
        );
        return Err(Refused::field(FieldError::new("code", problem)));
    }
    let reason = asked.reason.unwrap_or_else(|| "disconnected by an operator".to_owned());
    if reason.chars().count() > MAX_REASON_CHARS {
        let problem = format!("is longer than {MAX_REASON_CHARS} characters");
        return Err(Refused::field(FieldError::new("reason", problem)));
    }
    Ok(Closing::new(code, reason))
}
