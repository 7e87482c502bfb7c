//! The `Host` header, which every request must have exactly once (RFC 9112 section 3.2).

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, Version, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};
use realtime_core::auth::RefusalReason;
use realtime_schema::ErrorCode;

use super::{
    app::{App, Remote},
    error::ApiError,
};

/// Refuses a request without exactly one valid `Host`: servers and proxies that disagree about the host of a request
/// can be played off against each other.
pub(super) async fn check(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let Err(detail) = valid(request.version(), request.headers()) else { return next.run(request).await };
    if request.headers().contains_key(header::UPGRADE) {
        let remote = request.extensions().get::<Remote>();
        let address = remote.map(|Remote(remote)| app.client_address(request.headers(), remote.ip()));
        app.service.refused(RefusalReason::Handshake, address, detail);
    }
    ApiError::new(ErrorCode::BadRequest, detail).into_response()
}

fn valid(version: Version, headers: &HeaderMap) -> Result<(), &'static str> {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        // HTTP/1.0 has no such header.
        (None, _) if version < Version::HTTP_11 => Ok(()),
        (None, _) => Err("the Host header is missing; send exactly one"),
        (Some(_), Some(_)) => Err("the request has more than one Host header; send exactly one"),
        (Some(host), None) => match host.to_str().map(str::parse::<Authority>) {
            Ok(Ok(host)) if !host.as_str().contains('@') => Ok(()),
            _ => Err("the Host header is not a host with an optional port"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_host_is_valid_and_none_two_or_a_broken_one_are_not() {
        let check = |version, hosts: &[&str]| {
            valid(version, &hosts.iter().map(|host| (header::HOST, host.parse().expect("a value"))).collect()).is_ok()
        };
        for host in ["localhost", "127.0.0.1:8080", "[::1]:8080", "app.example.com:443"] {
            assert!(check(Version::HTTP_11, &[host]), "{host}");
        }
        for hosts in [&[][..], &["a", "a"], &[""], &["a b"], &["user@host"], &["a/b"]] {
            assert!(!check(Version::HTTP_11, hosts), "{hosts:?}");
        }
        assert!(check(Version::HTTP_10, &[]) && !check(Version::HTTP_10, &["a", "a"]));
    }
}
