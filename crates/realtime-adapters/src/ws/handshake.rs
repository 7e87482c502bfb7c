//! The opening handshake (RFC 6455 section 4.2) over a request that an HTTP/1.1 server has parsed.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version,
    header::{self, HeaderName},
};
use http_body_util::Full;
use hyper::upgrade::OnUpgrade;
use realtime_core::{
    auth::{ConnectRequest, Refusal, RefusalReason, bearer},
    ticket::Ticket,
};
use realtime_ports::Socket;
use realtime_schema::{ClientId, CloseAdvice, Closing, Control, ErrorCode, PROTOCOL, PingMode, Problem, Timestamp};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::{config::WsConfig, origins::Origins, socket::WsSocket, transport::Transport};

/// The body of a response to a handshake.
pub type ResponseBody = Full<Bytes>;

/// A valid handshake that has no response yet.
#[derive(Debug)]
pub struct Handshake {
    request: ConnectRequest,
    accept_key: String,
    on_upgrade: OnUpgrade,
    config: Arc<WsConfig>,
}

/// A handshake that is refused before its token is looked at.
#[derive(Debug)]
#[non_exhaustive]
pub struct InvalidHandshake {
    /// What is counted and logged.
    pub reason: RefusalReason,
    /// What is wrong, for the log; the body of the response says the same. Never holds a token.
    pub detail: String,
    /// The response to send.
    pub response: Response<ResponseBody>,
}

/// A socket that exists once the response to its handshake is sent.
#[derive(Debug)]
pub struct PendingSocket {
    on_upgrade: OnUpgrade,
    config: Arc<WsConfig>,
}

impl Handshake {
    /// Checks a request and takes its upgrade.
    ///
    /// # Errors
    /// Why it is invalid, with the response to send.
    pub fn check<B>(request: &mut Request<B>, config: &Arc<WsConfig>) -> Result<Self, Box<InvalidHandshake>> {
        let accept_key = check_upgrade(request)?;
        check_origin(request.headers(), &config.origins)?;
        let connect = connect_request(request)?;
        let on_upgrade = hyper::upgrade::on(request);
        Ok(Self { request: connect, accept_key, on_upgrade, config: config.clone() })
    }

    /// The token, the parameters and the subprotocols of the client.
    pub fn request(&self) -> &ConnectRequest {
        &self.request
    }

    /// The same, to set the client's address.
    pub fn request_mut(&mut self) -> &mut ConnectRequest {
        &mut self.request
    }

    /// Accepts with the selected subprotocol, which must never be a `bearer.…` entry.
    pub fn accept(self, protocol: Option<&'static str>) -> (Response<ResponseBody>, PendingSocket) {
        let mut response = Response::new(ResponseBody::default());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        let key = HeaderValue::from_str(&self.accept_key).expect("base64 is a header value");
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, key);
        if let Some(protocol) = protocol {
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
        }
        (response, PendingSocket { on_upgrade: self.on_upgrade, config: self.config })
    }

    /// Refuses: with an HTTP answer, or, for a client that offered `realtime.v1`, by an open socket that is closed
    /// at once, because a browser shows its page no HTTP answer. The socket, if any, is to be handed to [`reject`].
    pub fn refuse(self, refusal: &Refusal) -> (Response<ResponseBody>, Option<PendingSocket>) {
        if self.request.protocols.iter().any(|entry| entry == PROTOCOL) {
            let (response, pending) = self.accept(Some(PROTOCOL));
            return (response, Some(pending));
        }
        (refused(refusal), None)
    }
}

impl PendingSocket {
    /// Waits for the socket; `None` if the peer is gone first.
    pub async fn socket(self) -> Option<WsSocket> {
        let upgraded = tokio::time::timeout(self.config.upgrade_timeout, self.on_upgrade).await.ok()?.ok()?;
        let (transport, read) = Transport::of(upgraded);
        Some(WsSocket::new(transport, read, self.config))
    }
}

