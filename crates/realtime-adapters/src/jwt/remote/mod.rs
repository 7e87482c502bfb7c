//! Keys from a JWKS address: cached, refreshed by a timer and for unknown ids, kept when the address fails.
//!
//! One task does all the fetching. So there is never more than one fetch in progress, and a client that disconnects
//! can neither cancel one nor delay the next.

mod config;
mod fetch;

use std::{
    error::Error,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwapOption;
use tokio::{
    sync::{Notify, Semaphore, watch},
    task::AbortHandle,
    time::{Instant, sleep_until, timeout},
};

pub use self::config::JwksConfig;
use self::fetch::{FetchError, Fetcher};
use super::{
    error::KeyError,
    key_set::{KeySet, LeftOut},
    status::AddressStatus,
};
use crate::error_chain;

/// The first pause after a fetch that failed; it doubles up to `min_refresh`.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// The keys of a JWKS address. Dropping it ends the fetching.
pub struct JwksSource {
    shared: Arc<Shared>,
    config: JwksConfig,
    longest_wait: Duration,
    task: AbortHandle,
}

struct Shared {
    keys: ArcSwapOption<KeySet>,
    fetches: Mutex<Fetches>,
    wanted: Notify,
    /// Counts finished fetches.
    finished: watch::Sender<u64>,
    min_refresh: Duration,
    /// Permits to wait for a fetch.
    waiters: Semaphore,
}

/// The result of a request for newer keys.
pub(super) enum Refreshed {
    /// A fetch has ended since.
    Done,
    /// There has been one too recently, or it took too long.
    No,
    /// Too many requests wait already.
    Overloaded,
}

#[derive(Default)]
struct Fetches {
    /// One is requested or in progress.
    busy: bool,
    /// When a token last caused one.
    last_wanted: Option<Instant>,
    /// Why the last one failed, if it did.
    last_error: Option<Arc<FetchError>>,
    last_success: Option<(Instant, SystemTime)>,
    failures: u64,
}

/// Tokens that may wait at once for keys that are not known. Any client can make up such a token, and while it waits
/// it holds a permit that tokens with known keys need.
const MAX_WAITERS: usize = 8;

/// Too many tokens wait for keys that are not known.
#[derive(Debug, thiserror::Error)]
#[error("{MAX_WAITERS} tokens wait for keys that are not known, which is the limit")]
pub(super) struct Overloaded;

impl JwksSource {
    /// Fetches the keys once, waiting for that at most `config.timeout`, and keeps them fresh from then on.
    ///
    /// If the first fetch fails the source starts without keys and goes on trying: tokens are answered with
    /// `Unavailable` until it succeeds. Call it within a Tokio runtime.
    ///
    /// # Errors
    /// An invalid setting, or the HTTP client can't be made.
    pub async fn start(config: JwksConfig) -> Result<Self, KeyError> {
        let fetcher = Fetcher::new(config.clone())?;
        let (finished, mut first) = watch::channel(0);
        let shared = Arc::new(Shared {
            keys: ArcSwapOption::empty(),
            fetches: Mutex::new(Fetches { busy: true, ..Fetches::default() }),
            wanted: Notify::new(),
            finished,
            min_refresh: config.min_refresh,
            waiters: Semaphore::new(MAX_WAITERS),
        });
        let longest_wait = config.timeout + Duration::from_secs(1);
        let task = tokio::spawn(keep_fresh(Arc::clone(&shared), fetcher)).abort_handle();
        let source = Self { shared, config, longest_wait, task };
        // A deadline that is missed means no keys yet, as does a fetch that failed.
        let _ = timeout(longest_wait, first.changed()).await;
        Ok(source)
    }

    /// The settings that it was started with.
    pub fn config(&self) -> &JwksConfig {
        &self.config
    }

    /// Whether a fetch has succeeded.
    pub fn has_keys(&self) -> bool {
        self.shared.keys.load().is_some()
    }

    /// The result of its fetches so far.
    pub fn status(&self) -> AddressStatus {
        let fetches = self.shared.fetches();
        let age = fetches.last_success.map(|(at, _)| at.elapsed());
        AddressStatus {
            fetches: *self.shared.finished.borrow(),
            failures: fetches.failures,
            last_success: fetches.last_success.map(|(_, at)| at),
            age,
            stale: fetches.last_error.is_some() && age.is_none_or(|age| age > self.config.refresh),
            last_error: fetches.last_error.as_ref().map(|error| error_chain::one_line(error)),
        }
    }

    pub(super) fn keys(&self) -> Option<Arc<KeySet>> {
        self.shared.keys.load_full()
    }

    /// Waits for a fetch: the one in progress, or a new one.
    pub(super) async fn refreshed(&self) -> Refreshed {
        let Ok(_permit) = self.shared.waiters.try_acquire() else { return Refreshed::Overloaded };
        let mut finished = {
            let mut fetches = self.shared.fetches();
            if !fetches.busy {
                if fetches.last_wanted.is_some_and(|last| last.elapsed() < self.shared.min_refresh) {
                    return Refreshed::No;
                }
                fetches.busy = true;
                fetches.last_wanted = Some(Instant::now());
                self.shared.wanted.notify_one();
            }
            self.shared.finished.subscribe()
        };
        match timeout(self.longest_wait, finished.changed()).await {
            Ok(_) => Refreshed::Done,
            Err(_) => Refreshed::No,
        }
    }

    /// Why the last fetch failed, if it did.
    pub(super) fn last_error(&self) -> Option<Arc<dyn Error + Send + Sync>> {
        self.shared.fetches().last_error.clone().map(|error| error as Arc<dyn Error + Send + Sync>)
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
    fn fetches(&self) -> std::sync::MutexGuard<'_, Fetches> {
        // Nothing panics while it is held, and its fields are consistent one by one.
        self.fetches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn finish(&self, error: Option<FetchError>) {
        let mut fetches = self.fetches();
        fetches.busy = false;
        match error {
            None => fetches.last_success = Some((Instant::now(), SystemTime::now())),
            Some(_) => fetches.failures += 1,
        }
        fetches.last_error = error.map(Arc::new);
        // Under the lock, so that a task that finds no fetch in progress has also seen that this one ended.
        self.finished.send_modify(|finished| *finished += 1);
    }

    /// Waits for `pause`, or until a token needs a fetch.
    async fn next_fetch(&self, pause: Duration) {
        let deadline = Instant::now() + pause;
        loop {
            tokio::select! {
                () = sleep_until(deadline) => break,
                // A request that the previous fetch has already served leaves a permit behind.
                () = self.wanted.notified() => if self.fetches().busy { break },
            }
        }
        self.fetches().busy = true;
    }
}

async fn keep_fresh(shared: Arc<Shared>, fetcher: Fetcher) {
    let JwksConfig { refresh, min_refresh, .. } = *fetcher.config();
    let address = fetcher.address();
    let mut retry = FIRST_RETRY;
    let mut left_out = Vec::new();
    loop {
        let pause = match fetcher.fetch().await {
            Ok(keys) => {
                tracing::debug!(keys = keys.len(), "fetched the keys of the JWKS address");
                if keys.left_out() != left_out {
                    left_out = keys.left_out().to_vec();
                    warn_of(&address, &left_out, keys.len());
                }
                shared.keys.store(Some(Arc::new(keys)));
                shared.finish(None);
                retry = FIRST_RETRY;
                refresh
            }
            Err(error) => {
                let kept = shared.keys.load().as_ref().map_or(0, |keys| keys.len());
                let error_text = error_chain::one_line(&error);
                if kept == 0 {
                    tracing::warn!(address, error = %error_text, "can't fetch the keys of the JWKS address; there are none yet");
                } else {
                    tracing::warn!(
                        address,
                        error = %error_text,
                        kept,
                        "can't fetch the keys of the JWKS address; the last good ones stay in use"
                    );
                }
                shared.finish(Some(error));
                let pause = retry.min(min_refresh).min(refresh);
                retry = (retry * 2).min(min_refresh);
                pause
            }
        };
        shared.next_fetch(pause).await;
    }
}

/// Logs which keys are not used, once for each set of them.
fn warn_of(address: &str, left_out: &[LeftOut], used: usize) {
    for key in left_out {
        let kid = key.kid.as_deref().unwrap_or("(none)");
        tracing::warn!(
            address,
            kid,
            reason = %key.reason,
            used,
            "a key of the JWKS address is left out; the others are used"
        );
    }
}
