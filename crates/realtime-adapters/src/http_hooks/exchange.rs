//! One attempt: a signed POST, and what came back.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use realtime_schema::{HookName, MessageId};
use reqwest::{Client, Proxy, Response, StatusCode, Url, header, redirect};
use serde::Deserialize;

use super::{
    config::{HookConfigError, HttpHooksConfig},
    error::HttpHookError,
    signature::Signer,
};
use crate::error_chain;

/// Unix seconds at which the attempt was signed, against replay.
const TIMESTAMP: &str = "x-realtime-timestamp";
/// See [`Signer::sign`].
const SIGNATURE: &str = "x-realtime-signature";
/// The id of the request: the same for each retry.
const REQUEST_ID: &str = "x-realtime-request-id";
/// The name of the hook.
const HOOK: &str = "x-realtime-hook";

/// How long an idle connection to the backend is kept. Shorter than the 60 s of most servers and proxies, so that a
/// request is rarely sent on a connection that is being closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Longest text of a refusal that a client is sent, in characters.
const MAX_MESSAGE_CHARS: usize = 1_000;

/// What the backend responded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// 200 with a JSON body.
    Json(Bytes),
    /// 403, with the `message` of its body if it is JSON.
    Denied(Option<String>),
}

impl Answer {
    /// Its size, in bytes.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Json(body) => body.len(),
            Self::Denied(message) => message.as_ref().map_or(0, String::len),
        }
    }
}

/// What a request wants back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expects {
    /// An answer in JSON.
    Answer,
    /// Any status of success.
    Success,
}

/// A request, which every attempt sends with the same id and body.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    pub(super) hook: HookName,
    pub(super) id: MessageId,
    pub(super) body: Bytes,
    pub(super) expects: Expects,
}

/// The HTTP client, and the signer.
pub(super) struct Exchange {
    client: Client,
    signer: Signer,
    max_response_bytes: usize,
}

impl Exchange {
    pub(super) fn new(config: &HttpHooksConfig) -> Result<Self, HookConfigError> {
        // No redirect is followed: it would send a signed request, with a user's data, to another address.
        let mut builder = Client::builder()
            .redirect(redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .connect_timeout(config.connect_timeout)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(config.concurrency)
            .retry(reqwest::retry::never())
            .user_agent(concat!("realtime/", env!("CARGO_PKG_VERSION")));
        if let Some(proxy) = &config.proxy {
            let proxy =
                Proxy::all(proxy).map_err(|_| HookConfigError::new("proxy", "is not the address of a proxy"))?;
            builder = builder.proxy(proxy);
        }
        let client = builder.build().map_err(|error| {
            HookConfigError::new("hooks", format!("no HTTP client could be made: {}", error_chain::one_line(&error)))
        })?;
        Ok(Self { client, signer: Signer::new(&config.secrets), max_response_bytes: config.max_response_bytes })
    }

    /// Sends `outgoing` to `url` once, within `limit`.
    pub(super) async fn attempt(
        &self,
        url: &Url,
        outgoing: &Outgoing,
        limit: Duration,
    ) -> Result<Answer, HttpHookError> {
        let failed = |error: reqwest::Error| failure(error, limit);
        let timestamp = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let timestamp = i64::try_from(timestamp).unwrap_or(i64::MAX);
        let request = self
            .client
            .post(url.clone())
            .timeout(limit)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json")
            .header(HOOK, outgoing.hook.as_str())
            .header(REQUEST_ID, outgoing.id.to_string())
            .header(TIMESTAMP, timestamp)
            .header(SIGNATURE, self.signer.sign(timestamp, &outgoing.body))
            .body(outgoing.body.clone());
        let response = request.send().await.map_err(failed)?;
        let status = response.status();
        match outgoing.expects {
            Expects::Success if status.is_success() => Ok(Answer::Json(Bytes::new())),
            Expects::Answer if status == StatusCode::OK => {
                if !is_json(&response) {
                    return Err(HttpHookError::NotJson);
                }
                self.body(response, limit).await.map(Answer::Json)
            }
            Expects::Answer if status == StatusCode::FORBIDDEN => {
                let message = if is_json(&response) { message_of(&self.body(response, limit).await?) } else { None };
                Ok(Answer::Denied(message))
            }
            _ => Err(HttpHookError::Status(status.as_u16())),
        }
    }

    async fn body(&self, mut response: Response, limit: Duration) -> Result<Bytes, HttpHookError> {
        let max = self.max_response_bytes;
        if response.content_length().is_some_and(|length| length > max as u64) {
            return Err(HttpHookError::TooLarge(max));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| failure(error, limit))? {
            if body.len() + chunk.len() > max {
                return Err(HttpHookError::TooLarge(max));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.into())
    }
}

/// Without the address, whose path or query may hold a secret.
fn failure(error: reqwest::Error, limit: Duration) -> HttpHookError {
    let error = error.without_url();
    match error {
        error if error.is_connect() => HttpHookError::NotConnected(error),
        error if error.is_timeout() => HttpHookError::TimedOut(limit),
        error => HttpHookError::Disconnected(error),
    }
}

/// Whether the media type is JSON (RFC 9110 section 8.3).
fn is_json(response: &Response) -> bool {
    let Some(kind) = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let essence = kind.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

fn message_of(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Denied {
        message: Option<String>,
    }
    serde_json::from_slice::<Denied>(body).ok()?.message.map(shortened)
}

/// At most the first [`MAX_MESSAGE_CHARS`].
pub(super) fn shortened(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MAX_MESSAGE_CHARS) {
        text.truncate(end);
    }
    text
}
