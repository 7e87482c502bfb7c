//! `[delivery]`: what becomes of messages that can't be delivered at once.

use realtime_core::policy::Overflow;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happens to messages that can't be delivered at once.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DeliveryConfig {
    /// What to do when a connection's queue is full, for topics without a namespace and for the other routes:
    /// `close` it with 4513, `drop` the oldest messages and say so with a `gap`, or keep only the `latest` of each
    /// type.
    #[schemars(with = "OverflowName")]
    pub overflow: Overflow,
}

/// The names of [`Overflow`] for the schema: core knows no schemas.
#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(dead_code, reason = "only its schema is used")]
pub(super) enum OverflowName {
    Close,
    Drop,
    Latest,
}
