//! What a server for development gives the console: its key, and tokens for any user.

use std::{net::IpAddr, sync::Arc};

use axum::{
    Json as JsonResponse, Router,
    extract::{Request, State},
    http::{HeaderMap, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use realtime_adapters::local::SystemClock;
use realtime_ports::Clock;
use realtime_schema::{ErrorCode, Grant, Role, UserId};
use serde::{Deserialize, Serialize};

use super::{
    app::{App, Remote},
    body::JsonBody,
    error::ApiError,
};
use crate::token::TokenRequest;

/// The routes that only a server for development has.
pub(super) fn router(app: &Arc<App>) -> Router<Arc<App>> {
    Router::new()
        .route("/", get(to_console))
        .route("/dev/session", get(session))
        .route("/dev/token", post(token))
        .layer(from_fn_with_state(app.clone(), only_by_own_name))
}

/// Refuses requests from other machines, and for another name: a page of some other site whose name was pointed at this machine (DNS
/// rebinding) must not get keys.
async fn only_by_own_name(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let here = request.extensions().get::<Remote>().is_some_and(|Remote(remote)| is_loopback(remote.ip()));
    if !here {
        let message =
            "a server for development gives keys away here, so it answers only to the machine that it runs on";
        return ApiError::new(ErrorCode::Forbidden, message).into_response();
    }
    if is_own_name(request.headers(), &app.config.server.listen.ip().to_string()) {
        return next.run(request).await;
    }
    ApiError::new(ErrorCode::Forbidden, "call this machine localhost, 127.0.0.1 or by the address of server.listen")
        .into_response()
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

fn is_own_name(headers: &HeaderMap, listen: &str) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, port)| if port.ends_with(']') { host } else { name });
    let name = name.trim_start_matches('[').trim_end_matches(']');
    ["localhost", "127.0.0.1", "::1", listen].contains(&name)
}

/// To the console's view of a client.
async fn to_console(State(app): State<Arc<App>>) -> Redirect {
    Redirect::temporary(&format!("{}/console/#/try", app.config.server.base_path))
}

#[derive(Serialize)]
struct Session<'a> {
    api_key: &'a str,
}

async fn session(State(app): State<Arc<App>>) -> Response {
    let Some(dev) = &app.dev else { return ApiError::new(ErrorCode::NotFound, "not for development").into_response() };
    ([(header::CACHE_CONTROL, "no-store")], JsonResponse(Session { api_key: dev.api_key() })).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedToken {
    user: UserId,
    #[serde(default)]
    roles: Vec<Role>,
    #[serde(default)]
    grants: Vec<Grant>,
}

#[derive(Serialize)]
struct Made {
    token: String,
}

async fn token(
    State(app): State<Arc<App>>,
    JsonBody(wanted): JsonBody<WantedToken>,
) -> Result<JsonResponse<Made>, ApiError> {
    let WantedToken { user, roles, grants } = wanted;
    let request = TokenRequest { roles, grants, ..TokenRequest::new(user) };
    let token = request
        .sign(&app.live.load().config, SystemClock::default().now())
        .map_err(|error| ApiError::new(ErrorCode::Internal, error.to_string()))?;
    Ok(JsonResponse(Made { token }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_here() {
        for here in ["127.0.0.1", "127.3.2.1", "::1", "::ffff:127.0.0.1"] {
            assert!(is_loopback(here.parse().expect("an address")), "{here}");
        }
        for elsewhere in ["10.1.2.3", "::ffff:10.1.2.3", "0.0.0.0", "2001:db8::1"] {
            assert!(!is_loopback(elsewhere.parse().expect("an address")), "{elsewhere}");
        }
    }

    #[test]
    fn a_foreign_name_that_points_here_is_not_ours() {
        let host = |text: &str| HeaderMap::from_iter([(header::HOST, text.parse().expect("a value"))]);
        for own in ["localhost:8080", "127.0.0.1:8080", "[::1]:8080", "localhost", "10.1.2.3:80"] {
            assert!(is_own_name(&host(own), "10.1.2.3"), "{own}");
        }
        for foreign in ["evil.example:8080", "localhost.evil.example", "", "127.0.0.1.evil.example:8080"] {
            assert!(!is_own_name(&host(foreign), "10.1.2.3"), "{foreign}");
        }
        assert!(!is_own_name(&HeaderMap::new(), "10.1.2.3"));
    }
}
