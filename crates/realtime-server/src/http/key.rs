//! The API key of backends: compared in constant time, several at once so that they can be rotated.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use realtime_core::auth::{RefusalReason, bearer};
use realtime_schema::{ErrorCode, Problem};
use secrecy::{ExposeSecret, SecretString};
use subtle::{Choice, ConstantTimeEq};

use super::{
    app::{App, Remote, start_of_path},
    body::{self, BodyArriving},
    error::ApiError,
};

/// Admits a request that has one of the keys, for at most `api.timeout`.
pub(super) async fn guard(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    if !is_known(request.headers(), &app.live.load().api_keys) {
        return refuse(&app, &request, "send `Authorization: Bearer <key>` with one of api.keys");
    }
    let limit = app.config.api.timeout.0;
    let arriving = BodyArriving::default();
    request.extensions_mut().insert(arriving.clone());
    tokio::time::timeout(limit, next.run(request)).await.unwrap_or_else(|_| {
        if arriving.get() {
            return body::too_slow().into_response();
        }
        let detail = "the request took longer than api.timeout; it may have been done or not";
        ApiError::from(Problem { after_ms: Some(1_000), ..Problem::new(ErrorCode::Unavailable, detail) })
            .into_response()
    })
}

/// Refuses a request without a known key; counts and logs it.
pub(super) fn refuse(app: &App, request: &Request, detail: &str) -> Response {
    let remote = request.extensions().get::<Remote>();
    let address = remote.map(|Remote(remote)| app.client_address(request.headers(), remote.ip()));
    let given = request.headers().contains_key(header::AUTHORIZATION);
    let what = if given { "a wrong API key" } else { "no API key" };
    let logged = format!("{what}, for {} {}", request.method(), start_of_path(request));
    app.service.refused(RefusalReason::ApiKey, address, &logged);
    ApiError::new(ErrorCode::Unauthorized, detail).into_response()
}

/// Whether the request has one of `keys`.
pub(super) fn is_known<'a>(headers: &HeaderMap, keys: impl IntoIterator<Item = &'a SecretString>) -> bool {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(only), None) = (given.next(), given.next()) else { return false };
    let Some(key) = only.to_str().ok().and_then(bearer) else { return false };
    // Every key is compared, so that the time taken does not reveal which one nearly matched.
    let known = keys
        .into_iter()
        .fold(Choice::from(0), |known, candidate| known | candidate.expose_secret().as_bytes().ct_eq(key.as_bytes()));
    known.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (header::AUTHORIZATION, value.parse().expect("a value"))).collect()
    }

    #[test]
    fn any_of_several_keys_opens_and_nothing_else_does() {
        let keys = [SecretString::from("the-old-key"), SecretString::from("the-new-key")];
        for good in ["Bearer the-old-key", "Bearer the-new-key", "bearer the-new-key"] {
            assert!(is_known(&headers(&[good]), &keys), "{good}");
        }
        for bad in ["Bearer the-new-ke", "Bearer the-new-key2", "Bearer ", "Basic the-new-key", "the-new-key", ""] {
            assert!(!is_known(&headers(&[bad]), &keys), "{bad}");
        }
        assert!(!is_known(&headers(&[]), &keys));
        assert!(!is_known(&headers(&["Bearer the-old-key", "Bearer the-old-key"]), &keys), "two of them");
        assert!(!is_known(&headers(&["Bearer "]), &[]), "no key is configured");
    }
}
