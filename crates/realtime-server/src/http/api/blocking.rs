//! Lists that take long.

use realtime_schema::ErrorCode;

use crate::http::error::ApiError;

/// Runs `list` on a thread that may block: it looks at every connection or topic of the node.
pub(super) async fn blocking<T: Send + 'static>(list: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    let listed = tokio::task::spawn_blocking(list).await;
    listed.map_err(|_| ApiError::new(ErrorCode::Internal, "the list could not be made"))
}
