//! One fetch of a JWKS address: bounded in time and size, without redirects.

use std::time::Duration;

use reqwest::{Client, Url, redirect};
use tokio::time::timeout;

use super::{
    super::{error::KeyError, jwk::Origin, key_set::KeySet},
    config::{JwksConfig, is_loopback},
};
use crate::error_chain;

/// Why the keys could not be fetched. Holds no address: its query may be a secret.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("the JWKS address could not be reached")]
    Http(#[source] reqwest::Error),
    #[error("the JWKS address responded with status {0}")]
    Status(u16),
    #[error("the JWKS address sent more than {0} bytes")]
    TooLarge(usize),
    #[error("the JWKS address took longer than {0:?}")]
    TooSlow(Duration),
    #[error("the JWKS address sent no usable keys")]
    Keys(#[source] KeyError),
}

/// Fetches the keys of one address.
pub(super) struct Fetcher {
    client: Client,
    url: Url,
    config: JwksConfig,
}

impl Fetcher {
    pub(super) fn new(config: JwksConfig) -> Result<Self, KeyError> {
        let url = config.checked_url()?;
        let mut builder = Client::builder()
            .redirect(redirect::Policy::none())
            .referer(false)
            .timeout(config.timeout)
            .user_agent(concat!("realtime/", env!("CARGO_PKG_VERSION")));
        if is_loopback(&url) {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| {
            let problem = format!("can't be requested, no HTTP client: {}", error_chain::one_line(&error));
            KeyError::setting("jwks.url", problem)
        })?;
        Ok(Self { client, url, config })
    }

    /// The address for the log: without its query string, which may hold a key.
    pub(super) fn address(&self) -> String {
        let mut url = self.url.clone();
        url.set_query(None);
        url.set_fragment(None);
        url.into()
    }

    pub(super) fn config(&self) -> &JwksConfig {
        &self.config
    }

    pub(super) async fn fetch(&self) -> Result<KeySet, FetchError> {
        let limit = self.config.timeout;
        timeout(limit, self.fetch_unbounded()).await.unwrap_or(Err(FetchError::TooSlow(limit)))
    }

    async fn fetch_unbounded(&self) -> Result<KeySet, FetchError> {
        let limit = self.config.max_body_bytes;
        let http = |error: reqwest::Error| {
            if error.is_timeout() {
                FetchError::TooSlow(self.config.timeout)
            } else {
                FetchError::Http(error.without_url())
            }
        };
        let mut response = self.client.get(self.url.clone()).send().await.map_err(http)?;
        if !response.status().is_success() {
            return Err(FetchError::Status(response.status().as_u16()));
        }
        if response.content_length().is_some_and(|length| length > limit as u64) {
            return Err(FetchError::TooLarge(limit));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(http)? {
            if body.len() + chunk.len() > limit {
                return Err(FetchError::TooLarge(limit));
            }
            body.extend_from_slice(&chunk);
        }
        KeySet::from_jwks_of(Origin::Address, &body, self.config.rsa_algorithm).map_err(FetchError::Keys)
    }
}