/// Sends a client the reason why it is refused, closes its socket, and reads nothing from it.
pub async fn reject(pending: PendingSocket, refusal: Refusal, now: Timestamp, close_timeout: Duration) {
    let Some(mut socket) = pending.socket().await else { return };
    let mut closing = Closing::new(refusal.close, refusal.message);
    closing.after_ms = refusal.after_ms.unwrap_or(0);
    let frame = realtime_core::codec::encode_control(&Control::Closing(closing.clone()), now);
    if let Ok(Ok(())) = tokio::time::timeout(close_timeout, socket.send(&mut [frame].into())).await {
        socket.close(closing.code, &closing.reason, close_timeout).await;
    }
}

/// A refusal as an HTTP answer.
pub fn refused(refusal: &Refusal) -> Response<ResponseBody> {
    let problem = Problem::new(refusal.code.clone(), &refusal.message);
    let retry = problem.retry || refusal.close.advice() == CloseAdvice::Reconnect;
    let problem = Problem { after_ms: refusal.after_ms, retry, ..problem };
    let mut response = answer(&problem);
    if refusal.code.status() == 401 {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(after_ms) = refusal.after_ms {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(after_ms.div_ceil(1000)));
    }
    response
}

fn answer(problem: &Problem) -> Response<ResponseBody> {
    let body = serde_json::to_vec(problem).expect("a problem is plain data");
    let mut response = Response::new(ResponseBody::from(body));
    *response.status_mut() = StatusCode::from_u16(problem.status).expect("a status of the table of codes");
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response
}

/// A handshake that is not as it should be.
fn bad(code: ErrorCode, detail: &str) -> Box<InvalidHandshake> {
    invalid(RefusalReason::Handshake, &Problem::new(code, detail))
}

fn bad_status(status: StatusCode, detail: &str) -> Box<InvalidHandshake> {
    let problem = Problem { status: status.as_u16(), ..Problem::new(ErrorCode::BadRequest, detail) };
    invalid(RefusalReason::Handshake, &problem)
}

fn invalid(reason: RefusalReason, problem: &Problem) -> Box<InvalidHandshake> {
    Box::new(InvalidHandshake { reason, detail: problem.detail.clone(), response: answer(problem) })
}

/// 426, which names what to upgrade to (RFC 9110 section 15.5.22), and its version (RFC 6455 section 4.4).
fn upgrade_required(detail: &str) -> Box<InvalidHandshake> {
    let mut invalid = bad_status(StatusCode::UPGRADE_REQUIRED, detail);
    let headers = invalid.response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    invalid
}

/// Checks RFC 6455 section 4.2.1 and returns the accept key.
fn check_upgrade<B>(request: &Request<B>) -> Result<String, Box<InvalidHandshake>> {
    let headers = request.headers();
    if request.method() != Method::GET {
        let detail = "a WebSocket handshake is a GET";
        let mut invalid = bad_status(StatusCode::METHOD_NOT_ALLOWED, detail);
        invalid.response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET"));
        return Err(invalid);
    }
    if request.version() != Version::HTTP_11 {
        return Err(bad(ErrorCode::BadRequest, "a WebSocket handshake needs HTTP/1.1"));
    }
    if !has_token(headers, &header::UPGRADE, "websocket") || !has_token(headers, &header::CONNECTION, "upgrade") {
        let detail = "this is a WebSocket endpoint; send `Connection: Upgrade` and `Upgrade: websocket`";
        return Err(upgrade_required(detail));
    }
    if only(headers, &header::HOST).is_none_or(HeaderValue::is_empty) {
        return Err(bad(ErrorCode::BadRequest, "exactly one Host header is needed"));
    }
    if only(headers, &header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        let detail = "exactly one `Sec-WebSocket-Version: 13` is needed";
        return Err(upgrade_required(detail));
    }
    // The JDK's client sends `Content-Length: 0`. The HTTP server has refused lengths that differ already.
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    if lengths.any(|length| length != "0") || headers.contains_key(header::TRANSFER_ENCODING) {
        return Err(bad(
            ErrorCode::BadRequest,
            "a WebSocket handshake has no body; send neither Transfer-Encoding nor a Content-Length other than 0",
        ));
    }
    match only(headers, &header::SEC_WEBSOCKET_KEY) {
        Some(key) if is_key(key.as_bytes()) => Ok(derive_accept_key(key.as_bytes())),
        _ => Err(bad(ErrorCode::BadRequest, "exactly one Sec-WebSocket-Key of 16 bytes in base64 is needed")),
    }
}

