//! `/publish` and `/publish/batch`.

use std::sync::Arc;

use axum::{Json, extract::State};
use realtime_ports::RealtimeService;
use realtime_schema::{BatchRequest, BatchResponse, BatchResult, FieldError, Receipt};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::http::{
    app::App,
    body::JsonBody,
    error::{ApiError, ApiResult},
    publication::read_publication,
};

pub(super) async fn publish(
    State(app): State<Arc<App>>,
    JsonBody(unread): JsonBody<Box<RawValue>>,
) -> ApiResult<Receipt> {
    let request = read_publication(unread.get().as_bytes()).map_err(ApiError::fields)?;
    Ok(Json(app.service.publish(request).await?))
}

/// A batch with its publications unparsed, so that an invalid one does not affect the others.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UnreadBatch {
    publications: Vec<Box<RawValue>>,
}

pub(super) async fn publish_batch(
    State(app): State<Arc<App>>,
    JsonBody(batch): JsonBody<UnreadBatch>,
) -> ApiResult<BatchResponse> {
    let (count, max) = (batch.publications.len(), BatchRequest::MAX);
    if count == 0 || count > max {
        let problem = format!("holds {count}; a batch is 1 to {max} publications");
        return Err(ApiError::field(FieldError::new("publications", problem)));
    }
    let (mut requests, mut invalid) = (Vec::with_capacity(count), Vec::new());
    for (at, raw) in batch.publications.iter().enumerate() {
        match read_publication(raw.get().as_bytes()) {
            Ok(request) => requests.push(request),
            Err(errors) => invalid.push((at, ApiError::fields(errors))),
        }
    }
    let results = app.service.publish_batch(requests).await;
    let mut results: Vec<_> = results.into_iter().map(|result| result.map_err(ApiError::from)).collect();
    // In the order of the batch.
    for (at, error) in invalid {
        results.insert(at, Err(error));
    }
    let result = |result| match result {
        Ok(receipt) => BatchResult::Receipt(receipt),
        Err(ApiError(problem)) => BatchResult::Problem(*problem),
    };
    let results = results.into_iter().map(result).collect();
    Ok(Json(BatchResponse { results }))
}
