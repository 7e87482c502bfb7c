//! Keys from a JWKS address: cached, refreshed by a timer and for unknown ids, kept when the address fails.
//!
//! One task does all the fetching. So there is never more than one fetch under way, and a client that hangs up
//! can neither cancel one nor use up the turn of others.

use std::{
    error::Error,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwapOption;
use reqwest::{Client, Url, redirect};
use tokio::{
    sync::{Notify, Semaphore, watch},
    task::AbortHandle,
    time::{Instant, sleep_until, timeout},
};

use super::{
    algorithm::{Algorithm, KeyKind},
    error::KeyError,
    key_set::{KeySet, Origin},
};

/// The first pause after a fetch that failed; it doubles up to `min_refresh`.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// A JWKS address and how often it may be asked.
#[derive(Clone, Debug)]
pub struct JwksConfig {
    /// The address: `https`, or `http` on this machine. No user name, no password.
    pub url: String,
    /// How often the keys are fetched afresh. Default: 10 minutes. A key that the address no longer serves is
    /// trusted that much longer.
    pub refresh: Duration,
    /// The shortest time between two fetches made because a token names an unknown key, so that nobody can use
    /// this server to flood the address. Also the longest pause between retries. Default: 1 minute.
    pub min_refresh: Duration,
    /// The longest that a fetch may take in all. Default: 5 seconds.
    pub timeout: Duration,
    /// The largest answer that is read, in bytes. Default: 256 KiB.
    pub max_body_bytes: usize,
    /// The algorithm of RSA keys that name none. Default: RS256.
    pub rsa_algorithm: Algorithm,
    /// Allows plain `http` to other machines: whoever can change packets on the way can then make tokens.
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

    /// Checks the settings without asking anyone.
    ///
    /// # Errors
    /// A setting that can't be meant.
    pub fn check(&self) -> Result<(), KeyError> {
        self.checked_url().map(drop)
    }

    fn checked_url(&self) -> Result<Url, KeyError> {
        let wrong = |problem: &str| KeyError::setting("jwks.url", problem);
        let url = Url::parse(&self.url).map_err(|_| wrong("is not a URL; give https://…"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("holds a user name or a password, which would end up in logs; take it out"));
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
                return Err(KeyError::setting(name, "is 0; give a time"));
            }
        }
        if self.rsa_algorithm.key_kind() != KeyKind::Rsa {
            return Err(KeyError::setting("jwks.rsa_algorithm", "is not an RSA algorithm; RS256 is usual"));
        }
        Ok(url)
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => {
            let bare = host.trim_start_matches('[').trim_end_matches(']');
            bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        None => false,
    }
}

/// The keys of a JWKS address. Dropping it ends the fetching.
pub struct JwksSource {
    shared: Arc<Shared>,
    longest_wait: Duration,
    task: AbortHandle,
}

struct Shared {
    keys: ArcSwapOption<KeySet>,
    gate: Mutex<Gate>,
    wanted: Notify,
    /// Counts finished fetches.
    turns: watch::Sender<u64>,
    min_refresh: Duration,
    /// Places to wait for a fetch in.
    waiters: Semaphore,
}

/// What became of the wish for a fetch.
pub(super) enum Refreshed {
    /// One has ended since.
    Done,
    /// There has been one too recently, or it took too long.
    No,
    /// Too many wait already.
    Crowded,
}

#[derive(Default)]
struct Gate {
    /// A fetch is wanted or under way.
    busy: bool,
    /// When a token last caused a fetch.
    last_wanted: Option<Instant>,
    /// Why the last fetch failed, if it did.
    trouble: Option<Arc<FetchError>>,
}

/// Tokens that may wait at once for keys that are not known. Anyone can make such a token up, and while it waits it
/// holds one of the places that tokens with good keys need.
const MAX_WAITERS: usize = 8;

/// Too many tokens wait for keys that are not known.
#[derive(Debug, thiserror::Error)]
#[error("{MAX_WAITERS} tokens wait for keys that are not known, and no more may")]
pub(super) struct Crowded;

/// Why the keys could not be fetched. Holds no address: its query may be a secret.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("the JWKS address could not be asked")]
    Http(#[source] reqwest::Error),
    #[error("the JWKS address answered {0}")]
    Status(u16),
    #[error("the JWKS address sent more than {0} bytes")]
    TooLarge(usize),
    #[error("the JWKS address took longer than {0:?}")]
    TooSlow(Duration),
    #[error("the JWKS address sent no usable keys")]
    Keys(#[source] KeyError),
}

impl JwksSource {
    /// Fetches the keys once, waiting for that at most `config.timeout`, and keeps them fresh from then on.
    ///
    /// If the first fetch fails the source starts without keys and goes on trying: tokens are answered with
    /// `Unavailable` until it succeeds. Call it within a Tokio runtime.
    ///
    /// # Errors
    /// A setting can't be meant, or the HTTP client can't be made.
    pub async fn start(config: JwksConfig) -> Result<Self, KeyError> {
        let url = config.checked_url()?;
        let mut builder = Client::builder()
            .redirect(redirect::Policy::none())
            .referer(false)
            .timeout(config.timeout)
            .user_agent(concat!("realtime/", env!("CARGO_PKG_VERSION")));
        if is_loopback(&url) {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|e| {
            KeyError::setting("jwks.url", format!("can't be asked, for no HTTP client can be made: {}", Chain(&e)))
        })?;
        let (turns, mut finished) = watch::channel(0);
        let shared = Arc::new(Shared {
            keys: ArcSwapOption::empty(),
            gate: Mutex::new(Gate { busy: true, ..Gate::default() }),
            wanted: Notify::new(),
            turns,
            min_refresh: config.min_refresh,
            waiters: Semaphore::new(MAX_WAITERS),
        });
        let longest_wait = config.timeout + Duration::from_secs(1);
        let task = tokio::spawn(keep_fresh(Arc::clone(&shared), client, url, config)).abort_handle();
        let source = Self { shared, longest_wait, task };
        // A deadline that is missed means no keys yet, as does a fetch that failed.
        let _ = timeout(longest_wait, finished.changed()).await;
        Ok(source)
    }

    /// Whether a fetch has succeeded.
    pub fn has_keys(&self) -> bool {
        self.shared.keys.load().is_some()
    }

    pub(super) fn keys(&self) -> Option<Arc<KeySet>> {
        self.shared.keys.load_full()
    }

    /// Waits for a fetch, of its own or one that is under way.
    pub(super) async fn refreshed(&self) -> Refreshed {
        let Ok(_place) = self.shared.waiters.try_acquire() else { return Refreshed::Crowded };
        let mut finished = {
            let mut gate = self.shared.gate();
            if !gate.busy {
                if gate.last_wanted.is_some_and(|last| last.elapsed() < self.shared.min_refresh) {
                    return Refreshed::No;
                }
                gate.busy = true;
                gate.last_wanted = Some(Instant::now());
                self.shared.wanted.notify_one();
            }
            self.shared.turns.subscribe()
        };
        match timeout(self.longest_wait, finished.changed()).await {
            Ok(_) => Refreshed::Done,
            Err(_) => Refreshed::No,
        }
    }

    /// Why the last fetch failed, if it did.
    pub(super) fn trouble(&self) -> Option<Arc<dyn Error + Send + Sync>> {
        self.shared.gate().trouble.clone().map(|trouble| trouble as Arc<dyn Error + Send + Sync>)
    }
}

impl Drop for JwksSource {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for JwksSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwksSource").field("has_keys", &self.has_keys()).finish_non_exhaustive()
    }
}

impl Shared {
    fn gate(&self) -> std::sync::MutexGuard<'_, Gate> {
        // Nothing panics while it is held, and its fields are consistent one by one.
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn finish(&self, trouble: Option<Arc<FetchError>>) {
        let mut gate = self.gate();
        gate.busy = false;
        gate.trouble = trouble;
        // Under the lock, so that whoever finds the gate free has also seen this turn.
        self.turns.send_modify(|turns| *turns += 1);
    }

    /// Waits for `pause`, or until a token wants a fetch.
    async fn next_turn(&self, pause: Duration) {
        let deadline = Instant::now() + pause;
        loop {
            tokio::select! {
                () = sleep_until(deadline) => break,
                // A wish that the previous fetch has already served leaves a permit behind.
                () = self.wanted.notified() => if self.gate().busy { break },
            }
        }
        self.gate().busy = true;
    }
}

async fn keep_fresh(shared: Arc<Shared>, client: Client, url: Url, config: JwksConfig) {
    let mut retry = FIRST_RETRY;
    loop {
        let fetched = match timeout(config.timeout, fetch(&client, &url, &config)).await {
            Ok(fetched) => fetched,
            Err(_) => Err(FetchError::TooSlow(config.timeout)),
        };
        let pause = match fetched {
            Ok(keys) => {
                tracing::debug!(keys = keys.len(), "fetched the keys of the JWKS address");
                shared.keys.store(Some(Arc::new(keys)));
                shared.finish(None);
                retry = FIRST_RETRY;
                config.refresh
            }
            Err(error) => {
                let kept = shared.keys.load().as_ref().map_or(0, |keys| keys.len());
                tracing::warn!(
                    error = %Chain(&error),
                    kept,
                    "can't fetch the keys of the JWKS address; the last good ones stay"
                );
                shared.finish(Some(Arc::new(error)));
                let pause = retry.min(config.min_refresh).min(config.refresh);
                retry *= 2;
                retry = retry.min(config.min_refresh);
                pause
            }
        };
        shared.next_turn(pause).await;
    }
}

async fn fetch(client: &Client, url: &Url, config: &JwksConfig) -> Result<KeySet, FetchError> {
    let limit = config.max_body_bytes;
    let http = |error: reqwest::Error| {
        if error.is_timeout() { FetchError::TooSlow(config.timeout) } else { FetchError::Http(error.without_url()) }
    };
    let mut answer = client.get(url.clone()).send().await.map_err(http)?;
    if !answer.status().is_success() {
        return Err(FetchError::Status(answer.status().as_u16()));
    }
    if answer.content_length().is_some_and(|length| length > limit as u64) {
        return Err(FetchError::TooLarge(limit));
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(http)? {
        if body.len() + chunk.len() > limit {
            return Err(FetchError::TooLarge(limit));
        }
        body.extend_from_slice(&chunk);
    }
    KeySet::from_jwks_of(Origin::Address, &body, config.rsa_algorithm).map_err(FetchError::Keys)
}

/// An error with its causes, in one line.
struct Chain<'a>(&'a dyn Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
