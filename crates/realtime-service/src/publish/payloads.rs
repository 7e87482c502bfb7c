//! The application's rules for payloads, which every publication of this node must fit before anything else is done with
//! it.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use arc_swap::ArcSwapOption;
use realtime_ports::{MAX_PAYLOAD_ERRORS, PayloadRules, PublishError};
use realtime_schema::PublishRequest;

use crate::metrics::Metrics;

/// The rules now; without rules a check is one branch.
pub(crate) struct Payloads {
    /// The second `Arc`, because a swapped pointer has no room for a vtable.
    rules: ArcSwapOption<Arc<dyn PayloadRules>>,
    metrics: Arc<Metrics>,
}

impl Payloads {
    pub(crate) fn new(rules: Option<Arc<dyn PayloadRules>>, metrics: Arc<Metrics>) -> Self {
        Self { rules: ArcSwapOption::new(rules.map(Arc::new)), metrics }
    }

    /// Replaces the rules whole: a check sees the old ones or the new ones.
    pub(crate) fn replace(&self, rules: Option<Arc<dyn PayloadRules>>) {
        self.rules.store(rules.map(Arc::new));
    }

    /// Whether there are rules, so that a check may cost something.
    pub(super) fn are_checked(&self) -> bool {
        self.rules.load().is_some()
    }

    /// Refuses a message that does not fit, with at most [`MAX_PAYLOAD_ERRORS`] errors.
    pub(super) fn check(&self, request: &PublishRequest) -> Result<(), PublishError> {
        let rules = self.rules.load();
        let Some(rules) = &*rules else { return Ok(()) };
        rules.check(&request.to, &request.kind, &request.payload).map_err(|mut errors| {
            errors.truncate(MAX_PAYLOAD_ERRORS);
            self.metrics.payloads_refused_total.fetch_add(1, Relaxed);
            PublishError::Invalid(errors)
        })
    }
}
