//! Bodies in and out: JSON with a bound, and refusals as `application/problem+json` (RFC 9457).

use axum::{
    body::to_bytes,
    extract::{FromRequest, FromRequestParts, Path, Query, Request, rejection::PathRejection},
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use realtime_ports::{BusError, PublishError, SubscribeError};
use realtime_schema::{ErrorCode, FieldError, Problem};
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;
use std::sync::Arc;

use super::App;

/// A refusal as an answer.
#[derive(Debug)]
pub(super) struct Refused(pub(super) Box<Problem>);

impl Refused {
    pub(super) fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Problem::new(code, detail).into()
    }

    /// A refusal that HTTP has a status for and the protocol no word of its own.
    pub(super) fn with_status(status: u16, detail: &str) -> Self {
        Problem { status, ..Problem::new(ErrorCode::BadRequest, detail) }.into()
    }

    /// A field that can't be read.
    pub(super) fn field(error: FieldError) -> Self {
        Self::fields(vec![error])
    }

    /// Fields that can't be read.
    pub(super) fn fields(errors: Vec<FieldError>) -> Self {
        let detail = errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        Problem::new(ErrorCode::BadRequest, detail).with_errors(errors).into()
    }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem))
    }
}

impl From<PublishError> for Refused {
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
            _ => Self::new(ErrorCode::Internal, detail),
        }
    }
}

impl From<SubscribeError> for Refused {
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

impl IntoResponse for Refused {
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

/// A JSON body of at most `api.max_body_bytes`, whatever its content type says.
pub(super) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Json<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Refused> {
        let bytes = body(request, app).await?;
        if bytes.is_empty() {
            return Err(Refused::new(ErrorCode::BadRequest, "the body is empty; send JSON"));
        }
        read(&bytes).map(Self).map_err(Refused::field)
    }
}

/// The same where there may be none.
pub(super) struct MaybeJson<T>(pub(super) Option<T>);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for MaybeJson<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Refused> {
        let bytes = body(request, app).await?;
        if bytes.is_empty() {
            return Ok(Self(None));
        }
        read(&bytes).map(|value| Self(Some(value))).map_err(Refused::field)
    }
}

async fn body(request: Request, app: &App) -> Result<axum::body::Bytes, Refused> {
    let max = app.config.api.max_body_bytes;
    to_bytes(request.into_body(), max).await.map_err(|error| {
        if std::error::Error::source(&error).is_some_and(|source| source.is::<http_body_util::LengthLimitError>()) {
            Refused::new(ErrorCode::TooLarge, format!("the body is larger than api.max_body_bytes ({max})"))
        } else {
            Refused::new(ErrorCode::BadRequest, "the body did not arrive whole")
        }
    })
}

/// Reads a JSON object, or says which field is wrong.
pub(super) fn read<T: DeserializeOwned>(json: &[u8]) -> Result<T, FieldError> {
    // A derived `Deserialize` would take an array as well, for the fields in the order of the source.
    if json.trim_ascii_start().first().is_some_and(|first| *first != b'{') {
        return Err(FieldError::new("", "expected a JSON object"));
    }
    let mut input = serde_json::Deserializer::from_slice(json);
    let value = serde_path_to_error::deserialize(&mut input)
        .map_err(|error| field_error(&pointer(error.path()), error.inner().to_string()))?;
    input.end().map_err(|error| FieldError::new("", error.to_string()))?;
    Ok(value)
}

/// `path` as a JSON pointer (RFC 6901). Text that is broken before any field has an empty one.
fn pointer(path: &serde_path_to_error::Path) -> String {
    let mut whole = FieldError::new("", "");
    let segments: Vec<_> = path.iter().collect();
    for segment in segments.iter().rev() {
        whole = match segment {
            Segment::Map { key } => whole.under(key),
            Segment::Seq { index } => whole.under(&index.to_string()),
            Segment::Enum { .. } | Segment::Unknown => whole,
        };
    }
    whole.path
}

/// What serde says, at the field that it is about: a field that is missing, doubled or unknown has no path of its own.
fn field_error(path: &str, said: String) -> FieldError {
    let said = match said.rfind(" at line ") {
        Some(at) => said[..at].to_owned(),
        None => said,
    };
    let problems = [
        ("missing field `", "is missing"),
        ("duplicate field `", "is given twice"),
        ("unknown field `", "is not known"),
    ];
    for (begin, problem) in problems {
        if let Some((name, rest)) = said.strip_prefix(begin).and_then(|rest| rest.split_once('`')) {
            let error = FieldError::new(name, format!("{problem}{rest}"));
            // The path of an unknown or doubled field names it already.
            let parent = path.strip_suffix(error.path.as_str()).unwrap_or(path);
            return error.within(parent);
        }
    }
    FieldError::parsed(path, said)
}

/// The variable parts of the path.
pub(super) struct Segments<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Segments<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let found: Result<Path<T>, PathRejection> = Path::from_request_parts(parts, state).await;
        found.map(|Path(value)| Self(value)).map_err(|error| Refused::new(ErrorCode::BadRequest, error.body_text()))
    }
}

/// What stands after the `?`.
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let found = Query::from_request_parts(parts, state).await;
        found.map(|Query(value)| Self(value)).map_err(|error| Refused::field(query_error(&error.body_text())))
    }
}

/// What axum says of a query, at the parameter that it is about: its text begins with the name of one that was read.
fn query_error(text: &str) -> FieldError {
    let said = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(text);
    let is_name = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    match said.split_once(": ").filter(|(name, _)| is_name(name)) {
        Some((name, rest)) => field_error(&format!("/{name}"), rest.to_owned()),
        None => field_error("", said.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use realtime_schema::{PublishRequest, TopicQuery};

    use super::*;

    #[test]
    fn a_parameter_that_is_refused_is_named_once() {
        for (query, said) in [
            ("limit=0", "limit: 0 is not from 1 to 1000"),
            ("limit=ten", "limit: invalid digit found in string"),
            ("page=2", "page: is not known, expected `after` or `limit`"),
            ("limit=1&limit=2", "limit: is given twice"),
        ] {
            let uri = format!("/topics?{query}").parse().expect("an address");
            let error = Query::<TopicQuery>::try_from_uri(&uri).expect_err(query);
            assert_eq!(query_error(&error.body_text()).to_string(), said);
        }
    }

    #[test]
    fn only_an_object_is_read_and_the_refusal_is_not_in_the_words_of_rust() {
        for json in [r#"["all","t",1,null,null,null]"#, " \n[]", "null", "5", "\"all\"", "nonsense"] {
            let found = read::<PublishRequest>(json.as_bytes()).expect_err(json);
            assert_eq!(found, FieldError::new("", "expected a JSON object"), "{json}");
        }
        assert!(read::<PublishRequest>(b" \r\n\t{\"to\":\"all\",\"type\":\"t\",\"payload\":1}").is_ok());
    }

    #[test]
    fn every_problem_is_at_its_field_and_says_its_name_once() {
        for (json, path, message) in [
            ("{}", "/to", "is missing"),
            (r#"{"to":"all","to":"all"}"#, "/to", "is given twice"),
            (r#"{"to":"all","stray":1}"#, "/stray", "is not known"),
            (r#"{"to":{"topic":""}}"#, "/to/topic", ""),
        ] {
            let found = read::<PublishRequest>(json.as_bytes()).expect_err(json);
            assert_eq!(found.path, path, "{json}: {found}");
            assert!(found.message.starts_with(message) && !found.message.contains("at line"), "{json}: {found}");
        }
    }
}
