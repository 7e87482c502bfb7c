//! Parameters in the path and in the query.

use axum::{
    extract::{FromRequestParts, Path, Query, rejection::PathRejection},
    http::request::Parts,
};
use realtime_schema::{ErrorCode, FieldError};
use serde::de::DeserializeOwned;

use super::{body::field_error, error::ApiError};

/// The variable parts of the path.
pub(super) struct PathParams<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for PathParams<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let found: Result<Path<T>, PathRejection> = Path::from_request_parts(parts, state).await;
        found.map(|Path(value)| Self(value)).map_err(|error| ApiError::new(ErrorCode::BadRequest, error.body_text()))
    }
}

/// The parameters in the query.
pub(super) struct QueryParams<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for QueryParams<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let found = Query::from_request_parts(parts, state).await;
        found.map(|Query(value)| Self(value)).map_err(|error| ApiError::field(query_error(&error.body_text())))
    }
}

/// The error of a query, at its parameter. axum's text begins with the name of a parameter that was found.
fn query_error(text: &str) -> FieldError {
    let said = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(text);
    let is_name = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    match said.split_once(": ").filter(|(name, _)| is_name(name)) {
        Some((name, rest)) => field_error(&format!("/{name}"), reworded(rest)),
        None => field_error("", said.to_owned()),
    }
}

/// What the parsers of numbers and of UUIDs say, without the words of their languages.
fn reworded(said: &str) -> String {
    match said {
        "invalid digit found in string" | "cannot parse integer from empty string" => {
            "is not a whole number".to_owned()
        }
        "number too large to fit in target type" => "is too large a number".to_owned(),
        _ if said.starts_with("UUID parsing failed") => {
            "is not a UUID such as 019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d8e".to_owned()
        }
        _ => said.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use realtime_schema::{ConnectionQuery, TopicQuery};

    use super::*;

    #[test]
    fn a_parameter_that_is_refused_is_named_once() {
        for (query, said) in [
            ("limit=0", "limit: 0 is not from 1 to 1000"),
            ("limit=ten", "limit: is not a whole number"),
            ("limit=", "limit: is not a whole number"),
            ("limit=99999999", "limit: is too large a number"),
            ("page=2", "page: is not known, expected one of `prefix`, `after`, `limit`"),
            ("limit=1&limit=2", "limit: is given twice"),
        ] {
            let uri = format!("/topics?{query}").parse().expect("an address");
            let error = Query::<TopicQuery>::try_from_uri(&uri).expect_err(query);
            assert_eq!(query_error(&error.body_text()).to_string(), said);
        }
        let uri = "/connections?after=zzz".parse().expect("an address");
        let error = Query::<ConnectionQuery>::try_from_uri(&uri).expect_err("no UUID");
        let error = query_error(&error.body_text());
        assert!(error.path == "/after" && error.message.starts_with("is not a UUID"), "{error}");
    }
}
