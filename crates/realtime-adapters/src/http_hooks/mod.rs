//! Hooks over HTTP: an application's backend, in any language, decides and is notified by signed requests.
//!
//! [`HttpHooks`] is an adapter of two ports: of `ConnectionHandler` (the hooks `connect`, `disconnect` and `call`) and of
//! `Authorizer` (`subscribe`, `publish`, `history` and `presence`). The types of the requests and of the responses are in
//! `realtime_schema`.
//!
//! Each hook has limits of its own, so that a slow one holds up no other: requests at once, requests that wait, a deadline
//! over all attempts. After some failures in a row its circuit breaker refuses requests without sending them, and lets
//! one through from time to time. What a client gets meanwhile is the hook's [`OnFailure`].

mod answers;
mod authorizer;
mod breaker;
mod config;
mod disconnects;
mod error;
mod exchange;
mod gate;
mod handler;
mod hook;
mod last_answers;
mod signature;
mod stats;

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use realtime_schema::HookName;

pub use self::{
    breaker::BreakerState,
    config::{BreakerConfig, HookConfig, HookConfigError, HttpHooksConfig, OnFailure, SigningSecret},
    error::{FailureKind, HttpHookError},
    stats::{Fallback, HookStats, LATENCY_BUCKETS},
};
use self::{disconnects::Disconnects, exchange::Exchange, hook::Hook};

/// The hooks of a backend over HTTP: a `ConnectionHandler` and an `Authorizer`. Cloning makes another handle to them.
#[derive(Clone)]
pub struct HttpHooks(Arc<Inner>);

struct Inner {
    hooks: BTreeMap<HookName, Arc<Hook>>,
    disconnects: Option<Disconnects>,
}

impl HttpHooks {
    /// Starts the hooks. Call it within a Tokio runtime: the `disconnect` hook has a task of its own. No request is sent.
    ///
    /// # Errors
    /// An invalid setting, or the HTTP client can't be made.
    pub fn start(config: &HttpHooksConfig) -> Result<Self, HookConfigError> {
        config.check()?;
        let exchange = Arc::new(Exchange::new(config)?);
        let mut hooks = BTreeMap::new();
        for (name, settings) in &config.hooks {
            hooks.insert(*name, Arc::new(Hook::new(*name, settings, config, exchange.clone())?));
        }
        let disconnects = hooks.get(&HookName::Disconnect).map(|hook| Disconnects::start(hook.clone(), config));
        Ok(Self(Arc::new(Inner { hooks, disconnects })))
    }

    /// Whether this hook is on.
    pub fn has(&self, name: HookName) -> bool {
        self.0.hooks.contains_key(&name)
    }

    /// Whether any hook of the port `ConnectionHandler` is on.
    pub fn has_handler(&self) -> bool {
        [HookName::Connect, HookName::Disconnect, HookName::Call].iter().any(|name| self.has(*name))
    }

    /// Whether any hook of the port `Authorizer` is on.
    pub fn has_authorizer(&self) -> bool {
        [HookName::Subscribe, HookName::Publish, HookName::History, HookName::Presence]
            .iter()
            .any(|name| self.has(*name))
    }

    /// Counters and state of each hook that is on.
    pub fn stats(&self) -> Vec<HookStats> {
        let queued =
            self.0.disconnects.as_ref().map_or((0, 0), |disconnects| (disconnects.queued(), disconnects.dropped()));
        let of = |hook: &Arc<Hook>| {
            let stats = hook.stats();
            if stats.hook == HookName::Disconnect { stats.with_queue(queued.0, queued.1) } else { stats }
        };
        self.0.hooks.values().map(of).collect()
    }

    /// Waits until every `disconnect` that is queued was delivered or given up, at most for `limit`. Returns how many are
    /// left. To be called when a server stops, after its last connection has ended.
    pub async fn drain(&self, limit: Duration) -> usize {
        match &self.0.disconnects {
            Some(disconnects) => disconnects.drain(limit).await,
            None => 0,
        }
    }

    fn hook(&self, name: HookName) -> Option<&Hook> {
        self.0.hooks.get(&name).map(|hook| &**hook)
    }
}

impl fmt::Debug for HttpHooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpHooks").field("hooks", &self.0.hooks.keys()).finish_non_exhaustive()
    }
}
