//! Request bodies: JSON of a bounded size.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use axum::{
    body::{Bytes, HttpBody, to_bytes},
    extract::{FromRequest, Request},
    http::{HeaderMap, header},
};
use realtime_schema::{ErrorCode, FieldError, Problem};
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;

use super::{app::App, error::ApiError};

/// A JSON body of at most `api.max_body_bytes`.
pub(super) struct JsonBody<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, ApiError> {
        let bytes = body(request, app).await?;
        if bytes.is_empty() {
            return Err(ApiError::new(ErrorCode::BadRequest, "the body is empty; send JSON"));
        }
        read(&bytes).map(Self).map_err(ApiError::field)
    }
}

/// A JSON body that may be empty.
pub(super) struct OptionalJsonBody<T>(pub(super) Option<T>);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for OptionalJsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, ApiError> {
        let bytes = body(request, app).await?;
        if bytes.is_empty() {
            return Ok(Self(None));
        }
        read(&bytes).map(|value| Self(Some(value))).map_err(ApiError::field)
    }
}

/// Whether the body of a request has begun and not ended, for the code that gives up at a deadline.
#[derive(Clone, Debug, Default)]
pub(super) struct BodyArriving(Arc<AtomicBool>);

impl BodyArriving {
    pub(super) fn get(&self) -> bool {
        self.0.load(Relaxed)
    }

    fn set(&self, arriving: bool) {
        self.0.store(arriving, Relaxed);
    }
}

/// The response to a request whose body did not arrive in time (RFC 9110 section 15.5.9): nothing was done.
pub(super) fn too_slow() -> ApiError {
    let detail = "the body did not arrive within api.timeout; nothing was done";
    ApiError::from(Problem { status: 408, retry: true, ..Problem::new(ErrorCode::BadRequest, detail) })
}

/// Reads a body of JSON. One that is too large, compressed or of another type is refused before it has arrived.
async fn body(request: Request, app: &App) -> Result<Bytes, ApiError> {
    let max = app.config.api.max_body_bytes;
    let too_large =
        || ApiError::new(ErrorCode::TooLarge, format!("the body is larger than api.max_body_bytes ({max})"));
    if request.body().size_hint().lower() > max as u64 {
        return Err(too_large());
    }
    if !request.body().is_end_stream() {
        check_encoding(request.headers())?;
        check_type(request.headers())?;
    }
    let arriving = request.extensions().get::<BodyArriving>().cloned().unwrap_or_default();
    arriving.set(true);
    let whole = to_bytes(request.into_body(), max).await;
    arriving.set(false);
    whole.map_err(|error| {
        if std::error::Error::source(&error).is_some_and(|source| source.is::<http_body_util::LengthLimitError>()) {
            too_large()
        } else {
            ApiError::new(ErrorCode::BadRequest, "the body did not arrive whole")
        }
    })
}

/// Bodies are read as they are: a compressed one would be taken for broken JSON.
fn check_encoding(headers: &HeaderMap) -> Result<(), ApiError> {
    for value in headers.get_all(header::CONTENT_ENCODING) {
        if value != "identity" {
            let detail = format!(
                "Content-Encoding {:?} is not supported; send the body uncompressed, without Content-Encoding",
                String::from_utf8_lossy(value.as_bytes())
            );
            return Err(ApiError::with_status(415, &detail));
        }
    }
    Ok(())
}

/// JSON, a type built on it (`application/vnd.example+json`), no type at all, or what `curl -d` names by itself.
fn check_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let text = String::from_utf8_lossy(value.as_bytes());
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_json = essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"));
    if is_json || essence == "application/x-www-form-urlencoded" {
        return Ok(());
    }
    let detail = format!("Content-Type {text:?} is not supported; send JSON with `Content-Type: application/json`");
    Err(ApiError::with_status(415, &detail))
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

/// The error of serde, at its field. A field that is missing, doubled or unknown has no path of its own.
pub(super) fn field_error(path: &str, said: String) -> FieldError {
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

#[cfg(test)]
mod tests {
    use realtime_schema::PublishRequest;

    use super::*;

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
