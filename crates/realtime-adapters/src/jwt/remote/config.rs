//! The settings of a JWKS address.

use std::time::Duration;

use reqwest::Url;

use super::super::{
    algorithm::{Algorithm, KeyKind},
    error::KeyError,
};

/// A JWKS address, and how often it may be requested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwksConfig {
    /// The address: `https`, or `http` on this machine. No user name, no password.
    pub url: String,
    /// How often the keys are fetched again. Default: 10 minutes. A key that the address no longer serves is
    /// trusted at most that much longer.
    pub refresh: Duration,
    /// The shortest time between two fetches made because a token names an unknown key, so that no client can use
    /// this server to flood the address. Also the longest pause between retries. Default: 1 minute.
    pub min_refresh: Duration,
    /// The longest that a fetch may take in all. Default: 5 seconds.
    pub timeout: Duration,
    /// The largest response that is read, in bytes. Default: 256 KiB.
    pub max_body_bytes: usize,
    /// The algorithm of RSA keys that name none. Default: RS256.
    pub rsa_algorithm: Algorithm,
    /// Allows plain `http` to other machines. An attacker who can change packets on the way can then make tokens.
    /// Default: false.
    pub insecure_http: bool,
}

impl JwksConfig {
    /// The defaults for an address.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            refresh: Duration::from_secs(600),
            min_refresh: Duration::from_secs(60),
            timeout: Duration::from_secs(5),
            max_body_bytes: 256 * 1024,
            rsa_algorithm: Algorithm::RS256,
            insecure_http: false,
        }
    }

    /// Checks the settings without a request.
    ///
    /// # Errors
    /// The first invalid setting.
    pub fn check(&self) -> Result<(), KeyError> {
        self.checked_url().map(drop)
    }

    pub(super) fn checked_url(&self) -> Result<Url, KeyError> {
        let wrong = |problem: &str| KeyError::setting("jwks.url", problem);
        let url = Url::parse(&self.url).map_err(|_| wrong("is not a URL; give https://…"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("holds a user name or a password, which would end up in logs; remove it"));
        }
        match url.scheme() {
            "https" => {}
            "http" if self.insecure_http || is_loopback(&url) => {}
            "http" => return Err(wrong("is plain http; use https, or allow it with `insecure_http`")),
            _ => return Err(wrong("is neither https nor http")),
        }
        for (name, value) in
            [("jwks.refresh", self.refresh), ("jwks.min_refresh", self.min_refresh), ("jwks.timeout", self.timeout)]
        {
            if value.is_zero() {
                return Err(KeyError::setting(name, "is 0; give a duration"));
            }
        }
        if self.rsa_algorithm.key_kind() != KeyKind::Rsa {
            return Err(KeyError::setting("jwks.rsa_algorithm", "is not an RSA algorithm; RS256 is usual"));
        }
        Ok(url)
    }
}

pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => {
            let bare = host.trim_start_matches('[').trim_end_matches(']');
            bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        None => false,
    }
}
