//! The application's authorizer: asked with a deadline, and never taken for a yes when it fails.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::{StreamExt, stream};
use realtime_core::{
    access::{AccessDecision, AccessRequest},
    session::AuthorizeOutcome,
};
use realtime_ports::Authorizer;
use realtime_schema::{Connection, GrantAction, Topic};
use tokio::time::{Instant, timeout_at};

use crate::{
    metrics::{Metrics, add},
    settings::LiveSettings,
};

/// Questions about the subscriptions of one connection that may be pending at once.
const CONCURRENT_QUESTIONS: usize = 8;

/// Time between two warnings, which clients can cause at will.
const WARN_EVERY: Duration = Duration::from_secs(1);

/// Asks the application's authorizer.
pub(crate) struct Authorizations {
    authorizer: Option<Arc<dyn Authorizer>>,
    settings: LiveSettings,
    metrics: Arc<Metrics>,
    /// Time of the last warning.
    warned: Mutex<Option<Instant>>,
}

impl Authorizations {
    pub(crate) fn new(authorizer: Option<Arc<dyn Authorizer>>, settings: LiveSettings, metrics: Arc<Metrics>) -> Self {
        Self { authorizer, settings, metrics, warned: Mutex::default() }
    }

    /// Whether the application has an authorizer. Without one, nothing is allowed here.
    pub(crate) fn are_asked(&self) -> bool {
        self.authorizer.is_some()
    }

    /// Asks whether `connection` may do what `request` says; waits at most `hook_timeout`.
    pub(crate) async fn ask(&self, connection: Arc<Connection>, request: AccessRequest) -> AuthorizeOutcome {
        self.ask_until(self.deadline(), connection, request).await
    }

    /// The topics of `topics` that `connection` may not subscribe to any more, or that could not be decided on. All
    /// questions together take at most `hook_timeout`.
    pub(crate) async fn denied(&self, connection: Arc<Connection>, topics: Vec<Topic>) -> Vec<Topic> {
        let deadline = self.deadline();
        let questions = topics.into_iter().map(|topic| {
            let request = AccessRequest::new(GrantAction::Subscribe, topic.clone());
            let asked = self.ask_until(deadline, connection.clone(), request);
            async move { (asked.await != AuthorizeOutcome::Decided(AccessDecision::Allow)).then_some(topic) }
        });
        // In the order of the topics, so that the same decisions have the same effects.
        stream::iter(questions).buffered(CONCURRENT_QUESTIONS).filter_map(std::future::ready).collect().await
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.settings.load().hook_timeout
    }

    async fn ask_until(
        &self,
        deadline: Instant,
        connection: Arc<Connection>,
        request: AccessRequest,
    ) -> AuthorizeOutcome {
        let Some(authorizer) = &self.authorizer else { return AuthorizeOutcome::Decided(AccessDecision::deny()) };
        let (id, action) = (connection.id, request.action.as_str());
        let problem = match timeout_at(deadline, authorizer.authorize(connection, request)).await {
            Ok(Ok(decision)) => return AuthorizeOutcome::Decided(decision),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("took longer than {:?}", self.settings.load().hook_timeout),
        };
        add(&self.metrics.hook_errors_total, 1);
        if self.may_warn() {
            tracing::warn!(hook = "authorize", action, connection = %id, problem, "a hook failed");
        }
        AuthorizeOutcome::Unavailable
    }

    /// True once a second.
    fn may_warn(&self) -> bool {
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let may = warned.is_none_or(|at| now >= at + WARN_EVERY);
        if may {
            *warned = Some(now);
        }
        may
    }
}
