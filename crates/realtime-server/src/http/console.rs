//! The console's page: files that the build put into the binary. None contains data or a key; the page reads `/api/v1`.

use std::sync::Arc;

use axum::{
    Json as JsonResponse, Router,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::map_response,
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use realtime_schema::ErrorCode;
use serde::Serialize;

use super::{app::App, error::ApiError, params::PathParams};

/// The files: name, entity tag, content.
const FILES: &[(&str, &str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/console_files.rs"));

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; \
                      require-trusted-types-for 'script'; trusted-types 'none'";

/// The routes of the console.
pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/console", get(to_folder))
        .route("/console/", get(async |headers: HeaderMap| file("index.html", &headers)))
        .route("/console/settings.json", get(settings))
        .route(
            "/console/{*name}",
            get(async |PathParams(name): PathParams<String>, headers: HeaderMap| file(&name, &headers)),
        )
        .layer(map_response(protect))
}

/// The page's links are relative to its folder.
async fn to_folder(State(app): State<Arc<App>>) -> Redirect {
    Redirect::permanent(&format!("{}/console/", app.config.server.base_path))
}

/// What the page must know before it has a key.
#[derive(Serialize)]
struct PageSettings<'a> {
    /// Whether `dev/session` has a key, for a page on this machine.
    dev: bool,
    /// The prefix of all paths.
    base_path: &'a str,
    /// The path of the WebSocket endpoint, with the prefix.
    websocket_path: String,
}

async fn settings(State(app): State<Arc<App>>) -> Response {
    let server = &app.config.server;
    let settings =
        PageSettings { dev: app.dev.is_some(), base_path: &server.base_path, websocket_path: server.websocket_path() };
    ([(header::CACHE_CONTROL, "no-store")], JsonResponse(settings)).into_response()
}

/// A file, or 304 for a browser that has it.
fn file(name: &str, request: &HeaderMap) -> Response {
    let Some((_, tag, content)) = FILES.iter().find(|(known, ..)| *known == name) else {
        return ApiError::new(ErrorCode::NotFound, "the console has no such file").into_response();
    };
    // The browser asks each time, so that a page never runs with files of another version of the server.
    let cache = [(header::CACHE_CONTROL, "no-cache"), (header::ETAG, *tag)];
    let is_same = |value: &HeaderValue| value.to_str().is_ok_and(|known| known.contains(tag));
    if request.get_all(header::IF_NONE_MATCH).iter().any(is_same) {
        return (StatusCode::NOT_MODIFIED, cache).into_response();
    }
    (cache, [(header::CONTENT_TYPE, content_type(name))], *content).into_response()
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "json" | "map" => "application/json",
        "txt" => "text/plain; charset=utf-8",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}

/// Adds what keeps a browser from running anything else in the page.
async fn protect(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