/// 16 bytes in base64: 22 characters, of which the last holds four bits, and two of padding.
fn is_key(key: &[u8]) -> bool {
    let digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    key.len() == 24 && key[..22].iter().all(digit) && b"AQgw".contains(&key[21]) && &key[22..] == b"=="
}

fn check_origin(headers: &HeaderMap, allowed: &Origins) -> Result<(), Box<InvalidHandshake>> {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let Some(origin) = origins.next() else { return Ok(()) };
    // One origin: of two, no client could say which it is.
    let single = origins.next().is_none().then(|| origin.to_str().ok()).flatten();
    // Checked to be there once, before.
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if *allowed == Origins::Any || single.is_some_and(|origin| allowed.allow(origin, host)) {
        return Ok(());
    }
    let detail = format!(
        "the origin {:?} may not connect; list it in server.allowed_origins",
        String::from_utf8_lossy(origin.as_bytes())
    );
    Err(invalid(RefusalReason::Origin, &Problem::new(ErrorCode::Forbidden, &detail)))
}

/// What the client brought along. Nothing here is judged but what can't be read.
fn connect_request<B>(request: &Request<B>) -> Result<ConnectRequest, Box<InvalidHandshake>> {
    let mut connect = ConnectRequest::default();
    let twice = |what| {
        let detail = format!("more than one {what}; give exactly one token");
        let refusal = Refusal::new(RefusalReason::TokenAmbiguous, detail);
        let response = refused(&refusal);
        Err(Box::new(InvalidHandshake { reason: refusal.reason, detail: refusal.message, response }))
    };
    for (name, value) in form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()) {
        let query = &mut connect.query;
        match &*name {
            "token" if query.token.is_some() => return twice("`token` in the query"),
            "token" => query.token = Some(value.into_owned()),
            "client" => {
                let client = ClientId::new(value).map_err(|error| bad(ErrorCode::BadRequest, &error.to_string()))?;
                query.client = Some(client);
            }
            "ping" => {
                query.ping = Some(match &*value {
                    "text" => PingMode::Text,
                    "frame" => PingMode::Frame,
                    _ => return Err(bad(ErrorCode::BadRequest, "ping: is `text` or `frame`")),
                });
            }
            // The ticket of a length that no server seals: it would be refused anyway, and is not kept.
            "resume" if value.len() > Ticket::MAX_CHARS => {
                let message = format!("resume: is longer than {} characters; connect without it", Ticket::MAX_CHARS);
                return Err(bad(ErrorCode::BadRequest, &message));
            }
            "resume" => query.resume = Some(value.into_owned()),
            _ => {}
        }
    }
    let headers = request.headers();
    // Credentials of another scheme are for a proxy in front, and ignored beside a token.
    let is_bearer = |value: &&HeaderValue| bearer(&String::from_utf8_lossy(value.as_bytes())).is_some();
    let mut bearers = headers.get_all(header::AUTHORIZATION).iter().filter(is_bearer);
    if let Some(authorization) = bearers.next().or_else(|| headers.get(header::AUTHORIZATION)) {
        if bearers.next().is_some() {
            return twice("`Authorization: Bearer` header");
        }
        // Bytes beyond ASCII belong to no token, so the verifier refuses what is left of them.
        connect.authorization = Some(String::from_utf8_lossy(authorization.as_bytes()).into_owned());
    }
    connect.protocols = list(headers, &header::SEC_WEBSOCKET_PROTOCOL).map(str::to_owned).collect();
    Ok(connect)
}

/// The value of a header that is there exactly once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// The entries of a header that is a list, over all of its lines.
fn list<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim).filter(|entry| !entry.is_empty())
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    list(headers, name).any(|entry| entry.eq_ignore_ascii_case(token))
}
