//! The rate limit of publications that all connections of a user to this node share.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use realtime_core::limits::{BucketLimits, Buckets};
use realtime_schema::UserId;

use crate::settings::Settings;

/// A token bucket for each user who has published of late.
#[derive(Debug, Default)]
pub(crate) struct PublishRates(Mutex<Buckets<UserId>>);

impl PublishRates {
    /// Counts a publication of `user`.
    ///
    /// # Errors
    /// The user's connections have published too much: the time until another attempt.
    pub(crate) fn take(&self, user: &UserId, settings: &Settings, now: Duration) -> Result<(), Duration> {
        let limits = BucketLimits {
            rate: settings.limits.user_publishes_per_second,
            burst: settings.limits.user_publish_burst,
            // Who publishes has a connection, or had one a moment ago.
            keys: settings.admission.connections,
        };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take(user, limits, now)
    }
}
