//! Errors of the HTTP API: `application/problem+json` (RFC 9457), with the codes of the protocol.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use realtime_ports::{BusError, PublishError, RevokeError, SubscribeError, UserTopicError};
use realtime_schema::{ErrorCode, FieldError, Problem};
use realtime_service::HistoryError;

/// What a handler returns.
pub(super) type ApiResult<T> = Result<axum::Json<T>, ApiError>;

/// An error as a response.
#[derive(Debug)]
pub(super) struct ApiError(pub(super) Box<Problem>);

impl ApiError {
    pub(super) fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Problem::new(code, detail).into()
    }

    /// An error that has a status in HTTP and no code of its own in the protocol.
    pub(super) fn with_status(status: u16, detail: &str) -> Self {
        Problem { status, ..Problem::new(ErrorCode::BadRequest, detail) }.into()
    }

    /// An invalid field.
    pub(super) fn field(error: FieldError) -> Self {
        Self::fields(vec![error])
    }

    /// Invalid fields.
    pub(super) fn fields(errors: Vec<FieldError>) -> Self {
        let detail = errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        Problem::new(ErrorCode::BadRequest, detail).with_errors(errors).into()
    }
}

impl From<Problem> for ApiError {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem))
    }
}

impl From<PublishError> for ApiError {
    fn from(error: PublishError) -> Self {
        let detail = error.to_string();
        match error {
            PublishError::Invalid(errors) => {
                let list: Vec<_> = errors.iter().map(ToString::to_string).collect();
                Problem::new(ErrorCode::PayloadInvalid, list.join("; ")).with_errors(errors).into()
            }
            PublishError::TooLarge { .. } => Self::new(ErrorCode::TooLarge, detail),
            PublishError::KeyReused => Self::new(ErrorCode::Conflict, detail),
            PublishError::Bus(BusError::Unavailable(source)) => {
                tracing::warn!(error = %source, "the message bus is unavailable");
                Problem { after_ms: Some(1_000), ..Problem::new(ErrorCode::Unavailable, detail) }.into()
            }
            PublishError::Store(_) => {
                Problem { after_ms: Some(1_000), ..Problem::new(ErrorCode::Unavailable, detail) }.into()
            }
            _ => Self::new(ErrorCode::Internal, detail),
        }
    }
}

impl From<HistoryError> for ApiError {
    fn from(error: HistoryError) -> Self {
        let detail = error.to_string();
        match error {
            HistoryError::NoHistory => Self::new(ErrorCode::NotFound, detail),
            HistoryError::Invalid(field) => Self::field(field),
            HistoryError::PositionExpired { .. } => Self::new(ErrorCode::PositionExpired, detail),
            _ => Self::new(ErrorCode::Internal, detail),
        }
    }
}

impl From<RevokeError> for ApiError {
    fn from(error: RevokeError) -> Self {
        match error {
            RevokeError::Invalid(errors) => Self::fields(errors),
            RevokeError::Full { .. } => Self::new(ErrorCode::LimitExceeded, error.to_string()),
            RevokeError::Store(_) => Self::new(ErrorCode::Unavailable, error.to_string()),
            _ => Self::new(ErrorCode::Internal, error.to_string()),
        }
    }
}

impl From<UserTopicError> for ApiError {
    fn from(error: UserTopicError) -> Self {
        match error {
            UserTopicError::Limit(_) => Self::new(ErrorCode::LimitExceeded, error.to_string()),
            _ => Problem { after_ms: Some(1_000), ..Problem::new(ErrorCode::Unavailable, error.to_string()) }.into(),
        }
    }
}

impl From<SubscribeError> for ApiError {
    fn from(error: SubscribeError) -> Self {
        match error {
            SubscribeError::NotConnected => Self::new(ErrorCode::NotFound, error.to_string()),
            SubscribeError::LimitExceeded { limit } => Self::new(
                ErrorCode::LimitExceeded,
                format!("limits.subscriptions is {limit}, and the connection has as many"),
            ),
            _ => Problem { after_ms: Some(1_000), ..Problem::new(ErrorCode::Unavailable, error.to_string()) }.into(),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(&*self.0)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(after_ms) = self.0.after_ms {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(after_ms.div_ceil(1000)));
        }
        response
    }
}
